#pragma once
// Two copies of one hot loop, for AVX2 and for the baseline, chosen when the program runs.
//
// Not __attribute__((target_clones)): its resolvers run before the sanitizers are ready. The two
// copies add in the same order. OQAT_AVX2 copies give the same bits as the baseline; OQAT_FMA ones,
// in files that are compiled with -ffp-contract=fast, round once per multiply-add and so differ in
// last bits.

#if defined(__x86_64__) && defined(__GNUC__)
#define OQAT_AVX2 __attribute__((target("avx2")))
#define OQAT_HAS_AVX2() (__builtin_cpu_supports("avx2") != 0)
#define OQAT_FMA __attribute__((target("avx2,fma")))
#define OQAT_HAS_FMA() (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0)
#else
#define OQAT_AVX2
#define OQAT_HAS_AVX2() false
#define OQAT_FMA
#define OQAT_HAS_FMA() false
#endif
#define OQAT_INLINE inline __attribute__((always_inline))

namespace oqat::supernet {

/// Eight and four floats; loads and stores need no alignment.
using Float8 = float __attribute__((vector_size(32), aligned(4), may_alias));
using Float4 = float __attribute__((vector_size(16), aligned(4), may_alias));

}  // namespace oqat::supernet
