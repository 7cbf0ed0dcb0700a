// Compiled with -mavx2 -mfma -mavx512f -mavx512bw -mavx512vl -mavx512vnni.
#include "runtime/avx2.h"
#include "runtime/kernel_tables.h"

namespace oqat::runtime {
namespace {

/// One instruction for 32 multiply-adds, exact for all codes.
struct VnniDot : Avx2Operands {
  static constexpr int kBlocks = 1 << 20;

  static OQAT_INLINE Acc First(__m256i codes, __m256i weights) {
    return Step(_mm256_setzero_si256(), codes, weights);
  }
  static OQAT_INLINE Acc Step(Acc acc, __m256i codes, __m256i weights) {
    return _mm256_dpbusd_epi32(acc, codes, weights);
  }
  static OQAT_INLINE __m256i Total(Acc acc) { return acc; }
};

}  // namespace

const Kernels kVnniKernels =
    TableOf<Avx2, VnniDot, VnniDot, Avx2NarrowPair, Avx2WidePair, Avx2Map>(Isa::kVnni);

}  // namespace oqat::runtime
