#pragma once
// The loops of every kernel, over a vector type V and a dot product D. Included once by each
// instruction set's file, inside its own namespace's types; nothing here may be inlined elsewhere.
//
// No function of the standard library that might be compiled out of line is used: the linker could
// keep a copy that needs this file's instructions for the whole program.
//
// V: F (8 floats), I (8 int32) and operations on them. D: Acc, Zero, Step (acc += dot of 4 codes
// and 4 weights per lane) and Total (the exact int32 sums); kSteps is how often Step may be called
// before Total.

#include <cstring>
#include <type_traits>

#include "runtime/kernels.h"

#define OQAT_INLINE inline __attribute__((always_inline))
// Vectors in registers want their loops unrolled; the portable kernels, whose vectors are arrays,
// do not (and GCC would need minutes and gigabytes for them).
#ifndef OQAT_UNROLL
#define OQAT_PRAGMA(text) _Pragma(#text)
#define OQAT_UNROLL(n) OQAT_PRAGMA(GCC unroll n)
#endif

namespace oqat::runtime {
namespace {

template <class T>
OQAT_INLINE constexpr T Least(T a, T b) {
  return a < b ? a : b;
}

/// Pixels computed together: their codes fill one 32-byte store.
constexpr int kTile = 4;

template <class V, Rectifier R>
OQAT_INLINE typename V::F Rectify(typename V::F y) {
  if constexpr (R == Rectifier::kRelu) return V::Max(y, V::Set(0));
  if constexpr (R == Rectifier::kHSwish) {
    const auto gate = V::Min(V::Max(V::Add(y, V::Set(3)), V::Set(0)), V::Set(6));
    return V::Mul(y, V::Mul(gate, V::Set(1.0F / 6)));
  }
  return y;
}

/// Ends a tile as Finish says.
template <class V, Rectifier R, bool kReal, bool kCodes>
struct FinishSink {
  /// What is kept from tile to tile of one block of channels.
  struct State {};

  const Finish& finish;

  OQAT_INLINE void End(int, const State&) const {}

  template <class Sum>
  OQAT_INLINE void Tile(State&, int block, std::int64_t pixel, int,
                        const Sum (&sums)[kTile]) const {
    const typename V::F scale = V::Load(finish.scale + block * kBlock);
    const typename V::F bias = V::Load(finish.bias + block * kBlock);
    const std::int64_t at = (block * finish.plane + pixel) * kBlock;
    typename V::I codes[kTile];
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) {
      typename V::F y = Rectify<V, R>(V::Fma(V::ToFloat(sums[i]), scale, bias));
      if constexpr (kReal) {
        if (finish.shortcut != nullptr) {
          y = V::Add(y, V::Load(finish.shortcut + at + i * kBlock));
        }
        V::Store(finish.real + at + i * kBlock, y);
      }
      if constexpr (kCodes) {
        codes[i] = V::Round(V::Min(V::Mul(y, V::Set(finish.inverse_step)), V::Set(finish.high)));
      }
    }
    if constexpr (kCodes) V::StoreCodes(finish.codes + at, codes, finish.low, finish.offset);
  }
};

/// Adds up sums and their squares, exactly. kSmall: the sums fit 16 bits.
template <class V, bool kSmall>
struct SumsSink {
  using State = typename V::Sums;

  const ChannelSums& sums;

  OQAT_INLINE void End(int block, const State& state) const {
    V::EndSums(state, sums.sum + block * kBlock, sums.squares + block * kBlock);
  }

  OQAT_INLINE void Tile(State& state, int block, std::int64_t pixel, int valid,
                        const typename V::I (&tile)[kTile]) const {
    if constexpr (kSmall) {
      if (sums.kept != nullptr) {
        V::StoreSmall(sums.kept + (block * sums.plane + pixel) * kBlock, tile);
      }
    }
    if (valid >= kTile) {
      Add(state, tile);
      return;
    }
    typename V::I only[kTile];
    for (int i = 0; i < kTile; ++i) only[i] = i < valid ? tile[i] : V::SetInt(0);
    Add(state, only);
  }

