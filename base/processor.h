#pragma once

#include <string>

namespace oqat {

/// What the machine calls its processor, for example "AMD EPYC 7763 64-Core Processor"; at most 150
/// bytes without control characters. "unknown processor" where the kernel does not say.
std::string ProcessorName();

}  // namespace oqat
