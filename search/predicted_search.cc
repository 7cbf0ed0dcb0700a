#include "search/predicted_search.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <unordered_set>
#include <utility>

#include "search/nsga2.h"
#include "search/numbers.h"
#include "space/cost.h"

namespace oqat::search {
namespace {

constexpr std::size_t kMostSamples = 3000;
constexpr std::size_t kPopulation = 200;
constexpr int kTriesPerChild = 4;
constexpr double kCrossoverProbability = 0.9;

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

std::uint64_t HashOf(const space::Architecture& a) {
  std::uint64_t hash = 14695981039346656037ULL;
  const auto mix = [&hash](int value) {
    hash = (hash ^ static_cast<std::uint64_t>(value)) * 1099511628211ULL;
  };
  mix(a.resolution);
  mix(a.bits);
  for (const int kernel : a.kernels) mix(kernel);
  for (const int expand : a.expands) mix(expand);
  for (const int depth : a.depths) mix(depth);
  return hash;
}

/// All that the inner search met, each once.
class Pool {
 public:
  Pool(const space::SearchSpace& space, const SearchRequest& request,
       const std::vector<MetricModel>& models, std::size_t budget)
      : space_(space), request_(request), models_(models) {
    known_.reserve(2 * budget);
  }

  std::size_t size() const { return genomes_.size(); }
  const Genome& genome(std::size_t i) const { return genomes_[i]; }
  const Point& point(std::size_t i) const { return points_[i]; }
  double violation(std::size_t i) const { return violations_[i]; }
  bool fresh(std::size_t i) const { return fresh_[i]; }

  /// Takes it in, unless it is there; Predict must follow.
  bool Add(const Genome& genome, const space::Architecture& architecture, bool fresh) {
    if (!known_.insert(HashOf(architecture)).second) return false;
    genomes_.push_back(genome);
    fresh_.push_back(fresh);
    // Reused: an architecture is three allocations.
    if (waiting_ == batch_.size()) batch_.emplace_back();
    batch_[waiting_++] = architecture;
    return true;
  }
  std::size_t waiting() const { return waiting_; }

  void Predict() {
    const std::span<const space::Architecture> batch(batch_.data(), waiting_);
    means_.resize(models_.size());
    for (std::size_t m = 0; m < models_.size(); ++m) {
      means_[m].resize(waiting_);
      models_[m].predictor->Predict(batch, means_[m], {});
    }
    for (std::size_t i = 0; i < waiting_; ++i) {
      const space::Costs costs = space::CostsOf(space_, batch[i]);
      const auto value = [&](space::Metric metric) {
        if (space::IsCost(metric)) return space::CostMetric(costs, metric);
        for (std::size_t m = 0; m < models_.size(); ++m) {
          if (models_[m].metric == metric) return means_[m][i];
        }
        return 0.0;
      };
      Point point;
      point.reserve(request_.objectives.size());
      for (const Objective& objective : request_.objectives) {
        point.push_back(RankingCoordinate(objective, value(objective.metric)));
      }
      points_.push_back(std::move(point));
      violations_.push_back(ViolationBy(request_.constraints, value));
    }
    waiting_ = 0;
  }

 private:
  const space::SearchSpace& space_;
  const SearchRequest& request_;
  const std::vector<MetricModel>& models_;
  std::unordered_set<std::uint64_t> known_;
  std::vector<Genome> genomes_;
  std::vector<bool> fresh_;
  std::vector<Point> points_;
  std::vector<double> violations_;
  std::vector<space::Architecture> batch_;
  std::size_t waiting_ = 0;
  std::vector<std::vector<double>> means_;
};

struct Member {
  std::size_t id = 0;  // in the pool
  int rank = 0;
  double crowding = 0;
};

// By rank, then crowding (wide first), then age.
void RankAndSort(const Pool& pool, std::vector<Member>& members) {
  std::vector<Point> points;
  std::vector<double> violations;
  points.reserve(members.size());
  for (const Member& member : members) {
    points.push_back(pool.point(member.id));
    violations.push_back(pool.violation(member.id));
  }
  const std::vector<int> ranks = ConstrainedRanks(points, violations);
  const std::vector<double> crowding = CrowdingByRank(points, ranks);
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].rank = ranks[i];
    members[i].crowding = crowding[i];
  }
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
    if (a.rank != b.rank) return a.rank < b.rank;
    if (a.crowding != b.crowding) return a.crowding > b.crowding;
    return a.id < b.id;
  });
}

// The best so many fresh ones of sorted members.
std::vector<Member> BestFresh(const Pool& pool, const std::vector<Member>& sorted,
                              std::size_t count) {
  std::vector<Member> best;
  for (const Member& member : sorted) {
    if (best.size() == count) break;
    if (pool.fresh(member.id)) best.push_back(member);
  }
  return best;
}

