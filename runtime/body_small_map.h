#pragma once
// Depthwise convolutions of small maps. Part of kernel_body.h, which says how it is compiled.

#include "runtime/body_finish.h"

namespace oqat::runtime {
namespace {

/// Of kVectors * 4 input pixels, which stay in registers.
template <class V, class D, int kVectors, class Sink>
void RunSmallMapOf(const SmallMap conv, const Sink sink) {
  const int weight_bytes = MapWeightBytes(conv.in_pixels, conv.out_pixels);
  for (int block = 0; block < conv.channels / kBlock; ++block) {
    typename Sink::State state{};
    for (std::int64_t image = 0; image < conv.images; ++image) {
      const std::uint8_t* in = conv.in + (block * conv.in_plane + image * conv.in_pixels) * kBlock;
      typename D::Pixels x[kVectors];
      OQAT_UNROLL(9)
      for (int v = 0; v < kVectors; ++v) x[v] = D::LoadPixels(in + v * 4 * kBlock);
      const std::int8_t* weights = conv.weights + block * weight_bytes;
      for (int out = 0; out < conv.out_pixels; out += kTile) {
        typename D::Acc acc[kTile];
        OQAT_UNROLL(4)
        for (int i = 0; i < kTile; ++i) {
          acc[i] = D::FirstPixels(x[0], weights);
          weights += 32;
          OQAT_UNROLL(9)
          for (int v = 1; v < kVectors; ++v, weights += 32) {
            acc[i] = D::StepPixels(acc[i], x[v], weights);
          }
        }
        typename V::I sums[kTile];
        D::PixelTotals(acc, sums);
        sink.Tile(state, block, image * conv.out_pixels + out, Least(kTile, conv.out_pixels - out),
                  sums);
      }
    }
    sink.End(block, state);
  }
}

template <class V, class D, class Sink>
void RunSmallMap(const SmallMap& conv, const Sink& sink) {
  switch (MapVectors(conv.in_pixels)) {
    case 1: RunSmallMapOf<V, D, 1>(conv, sink); return;   // 1x1 and 2x2
    case 3: RunSmallMapOf<V, D, 3>(conv, sink); return;   // 3x3
    case 4: RunSmallMapOf<V, D, 4>(conv, sink); return;   // 4x4
    case 7: RunSmallMapOf<V, D, 7>(conv, sink); return;   // 5x5
    default: RunSmallMapOf<V, D, 9>(conv, sink); return;  // 6x6
  }
}

}  // namespace
}  // namespace oqat::runtime
