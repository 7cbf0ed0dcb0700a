#pragma once

#include "runtime/kernels.h"

// Where KernelsFor finds the tables. Each is made in a file compiled for its instruction set.
namespace oqat::runtime {

extern const Kernels kPortableKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kVnniKernels;
#endif

}  // namespace oqat::runtime
