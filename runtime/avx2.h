#pragma once
// Eight lanes on AVX2 and FMA; for files compiled for them.

#include <immintrin.h>

#include <cstdint>

#include "runtime/kernel_body.h"

namespace oqat::runtime {
namespace {

struct Avx2 {
  using F = __m256;
  using I = __m256i;

  static OQAT_INLINE F Load(const float* p) { return _mm256_loadu_ps(p); }
  static OQAT_INLINE I Load(const std::int32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static OQAT_INLINE void Store(float* p, F a) { _mm256_storeu_ps(p, a); }
  static OQAT_INLINE void Store(std::int32_t* p, I a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a);
  }
  static OQAT_INLINE F Set(float x) { return _mm256_set1_ps(x); }
  static OQAT_INLINE I SetInt(int x) { return _mm256_set1_epi32(x); }
  static OQAT_INLINE F Add(F a, F b) { return _mm256_add_ps(a, b); }
  static OQAT_INLINE I Add(I a, I b) { return _mm256_add_epi32(a, b); }
  static OQAT_INLINE F Mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static OQAT_INLINE F Fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static OQAT_INLINE F Max(F a, F b) { return _mm256_max_ps(a, b); }
  static OQAT_INLINE F Min(F a, F b) { return _mm256_min_ps(a, b); }
  /// Keeps them in registers here.
  static OQAT_INLINE void Pin(F (&a)[kTile]) {
    asm volatile("" : "+x"(a[0]), "+x"(a[1]), "+x"(a[2]), "+x"(a[3]));
  }
  static OQAT_INLINE F ToFloat(F a) { return a; }
  static OQAT_INLINE F ToFloat(I a) { return _mm256_cvtepi32_ps(a); }
  static OQAT_INLINE I Round(F a) { return _mm256_cvtps_epi32(a); }

