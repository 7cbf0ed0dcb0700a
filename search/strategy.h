#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/random.h"
#include "search/history.h"
#include "search/predictor.h"
#include "search/request.h"
#include "space/architecture.h"
#include "space/search_space.h"

namespace oqat::search {

/// Proposes the candidates of a round: a pure function of its request and its arguments, so a
/// search replays identically whatever the workers did. Const and without hidden state: may be
/// called from any thread.
class Strategy {
 public:
  virtual ~Strategy() = default;

  /// At most `count` canonical architectures that meet the cost constraints and were never
  /// proposed before (neither in `history`, measured, failed or pending, nor twice here). Fewer,
  /// possibly none, only when no further one is found: the caller then ends the search.
  /// `random` should be RoundStream(request.seed, round).
  virtual std::vector<space::Architecture> Propose(const History& history, int round, int count,
                                                   RandomStream& random) const = 0;
};

/// The strategy that `request` names; it keeps copies of `space` and `request`. `factory` is used
/// by "predictor_nsga2" alone and may be empty for the others. Throws what CheckRequest throws,
/// and Error INVALID_ARGUMENT if a needed factory is empty.
std::unique_ptr<Strategy> MakeStrategy(const space::SearchSpace& space,
                                       const SearchRequest& request, PredictorFactory factory);

/// The random stream that belongs to one round of one search.
RandomStream RoundStream(std::uint64_t seed, int round);

/// What the predictor of round `round` thinks of `architectures`: its mean for `metric`, fitted
/// on `history` exactly as Propose fits it with RoundStream(request.seed, round). Given the
/// history that the round was proposed from, comparing this with what was then measured judges
/// the predictor on samples it has not seen. Empty if there was nothing to fit on or `metric` is
/// not a measured metric of the request.
std::vector<double> PredictRound(const space::SearchSpace& space, const SearchRequest& request,
                                 const PredictorFactory& factory, const History& history, int round,
                                 space::Metric metric,
                                 const std::vector<space::Architecture>& architectures);

}  // namespace oqat::search
