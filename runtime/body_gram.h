#pragma once
// Statistics of 1x1 convolutions from the products of their inputs. Part of kernel_body.h, which
// says how it is compiled.
//
// With G = sum over pixels of x x^T, the sum over pixels of (w x)^2 is w G w^T. G takes in * in
// multiply-adds for a pixel, half of them by symmetry; the convolution itself takes in * out.

#include "runtime/body_finish.h"

namespace oqat::runtime {
namespace {

/// Products of one block of inputs with another, over all pixels: to[j][i]. With itself (kSame)
/// also the sums of its inputs.
template <class D, bool kSame>
OQAT_INLINE void GramBlock(const Pointwise& conv, int first, int second,
                           std::int32_t (&to)[kBlock][kBlock], std::int32_t (&sums)[kBlock]) {
  const std::uint8_t* one = conv.in + first * conv.in_plane * kBlock;
  const std::uint8_t* other = conv.in + second * conv.in_plane * kBlock;
  // Two products of at most 225 at a time: 64 of them fit 16 bits.
  for (std::int64_t begin = 0; begin < conv.pixels; begin += 64 * kTile) {
    const std::int64_t end = Least(conv.pixels, begin + 64 * kTile);
    typename D::Acc acc[kBlock], sum = D::NoProducts();
    OQAT_UNROLL(8)
    for (int j = 0; j < kBlock; ++j) acc[j] = D::NoProducts();
    for (std::int64_t pixel = begin; pixel < end; pixel += kTile) {
      // What follows the last pixel is no part of the sums.
      std::uint8_t padded[2][kTile * kBlock];
      const std::uint8_t* a = one + pixel * kBlock;
      const std::uint8_t* b = other + pixel * kBlock;
      if (__builtin_expect(pixel + kTile > end, 0)) {
        std::memset(padded, 0, sizeof padded);
        std::memcpy(padded[0], a, static_cast<std::size_t>(end - pixel) * kBlock);
        std::memcpy(padded[1], b, static_cast<std::size_t>(end - pixel) * kBlock);
        a = padded[0];
        b = padded[1];
      }
      const typename D::Pixels x = D::LoadPixels(a), y = D::LoadPixels(b);
      OQAT_UNROLL(8)
      for (int j = 0; j < kBlock; ++j) acc[j] = D::AddProducts(acc[j], x, y, j);
      if constexpr (kSame) sum = D::AddPixels(sum, x);
    }
    OQAT_UNROLL(8)
    for (int j = 0; j < kBlock; ++j) D::EndProducts(acc[j], to[j]);
    if constexpr (kSame) D::EndProducts(sum, sums);
  }
}

/// All of G and the sums of the inputs, as doubles, which hold them exactly: G in conv.scratch,
/// then the sums.
template <class D>
void Gram(const Pointwise& conv) {
  const int blocks = conv.in_channels / kBlock;
  double* gram = conv.scratch;
  for (int first = 0; first < blocks; ++first) {
    std::int32_t sums[kBlock] = {};
    for (int second = 0; second <= first; ++second) {
      std::int32_t products[kBlock][kBlock] = {};
      second == first ? GramBlock<D, true>(conv, first, second, products, sums)
                      : GramBlock<D, false>(conv, first, second, products, sums);
      for (int j = 0; j < kBlock; ++j) {
        for (int i = 0; i < kBlock; ++i) {
          const int row = first * kBlock + i, column = second * kBlock + j;
          gram[row * conv.in_channels + column] = products[j][i];
          gram[column * conv.in_channels + row] = products[j][i];
        }
      }
    }
    for (int i = 0; i < kBlock; ++i) {
      gram[conv.in_channels * conv.in_channels + first * kBlock + i] = sums[i];
    }
  }
}

template <class V, class D>
void RunPointwiseGram(const Pointwise& conv, const ChannelSums& sums) {
  Gram<D>(conv);
  const int in = conv.in_channels;
  const double* gram = conv.scratch;
  double weights[kMostGramInputs][kBlock];
  for (int block = 0; block < conv.out_channels / kBlock; ++block) {
    const std::int8_t* codes = conv.weights + block * conv.weight_block;
    for (int k = 0; k < in; ++k) {
      for (int c = 0; c < kBlock; ++c) weights[k][c] = codes[(k / 4 * kBlock + c) * 4 + k % 4];
    }
    auto squares = V::SetDouble(0), sum = squares;
    for (int i = 0; i < in; i += 2) {
      const double* rows[2] = {gram + i * in, gram + (i + 1) * in};
      auto even = V::SetDouble(0), odd = even;
      for (int j = 0; j < in; ++j) {
        const auto w = V::LoadDouble(weights[j]);
        even = V::Fma(V::SetDouble(rows[0][j]), w, even);
        odd = V::Fma(V::SetDouble(rows[1][j]), w, odd);
      }
      squares = V::Fma(even, V::LoadDouble(weights[i]), squares);
      squares = V::Fma(odd, V::LoadDouble(weights[i + 1]), squares);
      sum = V::Fma(V::SetDouble(gram[in * in + i]), V::LoadDouble(weights[i]), sum);
      sum = V::Fma(V::SetDouble(gram[in * in + i + 1]), V::LoadDouble(weights[i + 1]), sum);
    }
    double all[2][kBlock];
    V::Store(all[0], sum);
    V::Store(all[1], squares);
    for (int c = 0; c < kBlock; ++c) {
      sums.sum[block * kBlock + c] += static_cast<std::int64_t>(all[0][c]);
      sums.squares[block * kBlock + c] += static_cast<std::uint64_t>(all[1][c]);
    }
  }
}

}  // namespace
}  // namespace oqat::runtime
