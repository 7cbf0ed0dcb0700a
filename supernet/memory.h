#pragma once

namespace oqat::supernet {

/// Tells the C library to keep freed blocks of any size for the next allocation. A training step
/// frees and allocates the same few hundred tensors; by default the large ones go back to the
/// system each time, and every page of the next one is faulted in and cleared anew. For programs
/// that train; once, before threads are started. Does nothing where the C library is not glibc.
void KeepFreedMemory();

}  // namespace oqat::supernet
