#pragma once

#include <optional>
#include <vector>

#include "search/candidates.h"
#include "search/genes.h"
#include "search/predicted_search.h"
#include "search/strategy.h"

// Internal to search/.
namespace oqat::search {

/// How many of a round's `count` candidates explore when the predictor ranked the last rounds with
/// this tau before it had seen them: an eighth while it is right, half where it is no better than
/// chance; nothing to judge by counts as right.
int ExploredOf(std::optional<double> tau, int count);

/// Until enough results are seen: the smallest and largest of each bit width and samples spread
/// over bits and cost. Then, each round: fit, search the predictions, measure what is expected to
/// enlarge the front most, and explore, the more the less the predictor has been right lately.
class PredictorNsga2Strategy : public Strategy {
 public:
  PredictorNsga2Strategy(const space::SearchSpace& space, const SearchRequest& request,
                         PredictorFactory factory);
  std::vector<space::Architecture> Propose(const History& history, int round, int count,
                                           RandomStream& random) const override;

 private:
  void ProposeInitial(Candidates& candidates, std::vector<space::Architecture>& batch, int count,
                      RandomStream& random) const;
  std::optional<double> RecentTau(const History& history, RandomStream& random) const;
  void ChooseBest(const History& history, const std::vector<Predicted>& pool,
                  Candidates& candidates, std::vector<space::Architecture>& batch,
                  std::size_t count) const;
  void Spread(Candidates& candidates, std::vector<space::Architecture>& batch, int count,
              RandomStream& random) const;

  SearchRequest request_;
  PredictorFactory factory_;
  GeneSpace genes_;
};

}  // namespace oqat::search
