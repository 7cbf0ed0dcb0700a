#include "search/stagnation.h"

#include <limits>

namespace oqat::search {

Stagnation StagnationAfter(const Stagnation& before, const SearchRequest& request, int round,
                           double hypervolume) {
  Stagnation after = before;
  if (hypervolume == 0 || hypervolume > before.grown_to * (1 + kLeastGrowth)) {
    after.grown_round = round;
    after.grown_to = hypervolume;
  }
  const int limit = request.stop_after_stagnant_rounds;
  if (limit > 0 && after.stopped_round < 0 && round - after.grown_round >= limit) {
    after.stopped_round = round;
  }
  return after;
}

int MostRounds(const SearchRequest& request, const Stagnation& stagnation) {
  if (stagnation.stopped_round < 0) return std::numeric_limits<int>::max();
  return stagnation.stopped_round + request.lag;
}

}  // namespace oqat::search
