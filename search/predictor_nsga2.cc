#include "search/predictor_nsga2.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "search/improvement.h"
#include "search/kendall.h"
#include "search/nsga2.h"

namespace oqat::search {
namespace {

constexpr std::size_t kLeastSamples = 8;
constexpr std::size_t kBudget = 20'000;  // predictions in a round
constexpr std::size_t kPool = 400;       // the best of them, to choose from
constexpr int kUncertainRanks = 3;
constexpr int kJudgedRounds = 2;
constexpr std::size_t kJudgingSamples = 200;  // an own fit: it must stay small
constexpr double kTrustedTau = 0.2;           // from here on the predictor is trusted fully
constexpr double kMostExplored = 0.5, kLeastExplored = 0.125;  // shares of a round

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

int ExploredOf(std::optional<double> tau, int count) {
  const double trust = std::clamp(tau.value_or(kTrustedTau) / kTrustedTau, 0.0, 1.0);
  const double share = kMostExplored + trust * (kLeastExplored - kMostExplored);
  return static_cast<int>(std::lround(share * count));
}

PredictorNsga2Strategy::PredictorNsga2Strategy(const space::SearchSpace& space,
                                               const SearchRequest& request,
                                               PredictorFactory factory)
    : request_(request), factory_(std::move(factory)), genes_(space, BitsOf(space, request)) {}

std::vector<space::Architecture> PredictorNsga2Strategy::Propose(const History& history,
                                                                 int /*round*/, int count,
                                                                 RandomStream& random) const {
  // First, so that PredictRound draws the same numbers.
  const std::vector<MetricModel> models =
      FitModels(request_, factory_, history.measured, kLeastSamples, random);
  Candidates candidates(genes_, request_, history);
  std::vector<space::Architecture> batch;
  if (models.empty()) {
    ProposeInitial(candidates, batch, count, random);
    return batch;
  }
  const std::vector<Predicted> pool =
      SearchPredicted(genes_, request_, models, history, candidates, kBudget, kPool, random);
  const int explored = ExploredOf(RecentTau(history, random), count);
  ChooseBest(history, pool, candidates, batch, static_cast<std::size_t>(count - explored));

  // Half of the exploration: what the predictor is least sure of, near its front.
  std::vector<std::size_t> unsure;
  for (std::size_t i = 0; i < pool.size(); ++i) {
    if (pool[i].rank < kUncertainRanks && !candidates.Seen(pool[i].architecture))
      unsure.push_back(i);
  }
  const auto uncertainty = [&](std::size_t i) {
    double sum = 0;
    for (std::size_t k = 0; k < pool[i].stddev.size(); ++k) {
      // Relative, because a metric's unit must not decide which one is explored.
      sum += pool[i].stddev[k] / (std::fabs(pool[i].point[k]) + 1e-12);
    }
    return sum;
  };
  std::stable_sort(unsure.begin(), unsure.end(),
                   [&](std::size_t a, std::size_t b) { return uncertainty(a) > uncertainty(b); });
  const std::size_t most = std::min(unsure.size(), static_cast<std::size_t>(explored / 2));
  for (std::size_t i = 0; i < most; ++i) {
    candidates.MarkSeen(pool[unsure[i]].architecture);
    batch.push_back(pool[unsure[i]].architecture);
  }
  Spread(candidates, batch, count, random);
  return batch;
}

// Kendall's tau of what the predictor would have said about the last rounds without them.
std::optional<double> PredictorNsga2Strategy::RecentTau(const History& history,
                                                        RandomStream& random) const {
  const auto judged = std::find_if(request_.objectives.begin(), request_.objectives.end(),
                                   [](const Objective& o) { return !space::IsCost(o.metric); });
  const int last = history.measured.empty() ? 0 : history.measured.back().round;
  const auto split =
      std::find_if(history.measured.begin(), history.measured.end(),
                   [&](const Measured& m) { return m.round > last - kJudgedRounds; });
  const auto known = static_cast<std::size_t>(split - history.measured.begin());
  std::vector<space::Architecture> architectures;
  std::vector<double> values;
  for (auto m = split; m != history.measured.end(); ++m) {
    if (!Usable(request_, *m) || m->stopped) continue;
    architectures.push_back(m->architecture);
    values.push_back(m->metrics.at(judged->metric));
  }
  if (values.size() < 2) return std::nullopt;
  for (const MetricModel& model : FitModels(
           request_, factory_, std::span(history.measured).first(known), kLeastSamples, random)) {
    if (model.metric != judged->metric) continue;
    std::vector<double> mean(architectures.size());
    model.predictor->Predict(architectures, mean, {});
    return KendallTau(mean, values);
  }
  return std::nullopt;
}

void PredictorNsga2Strategy::ChooseBest(const History& history, const std::vector<Predicted>& pool,
                                        Candidates& candidates,
                                        std::vector<space::Architecture>& batch,
                                        std::size_t count) const {
  const auto take = [&](const Predicted& predicted) {
    candidates.MarkSeen(predicted.architecture);
    batch.push_back(predicted.architecture);
  };
  std::vector<Point> front;
  Point reference;
  for (const Individual& individual : UsableIndividuals(request_, history)) {
    if (reference.empty()) reference = individual.point;
    for (std::size_t k = 0; k < reference.size(); ++k) {
      reference[k] = std::max(reference[k], individual.point[k]);
    }
    if (individual.violation == 0) front.push_back(individual.point);
  }
  std::vector<Point> means;
  std::vector<std::vector<double>> stddevs;
  std::vector<std::size_t> allowed;
  for (std::size_t i = 0; i < pool.size(); ++i) {
    if (pool[i].violation > 0) continue;
    allowed.push_back(i);
    means.push_back(pool[i].point);
    stddevs.push_back(pool[i].stddev);
  }
  if (!reference.empty()) {
    const ExpectedImprovement improvement(std::move(front), std::move(reference));
    for (const std::size_t i : ChooseByImprovement(improvement, means, stddevs, count)) {
      take(pool[allowed[i]]);
    }
  }
  // Nothing is expected to improve: the front of what is left, spread out.
  for (int rank = 0; batch.size() < count; ++rank) {
    std::vector<std::size_t> members;
    std::vector<Point> points;
    bool beyond = false;
    for (std::size_t i = 0; i < pool.size(); ++i) {
      beyond = beyond || pool[i].rank > rank;
      if (pool[i].rank != rank || candidates.Seen(pool[i].architecture)) continue;
      members.push_back(i);
      points.push_back(pool[i].point);
    }
    for (const std::size_t k : SpreadOut(points, count - batch.size())) take(pool[members[k]]);
    if (!beyond) break;
  }
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

std::vector<double> PredictRound(const space::SearchSpace& space, const SearchRequest& request,
                                 const PredictorFactory& factory, const History& history, int round,
                                 space::Metric metric,
                                 const std::vector<space::Architecture>& architectures) {
  CheckRequest(space, request);
  if (!factory) return {};
  RandomStream random = RoundStream(request.seed, round);
  for (const MetricModel& model :
       FitModels(request, factory, history.measured, kLeastSamples, random)) {
    if (model.metric != metric) continue;
    std::vector<double> mean(architectures.size());
    model.predictor->Predict(architectures, mean, {});
    return mean;
  }
  return {};
}

}  // namespace oqat::search
