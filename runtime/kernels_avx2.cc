// Compiled with -mavx2 -mfma.
#include "runtime/avx2.h"
#include "runtime/kernel_tables.h"

namespace oqat::runtime {
namespace {

/// Codes up to 15 and weights up to 8 in magnitude: pairs of products, at most 240, are added in 16
/// bits, two instructions for 32 multiply-adds.
struct NarrowDot : Avx2Operands {
  static constexpr int kBlocks = 64;  // 2 * 64 * 240 < 2^15

  static OQAT_INLINE Acc First(__m256i codes, __m256i weights) {
    return _mm256_maddubs_epi16(codes, weights);
  }
  static OQAT_INLINE Acc Step(Acc acc, __m256i codes, __m256i weights) {
    return _mm256_add_epi16(acc, _mm256_maddubs_epi16(codes, weights));
  }
  static OQAT_INLINE __m256i Total(Acc acc) { return _mm256_madd_epi16(acc, _mm256_set1_epi16(1)); }
};

/// Any codes: their halves of 4 bits apart, as pairs of products of whole bytes overflow 16 bits.
struct WideDot : Avx2Operands {
  static constexpr int kBlocks = 1 << 20;

  static OQAT_INLINE Acc First(__m256i codes, __m256i weights) {
    return Step(_mm256_setzero_si256(), codes, weights);
  }
  static OQAT_INLINE Acc Step(Acc acc, __m256i codes, __m256i weights) {
    const __m256i mask = _mm256_set1_epi8(15);
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i low = _mm256_maddubs_epi16(_mm256_and_si256(codes, mask), weights);
    const __m256i high =
        _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(codes, 4), mask), weights);
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(low, ones));
    return _mm256_add_epi32(acc, _mm256_slli_epi32(_mm256_madd_epi16(high, ones), 4));
  }
  static OQAT_INLINE __m256i Total(Acc acc) { return acc; }
};

}  // namespace

const Kernels kAvx2Kernels =
    TableOf<Avx2, NarrowDot, WideDot, Avx2NarrowPair, Avx2WidePair, Avx2Map>(Isa::kAvx2);

}  // namespace oqat::runtime
