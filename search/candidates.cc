#include "search/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "search/numbers.h"

namespace oqat::search {
namespace {

constexpr int kUniformTries = 32;
constexpr int kUnseenTries = 48;
constexpr int kStratumDraws = 24;
constexpr double kEnumerable = 20'000;
constexpr std::size_t kRestEnough = 256;

}  // namespace

Candidates::Candidates(const GeneSpace& genes, const SearchRequest& request, const History& history)
    : genes_(genes) {
  for (const Constraint& constraint : request.constraints) {
    if (space::IsCost(constraint.metric)) cost_constraints_.push_back(constraint);
  }
  const auto axis = std::find_if(request.objectives.begin(), request.objectives.end(),
                                 [](const Objective& o) { return space::IsCost(o.metric); });
  if (axis != request.objectives.end()) axis_ = axis->metric;
  for (const Measured& measured : history.measured) seen_.insert(measured.architecture);
  seen_.insert(history.pending.begin(), history.pending.end());
}

double Candidates::CostViolation(const space::Architecture& architecture) const {
  if (cost_constraints_.empty()) return 0;
  const space::Costs costs = space::CostsOf(genes_.space(), architecture);
  return ViolationBy(cost_constraints_,
                     [&](space::Metric metric) { return space::CostMetric(costs, metric); });
}

double Candidates::LogCostOf(const space::Architecture& architecture) const {
  return LogCost(space::CostMetric(space::CostsOf(genes_.space(), architecture), axis_));
}

std::optional<space::Architecture> Candidates::Feasible(RandomStream& random) {
  if (unreachable_) return std::nullopt;
  for (int i = 0; i < (tight_ ? 1 : kUniformTries); ++i) {
    space::Architecture drawn = genes_.Decode(genes_.Uniform(random));
    if (CostViolation(drawn) == 0) return drawn;
  }
  tight_ = true;
  if (allowed_.empty()) {
    // What was proposed before is allowed, and cheaper to find than by evolution.
    for (const space::Architecture& known : seen_) {
      if (genes_.Contains(known) && CostViolation(known) == 0) allowed_.push_back(known);
    }
  }
  if (allowed_.empty()) {
    auto [closest, violation] = LeastViolating(random);
    if (violation > 0) {
      unreachable_ = true;
      return std::nullopt;
    }
    allowed_.push_back(std::move(closest));
  }
  Genome genome = genes_.Encode(random.Choose(allowed_), random);
  for (int step = 0; step < 2 * genes_.size(); ++step) {
    Genome next = genome;
    genes_.MutateOne(next, random);
    // Pairs of moves may pass where single ones may not: one up, one down.
    if (random.Bernoulli(0.5)) genes_.MutateOne(next, random);
    if (CostViolation(genes_.Decode(next)) == 0) genome = std::move(next);
  }
  space::Architecture end = genes_.Decode(genome);
  allowed_.push_back(end);
  return end;
}

std::optional<space::Architecture> Candidates::Unseen(RandomStream& random) {
  for (int i = 0; i < kUnseenTries && rest_.empty(); ++i) {
    std::optional<space::Architecture> drawn = Feasible(random);
    if (!drawn) return std::nullopt;
    if (!Seen(*drawn)) return drawn;
  }
  const std::vector<space::Architecture>& rest = Rest(random);
  if (rest.empty()) return std::nullopt;
  return random.Choose(rest);
}

const std::vector<space::Architecture>& Candidates::Rest(RandomStream& random) {
  std::erase_if(rest_, [this](const space::Architecture& a) { return Seen(a); });
  if (!rest_.empty()) return rest_;
  if (genes_.CountDistinct() <= kEnumerable) {
    for (space::Architecture& a : genes_.Enumerate()) {
      if (!Seen(a) && CostViolation(a) == 0) rest_.push_back(std::move(a));
    }
    return rest_;
  }
  std::set<space::Architecture> visited;
  std::vector<space::Architecture> queue;
  const auto enter = [&](const space::Architecture& a) {
    if (genes_.Contains(a) && !visited.contains(a) && CostViolation(a) == 0) {
      visited.insert(a);
      queue.push_back(a);
    }
  };
  for (const space::Architecture& a : seen_) enter(a);
  for (const space::Architecture& a : allowed_) enter(a);
  // Starting anywhere would favour the ends of the order; the stream decides.
  random.Shuffle(std::span(queue));
  for (std::size_t next = 0; next < queue.size() && rest_.size() < kRestEnough; ++next) {
    const space::Architecture a = queue[next];
    if (!Seen(a)) rest_.push_back(a);
    for (const space::Architecture& near : genes_.Neighbours(a)) enter(near);
  }
  return rest_;
}

bool Candidates::Repair(Genome& genome, RandomStream& random) const {
  if (cost_constraints_.empty()) return true;
  double violation = CostViolation(genes_.Decode(genome));
  for (int i = 0; i < 2 * genes_.size() && violation > 0; ++i) {
    Genome next = genome;
    genes_.MutateOne(next, random);
    const double changed = CostViolation(genes_.Decode(next));
    if (changed < violation) {
      violation = changed;
      genome = std::move(next);
    }
  }
  return violation == 0;
}

std::optional<space::Architecture> Candidates::AtCost(double position, int bits, bool unseen,
                                                      RandomStream& random) {
  double low = LogCostOf(space::Smallest(genes_.space(), bits));
  double high = LogCostOf(space::Largest(genes_.space(), bits));
  for (const Constraint& constraint : cost_constraints_) {
    if (constraint.metric != axis_) continue;
    if (constraint.min) low = std::max(low, LogCost(*constraint.min));
    if (constraint.max) high = std::min(high, LogCost(*constraint.max));
  }
  const double target = low + position * (high - low);
  const std::vector<int>& widths = genes_.bits();
  const int bits_position =
      static_cast<int>(std::find(widths.begin(), widths.end(), bits) - widths.begin());
  std::optional<space::Architecture> best;
  double best_distance = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kStratumDraws; ++i) {
    space::Architecture drawn =
        genes_.Decode(genes_.Sized(random.Uniform(), bits_position, random));
    if (CostViolation(drawn) > 0 || (unseen && Seen(drawn))) continue;
    const double distance = std::fabs(LogCostOf(drawn) - target);
    if (distance < best_distance) {
      best_distance = distance;
      best = std::move(drawn);
    }
  }
  if (best) return best;
  return unseen ? Unseen(random) : Feasible(random);
}