 private:
  OQAT_INLINE static void Add(State& state, const typename V::I (&tile)[kTile]) {
    kSmall ? V::AddSmall(state, tile) : V::AddSums(state, tile);
  }
};

/// Calls work(sink) with the sink that `finish` asks for.
template <class V, Rectifier R, class Work>
void WithOutputs(const Finish& finish, Work&& work) {
  if (finish.real != nullptr && finish.codes != nullptr) {
    work(FinishSink<V, R, true, true>{finish});
  } else if (finish.real != nullptr) {
    work(FinishSink<V, R, true, false>{finish});
  } else {
    work(FinishSink<V, R, false, true>{finish});
  }
}

template <class V, class Work>
void WithSink(const Finish& finish, Work&& work) {
  // Codes alone that start at 0 are rectified by being clipped.
  const bool clipped = finish.real == nullptr && finish.low >= 0;
  switch (finish.rectifier) {
    case Rectifier::kHSwish: WithOutputs<V, Rectifier::kHSwish>(finish, work); return;
    case Rectifier::kRelu:
      if (!clipped) {
        WithOutputs<V, Rectifier::kRelu>(finish, work);
        return;
      }
      [[fallthrough]];
    case Rectifier::kNone: WithOutputs<V, Rectifier::kNone>(finish, work); return;
  }
}

/// One tile of kOut blocks of outputs.
template <class V, class D, int kOut, class Sink>
OQAT_INLINE void PointwiseTile(const Pointwise& conv, int block, std::int64_t pixel,
                               const Sink& sink, typename Sink::State (&states)[kOut]) {
  typename V::I sums[kOut][kTile];
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) {
    const auto init = V::Load(conv.init + (block + o) * kBlock);
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) sums[o][i] = init;
  }
  const std::uint8_t* in = conv.in + pixel * kBlock;
  const std::int64_t in_block = conv.in_plane * kBlock;
  const std::int8_t* weights = conv.weights + block * conv.weight_block;
  const int steps = conv.in_channels / 4;
  for (int begin = 0; begin < steps; begin += D::kSteps) {
    const int end = Least(steps, begin + D::kSteps);
    typename D::Acc acc[kOut][kTile];
    OQAT_UNROLL(2)
    for (int o = 0; o < kOut; ++o) {
      OQAT_UNROLL(4)
      for (int i = 0; i < kTile; ++i) acc[o][i] = D::Zero();
    }
    // Two steps read one block of inputs.
    for (int k = begin; k < end; k += 2) {
      OQAT_UNROLL(2)
      for (int half = 0; half < 2; ++half) {
        typename D::Weights w[kOut];
        OQAT_UNROLL(2)
        for (int o = 0; o < kOut; ++o) {
          w[o] = D::LoadWeights(weights + o * conv.weight_block + (k + half) * 32);
        }
        OQAT_UNROLL(4)
        for (int i = 0; i < kTile; ++i) {
          const auto x = D::Broadcast(in + i * kBlock + half * 4);
          OQAT_UNROLL(2)
          for (int o = 0; o < kOut; ++o) acc[o][i] = D::Step(acc[o][i], x, w[o]);
        }
        // Without this GCC computes products of both halves first and spills the sums.
        OQAT_UNROLL(2)
        for (int o = 0; o < kOut; ++o) D::Pin(acc[o]);
      }
      in += in_block;
    }
    OQAT_UNROLL(2)
    for (int o = 0; o < kOut; ++o) {
      OQAT_UNROLL(4)
      for (int i = 0; i < kTile; ++i) sums[o][i] = V::Add(sums[o][i], D::Total(acc[o][i]));
    }
  }
  const int valid = static_cast<int>(Least<std::int64_t>(kTile, conv.pixels - pixel));
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) sink.Tile(states[o], block + o, pixel, valid, sums[o]);
}

