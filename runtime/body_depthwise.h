#pragma once
// Depthwise convolutions. Part of kernel_body.h, which says how it is compiled.

#include "runtime/body_finish.h"

namespace oqat::runtime {
namespace {

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
void RunDepthwiseKernel(const Depthwise conv, const Sink sink) {
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

}  // namespace
}  // namespace oqat::runtime
