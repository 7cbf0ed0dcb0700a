#pragma once

#include <istream>
#include <string>

namespace oqat {

/// What the machine calls its processor, with the numbers that tell models of one name apart:
/// "AMD EPYC 7763 64-Core Processor, family 25 model 1 stepping 1". At most 150 bytes without
/// control characters. "unknown processor" where the kernel does not say.
std::string ProcessorName();

/// The same from what Linux has in /proc/cpuinfo.
std::string ProcessorNameFrom(std::istream& cpuinfo);

}  // namespace oqat