/// All tiles of pixels [begin, end) of kOut blocks of outputs.
template <class V, class D, int kOut, class Sink>
OQAT_INLINE void PointwiseBlocks(const Pointwise& conv, int block, std::int64_t begin,
                                 std::int64_t end, const Sink& sink) {
  typename Sink::State states[kOut]{};
  for (std::int64_t p = begin; p < end; p += kTile) {
    PointwiseTile<V, D, kOut>(conv, block, p, sink, states);
  }
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) sink.End(block + o, states[o]);
}

template <class V, class D, class Sink>
void RunPointwise(const Pointwise& conv, const Sink& sink) {
  // A panel of inputs stays in the first-level cache while all weights pass by.
  const std::int64_t panel =
      -Least<std::int64_t>(-4 * kTile, -(16384 / conv.in_channels / kTile * kTile));
  const int blocks = conv.out_channels / kBlock;
  for (std::int64_t begin = 0; begin < conv.pixels; begin += panel) {
    const std::int64_t end = Least(conv.pixels, begin + panel);
    int block = 0;
    for (; block + 2 <= blocks; block += 2) {
      PointwiseBlocks<V, D, 2>(conv, block, begin, end, sink);
    }
    for (; block < blocks; ++block) PointwiseBlocks<V, D, 1>(conv, block, begin, end, sink);
  }
}

/// The last rows of one block of channels, two and two side by side: a kept row r holds the codes
/// [pixel][8][2] of input rows r and r + 1, padded with zeros on the left and right. With stride 2
/// even and odd pixels lie apart, so that neighbouring outputs read neighbouring pixels.
template <class V, int kKernel, int kStride>
class PairRows {
 public:
  explicit PairRows(const Depthwise& conv)
      : conv_(conv),
        phase_bytes_(std::int64_t{PairRowWidth(conv)} * 16),
        rows_(conv.scratch),
        zeros_(conv.scratch + (kPairRows + 1) * kStride * phase_bytes_) {
    // The padding stays zero, as do the row above all and the zeros.
    std::memset(conv.scratch, 0, static_cast<std::size_t>(DepthwiseScratch(conv)));
  }

  std::int64_t phase_bytes() const { return phase_bytes_; }

  /// Begins an image; `plane` is its first pixel of the block in use. Rows from `first` on, in
  /// steps of the stride.
  void Begin(const std::uint8_t* plane) {
    plane_ = plane;
    next_ = -(kKernel / 2);
  }

  /// Makes rows up to `last` available.
  OQAT_INLINE void Advance(int last) {
    for (; next_ <= last; next_ += kStride) {
      if (next_ >= -1 && next_ < conv_.size) Make(next_);
    }
  }

  const std::uint8_t* Row(int r) const {
    const bool any = r >= -1 && r < conv_.size;
    return rows_ + (any ? (r + kPairRows) % kPairRows : kPairRows) * kStride * phase_bytes_;
  }

 private:
  OQAT_INLINE const std::uint8_t* Input(int y) const {
    const bool inside = y >= 0 && y < conv_.size;
    return inside ? plane_ + std::int64_t{y} * conv_.size * kBlock : zeros_;
  }

