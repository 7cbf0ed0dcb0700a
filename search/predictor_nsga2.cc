#include "search/predictor_nsga2.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace oqat::search {
namespace {

constexpr std::size_t kLeastSamples = 8;
constexpr std::size_t kMostSamples = 3000;  // keeps a fit near a second whatever the budget
constexpr std::size_t kPopulation = 100;
constexpr int kGenerations = 40;
constexpr int kUncertainRanks = 3;

std::set<space::Metric> MeasuredMetrics(const SearchRequest& request) {
  std::set<space::Metric> metrics;
  for (const Objective& o : request.objectives) {
    if (!space::IsCost(o.metric)) metrics.insert(o.metric);
  }
  for (const Constraint& c : request.constraints) {
    if (!space::IsCost(c.metric)) metrics.insert(c.metric);
  }
  return metrics;
}

// Farthest-point selection: the end of the first objective, then whatever is farthest from all
// that was taken, each objective scaled to the range of `points`. Returns positions.
std::vector<std::size_t> SpreadOut(const std::vector<Point>& points, std::size_t count) {
  std::vector<std::size_t> taken;
  if (points.empty() || count == 0) return taken;
  const std::size_t dimensions = points.front().size();
  Point low = points.front(), high = points.front();
  for (const Point& p : points) {
    for (std::size_t m = 0; m < dimensions; ++m) {
      low[m] = std::min(low[m], p[m]);
      high[m] = std::max(high[m], p[m]);
    }
  }
  std::vector<double> nearest(points.size(), std::numeric_limits<double>::infinity());
  std::vector<bool> used(points.size(), false);
  std::size_t next =
      static_cast<std::size_t>(std::min_element(points.begin(), points.end()) - points.begin());
  while (true) {
    taken.push_back(next);
    used[next] = true;
    if (taken.size() == std::min(count, points.size())) return taken;
    std::size_t farthest = points.size();
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (used[i]) continue;
      double distance = 0;
      for (std::size_t m = 0; m < dimensions; ++m) {
        const double range = high[m] - low[m];
        const double d = range > 0 ? (points[i][m] - points[next][m]) / range : 0;
        distance += d * d;
      }
      nearest[i] = std::min(nearest[i], distance);
      if (farthest == points.size() || nearest[i] > nearest[farthest]) farthest = i;
    }
    next = farthest;
  }
}

}  // namespace

std::vector<MetricModel> FitModels(const SearchRequest& request, const PredictorFactory& factory,
                                   const History& history, RandomStream& random) {
  const std::set<space::Metric> metrics = MeasuredMetrics(request);
  std::vector<const Measured*> usable;
  for (const Measured& measured : history.measured) {
    const bool complete = std::all_of(metrics.begin(), metrics.end(), [&](space::Metric metric) {
      const auto found = measured.metrics.find(metric);
      return found != measured.metrics.end() && std::isfinite(found->second);
    });
    if (!measured.failed && complete) usable.push_back(&measured);
  }
  if (usable.size() < kLeastSamples) return {};
  if (usable.size() > kMostSamples) usable.erase(usable.begin(), usable.end() - kMostSamples);

  std::vector<space::Architecture> architectures;
  for (const Measured* measured : usable) architectures.push_back(measured->architecture);
  std::vector<MetricModel> models;
  for (const space::Metric metric : metrics) {
    std::vector<double> targets;
    for (const Measured* measured : usable) targets.push_back(measured->metrics.at(metric));
    models.push_back({metric, factory()});
    models.back().predictor->Fit(architectures, targets, random);
  }
  return models;
}

PredictorNsga2Strategy::PredictorNsga2Strategy(const space::SearchSpace& space,
                                               const SearchRequest& request,
                                               PredictorFactory factory)
    : request_(request), factory_(std::move(factory)), genes_(space, BitsOf(space, request)) {}

