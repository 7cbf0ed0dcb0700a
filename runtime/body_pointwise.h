#pragma once
// 1x1 convolutions. Part of kernel_body.h, which says how it is compiled.

#include "runtime/body_finish.h"

namespace oqat::runtime {
namespace {

/// Sums of a chunk of `count` blocks of inputs, which are added in one D::Acc: all there are,
/// mostly. `in` and `weights` begin with the chunk.
template <class V, class D, int kOut>
OQAT_INLINE void PointwiseChunk(const Pointwise& conv, const std::uint8_t* in,
                                const std::int8_t* weights, int count,
                                typename V::I (&sums)[kOut][kTile]) {
  typename D::Acc acc[kOut][kTile];
  const auto step = [&](const std::uint8_t* codes, const std::int8_t* taps, bool first)
      __attribute__((always_inline)) {
    typename D::Weights w[kOut];
    OQAT_UNROLL(2)
    for (int o = 0; o < kOut; ++o) w[o] = D::LoadWeights(taps + o * conv.weight_block);
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) {
      const auto x = D::Broadcast(codes + i * kBlock);
      OQAT_UNROLL(2)
      for (int o = 0; o < kOut; ++o) {
        acc[o][i] = first ? D::First(x, w[o]) : D::Step(acc[o][i], x, w[o]);
      }
    }
    // Without this GCC computes products of several steps first and spills the sums.
    OQAT_UNROLL(2)
    for (int o = 0; o < kOut; ++o) D::Pin(acc[o]);
  };
  step(in, weights, true);
  step(in + 4, weights + 32, false);
  for (int k = 1; k < count; ++k) {
    in += conv.in_plane * kBlock;
    weights += 64;
    step(in, weights, false);
    step(in + 4, weights + 32, false);
  }
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) {
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) sums[o][i] = D::Total(acc[o][i]);
  }
}

/// All tiles of pixels [begin, end) of kOut blocks of outputs. kLong: of more inputs than one
/// chunk.
template <class V, class D, int kOut, bool kLong, class Sink>
OQAT_INLINE void ManyInputs(const Pointwise& conv, int block, std::int64_t begin, std::int64_t end,
                            const Sink& sink) {
  typename Sink::State states[kOut]{};
  const int blocks = conv.in_channels / kBlock;
  const std::int8_t* weights = conv.weights + block * conv.weight_block;
  for (std::int64_t pixel = begin; pixel < end; pixel += kTile) {
    const std::uint8_t* in = conv.in + pixel * kBlock;
    typename V::I sums[kOut][kTile];
    PointwiseChunk<V, D, kOut>(conv, in, weights, kLong ? D::kBlocks : blocks, sums);
    for (int done = D::kBlocks; kLong && done < blocks; done += D::kBlocks) {
      typename V::I more[kOut][kTile];
      PointwiseChunk<V, D, kOut>(conv, in + done * conv.in_plane * kBlock, weights + done * 64,
                                 Least(blocks - done, D::kBlocks), more);
      OQAT_UNROLL(2)
      for (int o = 0; o < kOut; ++o) {
        OQAT_UNROLL(4)
        for (int i = 0; i < kTile; ++i) sums[o][i] = V::Add(sums[o][i], more[o][i]);
      }
    }
    const int valid = static_cast<int>(Least<std::int64_t>(kTile, conv.pixels - pixel));
    OQAT_UNROLL(2)
    for (int o = 0; o < kOut; ++o) sink.Tile(states[o], block + o, pixel, valid, sums[o]);
  }
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) sink.End(block + o, states[o]);
}

/// The same for kIn blocks of inputs: their weights stay in registers.
template <class V, class D, int kOut, int kIn, class Sink>
OQAT_INLINE void FewInputs(const Pointwise& conv, int block, std::int64_t begin, std::int64_t end,
                           const Sink& sink) {
  typename Sink::State states[kOut]{};
  typename D::Weights w[kOut][2 * kIn];
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) {
    OQAT_UNROLL(6)
    for (int k = 0; k < 2 * kIn; ++k) {
      w[o][k] = D::LoadWeights(conv.weights + (block + o) * conv.weight_block + k * 32);
    }
  }
  for (std::int64_t pixel = begin; pixel < end; pixel += kTile) {
    const std::uint8_t* in = conv.in + pixel * kBlock;
    typename V::I sums[kOut][kTile];
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) {
      typename D::Acc acc[kOut];
      OQAT_UNROLL(6)
      for (int k = 0; k < 2 * kIn; ++k) {
        const auto x = D::Broadcast(in + (k / 2 * conv.in_plane + i) * kBlock + k % 2 * 4);
        OQAT_UNROLL(2)
        for (int o = 0; o < kOut; ++o) {
          acc[o] = k == 0 ? D::First(x, w[o][k]) : D::Step(acc[o], x, w[o][k]);
        }
      }
      OQAT_UNROLL(2)
      for (int o = 0; o < kOut; ++o) sums[o][i] = D::Total(acc[o]);
    }
    const int valid = static_cast<int>(Least<std::int64_t>(kTile, conv.pixels - pixel));
    OQAT_UNROLL(2)
    for (int o = 0; o < kOut; ++o) sink.Tile(states[o], block + o, pixel, valid, sums[o]);
  }
  OQAT_UNROLL(2)
  for (int o = 0; o < kOut; ++o) sink.End(block + o, states[o]);
}

template <class V, class D, int kOut, class Sink>
OQAT_INLINE void SomeOutputs(const Pointwise& conv, int block, std::int64_t begin, std::int64_t end,
                             const Sink& sink) {
  switch (conv.in_channels / kBlock) {
    case 1: FewInputs<V, D, kOut, 1>(conv, block, begin, end, sink); return;
    case 2: FewInputs<V, D, kOut, 2>(conv, block, begin, end, sink); return;
    case 3: FewInputs<V, D, kOut, 3>(conv, block, begin, end, sink); return;
    default: break;
  }
  if (conv.in_channels / kBlock <= D::kBlocks) {
    ManyInputs<V, D, kOut, false>(conv, block, begin, end, sink);
  } else {
    ManyInputs<V, D, kOut, true>(conv, block, begin, end, sink);
  }
}

/// Arguments by value: what is stored as bytes might be their fields, for all the compiler knows.
template <class V, class D, class Sink>
void RunPointwise(const Pointwise conv, const Sink sink) {
  // A panel of inputs stays in the first-level cache while all weights pass by.
  const std::int64_t panel =
      -Least<std::int64_t>(-4 * kTile, -(16384 / conv.in_channels / kTile * kTile));
  const int blocks = conv.out_channels / kBlock;
  for (std::int64_t begin = 0; begin < conv.pixels; begin += panel) {
    const std::int64_t end = Least(conv.pixels, begin + panel);
    int block = 0;
    for (; block + 2 <= blocks; block += 2) {
      SomeOutputs<V, D, 2>(conv, block, begin, end, sink);
    }
    for (; block < blocks; ++block) SomeOutputs<V, D, 1>(conv, block, begin, end, sink);
  }
}

}  // namespace
}  // namespace oqat::runtime
