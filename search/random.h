#pragma once

#include <vector>

#include "search/genes.h"
#include "search/strategy.h"

namespace oqat::search {

/// Uniform over the genes within the cost constraints: the baseline that others must beat.
class RandomStrategy : public Strategy {
 public:
  RandomStrategy(const space::SearchSpace& space, const SearchRequest& request);
  std::vector<space::Architecture> Propose(const History& history, int round, int count,
                                           RandomStream& random) const override;

 private:
  SearchRequest request_;
  GeneSpace genes_;
};

}  // namespace oqat::search