  /// From 0 to `high`.
  static OQAT_INLINE void StoreCodes(std::uint8_t* out, const I (&codes)[kTile], int high) {
    // Packing saturates, the second time to 0 to 255.
    const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(codes[0], codes[1]),
                                              _mm256_packs_epi32(codes[2], codes[3]));
    const __m256i clipped = _mm256_min_epu8(bytes, _mm256_set1_epi8(static_cast<char>(high)));
    // Packing works within halves: the first holds channels 0 to 3 of each pixel.
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out),
                        _mm256_permutevar8x32_epi32(clipped, order));
  }

  /// Exact sums of 8 channels and of their squares, these of the even and of the odd ones.
  struct Sums {
    __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();
    __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
  };

  static OQAT_INLINE void AddSums(Sums& sums, const I (&tile)[kTile]) {
    AddFour(sums, _mm256_add_epi32(_mm256_add_epi32(tile[0], tile[1]),
                                   _mm256_add_epi32(tile[2], tile[3])));
    for (const __m256i x : tile) {
      sums.even = _mm256_add_epi64(sums.even, _mm256_mul_epi32(x, x));
      const __m256i y = _mm256_srli_epi64(x, 32);
      sums.odd = _mm256_add_epi64(sums.odd, _mm256_mul_epi32(y, y));
    }
  }

  /// The same where all of the tile fits 16 bits: two pixels side by side, one instruction squares
  /// and adds them.
  static OQAT_INLINE void AddSmall(Sums& sums, const I (&tile)[kTile]) {
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i first = Pair(tile[0], tile[1]), second = Pair(tile[2], tile[3]);
    AddFour(sums,
            _mm256_add_epi32(_mm256_madd_epi16(first, ones), _mm256_madd_epi16(second, ones)));
    // Four squares of at most 2^15 fill 32 bits without a sign.
    const __m256i squares =
        _mm256_add_epi32(_mm256_madd_epi16(first, first), _mm256_madd_epi16(second, second));
    sums.even = _mm256_add_epi64(sums.even,
                                 _mm256_blend_epi32(squares, _mm256_setzero_si256(), 0b10101010));
    sums.odd = _mm256_add_epi64(sums.odd, _mm256_srli_epi64(squares, 32));
  }

  static OQAT_INLINE void EndSums(const Sums& sums, std::int64_t* sum, std::uint64_t* squares) {
    Store64(sum, _mm256_add_epi64(Load64(sum), sums.low));
    Store64(sum + 4, _mm256_add_epi64(Load64(sum + 4), sums.high));
    const __m256i low = _mm256_unpacklo_epi64(sums.even, sums.odd);   // 0 1 | 4 5
    const __m256i high = _mm256_unpackhi_epi64(sums.even, sums.odd);  // 2 3 | 6 7
    Store64(squares, _mm256_add_epi64(Load64(squares), _mm256_permute2x128_si256(low, high, 0x20)));
    Store64(squares + 4,
            _mm256_add_epi64(Load64(squares + 4), _mm256_permute2x128_si256(low, high, 0x31)));
  }

  static OQAT_INLINE void StoreSmall(std::int16_t* out, const I (&tile)[kTile]) {
    for (int i = 0; i < kTile; i += 2) {
      const __m256i both = _mm256_packs_epi32(tile[i], tile[i + 1]);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i * kBlock),
                          _mm256_permute4x64_epi64(both, 0b11011000));
    }
  }
  static OQAT_INLINE I LoadSmall(const std::int16_t* p) {
    return _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }

  /// Eight doubles.
  struct W {
    __m256d low, high;
  };
  static OQAT_INLINE W SetDouble(double x) { return {_mm256_set1_pd(x), _mm256_set1_pd(x)}; }
  static OQAT_INLINE W ToDouble(F a) {
    return {_mm256_cvtps_pd(_mm256_castps256_ps128(a)),
            _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1))};
  }
  static OQAT_INLINE W LoadDouble(const double* p) {
    return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)};
  }
  static OQAT_INLINE W Fma(W a, W b, W c) {
    return {_mm256_fmadd_pd(a.low, b.low, c.low), _mm256_fmadd_pd(a.high, b.high, c.high)};
  }
  static OQAT_INLINE W Add(W a, W b) {
    return {_mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high)};
  }
  static OQAT_INLINE W Sub(W a, W b) {
    return {_mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high)};
  }
  static OQAT_INLINE W Mul(W a, W b) {
    return {_mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high)};
  }
  static OQAT_INLINE W Div(W a, double b) {
    return {_mm256_div_pd(a.low, _mm256_set1_pd(b)), _mm256_div_pd(a.high, _mm256_set1_pd(b))};
  }
  static OQAT_INLINE void Store(double* p, W a) {
    _mm256_storeu_pd(p, a.low);
    _mm256_storeu_pd(p + 4, a.high);
  }

  /// Four pixels of two rows as [pixel][8][2]: one after the other, or those of even and odd places
  /// apart.
  template <int kStride>
  static OQAT_INLINE void MakePairs(const std::uint8_t* first, const std::uint8_t* second,
                                    std::uint8_t* even, std::uint8_t* odd) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(first));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(second));
    const __m256i evens = _mm256_unpacklo_epi8(a, b);  // 0 | 2
    const __m256i odds = _mm256_unpackhi_epi8(a, b);   // 1 | 3
    if constexpr (kStride == 1) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(even),
                          _mm256_permute2x128_si256(evens, odds, 0x20));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(even + 32),
                          _mm256_permute2x128_si256(evens, odds, 0x31));
    } else {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(even), evens);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(odd), odds);
    }
  }

 private:
  static OQAT_INLINE __m256i Pair(I a, I b) {
    return _mm256_blend_epi16(a, _mm256_slli_epi32(b, 16), 0b10101010);
  }
  static OQAT_INLINE void AddFour(Sums& sums, I four) {
    sums.low = _mm256_add_epi64(sums.low, _mm256_cvtepi32_epi64(_mm256_castsi256_si128(four)));
    sums.high =
        _mm256_add_epi64(sums.high, _mm256_cvtepi32_epi64(_mm256_extracti128_si256(four, 1)));
  }
  template <class T>
  static OQAT_INLINE __m256i Load64(const T* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  template <class T>
  static OQAT_INLINE void Store64(T* p, __m256i a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a);
  }
};

/// What all dot products on 32 codes share.
struct Avx2Operands {
  using Acc = __m256i;
  using Weights = __m256i;

  /// Keeps them in registers here.
  static OQAT_INLINE void Pin(Acc (&acc)[kTile]) {
    asm volatile("" : "+x"(acc[0]), "+x"(acc[1]), "+x"(acc[2]), "+x"(acc[3]));
  }
  static OQAT_INLINE Weights LoadWeights(const std::int8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static OQAT_INLINE __m256i Broadcast(const std::uint8_t* p) {
    std::int32_t four;
    __builtin_memcpy(&four, p, 4);
    return _mm256_set1_epi32(four);
  }
};

/// Pairs of codes up to 15 and weights up to 8 in magnitude, two pixels at once: 49 products of at
/// most 120 add up within 16 bits.
struct Avx2NarrowPair {
  static constexpr int kPixels = 2;
  static constexpr int kTiles = 2;
  using Acc = __m256i;

