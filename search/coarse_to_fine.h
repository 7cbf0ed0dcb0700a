#pragma once

#include <vector>

#include "search/candidates.h"
#include "search/genes.h"
#include "search/strategy.h"

// Internal to search/.
namespace oqat::search {

/// The search of the OQAT paper (Shen et al. 2021): coarse, samples spread over bit
/// widths and costs; then fine, perturbations of the Pareto points that were found. The
/// perturbations shrink from a third of the genes to one as the budget is spent.
class CoarseToFineStrategy : public Strategy {
 public:
  CoarseToFineStrategy(const space::SearchSpace& space, const SearchRequest& request);
  std::vector<space::Architecture> Propose(const History& history, int round, int count,
                                           RandomStream& random) const override;

 private:
  std::vector<space::Architecture> Coarse(Candidates& candidates, int round, int count,
                                          RandomStream& random) const;

  SearchRequest request_;
  GeneSpace genes_;
};

}  // namespace oqat::search
