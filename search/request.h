#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "space/architecture.h"
#include "space/metric.h"
#include "space/search_space.h"

namespace oqat::search {

/// A metric and a direction.
struct Objective {
  space::Metric metric = space::Metric::kTop1;
  bool maximize = true;

  bool operator==(const Objective&) const = default;
};

/// A closed interval, one side may be missing. On a cost it is exact and holds for every
/// candidate; on a measured metric it acts through constrained domination.
struct Constraint {
  space::Metric metric = space::Metric::kBitops;
  std::optional<double> min;
  std::optional<double> max;

  bool operator==(const Constraint&) const = default;
};

inline constexpr int kMaxEvaluations = 1'000'000;
inline constexpr int kMaxRoundSize = 1024;
inline constexpr int kMaxLag = 8;
inline constexpr int kMaxObjectives = 5;
inline constexpr int kLeastNsga3Objectives = 3;
inline constexpr int kMaxConstraints = 16;
inline constexpr int kMaxWarmStarts = 16;
inline constexpr int kMaxSeconds = 366 * 86'400;

/// What a user asks for. Together with the model and the searches of `warm_start` it determines the
/// whole search, unless `max_seconds` ends it.
struct SearchRequest {
  std::string strategy = "predictor_nsga2";
  std::uint64_t seed = 0;
  int evaluations = 0;  ///< budget: measurements on the search split; must be set
  int round_size = 16;  ///< candidates proposed together
  int lag = 2;          ///< round r is proposed from the results of rounds <= r - lag
  std::vector<Objective> objectives = {{space::Metric::kTop1, true},
                                       {space::Metric::kBitops, false}};
  std::vector<Constraint> constraints;
  std::vector<int> bits;                ///< the bit widths to search; empty: all of the space
  std::vector<std::string> warm_start;  ///< ids of ended searches: what they measured is known
  int stop_after_stagnant_rounds = 0;   ///< rounds without growth of the hypervolume; 0: never
  int max_seconds = 0;                  ///< from its start, then no further round; 0: no limit

  bool operator==(const SearchRequest&) const = default;
};

/// "coarse_to_fine", "nsga2", "nsga3", "predictor_nsga2", "random".
const std::vector<std::string>& StrategyNames();

/// Throws Error INVALID_ARGUMENT naming the field, its value and what is allowed.
void CheckRequest(const space::SearchSpace& space, const SearchRequest& request);

/// Throws Error INVALID_ARGUMENT where no architecture meets the cost constraints: for a single
/// one with the reachable minimum or maximum (exact: costs grow with every gene), for several
/// together with the closest architecture that a bounded search found. Measured metrics are not
/// judged. `request` must have passed CheckRequest. Milliseconds.
void CheckReachable(const space::SearchSpace& space, const SearchRequest& request);

/// {"strategy":..,"seed":..,"evaluations":..,"round_size":..,"lag":..,
///  "objectives":[{"metric":"top1","maximize":true},..],
///  "constraints":[{"metric":"bitops","max":1e9},..],"bits":[4,3,2],"warm_start":["first",..],
///  "stop_after_stagnant_rounds":..,"max_seconds":..}
Json RequestToJson(const SearchRequest& request);

/// Strict: unknown fields are refused, `evaluations` is required, the others have the defaults
/// above (`maximize`: the metric's better direction). Throws Error INVALID_ARGUMENT. Checks the
/// types only; CheckRequest checks the values.
SearchRequest RequestFromJson(const Json& json, const std::string& path = "search");

/// True if `metric` is an objective or has a constraint.
bool Mentions(const SearchRequest& request, space::Metric metric);

/// The bit widths of `request`, descending; those of the space if it names none.
std::vector<int> BitsOf(const space::SearchSpace& space, const SearchRequest& request);

/// Rounds of a search, and the number of candidates that round `round` may hold (the last one
/// takes what the budget has left; 0 beyond it).
int NumRounds(const SearchRequest& request);
int RoundCount(const SearchRequest& request, int round);

/// How far `values` is outside `constraints`: 0 if all hold, else the sum over the broken ones of
/// the distance relative to the bound (a bound of 0 counts as 1). A metric that `values` lacks is
/// skipped.
double Violation(const std::vector<Constraint>& constraints, const space::MetricValues& values);

}  // namespace oqat::search
