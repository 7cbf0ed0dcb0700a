#pragma once

namespace oqat {

/// Seconds that processors spent on this process, all threads together, or on this thread: other
/// programs on the machine do not count.
double ProcessorSecondsOfProcess();
double ProcessorSecondsOfThread();

}  // namespace oqat