  OQAT_INLINE void Make(int r) {
    constexpr int kPadding = kKernel / 2;
    const std::uint8_t* first = Input(r);
    const std::uint8_t* second = Input(r + 1);
    std::uint8_t* row = rows_ + (r + kPairRows) % kPairRows * kStride * phase_bytes_;
    // The pixel at the left edge, and the one after it.
    std::uint8_t* even = row;
    std::uint8_t* odd = row + 16;
    if constexpr (kStride == 1) {
      even += kPadding * 16;
      odd += kPadding * 16;
    } else {
      even = row + kPadding % 2 * phase_bytes_ + kPadding / 2 * 16;
      odd = row + (kPadding + 1) % 2 * phase_bytes_ + (kPadding + 1) / 2 * 16;
    }
    int x = 0;
    for (; x + 4 <= conv_.size; x += 4) {
      V::template MakePairs<kStride>(first + x * kBlock, second + x * kBlock, even, odd);
      even += 64 / kStride;
      odd += 64 / kStride;
    }
    // What is left of the row must not bring what lies behind it.
    for (; x < conv_.size; ++x) {
      std::uint8_t* out = kStride == 1 || x % 2 == 0 ? even : odd;
      for (int c = 0; c < kBlock; ++c) {
        out[2 * c] = first[x * kBlock + c];
        out[2 * c + 1] = second[x * kBlock + c];
      }
      if (kStride == 1 || x % 2 == 0) even += 16;
      if (kStride == 2 && x % 2 == 1) odd += 16;
    }
  }

  const Depthwise& conv_;
  const std::int64_t phase_bytes_;
  std::uint8_t* const rows_;         ///< the last one stays zero
  const std::uint8_t* const zeros_;  ///< an input row of zeros
  const std::uint8_t* plane_ = nullptr;
  int next_ = 0;
};

/// kTiles tiles of one row of outputs. D: a dot product of pairs, kPixels of them at once.
template <class V, class D, int kKernel, int kStride, int kTiles, class Sink>
OQAT_INLINE void DepthwiseTile(const Depthwise& conv,
                               const std::uint8_t* const (&rows)[RowPairs(kKernel)],
                               std::int64_t phase_bytes, const std::int8_t* weights, int x,
                               int block, std::int64_t pixel, const Sink& sink,
                               typename Sink::State& state) {
  constexpr int kAccs = kTile / D::kPixels;
  typename D::Acc acc[kTiles * kAccs];
  OQAT_UNROLL(16)
  for (int i = 0; i < kTiles * kAccs; ++i) acc[i] = D::Zero();
  for (int pair = 0; pair < RowPairs(kKernel); ++pair) {
    const std::uint8_t* row = rows[pair] + std::int64_t{x} * 16;
    const std::int8_t* taps = weights + pair * kKernel * kBlock * 2;
    OQAT_UNROLL(7)
    for (int kx = 0; kx < kKernel; ++kx) {
      const auto w = D::LoadWeights(taps + kx * kBlock * 2);
      const std::uint8_t* codes = row + kx % kStride * phase_bytes + kx / kStride * 16;
      OQAT_UNROLL(16)
      for (int i = 0; i < kTiles * kAccs; ++i) {
        acc[i] = D::Step(acc[i], codes + i * D::kPixels * 16, w);
      }
      // As above: sums first, lest products are spilled.
      OQAT_UNROLL(16)
      for (int i = 0; i < kTiles * kAccs; ++i) D::Pin(acc[i]);
    }
  }
  OQAT_UNROLL(4)
  for (int t = 0; t < kTiles; ++t) {
    typename V::I sums[kTile];
    D::Totals(acc + t * kAccs, sums);
    const int valid = Least(kTile, conv.out_size - x - t * kTile);
    sink.Tile(state, block, pixel + t * kTile, valid, sums);
  }
}

