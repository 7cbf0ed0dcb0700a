#include "runtime/latency.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace oqat::runtime {

artifacts::Latency MeasureLatency(Subnet& subnet, const artifacts::ImageSet& set,
                                  std::int64_t count) {
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::duration<double, std::milli>;
  constexpr Milliseconds kWarm{50}, kTimed{333};
  constexpr std::size_t kLeastRuns = 20;

  std::vector<float> logits(static_cast<std::size_t>(subnet.classes()));
  std::int64_t next = 0;
  const auto run = [&] {
    const auto began = Clock::now();
    subnet.Run(set, next, next + 1, logits.data());
    next = (next + 1) % count;
    return Milliseconds(Clock::now() - began);
  };
  for (Milliseconds spent{0}; spent < kWarm;) spent += run();
  std::vector<double> times;
  for (Milliseconds spent{0}; spent < kTimed || times.size() < kLeastRuns;) {
    const Milliseconds time = run();
    spent += time;
    times.push_back(time.count());
  }
  std::sort(times.begin(), times.end());
  const auto quantile = [&](std::size_t quarters) {
    return times[(times.size() - 1) * quarters / 4];
  };
  return {quantile(2), quantile(3) - quantile(1)};
}

}  // namespace oqat::runtime
