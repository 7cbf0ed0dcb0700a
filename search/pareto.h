#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "search/request.h"
#include "space/metric.h"

// Pareto arithmetic on points of minimised objectives. Points may hold infinities; NaN is not
// allowed. All points of one call have the same number of coordinates.
namespace oqat::search {

using Point = std::vector<double>;

/// The objectives' values with the maximised ones negated. Throws Error FAILED_PRECONDITION if
/// `values` lacks one of them.
Point ToPoint(const space::MetricValues& values, const std::vector<Objective>& objectives);

/// a is nowhere worse than b and somewhere better.
bool Dominates(std::span<const double> a, std::span<const double> b);

/// Constrained domination (Deb et al. 2002, definition 1): the feasible one wins, of two
/// infeasible ones that of smaller violation, of two feasible ones the dominating one.
bool ConstrainedDominates(std::span<const double> a, double violation_a, std::span<const double> b,
                          double violation_b);

/// The rank of each point: 0 if nothing dominates it, else 1 + the highest rank among those that
/// do. Equal points have equal ranks. O(n log n) for one and two coordinates, O(m n^2) else.
std::vector<int> NonDominatedRanks(const std::vector<Point>& points);

/// The same by constrained domination; `violations` holds one number >= 0 for each point.
std::vector<int> ConstrainedRanks(const std::vector<Point>& points,
                                  std::span<const double> violations);

/// Crowding distance of the points of one front (Deb et al. 2002, section III-B), summed over the
/// objectives; infinite at the ends of each, and for all of a front of one or two. Ties are ordered
/// by position. An objective that is constant over the front adds nothing, one with infinite values
/// marks its ends only.
std::vector<double> CrowdingDistance(const std::vector<Point>& points);

/// The volume that `points` dominate and that dominates `reference`. Exact: a sweep for two
/// coordinates, WFG (While, Bradstreet and Barone 2012) for more. Points that are not below the
/// reference in every coordinate do not count; nor do duplicates. Infinite where a counted point
/// has a coordinate of minus infinity.
double Hypervolume(const std::vector<Point>& points, const Point& reference);

/// How much the hypervolume falls when each point alone is taken away; 0 for dominated points,
/// duplicates and points outside the reference. Points must be finite below the reference.
std::vector<double> HypervolumeContributions(const std::vector<Point>& points,
                                             const Point& reference);

/// Keeps the non-dominated points of a sequence; equal points are kept side by side.
class ParetoArchive {
 public:
  struct Entry {
    Point point;
    std::size_t id = 0;
  };

  /// False if an entry dominates `point`; otherwise adds it and drops what it dominates.
  bool Insert(Point point, std::size_t id);

  /// In the order of insertion.
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

}  // namespace oqat::search
