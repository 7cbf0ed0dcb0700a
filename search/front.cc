#include "search/front.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>

#include "search/nsga2.h"
#include "search/numbers.h"
#include "search/pareto.h"

namespace oqat::search {
namespace {

// The ends of the scale of latencies, which no space can tell.
constexpr double kFastestMs = 0.01, kSlowestMs = 10'000;

// What an objective's value is where it is worst and best for a minimiser.
struct Scale {
  double best = 0;
  double worst = 1;
};

Scale ScaleOf(const space::SearchSpace& space, const std::vector<int>& bits,
              const Objective& objective) {
  Scale scale;
  if (objective.metric == space::Metric::kTop1) {
    scale = {0, 1};
  } else if (objective.metric == space::Metric::kLoss) {
    scale = {0, std::log(std::max(2, space.num_classes))};
  } else if (objective.metric == space::Metric::kLatencyMs) {
    scale = {LogLatency(kFastestMs), LogLatency(kSlowestMs)};
  } else {
    const auto log_cost = [&](const space::Architecture& a) {
      return LogCost(space::CostMetrics(space, a).at(objective.metric));
    };
    scale = {log_cost(space::Smallest(space, bits.front())),
             log_cost(space::Largest(space, bits.front()))};
    for (const int b : bits) {
      scale.best = std::min(scale.best, log_cost(space::Smallest(space, b)));
      scale.worst = std::max(scale.worst, log_cost(space::Largest(space, b)));
    }
  }
  return objective.maximize ? Scale{-scale.worst, -scale.best} : scale;
}

}  // namespace

std::vector<Measured> FinalFront(const space::SearchSpace& space, const SearchRequest& request,
                                 std::span<const Measured> measured) {
  std::vector<const Measured*> usable;
  std::vector<Point> points;
  for (const Measured& m : measured) {
    if (m.stopped || !Usable(request, m) || Violation(request.constraints, m.metrics) > 0) continue;
    usable.push_back(&m);
    points.push_back(ToPoint(m.metrics, request.objectives));
  }
  const std::vector<int> ranks = NonDominatedRanks(points);
  const auto cost = std::find_if(request.objectives.begin(), request.objectives.end(),
                                 [](const Objective& o) { return !space::IsQuality(o.metric); });
  using Key = std::tuple<double, std::string, int, int>;
  std::vector<std::pair<Key, const Measured*>> front;
  for (std::size_t i = 0; i < usable.size(); ++i) {
    if (ranks[i] != 0) continue;
    const Measured& m = *usable[i];
    const double first =
        cost != request.objectives.end() ? m.metrics.at(cost->metric) : points[i].front();
    front.push_back({{first, space::ToKey(space, m.architecture), m.round, m.index}, &m});
  }
  std::sort(front.begin(), front.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Measured> ordered;
  for (const auto& [key, m] : front) ordered.push_back(*m);
  return ordered;
}

double FrontHypervolume(const space::SearchSpace& space, const SearchRequest& request,
                        std::span<const Measured> front) {
  const std::vector<int> bits = BitsOf(space, request);
  std::vector<Scale> scales;
  for (const Objective& objective : request.objectives) {
    scales.push_back(ScaleOf(space, bits, objective));
  }
  std::vector<Point> points;
  for (const Measured& m : front) {
    Point point = RankingPoint(m.metrics, request.objectives);
    for (std::size_t i = 0; i < point.size(); ++i) {
      const double range = scales[i].worst - scales[i].best;
      // A cost that cannot vary says nothing: it stands at its best.
      point[i] = range > 0 ? (point[i] - scales[i].best) / range : 0;
    }
    points.push_back(std::move(point));
  }
  return Hypervolume(points, Point(request.objectives.size(), 1.0));
}

RoundReport ReportRound(const space::SearchSpace& space, const SearchRequest& request,
                        std::span<const Measured> measured, int round,
                        std::optional<double> predictor_tau,
                        std::optional<double> predictor_tau_best, const Stagnation& before) {
  const std::vector<Measured> front = FinalFront(space, request, measured);
  const double hypervolume = FrontHypervolume(space, request, front);
  return {round,         hypervolume,        static_cast<int>(front.size()),
          predictor_tau, predictor_tau_best, StagnationAfter(before, request, round, hypervolume)};
}

}  // namespace oqat::search