std::pair<space::Architecture, double> Candidates::LeastViolating(RandomStream& random) const {
  constexpr std::size_t kPopulation = 40;
  constexpr int kGenerations = 100;
  using Scored = std::pair<double, Genome>;
  std::vector<Scored> population;
  const auto add = [&](Genome genome) {
    const double violation = CostViolation(genes_.Decode(genome));
    population.emplace_back(violation, std::move(genome));
  };
  for (const int bits : genes_.bits()) {
    add(genes_.Encode(space::Smallest(genes_.space(), bits), random));
    add(genes_.Encode(space::Largest(genes_.space(), bits), random));
  }
  for (int position = 0; population.size() < kPopulation; ++position) {
    add(genes_.Sized(random.Uniform(), position % static_cast<int>(genes_.bits().size()), random));
  }
  for (int generation = 0; generation < kGenerations; ++generation) {
    std::sort(population.begin(), population.end());
    population.erase(std::unique(population.begin(), population.end()), population.end());
    if (population.size() > kPopulation) population.resize(kPopulation);
    if (population.front().first == 0) break;
    const std::size_t parents = population.size();
    for (std::size_t i = 0; i < kPopulation; ++i) {
      // Parents by position squared: the better half is drawn more often.
      const double u = random.Uniform();
      const auto first = static_cast<std::size_t>(u * u * static_cast<double>(parents));
      Genome child =
          genes_.Cross(population[first].second, population[random.Below(parents)].second, random);
      genes_.Mutate(child, 1.0 / genes_.size(), random);
      genes_.MutateOne(child, random);
      add(std::move(child));
    }
  }
  const Scored& best = *std::min_element(population.begin(), population.end());
  return {genes_.Decode(best.second), best.first};
}

}  // namespace oqat::search