std::vector<space::Architecture> PredictorNsga2Strategy::Propose(const History& history,
                                                                 int /*round*/, int count,
                                                                 RandomStream& random) const {
  // First, so that PredictRound draws the same numbers.
  const std::vector<MetricModel> models = FitModels(request_, factory_, history, random);
  Candidates candidates(genes_, request_, history);
  std::vector<space::Architecture> batch;
  if (models.empty()) {
    ProposeInitial(candidates, batch, count, random);
    return batch;
  }

  std::vector<Prediction> pool = SearchPredicted(models, history, candidates, random);
  std::erase_if(pool,
                [&](const Prediction& p) { return candidates.Seen(p.individual.architecture); });
  std::vector<Point> points;
  std::vector<double> violations;
  for (const Prediction& p : pool) {
    points.push_back(p.individual.point);
    violations.push_back(p.individual.violation);
  }
  const std::vector<int> ranks = ConstrainedRanks(points, violations);
  const auto take = [&](const space::Architecture& architecture) {
    candidates.MarkSeen(architecture);
    batch.push_back(architecture);
  };

  const int explored = (count + 2) / 4;
  const int exploited = count - explored;
  int last_rank = 0;
  for (const int rank : ranks) last_rank = std::max(last_rank, rank);
  for (int rank = 0; rank <= last_rank && static_cast<int>(batch.size()) < exploited; ++rank) {
    std::vector<std::size_t> members;
    std::vector<Point> front;
    for (std::size_t i = 0; i < pool.size(); ++i) {
      if (ranks[i] != rank) continue;
      members.push_back(i);
      front.push_back(points[i]);
    }
    for (const std::size_t k :
         SpreadOut(front, static_cast<std::size_t>(exploited) - batch.size())) {
      take(pool[members[k]].individual.architecture);
    }
  }

  // Half of the exploration: what the predictor is least sure of, near its front.
  std::vector<std::size_t> unsure;
  for (std::size_t i = 0; i < pool.size(); ++i) {
    const bool near = ranks[i] < kUncertainRanks;
    if (near && !candidates.Seen(pool[i].individual.architecture)) unsure.push_back(i);
  }
  std::sort(unsure.begin(), unsure.end(), [&](std::size_t a, std::size_t b) {
    if (pool[a].uncertainty != pool[b].uncertainty) {
      return pool[a].uncertainty > pool[b].uncertainty;
    }
    return pool[a].individual.architecture < pool[b].individual.architecture;
  });
  const std::size_t most = std::min(unsure.size(), static_cast<std::size_t>(explored / 2));
  for (std::size_t i = 0; i < most; ++i) take(pool[unsure[i]].individual.architecture);
  Spread(candidates, batch, count, random);
  return batch;
}

void PredictorNsga2Strategy::ProposeInitial(Candidates& candidates,
                                            std::vector<space::Architecture>& batch, int count,
                                            RandomStream& random) const {
  const std::vector<int>& widths = genes_.bits();
  for (auto bits = widths.rbegin(); bits != widths.rend(); ++bits) {
    for (space::Architecture end :
         {space::Largest(genes_.space(), *bits), space::Smallest(genes_.space(), *bits)}) {
      // At most half of a round: a tiny one must not hold ends alone.
      if (2 * static_cast<int>(batch.size()) >= count) break;
      if (candidates.Seen(end) || candidates.CostViolation(end) > 0) continue;
      candidates.MarkSeen(end);
      batch.push_back(std::move(end));
    }
  }
  Spread(candidates, batch, count, random);
}

// Fills the batch: bit widths in turn, each over equal parts of its range of costs.
void PredictorNsga2Strategy::Spread(Candidates& candidates, std::vector<space::Architecture>& batch,
                                    int count, RandomStream& random) const {
  std::vector<int> widths = genes_.bits();
  random.Shuffle(std::span(widths));
  const int missing = count - static_cast<int>(batch.size());
  const int turns = static_cast<int>(widths.size());
  const int parts = (missing + turns - 1) / turns;
  for (int i = 0; i < missing; ++i) {
    const double position = (i / turns + random.Uniform()) / parts;
    std::optional<space::Architecture> drawn =
        candidates.AtCost(position, widths[i % turns], /*unseen=*/true, random);
    if (!drawn) return;
    candidates.MarkSeen(*drawn);
    batch.push_back(std::move(*drawn));
  }
}

