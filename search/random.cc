#include "search/random.h"

#include "search/candidates.h"

namespace oqat::search {

RandomStrategy::RandomStrategy(const space::SearchSpace& space, const SearchRequest& request)
    : request_(request), genes_(space, BitsOf(space, request)) {}

std::vector<space::Architecture> RandomStrategy::Propose(const History& history, int /*round*/,
                                                         int count, RandomStream& random) const {
  Candidates candidates(genes_, request_, history);
  std::vector<space::Architecture> batch;
  while (static_cast<int>(batch.size()) < count) {
    std::optional<space::Architecture> drawn = candidates.Unseen(random);
    if (!drawn) break;
    candidates.MarkSeen(*drawn);
    batch.push_back(std::move(*drawn));
  }
  return batch;
}

}  // namespace oqat::search
