#pragma once

#include "runtime/isa.h"

namespace oqat::bench {

/// Multiply-adds per second of processor time of the product instruction of `isa`'s kernels for
/// codes of at most 4 bits, alone and in registers (AVX2: vpmaddubsw, whose products are not yet
/// added up; VNNI: vpdpbusd): what no kernel can exceed. Measured in a fraction of a second; 0 for
/// the portable kernels.
double PeakMacsPerSecond(runtime::Isa isa);

}  // namespace oqat::bench
