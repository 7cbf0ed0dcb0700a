#include "search/strategy.h"

#include "base/error.h"
#include "search/coarse_to_fine.h"
#include "search/nsga2.h"
#include "search/nsga3.h"
#include "search/predictor_nsga2.h"
#include "search/random.h"

namespace oqat::search {

std::unique_ptr<Strategy> MakeStrategy(const space::SearchSpace& space,
                                       const SearchRequest& request, PredictorFactory factory) {
  CheckRequest(space, request);
  if (request.strategy == "random") return std::make_unique<RandomStrategy>(space, request);
  if (request.strategy == "nsga2") return std::make_unique<Nsga2Strategy>(space, request);
  if (request.strategy == "nsga3") return std::make_unique<Nsga3Strategy>(space, request);
  if (request.strategy == "coarse_to_fine") {
    return std::make_unique<CoarseToFineStrategy>(space, request);
  }
  if (!factory) {
    throw InvalidField("predictor", "none", "a predictor factory for strategy predictor_nsga2");
  }
  return std::make_unique<PredictorNsga2Strategy>(space, request, std::move(factory));
}

RandomStream RoundStream(std::uint64_t seed, int round) {
  return RandomStream(seed, "search.round", {static_cast<std::uint64_t>(round)});
}

}  // namespace oqat::search
