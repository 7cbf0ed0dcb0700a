#pragma once

#include <string_view>
#include <vector>

namespace oqat::runtime {

/// Instruction sets that kernels are written for. kVnni: AVX-512 VNNI on 256-bit vectors.
enum class Isa { kPortable, kAvx2, kVnni };

std::string_view IsaName(Isa isa);  ///< "portable", "avx2", "vnni"

/// What this processor and this build can run, slowest first.
std::vector<Isa> AvailableIsas();

/// The fastest of them that ONEDNN_MAX_CPU_ISA (oneDNN's variable, which this field's users know)
/// allows: SSE41 and AVX leave kPortable, AVX2 to AVX512_CORE kAvx2. OQAT_MAX_ISA, with our own
/// names, says it directly. Throws Error INVALID_ARGUMENT for a value that neither knows.
Isa DefaultIsa();

}  // namespace oqat::runtime