std::vector<Member> Evolve(const GeneSpace& genes, const SearchRequest& request,
                           const History& history, Candidates& candidates, std::size_t budget,
                           std::size_t kept, Pool& pool, RandomStream& random) {
  space::Architecture architecture;
  std::vector<Individual> best = UsableIndividuals(request, history);
  KeepBest(best, kPopulation / 2);
  for (const Individual& individual : best) {
    if (candidates.CostViolation(individual.architecture) > 0) continue;
    pool.Add(genes.Encode(individual.architecture, random), individual.architecture, false);
  }
  const std::size_t elite = pool.size();
  const std::vector<int>& widths = genes.bits();
  for (std::size_t i = 0; i < kPopulation; ++i) {
    const auto drawn =
        candidates.AtCost(random.Uniform(), widths[i % widths.size()], /*unseen=*/false, random);
    if (!drawn) break;
    pool.Add(genes.Encode(*drawn, random), *drawn, !candidates.Seen(*drawn));
  }
  pool.Predict();
  std::vector<Member> parents(pool.size()), fresh;
  for (std::size_t i = 0; i < parents.size(); ++i) parents[i].id = i;
  RankAndSort(pool, parents);
  fresh = BestFresh(pool, parents, kept);

  const auto tournament = [&]() -> const Genome& {
    const std::uint64_t a = random.Below(parents.size()), b = random.Below(parents.size());
    return pool.genome(parents[std::min(a, b)].id);
  };
  while (pool.size() < budget && !parents.empty()) {
    const std::size_t before = pool.size();
    for (std::size_t i = 0; i < kTriesPerChild * kPopulation && pool.waiting() < kPopulation; ++i) {
      Genome child = tournament();
      if (random.Bernoulli(kCrossoverProbability)) child = genes.Cross(child, tournament(), random);
      genes.Mutate(child, 2.0 / genes.size(), random);
      if (!candidates.Repair(child, random)) continue;
      genes.Decode(child, architecture);
      pool.Add(child, architecture, !candidates.Seen(architecture));
    }
    if (pool.size() == before) break;
    pool.Predict();
    // Measured ones stay as parents, whatever is predicted of others.
    std::vector<Member> members = fresh;
    for (std::size_t i = 0; i < elite; ++i) members.push_back({i});
    for (std::size_t i = before; i < pool.size(); ++i) members.push_back({i});
    RankAndSort(pool, members);
    fresh = BestFresh(pool, members, kept);
    members.resize(std::min(members.size(), kPopulation));
    parents = std::move(members);
  }
  return fresh;
}

}  // namespace

std::vector<MetricModel> FitModels(const SearchRequest& request, const PredictorFactory& factory,
                                   std::span<const Measured> measured, std::size_t least,
                                   RandomStream& random) {
  const std::set<space::Metric> metrics = MeasuredMetrics(request);
  std::vector<const Measured*> usable;
  for (const Measured& m : measured) {
    const bool complete = std::all_of(metrics.begin(), metrics.end(), [&](space::Metric metric) {
      const auto found = m.metrics.find(metric);
      return found != m.metrics.end() && std::isfinite(found->second);
    });
    if (!m.failed && complete) usable.push_back(&m);
  }
  if (usable.empty() || usable.size() < least) return {};
  const auto first =
      usable.end() - static_cast<std::ptrdiff_t>(std::min(usable.size(), kMostSamples));
  usable.erase(usable.begin(), first);

  std::vector<space::Architecture> architectures;
  for (const Measured* m : usable) architectures.push_back(m->architecture);
  std::vector<MetricModel> models;
  for (const space::Metric metric : metrics) {
    std::vector<double> targets;
    for (const Measured* m : usable) targets.push_back(m->metrics.at(metric));
    models.push_back({metric, factory()});
    models.back().predictor->Fit(architectures, targets, random);
  }
  return models;
}

std::vector<Predicted> SearchPredicted(const GeneSpace& genes, const SearchRequest& request,
                                       const std::vector<MetricModel>& models,
                                       const History& history, Candidates& candidates,
                                       std::size_t budget, std::size_t kept, RandomStream& random) {
  Pool pool(genes.space(), request, models, budget);
  std::vector<Member> best;
  if (genes.CountDistinct() <= static_cast<double>(budget)) {
    for (const space::Architecture& a : genes.Enumerate()) {
      if (!candidates.Seen(a) && candidates.CostViolation(a) == 0) {
        pool.Add(genes.Encode(a, random), a, true);
      }
    }
    pool.Predict();
    best.resize(pool.size());
    for (std::size_t i = 0; i < best.size(); ++i) best[i].id = i;
    RankAndSort(pool, best);
    best.resize(std::min(best.size(), kept));
  } else {
    best = Evolve(genes, request, history, candidates, budget, kept, pool, random);
  }

  std::vector<Predicted> predicted(best.size());
  std::vector<space::Architecture> architectures;
  for (std::size_t i = 0; i < best.size(); ++i) {
    const std::size_t id = best[i].id;
    architectures.push_back(genes.Decode(pool.genome(id)));
    predicted[i] = {architectures.back(), pool.point(id),
                    std::vector<double>(request.objectives.size()), pool.violation(id),
                    best[i].rank};
  }
  std::vector<double> mean(best.size()), stddev(best.size());
  for (const MetricModel& model : models) {
    for (std::size_t k = 0; k < request.objectives.size(); ++k) {
      if (request.objectives[k].metric != model.metric) continue;
      model.predictor->Predict(architectures, mean, stddev);
      for (std::size_t i = 0; i < best.size(); ++i) {
        // Of a logarithm, to first order, the relative one.
        const bool log = model.metric == space::Metric::kLatencyMs;
        predicted[i].stddev[k] = log ? stddev[i] / std::max(1e-3, mean[i]) : stddev[i];
      }
    }
  }
  return predicted;
}

}  // namespace oqat::search
