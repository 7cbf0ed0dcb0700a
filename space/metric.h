#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "space/cost.h"

namespace oqat::space {

/// What an evaluation reports. Costs are exact and known before anything runs; the others are
/// measured.
enum class Metric {
  kTop1,  ///< share of images whose highest logit is the label's, 0 to 1
  kLoss,  ///< mean cross-entropy, nats
  kMacs,
  kBitops,
  kWeightedMacs,
  kParams,
  kWeightBytes,
  kLatencyMs,        ///< milliseconds, batch 1, one thread: median of repeated runs
  kLatencySpreadMs,  ///< interquartile range of these runs; tells how far to trust the median
};

using MetricValues = std::map<Metric, double>;

std::string_view MetricName(Metric metric);

/// Throws Error INVALID_ARGUMENT "FIELD: got X; allowed: top1, loss, ...".
Metric MetricFromName(std::string_view name, std::string_view field = "metric");

/// True for the metrics that CostMetrics fills.
bool IsCost(Metric metric);

/// True for top1 and loss: how good a subnet is, where the others say how dear.
bool IsQuality(Metric metric);

/// True where more is better (top1).
bool HigherIsBetter(Metric metric);

/// One of them; `metric` must be a cost.
double CostMetric(const Costs& costs, Metric metric);

/// All cost metrics of an architecture.
MetricValues CostMetrics(const SearchSpace& space, const Architecture& architecture);

}  // namespace oqat::space
