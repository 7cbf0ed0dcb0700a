#include "search/coarse_to_fine.h"

#include <algorithm>
#include <cmath>

#include "search/nsga2.h"

namespace oqat::search {
namespace {

constexpr double kCoarseShare = 0.25;     // of the budget
constexpr double kLargestStep = 1.0 / 3;  // of the genes
constexpr double kGoldenRatio = 0.6180339887498949;

}  // namespace

CoarseToFineStrategy::CoarseToFineStrategy(const space::SearchSpace& space,
                                           const SearchRequest& request)
    : request_(request), genes_(space, BitsOf(space, request)) {}

std::vector<space::Architecture> CoarseToFineStrategy::Propose(const History& history, int round,
                                                               int count,
                                                               RandomStream& random) const {
  Candidates candidates(genes_, request_, history);
  std::vector<Individual> best = UsableIndividuals(request_, history);
  RankAndSort(best);
  std::erase_if(best, [](const Individual& individual) { return individual.rank > 0; });

  // What earlier searches measured counts as coarse sampling.
  const auto warm = std::count_if(history.measured.begin(), history.measured.end(),
                                  [](const Measured& m) { return m.round == kWarmRound; });
  const double spent =
      (static_cast<double>(round) * request_.round_size + static_cast<double>(warm)) /
      (static_cast<double>(warm) + request_.evaluations);
  if (spent < kCoarseShare || best.empty()) return Coarse(candidates, round, count, random);

  const double left = (1 - spent) / (1 - kCoarseShare);
  const auto step =
      static_cast<std::uint64_t>(std::max(1.0, std::round(left * kLargestStep * genes_.size())));
  // Every Pareto point in turn, so that a crowded part of the front is not perturbed more.
  random.Shuffle(std::span(best));
  std::size_t turn = 0;
  const auto perturbed = [&] {
    Genome genome = genes_.Encode(best[turn++ % best.size()].architecture, random);
    for (std::uint64_t moves = 1 + random.Below(step); moves > 0; --moves) {
      genes_.MutateOne(genome, random);
    }
    return genome;
  };
  return Breed(candidates, count, perturbed, count, random);
}

// The golden ratio's multiples fill the range of costs evenly however many there will be.
std::vector<space::Architecture> CoarseToFineStrategy::Coarse(Candidates& candidates, int round,
                                                              int count,
                                                              RandomStream& random) const {
  const std::vector<int>& widths = genes_.bits();
  std::vector<space::Architecture> batch;
  for (int i = 0; i < count; ++i) {
    const auto number = static_cast<std::size_t>(round) * request_.round_size + i;
    const double turns = static_cast<double>(number / widths.size()) * kGoldenRatio;
    std::optional<space::Architecture> drawn =
        candidates.AtCost(turns - std::floor(turns), widths[number % widths.size()],
                          /*unseen=*/true, random);
    if (!drawn) break;
    candidates.MarkSeen(*drawn);
    batch.push_back(std::move(*drawn));
  }
  return batch;
}

}  // namespace oqat::search
