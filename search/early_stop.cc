#include "search/early_stop.h"

#include <algorithm>

#include "base/error.h"
#include "search/nsga2.h"

namespace oqat::search {

void CheckEarlyStop(const SearchRequest& request) {
  const bool fits =
      std::all_of(request.objectives.begin(), request.objectives.end(), [](const Objective& o) {
        return space::IsCost(o.metric) || (o.metric == space::Metric::kTop1 && o.maximize);
      });
  if (!fits) {
    throw InvalidField("early_stop", "true",
                       "false where another measured objective than top1 (maximized) is asked for");
  }
}

std::optional<double> StopBelow(const SearchRequest& request, std::span<const Measured> measured,
                                const space::MetricValues& costs) {
  std::optional<double> best;
  for (const Measured& other : measured) {
    if (other.stopped || !Usable(request, other)) continue;
    const double top1 = other.metrics.at(space::Metric::kTop1);
    if (best && top1 <= *best) continue;
    const bool costs_no_more = std::all_of(
        request.objectives.begin(), request.objectives.end(), [&](const Objective& objective) {
          if (!space::IsCost(objective.metric)) return true;
          const double theirs = other.metrics.at(objective.metric);
          const double ours = costs.at(objective.metric);
          return objective.maximize ? theirs >= ours : theirs <= ours;
        });
    if (costs_no_more && Violation(request.constraints, other.metrics) == 0) best = top1;
  }
  return best;
}

}  // namespace oqat::search
