#pragma once

#include <vector>

#include "space/architecture.h"
#include "space/metric.h"

namespace oqat::search {

/// Precedes all rounds: what a search with a warm start knew before its first one.
inline constexpr int kWarmRound = -1;

/// One candidate that was evaluated, or that was given up after failing too often.
struct Measured {
  int round = 0;  ///< kWarmRound for what earlier searches measured
  int index = 0;  ///< within the round
  space::Architecture architecture;
  space::MetricValues metrics;  ///< costs and measured metrics; may be empty if failed
  bool failed = false;
  bool stopped = false;  ///< given up early as hopeless: metrics of some images, on no front
};

/// All that a proposal may depend on besides its request and its random stream.
struct History {
  /// Results of rounds <= r - lag only, ordered by (round, index).
  std::vector<Measured> measured;
  /// Candidates of later rounds, proposed already but not visible yet, ordered by (round, index).
  std::vector<space::Architecture> pending;
};

}  // namespace oqat::search
