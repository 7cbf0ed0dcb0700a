#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "base/json.h"
#include "search/request.h"

namespace oqat::search {

/// For messages: whole numbers without exponent, others in the shortest exact form.
inline std::string ShowNumber(double value) {
  if (std::isfinite(value) && std::floor(value) == value && std::fabs(value) < 1e15) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  return std::isfinite(value) ? Json(value).dump() : std::to_string(value);
}

/// Violation (search/request.h) with value(metric) in place of a map.
template <typename Value>
double ViolationBy(const std::vector<Constraint>& constraints, const Value& value) {
  double violation = 0;
  const auto relative = [](double distance, double bound) {
    return distance / (bound > 0 ? bound : 1.0);
  };
  for (const Constraint& constraint : constraints) {
    const double got = value(constraint.metric);
    if (constraint.min && got < *constraint.min) {
      violation += relative(*constraint.min - got, *constraint.min);
    }
    if (constraint.max && got > *constraint.max) {
      violation += relative(got - *constraint.max, *constraint.max);
    }
  }
  return violation;
}

/// Costs spread over decades: ranking distances are taken between their logarithms.
inline double LogCost(double cost) { return std::log(cost > 1 ? cost : 1.0); }

/// The same for latencies: of whole microseconds.
inline double LogLatency(double ms) { return LogCost(1000 * ms); }

}  // namespace oqat::search
