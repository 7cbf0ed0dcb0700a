#include "runtime/kernels.h"

#include "runtime/kernel_tables.h"

namespace oqat::runtime {

const Kernels& KernelsFor(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx2) return kAvx2Kernels;
  if (isa == Isa::kVnni) return kVnniKernels;
#endif
  return kPortableKernels;
}

}  // namespace oqat::runtime
