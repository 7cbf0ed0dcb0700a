#pragma once

#include "runtime/isa.h"

namespace oqat::bench {

/// Multiply-adds per second of processor time that this processor does with the instructions of
/// `isa`'s kernels for codes of at most 4 bits, operands and sums staying in registers: nothing
/// that loads or stores can be faster. Measured in a fraction of a second; 0 for the portable
/// kernels.
double PeakMacsPerSecond(runtime::Isa isa);

}  // namespace oqat::bench