  static OQAT_INLINE Acc Zero() { return _mm256_setzero_si256(); }
  static OQAT_INLINE void Pin(Acc& acc) { asm volatile("" : "+x"(acc)); }
  static OQAT_INLINE __m256i LoadWeights(const std::int8_t* p) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static OQAT_INLINE Acc Step(Acc acc, const std::uint8_t* codes, __m256i weights) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
    return _mm256_add_epi16(acc, _mm256_maddubs_epi16(x, weights));
  }
  static OQAT_INLINE void Totals(const Acc* acc, __m256i (&sums)[kTile]) {
    for (int i = 0; i < kTile; i += 2) {
      sums[i] = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(acc[i / 2]));
      sums[i + 1] = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(acc[i / 2], 1));
    }
  }
};

/// Small maps, with codes and weights as those.
struct Avx2Map {
  using Acc = __m256i;
  using Pixels = __m256i;

  static OQAT_INLINE Pixels LoadPixels(const std::uint8_t* p) {
    const __m256i pairs = _mm256_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15,  //
                                           0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
    return _mm256_shuffle_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), pairs);
  }
  static OQAT_INLINE Acc FirstPixels(Pixels x, const std::int8_t* weights) {
    return _mm256_maddubs_epi16(x, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights)));
  }
  static OQAT_INLINE Acc StepPixels(Acc acc, Pixels x, const std::int8_t* weights) {
    return _mm256_add_epi16(acc, FirstPixels(x, weights));
  }
  static OQAT_INLINE Acc NoProducts() { return _mm256_setzero_si256(); }
  /// Of all channels of x with channel j of y.
  static OQAT_INLINE Acc AddProducts(Acc acc, Pixels x, Pixels y, int j) {
    const __m256i channel = _mm256_set1_epi16(static_cast<short>(2 * j + 256 * (2 * j + 1)));
    return _mm256_add_epi16(acc, _mm256_maddubs_epi16(x, _mm256_shuffle_epi8(y, channel)));
  }
  static OQAT_INLINE Acc AddPixels(Acc acc, Pixels x) {
    return _mm256_add_epi16(acc, _mm256_maddubs_epi16(x, _mm256_set1_epi8(1)));
  }
  static OQAT_INLINE void EndProducts(Acc acc, std::int32_t (&to)[kBlock]) {
    const __m256i sums = _mm256_add_epi32(_mm256_cvtepi16_epi32(_mm256_castsi256_si128(acc)),
                                          _mm256_cvtepi16_epi32(_mm256_extracti128_si256(acc, 1)));
    Avx2::Store(to, _mm256_add_epi32(Avx2::Load(to), sums));
  }
  static OQAT_INLINE void PixelTotals(const Acc (&acc)[kTile], __m256i (&sums)[kTile]) {
    for (int i = 0; i < kTile; i += 2) {
      const __m256i both = _mm256_add_epi16(_mm256_permute2x128_si256(acc[i], acc[i + 1], 0x20),
                                            _mm256_permute2x128_si256(acc[i], acc[i + 1], 0x31));
      sums[i] = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(both));
      sums[i + 1] = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(both, 1));
    }
  }
};

/// Pairs of any codes, in 32 bits.
struct Avx2WidePair {
  static constexpr int kPixels = 1;
  static constexpr int kTiles = 2;
  using Acc = __m256i;

  static OQAT_INLINE Acc Zero() { return _mm256_setzero_si256(); }
  static OQAT_INLINE void Pin(Acc& acc) { asm volatile("" : "+x"(acc)); }
  static OQAT_INLINE __m256i LoadWeights(const std::int8_t* p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static OQAT_INLINE Acc Step(Acc acc, const std::uint8_t* codes, __m256i weights) {
    const __m256i x =
        _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(x, weights));
  }
  static OQAT_INLINE void Totals(const Acc* acc, __m256i (&sums)[kTile]) {
    for (int i = 0; i < kTile; ++i) sums[i] = acc[i];
  }
};

}  // namespace
}  // namespace oqat::runtime