std::vector<PredictorNsga2Strategy::Prediction> PredictorNsga2Strategy::Predict(
    const std::vector<MetricModel>& models, std::vector<space::Architecture> architectures) const {
  const std::size_t n = architectures.size();
  std::vector<space::MetricValues> values(n);
  std::vector<Prediction> predictions(n);
  for (std::size_t i = 0; i < n; ++i) {
    values[i] = space::CostMetrics(genes_.space(), architectures[i]);
  }
  std::vector<double> mean(n), stddev(n);
  for (const MetricModel& model : models) {
    model.predictor->Predict(architectures, mean, stddev);
    for (std::size_t i = 0; i < n; ++i) {
      values[i][model.metric] = mean[i];
      // Relative, because a metric's unit must not decide which one is explored.
      predictions[i].uncertainty += stddev[i] / (std::fabs(mean[i]) + 1e-12);
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    predictions[i].individual = {std::move(architectures[i]),
                                 RankingPoint(values[i], request_.objectives),
                                 Violation(request_.constraints, values[i])};
  }
  return predictions;
}

// Every distinct allowed architecture that the evolution saw, measured ones among them.
std::vector<PredictorNsga2Strategy::Prediction> PredictorNsga2Strategy::SearchPredicted(
    const std::vector<MetricModel>& models, const History& history, Candidates& candidates,
    RandomStream& random) const {
  std::set<space::Architecture> known;
  std::vector<space::Architecture> fresh;
  const auto add = [&](const space::Architecture& architecture) {
    if (known.insert(architecture).second) fresh.push_back(architecture);
  };
  std::vector<Individual> measured = UsableIndividuals(request_, history);
  KeepBest(measured, kPopulation / 2);
  for (const Individual& individual : measured) add(individual.architecture);
  const std::vector<int>& widths = genes_.bits();
  for (std::size_t i = measured.size(); i < kPopulation; ++i) {
    const std::optional<space::Architecture> drawn =
        candidates.AtCost(random.Uniform(), widths[i % widths.size()], /*unseen=*/false, random);
    if (drawn) add(*drawn);
  }

  std::vector<Prediction> pool;
  std::vector<Individual> population;
  const auto evaluate = [&] {
    for (Prediction& prediction : Predict(models, std::move(fresh))) {
      population.push_back(prediction.individual);
      pool.push_back(std::move(prediction));
    }
    fresh.clear();
    KeepBest(population, kPopulation);
  };
  evaluate();
  for (int generation = 0; generation < kGenerations && !population.empty(); ++generation) {
    for (std::size_t i = 0; i < 3 * kPopulation && fresh.size() < kPopulation; ++i) {
      Genome child = Offspring(genes_, population, random);
      if (candidates.Repair(child, random)) add(genes_.Decode(child));
    }
    if (fresh.empty()) break;
    evaluate();
  }
  return pool;
}

std::vector<double> PredictRound(const space::SearchSpace& space, const SearchRequest& request,
                                 const PredictorFactory& factory, const History& history, int round,
                                 space::Metric metric,
                                 const std::vector<space::Architecture>& architectures) {
  CheckRequest(space, request);
  if (!factory || !MeasuredMetrics(request).contains(metric)) return {};
  RandomStream random = RoundStream(request.seed, round);
  for (const MetricModel& model : FitModels(request, factory, history, random)) {
    if (model.metric != metric) continue;
    std::vector<double> mean(architectures.size()), stddev(architectures.size());
    model.predictor->Predict(architectures, mean, stddev);
    return mean;
  }
  return {};
}

}  // namespace oqat::search
