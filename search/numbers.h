#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "base/json.h"

namespace oqat::search {

/// For messages: whole numbers without exponent, others in the shortest exact form.
inline std::string ShowNumber(double value) {
  if (std::isfinite(value) && std::floor(value) == value && std::fabs(value) < 1e15) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  return std::isfinite(value) ? Json(value).dump() : std::to_string(value);
}

/// Costs spread over decades: ranking distances are taken between their logarithms.
inline double LogCost(double cost) { return std::log(cost > 1 ? cost : 1.0); }

/// The same for latencies: of whole microseconds.
inline double LogLatency(double ms) { return LogCost(1000 * ms); }

}  // namespace oqat::search
