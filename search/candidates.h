#pragma once

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/random.h"
#include "search/genes.h"
#include "search/history.h"
#include "search/request.h"
#include "space/architecture.h"
#include "space/metric.h"

// Internal to search/: where new architectures come from. One object lives for one proposal.
namespace oqat::search {

class Candidates {
 public:
  /// Everything in `history` counts as seen. References must outlive the object.
  Candidates(const GeneSpace& genes, const SearchRequest& request, const History& history);

  const GeneSpace& genes() const { return genes_; }

  /// How far the exact costs are outside their constraints; 0: allowed.
  double CostViolation(const space::Architecture& architecture) const;

  bool Seen(const space::Architecture& architecture) const { return seen_.contains(architecture); }
  void MarkSeen(const space::Architecture& architecture) { seen_.insert(architecture); }

  /// An architecture that meets the cost constraints, seen or not; nothing if none is found.
  /// Uniform where the constraints are loose; where they are tight, the end of a random walk
  /// within them that starts from an allowed one.
  std::optional<space::Architecture> Feasible(RandomStream& random);

  /// The same, unseen. Nothing only if the allowed region is exhausted: by enumeration in a small
  /// space, in a larger one by following single-gene moves from everything known.
  std::optional<space::Architecture> Unseen(RandomStream& random);

  /// Changes single genes until the cost constraints hold; false if that did not succeed.
  bool Repair(Genome& genome, RandomStream& random) const;

  /// An allowed architecture of (about) this bit width whose cost is near the `position`-th part
  /// (0 to 1, on a logarithmic axis) of the width's range. The axis is the first cost objective,
  /// else bitops. Falls back on Feasible and Unseen.
  std::optional<space::Architecture> AtCost(double position, int bits, bool unseen,
                                            RandomStream& random);

  /// The architecture of least cost violation that a bounded evolution finds, and its violation.
  std::pair<space::Architecture, double> LeastViolating(RandomStream& random) const;

 private:
  const std::vector<space::Architecture>& Rest(RandomStream& random);
  double LogCostOf(const space::Architecture& architecture) const;

  const GeneSpace& genes_;
  std::vector<Constraint> cost_constraints_;
  space::Metric axis_ = space::Metric::kBitops;
  std::set<space::Architecture> seen_;
  std::vector<space::Architecture> allowed_;  // known allowed ones to walk from
  std::vector<space::Architecture> rest_;     // allowed and unseen ones, found by search
  bool tight_ = false;                        // uniform sampling did not hit the region
  bool unreachable_ = false;
};

}  // namespace oqat::search
