#pragma once
// Float kernels. Part of kernel_body.h, which says how it is compiled.

#include "runtime/body_finish.h"

namespace oqat::runtime {
namespace {

/// Stores float sums as they are.
template <class V>
struct StoreSink {
  struct State {};

  float* out;
  std::int64_t plane;

  OQAT_INLINE void Tile(State&, int block, std::int64_t pixel, int,
                        const typename V::F (&sums)[kTile]) const {
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) {
      V::Store(out + (block * plane + pixel + i) * kBlock, sums[i]);
    }
  }
};

/// kOut blocks of outputs of kTiles tiles of a row; eight chains of sums keep the processor busy.
template <class V, int kOut, int kTiles, int kStride, class Sink>
OQAT_INLINE void StemTile(const Stem& stem, const float* image, int block, int y, int x,
                          std::int64_t pixel, const Sink& sink) {
  const int taps = stem.in_channels * 9;
  const float* weights = stem.weights + static_cast<std::int64_t>(block) * taps * kBlock;
  typename V::F acc[kOut * kTiles][kTile];
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut * kTiles; ++o) {
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) acc[o][i] = V::Set(0.0F);
  }
  const float* channel = image + std::int64_t{y} * kStride * stem.row + x * kStride;
  for (int c = 0; c < stem.in_channels; ++c, channel += (stem.size + 2) * stem.row) {
    const float* in = channel;
    for (int ky = 0; ky < 3; ++ky, in += stem.row) {
      OQAT_UNROLL(3)
      for (int kx = 0; kx < 3; ++kx, weights += kBlock) {
        OQAT_UNROLL(8)
        for (int i = 0; i < kTiles * kTile; ++i) {
          const auto value = V::Set(in[i * kStride + kx]);
          OQAT_UNROLL(2)
          for (int o = 0; o < kOut; ++o) {
            auto& sum = acc[o * kTiles + i / kTile][i % kTile];
            sum = V::Fma(value, V::Load(weights + o * taps * kBlock), sum);
          }
        }
        // Lest values that several taps share fill the registers, and sums leave them.
        asm volatile("" : "+r"(in));
        OQAT_UNROLL(2)
        for (int o = 0; o < kOut * kTiles; ++o) V::Pin(acc[o]);
      }
    }
  }
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut * kTiles; ++o) {
    typename Sink::State state;
    sink.Tile(state, block + o / kTiles, pixel + o % kTiles * kTile, kTile, acc[o]);
  }
}

template <class V, int kStride, class Sink>
void RunStemStride(const Stem stem, const Sink sink) {
  const int blocks = stem.out_channels / kBlock;
  const int rounded = (stem.out_size + kTile - 1) / kTile * kTile;
  for (std::int64_t n = 0; n < stem.images; ++n) {
    const float* image = stem.in + n * stem.in_channels * (stem.size + 2) * stem.row;
    for (int y = 0; y < stem.out_size; ++y) {
      const std::int64_t pixel = (n * stem.out_size + y) * stem.out_size;
      int block = 0;
      for (; block + 2 <= blocks; block += 2) {
        for (int x = 0; x < rounded; x += kTile) {
          StemTile<V, 2, 1, kStride>(stem, image, block, y, x, pixel + x, sink);
        }
      }
      if (block == blocks) continue;
      int x = 0;
      for (; x + 2 * kTile <= rounded; x += 2 * kTile) {
        StemTile<V, 1, 2, kStride>(stem, image, block, y, x, pixel + x, sink);
      }
      if (x < rounded) StemTile<V, 1, 1, kStride>(stem, image, block, y, x, pixel + x, sink);
    }
  }
}

template <class V, class Sink>
void RunStem(const Stem& stem, const Sink& sink) {
  stem.stride == 1 ? RunStemStride<V, 1>(stem, sink) : RunStemStride<V, 2>(stem, sink);
}

/// Adds blocks [begin, end) of inputs to a tile of kOut blocks of outputs.
template <class V, int kOut>
OQAT_INLINE void DenseTile(const Dense& dense, int block, int begin, int end, std::int64_t pixel) {
  typename V::F acc[kOut][kTile];
  float* out = dense.out + (block * dense.plane + pixel) * kBlock;
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) {
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) {
      acc[o][i] = V::Load(begin == 0 ? dense.bias + (block + o) * kBlock
                                     : out + (o * dense.plane + i) * kBlock);
    }
  }
  const float* weights = dense.weights + block * dense.weight_block;
  for (int k = begin; k < end; ++k) {
    const float* in = dense.in + (k * dense.in_plane + pixel) * kBlock;
    OQAT_UNROLL(8)
    for (int c = 0; c < kBlock; ++c) {
      OQAT_UNROLL(2)
      for (int o = 0; o < kOut; ++o) {
        const auto w = V::Load(weights + o * dense.weight_block + (k * kBlock + c) * kBlock);
        OQAT_UNROLL(4)
        for (int i = 0; i < kTile; ++i) {
          acc[o][i] = V::Fma(V::Set(in[i * kBlock + c]), w, acc[o][i]);
        }
      }
    }
  }
  const bool rectify = dense.rectify && end == dense.in_channels / kBlock;
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) {
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) {
      V::Store(out + (o * dense.plane + i) * kBlock,
               rectify ? V::Max(acc[o][i], V::Set(0)) : acc[o][i]);
    }
  }
}

