#pragma once

#include <optional>
#include <span>

#include "search/history.h"
#include "search/request.h"

namespace oqat::search {

/// Throws Error INVALID_ARGUMENT naming `early_stop` unless top1, to be maximized, is the only
/// measured objective: only then do costs and top1 alone tell what is dominated.
void CheckEarlyStop(const SearchRequest& request);

/// The top1 that a candidate of these costs must reach: the best of those in `measured` that meet
/// the constraints and cost no more in any cost objective. Below it the candidate is dominated,
/// whatever else it turns out to be. Nothing if there is no such one. `request` has passed
/// CheckEarlyStop.
std::optional<double> StopBelow(const SearchRequest& request, std::span<const Measured> measured,
                                const space::MetricValues& costs);

}  // namespace oqat::search
