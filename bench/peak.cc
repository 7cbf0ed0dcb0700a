#include "bench/peak.h"

#include <algorithm>
#include <cstdint>

#include "base/processor_time.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace oqat::bench {

#if defined(__x86_64__)

namespace {

constexpr int kProducts = 12;  ///< side by side: more than latency times throughput
constexpr std::int64_t kSteps = 1 << 22;
constexpr double kMacsPerStep = 32 * kProducts;

// The empty assembly makes every product one that the compiler must compute.
__attribute__((target("avx2"))) void MultiplyPairs(std::int64_t steps) {
  __m256i codes = _mm256_set1_epi8(15);
  const __m256i weights = _mm256_set1_epi8(-8);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (int product = 0; product < kProducts; ++product) {
      asm volatile("" : "+x"(codes));
      asm volatile("" : : "x"(_mm256_maddubs_epi16(codes, weights)));
    }
  }
}

__attribute__((target("avx512vl,avx512vnni"))) void MultiplyFours(std::int64_t steps) {
  __m256i sums[kProducts] = {};
  __m256i codes = _mm256_set1_epi8(15);
  const __m256i weights = _mm256_set1_epi8(-8);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (__m256i& sum : sums) {
      asm volatile("" : "+x"(codes));
      sum = _mm256_dpbusd_epi32(sum, codes, weights);
      asm volatile("" : "+x"(sum));
    }
  }
}

}  // namespace

double PeakMacsPerSecond(runtime::Isa isa) {
  if (isa == runtime::Isa::kPortable) return 0;
  double best = 0;
  for (int round = 0; round < 7; ++round) {
    const double begin = ProcessorSecondsOfThread();
    isa == runtime::Isa::kVnni ? MultiplyFours(kSteps) : MultiplyPairs(kSteps);
    const double seconds = ProcessorSecondsOfThread() - begin;
    best = std::max(best, kMacsPerStep * static_cast<double>(kSteps) / seconds);
  }
  return best;
}

#else

double PeakMacsPerSecond(runtime::Isa) { return 0; }

#endif

}  // namespace oqat::bench