template <class V, class D, int kKernel, int kStride, class Sink>
void RunDepthwiseKernel(const Depthwise& conv, const Sink& sink) {
  const int rounded = (conv.out_size + kTile - 1) / kTile * kTile;
  PairRows<V, kKernel, kStride> kept(conv);
  for (int block = 0; block < conv.channels / kBlock; ++block) {
    const std::int8_t* weights = conv.weights + block * DepthwiseWeightBytes(kKernel);
    typename Sink::State state{};
    for (std::int64_t image = 0; image < conv.images; ++image) {
      kept.Begin(conv.in + (block * conv.in_plane + image * conv.size * conv.size) * kBlock);
      for (int y = 0; y < conv.out_size; ++y) {
        const int first = y * kStride - kKernel / 2;
        kept.Advance(first + kKernel - 1);
        const std::uint8_t* rows[RowPairs(kKernel)];
        for (int pair = 0; pair < RowPairs(kKernel); ++pair)
          rows[pair] = kept.Row(first + 2 * pair);
        // A tile's surplus pixels are overwritten by those that follow, or fall into the slack.
        const std::int64_t pixel = (image * conv.out_size + y) * conv.out_size;
        int x = 0;
        for (; x + D::kTiles * kTile <= rounded; x += D::kTiles * kTile) {
          DepthwiseTile<V, D, kKernel, kStride, D::kTiles>(conv, rows, kept.phase_bytes(), weights,
                                                           x, block, pixel + x, sink, state);
        }
        for (; x < rounded; x += kTile) {
          DepthwiseTile<V, D, kKernel, kStride, 1>(conv, rows, kept.phase_bytes(), weights, x,
                                                   block, pixel + x, sink, state);
        }
      }
    }
    sink.End(block, state);
  }
}

template <class V, class D, int kKernel, class Sink>
void RunDepthwiseStride(const Depthwise& conv, const Sink& sink) {
  conv.stride == 1 ? RunDepthwiseKernel<V, D, kKernel, 1>(conv, sink)
                   : RunDepthwiseKernel<V, D, kKernel, 2>(conv, sink);
}

template <class V, class D, class Sink>
void RunDepthwise(const Depthwise& conv, const Sink& sink) {
  switch (conv.kernel) {
    case 3: RunDepthwiseStride<V, D, 3>(conv, sink); return;
    case 5: RunDepthwiseStride<V, D, 5>(conv, sink); return;
    default: RunDepthwiseStride<V, D, 7>(conv, sink); return;
  }
}

template <class V, int kOut>
OQAT_INLINE void StemTile(const Stem& stem, const float* image, int block, int y, int x,
                          std::int64_t pixel) {
  const int taps = stem.in_channels * 9;
  const float* weights = stem.weights + static_cast<std::int64_t>(block) * taps * kBlock;
  typename V::F acc[kOut][kTile];
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) {
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) acc[o][i] = V::Set(0.0F);
  }
  for (int c = 0; c < stem.in_channels; ++c) {
    for (int ky = 0; ky < 3; ++ky) {
      const float* in = image +
                        (std::int64_t{c} * (stem.size + 2) + y * stem.stride + ky) * stem.row +
                        std::int64_t{x} * stem.stride;
      OQAT_UNROLL(3)
      for (int kx = 0; kx < 3; ++kx) {
        const int tap = (c * 3 + ky) * 3 + kx;
        OQAT_UNROLL(4)
        for (int i = 0; i < kTile; ++i) {
          const auto value = V::Set(in[i * stem.stride + kx]);
          OQAT_UNROLL(2)
          for (int o = 0; o < kOut; ++o) {
            acc[o][i] = V::Fma(value, V::Load(weights + (o * taps + tap) * kBlock), acc[o][i]);
          }
        }
      }
    }
  }
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) {
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) {
      V::Store(stem.out + ((block + o) * stem.plane + pixel + i) * kBlock, acc[o][i]);
    }
  }
}

template <class V>
void RunStem(const Stem& stem) {
  const int blocks = stem.out_channels / kBlock;
  for (std::int64_t n = 0; n < stem.images; ++n) {
    const float* image = stem.in + n * stem.in_channels * (stem.size + 2) * stem.row;
    for (int y = 0; y < stem.out_size; ++y) {
      for (int x = 0; x < stem.out_size; x += kTile) {
        const std::int64_t pixel = (n * stem.out_size + y) * stem.out_size + x;
        int block = 0;
        for (; block + 2 <= blocks; block += 2) StemTile<V, 2>(stem, image, block, y, x, pixel);
        if (block < blocks) StemTile<V, 1>(stem, image, block, y, x, pixel);
      }
    }
  }
}

