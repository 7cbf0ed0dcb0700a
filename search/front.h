#pragma once

#include <optional>
#include <span>
#include <vector>

#include "search/history.h"
#include "search/request.h"
#include "search/stagnation.h"
#include "space/search_space.h"

namespace oqat::search {

/// The evaluations of a search that succeeded, meet every constraint and that no other such one
/// dominates. Equal points stay side by side. Ordered by the first cost or latency objective
/// ascending (or, if there is none, by the first objective, best first), then by the
/// architecture's key. Pure; the order of `measured` does not matter.
std::vector<Measured> FinalFront(const space::SearchSpace& space, const SearchRequest& request,
                                 std::span<const Measured> measured);

/// How far a search is after a round.
struct RoundReport {
  int round = 0;
  double hypervolume = 0;  ///< see FrontHypervolume; never falls from round to round
  int front_size = 0;
  /// Kendall's tau of the round's predicted and measured values; the caller has it from
  /// PredictRound and KendallTau. Empty where nothing was predicted.
  std::optional<double> predictor_tau;
  std::optional<double> predictor_tau_best;  ///< among the round's best fifth, KendallTauOfBest
  Stagnation stagnation;
};

/// Dominated volume in the unit cube, comparable over the rounds of a search and over searches
/// of equal space, bits and objectives. Each objective is scaled to 0 (best) .. 1 (reference):
///   top1: 1 - top1, so the reference is 0 % right;
///   loss: loss / ln(classes), so the reference is guessing;
///   a cost: (ln cost - ln least) / (ln most - ln least) over the request's bits, so the
///     reference is the largest architecture (mirrored for a maximised cost);
///   latency_ms: the same between 0.01 ms and 10 s.
/// Maximised loss and minimised top1 are mirrored as well. Constraints do not move the scale.
double FrontHypervolume(const space::SearchSpace& space, const SearchRequest& request,
                        std::span<const Measured> front);

/// The report over `measured`, all evaluations of rounds <= `round`; `before` is that of the report
/// on the round before it.
RoundReport ReportRound(const space::SearchSpace& space, const SearchRequest& request,
                        std::span<const Measured> measured, int round,
                        std::optional<double> predictor_tau = std::nullopt,
                        std::optional<double> predictor_tau_best = std::nullopt,
                        const Stagnation& before = {});

}  // namespace oqat::search
