#include "base/processor_time.h"

#include <time.h>

namespace oqat {

namespace {

double Seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

double ProcessorSecondsOfProcess() { return Seconds(CLOCK_PROCESS_CPUTIME_ID); }
double ProcessorSecondsOfThread() { return Seconds(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace oqat
