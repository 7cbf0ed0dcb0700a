#include "space/metric.h"

#include <array>
#include <utility>

namespace oqat::space {
namespace {

constexpr std::array<std::pair<Metric, std::string_view>, 9> kNames{{
    {Metric::kTop1, "top1"},
    {Metric::kLoss, "loss"},
    {Metric::kMacs, "macs"},
    {Metric::kBitops, "bitops"},
    {Metric::kWeightedMacs, "weighted_macs"},
    {Metric::kParams, "params"},
    {Metric::kWeightBytes, "weight_bytes"},
    {Metric::kLatencyMs, "latency_ms"},
    {Metric::kLatencySpreadMs, "latency_spread_ms"},
}};

}  // namespace

std::string_view MetricName(Metric metric) {
  for (const auto& [value, name] : kNames) {
    if (value == metric) return name;
  }
  return "";
}

Metric MetricFromName(std::string_view name, std::string_view field) {
  std::string allowed;
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
    allowed.append(allowed.empty() ? "" : ", ").append(known);
  }
  throw InvalidField(field, "\"" + std::string(name.substr(0, 80)) + "\"", allowed);
}

bool IsCost(Metric metric) {
  return metric != Metric::kTop1 && metric != Metric::kLoss && metric != Metric::kLatencyMs &&
         metric != Metric::kLatencySpreadMs;
}

bool IsQuality(Metric metric) { return metric == Metric::kTop1 || metric == Metric::kLoss; }

bool HigherIsBetter(Metric metric) { return metric == Metric::kTop1; }

double CostMetric(const Costs& costs, Metric metric) {
  switch (metric) {
    case Metric::kMacs: return static_cast<double>(costs.macs);
    case Metric::kBitops: return static_cast<double>(costs.bitops);
    case Metric::kWeightedMacs: return costs.weighted_macs;
    case Metric::kParams: return static_cast<double>(costs.params);
    case Metric::kWeightBytes: return static_cast<double>(costs.weight_bytes());
    default: return 0;
  }
}

MetricValues CostMetrics(const SearchSpace& space, const Architecture& architecture) {
  const Costs costs = CostsOf(space, architecture);
  MetricValues values;
  for (const Metric metric : {Metric::kMacs, Metric::kBitops, Metric::kWeightedMacs,
                              Metric::kParams, Metric::kWeightBytes}) {
    values[metric] = CostMetric(costs, metric);
  }
  return values;
}

}  // namespace oqat::space