template <class V, int kOut>
OQAT_INLINE void DenseTile(const Dense& dense, int block, std::int64_t pixel) {
  typename V::F acc[kOut][kTile];
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) {
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) acc[o][i] = V::Load(dense.bias + (block + o) * kBlock);
  }
  const float* weights = dense.weights + block * dense.weight_block;
  for (int k = 0; k < dense.in_channels / kBlock; ++k) {
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
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) {
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) {
      V::Store(dense.out + ((block + o) * dense.plane + pixel + i) * kBlock, acc[o][i]);
    }
  }
}

template <class V>
void RunDense(const Dense& dense) {
  const int blocks = dense.out_channels / kBlock;
  int block = 0;
  for (; block + 2 <= blocks; block += 2) {
    for (std::int64_t p = 0; p < dense.pixels; p += kTile) DenseTile<V, 2>(dense, block, p);
  }
  for (; block < blocks; ++block) {
    for (std::int64_t p = 0; p < dense.pixels; p += kTile) DenseTile<V, 1>(dense, block, p);
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
  for (int block = 0; block < channels / kBlock; ++block) {
    for (std::int64_t n = 0; n < images; ++n) {
      const auto gate = V::Load(gates + (block * gate_plane + n) * kBlock);
      const std::int64_t begin = n * pixels_per_image;
      for (std::int64_t p = begin; p < begin + pixels_per_image; p += kTile) {
        typename V::I codes[kTile];
        OQAT_UNROLL(4)
        for (int i = 0; i < kTile; ++i) {
          const auto y = V::Mul(V::Load(in + (block * plane + p + i) * kBlock), gate);
          codes[i] = V::Round(V::Min(V::Mul(y, inverse), V::Set(finish.high)));
        }
        V::StoreCodes(finish.codes + (block * finish.plane + p) * kBlock, codes, finish.low,
                      finish.offset);
      }
    }
  }
}

/// The table of one instruction set.
/// Narrow and Wide are dot products of fours, NarrowPair and WidePair of pairs.
template <class V, class Narrow, class Wide, class NarrowPair, class WidePair>
constexpr Kernels TableOf(Isa isa) {
  Kernels table{};
  table.isa = isa;
  table.pointwise = [](const Pointwise& conv, const Finish& finish) {
    WithSink<V>(finish, [&](const auto& sink) {
      conv.narrow ? RunPointwise<V, Narrow>(conv, sink) : RunPointwise<V, Wide>(conv, sink);
    });
  };
  table.pointwise_sums = [](const Pointwise& conv, const ChannelSums& sums) {
    if (!conv.narrow) {
      RunPointwise<V, Wide>(conv, SumsSink<V, false>{sums});
    } else if (conv.in_channels * 15 * 8 < 32768) {
      RunPointwise<V, Narrow>(conv, SumsSink<V, true>{sums});
    } else {
      RunPointwise<V, Narrow>(conv, SumsSink<V, false>{sums});
    }
  };
  table.depthwise = [](const Depthwise& conv, const Finish& finish) {
    WithSink<V>(finish, [&](const auto& sink) {
      conv.narrow ? RunDepthwise<V, NarrowPair>(conv, sink) : RunDepthwise<V, WidePair>(conv, sink);
    });
  };
  table.depthwise_sums = [](const Depthwise& conv, const ChannelSums& sums) {
    conv.narrow ? RunDepthwise<V, NarrowPair>(conv, SumsSink<V, true>{sums})
                : RunDepthwise<V, WidePair>(conv, SumsSink<V, false>{sums});
  };
  table.stem = RunStem<V>;
  table.dense = RunDense<V>;
  table.finish = RunFinish<V>;
  table.finish_sums = RunFinishSums<V>;
  table.moments = RunMoments<V>;
  table.pool = RunPool<V>;
  table.gate = RunGate<V>;
  return table;
}

}  // namespace
}  // namespace oqat::runtime
