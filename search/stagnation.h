#pragma once

#include "search/request.h"

namespace oqat::search {

/// Growth of the hypervolume that counts: by a thousandth of what it was.
inline constexpr double kLeastGrowth = 1e-3;

/// Whether the hypervolume of a search has come to rest. Goes from report to report, in the order
/// of rounds, so that it depends on the search alone.
struct Stagnation {
  int grown_round = -1;    ///< the last one that grew by kLeastGrowth over that before it
  double grown_to = 0;     ///< the hypervolume then; later rounds are held against it
  int stopped_round = -1;  ///< the first one that the request's limit was reached with; -1: none

  bool operator==(const Stagnation&) const = default;
};

/// After the report on `round`, the one that follows those of `before`. A hypervolume of 0, where
/// nothing is on the front yet, never counts as rest.
Stagnation StagnationAfter(const Stagnation& before, const SearchRequest& request, int round,
                           double hypervolume);

/// The rounds that may be proposed at most. What is under way when a search comes to rest is part
/// of it, that is `lag` rounds from the one that decided, however fast each is measured.
int MostRounds(const SearchRequest& request, const Stagnation& stagnation);

}  // namespace oqat::search