template <class V>
void RunDense(const Dense& dense) {
  // The weights of so many blocks of inputs stay in the first-level cache for all pixels.
  constexpr int kChunk = 32;
  const int blocks = dense.out_channels / kBlock, inputs = dense.in_channels / kBlock;
  for (int block = 0; block < blocks; block += 2) {
    for (int begin = 0; begin < inputs; begin += kChunk) {
      const int end = Least(inputs, begin + kChunk);
      for (std::int64_t p = 0; p < dense.pixels; p += kTile) {
        block + 2 <= blocks ? DenseTile<V, 2>(dense, block, begin, end, p)
                            : DenseTile<V, 1>(dense, block, begin, end, p);
      }
    }
  }
}

template <class V>
void RunFinish(const float* in, std::int64_t pixels, int channels, const Finish& finish) {
  WithSink<V>(finish, [&](const auto& sink) {
    typename std::remove_cvref_t<decltype(sink)>::State state;
    for (int block = 0; block < channels / kBlock; ++block) {
      for (std::int64_t p = 0; p < pixels; p += kTile) {
        typename V::F tile[kTile];
        for (int i = 0; i < kTile; ++i) {
          tile[i] = V::Load(in + (block * finish.plane + p + i) * kBlock);
        }
        sink.Tile(state, block, p, kTile, tile);
      }
    }
  });
}

template <class V>
void RunFinishSums(const std::int16_t* in, std::int64_t pixels, int channels,
                   const Finish& finish) {
  WithSink<V>(finish, [&](const auto& sink) {
    typename std::remove_cvref_t<decltype(sink)>::State state;
    for (int block = 0; block < channels / kBlock; ++block) {
      for (std::int64_t p = 0; p < pixels; p += kTile) {
        typename V::I tile[kTile];
        OQAT_UNROLL(4)
        for (int i = 0; i < kTile; ++i) {
          tile[i] = V::LoadSmall(in + (block * finish.plane + p + i) * kBlock);
        }
        sink.Tile(state, block, p, kTile, tile);
      }
    }
  });
}

template <class V>
void RunMoments(const float* in, std::int64_t plane, std::int64_t pixels, int channels,
                double* mean, double* variance) {
  const double n = static_cast<double>(pixels);
  for (int block = 0; block < channels / kBlock; ++block) {
    const float* values = in + block * plane * kBlock;
    auto sum = V::SetDouble(0);
    for (std::int64_t p = 0; p < pixels; ++p) {
      sum = V::Add(sum, V::ToDouble(V::Load(values + p * kBlock)));
    }
    const auto center = V::Div(sum, n);
    auto squares = V::SetDouble(0);
    for (std::int64_t p = 0; p < pixels; ++p) {
      const auto difference = V::Sub(V::ToDouble(V::Load(values + p * kBlock)), center);
      squares = V::Add(squares, V::Mul(difference, difference));
    }
    V::Store(mean + block * kBlock, center);
    V::Store(variance + block * kBlock, V::Div(squares, n));
  }
}

template <class V>
void RunPool(const float* in, std::int64_t plane, std::int64_t images,
             std::int64_t pixels_per_image, int channels, float* out, std::int64_t out_plane) {
  const auto scale = V::Set(1.0F / static_cast<float>(pixels_per_image));
  for (int block = 0; block < channels / kBlock; ++block) {
    for (std::int64_t n = 0; n < images; ++n) {
      const float* pixel = in + (block * plane + n * pixels_per_image) * kBlock;
      auto sum = V::Set(0.0F);
      for (std::int64_t p = 0; p < pixels_per_image; ++p)
        sum = V::Add(sum, V::Load(pixel + p * kBlock));
      V::Store(out + (block * out_plane + n) * kBlock, V::Mul(sum, scale));
    }
  }
}

template <class V>
void RunGate(const float* in, std::int64_t plane, std::int64_t images,
             std::int64_t pixels_per_image, int channels, const float* gates,
             std::int64_t gate_plane, const Finish& finish) {
  const auto inverse = V::Set(finish.inverse_step);
  const auto high = V::Set(static_cast<float>(finish.high));
  for (int block = 0; block < channels / kBlock; ++block) {
    for (std::int64_t n = 0; n < images; ++n) {
      const auto gate = Gate<V>(V::Load(gates + (block * gate_plane + n) * kBlock));
      const std::int64_t begin = n * pixels_per_image;
      for (std::int64_t p = begin; p < begin + pixels_per_image; p += kTile) {
        typename V::I codes[kTile];
        OQAT_UNROLL(4)
        for (int i = 0; i < kTile; ++i) {
          const auto y = V::Mul(V::Load(in + (block * plane + p + i) * kBlock), gate);
          codes[i] = V::Round(V::Min(high, V::Mul(y, inverse)));
        }
        V::StoreCodes(finish.codes + (block * finish.plane + p) * kBlock, codes, finish.high);
      }
    }
  }
}

}  // namespace
}  // namespace oqat::runtime
