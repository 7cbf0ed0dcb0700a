#pragma once
// Two copies of one hot loop, for AVX2 and for the baseline, chosen when the program runs.
//
// Not __attribute__((target_clones)): its resolvers run before the sanitizers are ready. Both
// copies give the same bits: no fused multiply-add, the same order of additions.

#if defined(__x86_64__) && defined(__GNUC__)
#define OQAT_AVX2 __attribute__((target("avx2")))
#define OQAT_HAS_AVX2() (__builtin_cpu_supports("avx2") != 0)
#else
#define OQAT_AVX2
#define OQAT_HAS_AVX2() false
#endif
#define OQAT_INLINE inline __attribute__((always_inline))

namespace oqat::supernet {

/// Eight floats; loads and stores need no alignment.
using Float8 = float __attribute__((vector_size(32), aligned(4), may_alias));

}  // namespace oqat::supernet
