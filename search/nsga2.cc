#include "search/nsga2.h"

#include <algorithm>
#include <cmath>

#include "search/numbers.h"

namespace oqat::search {
namespace {

constexpr double kCrossoverProbability = 0.9;
constexpr std::size_t kLeastParents = 4;
constexpr std::size_t kLeastPopulation = 48;
constexpr int kTriesPerCandidate = 40;

// The population is sorted, so the earlier position wins the tournament.
const Individual& Tournament(const std::vector<Individual>& population, RandomStream& random) {
  const std::uint64_t a = random.Below(population.size());
  const std::uint64_t b = random.Below(population.size());
  return population[std::min(a, b)];
}

}  // namespace

double RankingCoordinate(const Objective& objective, double value) {
  if (objective.metric == space::Metric::kLatencyMs) {
    value = LogLatency(value);
  } else if (space::IsCost(objective.metric)) {
    value = LogCost(value);
  }
  return objective.maximize ? -value : value;
}

Point RankingPoint(const space::MetricValues& values, const std::vector<Objective>& objectives) {
  Point point = ToPoint(values, objectives);
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    point[i] = RankingCoordinate(objectives[i], objectives[i].maximize ? -point[i] : point[i]);
  }
  return point;
}

bool Usable(const SearchRequest& request, const Measured& measured) {
  const auto finite = [&](space::Metric metric) {
    const auto found = measured.metrics.find(metric);
    return found != measured.metrics.end() && std::isfinite(found->second);
  };
  return !measured.failed &&
         std::all_of(request.objectives.begin(), request.objectives.end(),
                     [&](const Objective& o) { return finite(o.metric); }) &&
         std::all_of(request.constraints.begin(), request.constraints.end(),
                     [&](const Constraint& c) { return finite(c.metric); });
}

std::vector<Individual> UsableIndividuals(const SearchRequest& request, const History& history) {
  std::vector<Individual> usable;
  for (const Measured& measured : history.measured) {
    if (!Usable(request, measured)) continue;
    usable.push_back({measured.architecture, RankingPoint(measured.metrics, request.objectives),
                      Violation(request.constraints, measured.metrics)});
  }
  return usable;
}

std::vector<double> CrowdingByRank(const std::vector<Point>& points,
                                   const std::vector<int>& ranks) {
  std::vector<std::vector<std::size_t>> fronts;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto rank = static_cast<std::size_t>(ranks[i]);
    if (fronts.size() <= rank) fronts.resize(rank + 1);
    fronts[rank].push_back(i);
  }
  std::vector<double> crowding(points.size());
  for (const std::vector<std::size_t>& front : fronts) {
    std::vector<Point> members;
    for (const std::size_t i : front) members.push_back(points[i]);
    const std::vector<double> distances = CrowdingDistance(members);
    for (std::size_t k = 0; k < front.size(); ++k) crowding[front[k]] = distances[k];
  }
  return crowding;
}

void RankAndSort(std::vector<Individual>& population) {
  std::vector<Point> points;
  std::vector<double> violations;
  for (const Individual& individual : population) {
    points.push_back(individual.point);
    violations.push_back(individual.violation);
  }
  const std::vector<int> ranks = ConstrainedRanks(points, violations);
  const std::vector<double> crowding = CrowdingByRank(points, ranks);
  for (std::size_t i = 0; i < population.size(); ++i) {
    population[i].rank = ranks[i];
    population[i].crowding = crowding[i];
  }
  std::sort(population.begin(), population.end(), [](const Individual& a, const Individual& b) {
    if (a.rank != b.rank) return a.rank < b.rank;
    if (a.crowding != b.crowding) return a.crowding > b.crowding;
    return a.architecture < b.architecture;
  });
}

void KeepBest(std::vector<Individual>& population, std::size_t count) {
  RankAndSort(population);
  if (population.size() > count) population.resize(count);
}

Genome OffspringOf(const GeneSpace& genes,
                   const std::function<const space::Architecture&()>& parent,
                   RandomStream& random) {
  Genome child = genes.Encode(parent(), random);
  if (random.Bernoulli(kCrossoverProbability)) {
    const Genome other = genes.Encode(parent(), random);
    child = genes.Cross(child, other, random);
  }
  genes.Mutate(child, 2.0 / genes.size(), random);
  return child;
}

Genome Offspring(const GeneSpace& genes, const std::vector<Individual>& population,
                 RandomStream& random) {
  const auto parent = [&]() -> const space::Architecture& {
    return Tournament(population, random).architecture;
  };
  return OffspringOf(genes, parent, random);
}

std::vector<space::Architecture> Breed(Candidates& candidates, int bred,
                                       const std::function<Genome()>& child, int count,
                                       RandomStream& random) {
  std::vector<space::Architecture> batch;
  const auto take = [&](space::Architecture architecture) {
    candidates.MarkSeen(architecture);
    batch.push_back(std::move(architecture));
  };
  for (int i = 0; i < kTriesPerCandidate * bred && static_cast<int>(batch.size()) < bred; ++i) {
    Genome genome = child();
    if (!candidates.Repair(genome, random)) continue;
    space::Architecture architecture = candidates.genes().Decode(genome);
    if (!candidates.Seen(architecture)) take(std::move(architecture));
  }
  while (static_cast<int>(batch.size()) < count) {
    std::optional<space::Architecture> drawn = candidates.Unseen(random);
    if (!drawn) break;
    take(std::move(*drawn));
  }
  return batch;
}

Nsga2Strategy::Nsga2Strategy(const space::SearchSpace& space, const SearchRequest& request)
    : request_(request), genes_(space, BitsOf(space, request)) {}

std::vector<space::Architecture> Nsga2Strategy::Propose(const History& history, int /*round*/,
                                                        int count, RandomStream& random) const {
  Candidates candidates(genes_, request_, history);
  std::vector<Individual> population = UsableIndividuals(request_, history);
  KeepBest(population,
           std::max(kLeastPopulation, static_cast<std::size_t>(2 * request_.round_size)));
  const auto child = [&] { return Offspring(genes_, population, random); };
  return Breed(candidates, population.size() >= kLeastParents ? count : 0, child, count, random);
}

}  // namespace oqat::search
