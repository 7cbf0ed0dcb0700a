#include "supernet/memory.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace oqat::supernet {

void KeepFreedMemory() {
#ifdef __GLIBC__
  // mallopt takes an int; no tensor of a training step is larger than the first.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2147483647);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace oqat::supernet
