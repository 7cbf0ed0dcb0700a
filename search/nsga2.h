#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/random.h"
#include "search/candidates.h"
#include "search/genes.h"
#include "search/pareto.h"
#include "search/strategy.h"

// Internal to search/. NSGA-II: Deb et al. 2002, on architectures.
namespace oqat::search {

struct Individual {
  space::Architecture architecture;
  Point point;           // minimised, costs as logarithms
  double violation = 0;  // of constraints on measured metrics
  int rank = 0;
  double crowding = 0;
};

/// One coordinate of RankingPoint.
double RankingCoordinate(const Objective& objective, double value);

/// ToPoint with costs as logarithms, so that crowding sees ratios: one front often spans decades.
/// Domination is the same.
Point RankingPoint(const space::MetricValues& values, const std::vector<Objective>& objectives);

/// Not failed, with a finite value for every objective and constrained metric.
bool Usable(const SearchRequest& request, const Measured& measured);

/// The usable evaluations of `history`.
std::vector<Individual> UsableIndividuals(const SearchRequest& request, const History& history);

/// The crowding distance of each point among those of its rank.
std::vector<double> CrowdingByRank(const std::vector<Point>& points, const std::vector<int>& ranks);

/// Fills rank and crowding, then orders by rank, crowding (wide first) and architecture.
void RankAndSort(std::vector<Individual>& population);

/// RankAndSort, then the best `count`.
void KeepBest(std::vector<Individual>& population, std::size_t count);

/// A child of what `parent` picks: usually the crossover of two, mutated.
Genome OffspringOf(const GeneSpace& genes,
                   const std::function<const space::Architecture&()>& parent, RandomStream& random);

/// A child of two tournament winners of a sorted, non-empty population: crossover, mutation.
Genome Offspring(const GeneSpace& genes, const std::vector<Individual>& population,
                 RandomStream& random);

/// Unseen allowed architectures: at most `bred` of those that `child` makes, repaired, then any
/// others; fewer than `count` only where no further one is found.
std::vector<space::Architecture> Breed(Candidates& candidates, int bred,
                                       const std::function<Genome()>& child, int count,
                                       RandomStream& random);

/// NSGA-II on measurements: parents are the best of what was evaluated.
class Nsga2Strategy : public Strategy {
 public:
  Nsga2Strategy(const space::SearchSpace& space, const SearchRequest& request);
  std::vector<space::Architecture> Propose(const History& history, int round, int count,
                                           RandomStream& random) const override;

 private:
  SearchRequest request_;
  GeneSpace genes_;
};

}  // namespace oqat::search
