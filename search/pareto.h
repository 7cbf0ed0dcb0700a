#pragma once

#include <cstddef>
#include <set>
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
/// do. Equal points have equal ranks. O(n log n) for one and two coordinates, O(n log^2 n) for
/// three; for more, every point is compared with the fronts that a binary search visits.
std::vector<int> NonDominatedRanks(const std::vector<Point>& points);

/// The same by constrained domination; `violations` holds one number >= 0 for each point.
std::vector<int> ConstrainedRanks(const std::vector<Point>& points,
                                  std::span<const double> violations);

/// Crowding distance of the points of one front (Deb et al. 2002, section III-B), summed over the
/// objectives; infinite at the ends of each, and for all of a front of one or two. Ties are ordered
/// by position. An objective that is constant over the front adds nothing, one with infinite values
/// marks its ends only.
std::vector<double> CrowdingDistance(const std::vector<Point>& points);

/// The volume that `points` dominate and that dominates `reference`, of one to five coordinates.
/// Exact: sweeps in two and three, O(n log n); the quadratic sweep of Guerreiro and Fonseca (2018)
/// in four; WFG (While, Bradstreet and Barone 2012) on top of it in five. Points that are not below
/// the reference in every coordinate do not count; nor do duplicates. Infinite where a counted
/// point has a coordinate of minus infinity. Throws Error INVALID_ARGUMENT for other dimensions.
double Hypervolume(const std::vector<Point>& points, const Point& reference);

/// How much the hypervolume falls when each point alone is taken away; 0 for dominated points,
/// duplicates and points outside the reference. Points must be finite below the reference.
std::vector<double> HypervolumeContributions(const std::vector<Point>& points,
                                             const Point& reference);

/// Keeps the non-dominated points of a sequence; equal points are kept side by side. Inserting
/// takes logarithmic time (amortised) for one and two coordinates, linear time for more.
class ParetoArchive {
 public:
  struct Entry {
    Point point;
    std::size_t id = 0;
    std::size_t order = 0;  ///< of insertion
  };

  /// False if an entry dominates `point`; otherwise adds it and drops what it dominates.
  bool Insert(Point point, std::size_t id);

  std::size_t size() const { return kept_.size(); }

  /// In the order of insertion.
  std::vector<Entry> entries() const;

 private:
  struct Earlier {
    bool operator()(const Entry& a, const Entry& b) const;
  };

  std::set<Entry, Earlier> kept_;  // lexicographically, equal points by order
  std::size_t inserted_ = 0;
};

}  // namespace oqat::search
