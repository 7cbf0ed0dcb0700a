#include "search/pareto.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <string>

#include "base/error.h"

namespace oqat::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Positions of `points` in lexicographic order; equal points by position.
std::vector<std::size_t> LexicographicOrder(const std::vector<Point>& points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
  return order;
}

// Sweep by the first coordinate. A point is dominated by a front exactly if the front's least
// second coordinate so far is not above its own; these minima grow from front to front.
std::vector<int> RanksByTwo(const std::vector<Point>& points) {
  const std::vector<std::size_t> order = LexicographicOrder(points);
  std::vector<int> ranks(points.size(), 0);
  std::vector<double> least;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Point& point = points[order[i]];
    if (i > 0 && points[order[i - 1]] == point) {
      ranks[order[i]] = ranks[order[i - 1]];
      continue;
    }
    const auto front = std::upper_bound(least.begin(), least.end(), point.back());
    ranks[order[i]] = static_cast<int>(front - least.begin());
    if (front == least.end()) {
      least.push_back(point.back());
    } else {
      *front = point.back();
    }
  }
  return ranks;
}

// The points of one front without their first coordinates: all that matters to a later point of
// the lexicographic order. Three coordinates leave a staircase.
class Steps {
 public:
  bool Covers(const Point& point) const {
    const auto after = steps_.upper_bound(point[1]);
    return after != steps_.begin() && std::prev(after)->second <= point[2];
  }

  void Add(const Point& point) {  // not covered
    auto next = steps_.lower_bound(point[1]);
    while (next != steps_.end() && next->second >= point[2]) next = steps_.erase(next);
    steps_.emplace_hint(next, point[1], point[2]);
  }

 private:
  std::map<double, double> steps_;  // the first rises, the second falls
};

// The same for more coordinates; the minimal ones are kept.
class Tails {
 public:
  bool Covers(const Point& point) const {
    return std::any_of(kept_.begin(), kept_.end(),
                       [&](const Point* other) { return Below(*other, point); });
  }

  void Add(const Point& point) {
    std::erase_if(kept_, [&](const Point* other) { return Below(point, *other); });
    kept_.push_back(&point);
  }

 private:
  static bool Below(const Point& a, const Point& b) {
    for (std::size_t i = 1; i < a.size(); ++i) {
      if (a[i] > b[i]) return false;
    }
    return true;
  }

  std::vector<const Point*> kept_;
};

// Whatever dominates a point precedes it lexicographically, and who is dominated by a front is so
// by all earlier ones: binary search over the fronts (Zhang et al. 2015, ENS-BS).
template <typename Front>
std::vector<int> RanksByMany(const std::vector<Point>& points) {
  const std::vector<std::size_t> order = LexicographicOrder(points);
  std::vector<int> ranks(points.size(), 0);
  std::vector<Front> fronts;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Point& point = points[order[i]];
    if (i > 0 && points[order[i - 1]] == point) {
      ranks[order[i]] = ranks[order[i - 1]];
      continue;
    }
    const auto front = std::partition_point(fronts.begin(), fronts.end(),
                                            [&](const Front& f) { return f.Covers(point); });
    ranks[order[i]] = static_cast<int>(front - fronts.begin());
    (front == fronts.end() ? fronts.emplace_back() : *front).Add(point);
  }
  return ranks;
}

}  // namespace

Point ToPoint(const space::MetricValues& values, const std::vector<Objective>& objectives) {
  Point point;
  point.reserve(objectives.size());
  for (const Objective& objective : objectives) {
    const auto found = values.find(objective.metric);
    if (found == values.end()) {
      throw Error(Code::kFailedPrecondition,
                  "metrics: " + std::string(space::MetricName(objective.metric)) +
                      " is missing; every objective needs a value");
    }
    point.push_back(objective.maximize ? -found->second : found->second);
  }
  return point;
}

bool Dominates(std::span<const double> a, std::span<const double> b) {
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    better = better || a[i] < b[i];
  }
  return better;
}

bool ConstrainedDominates(std::span<const double> a, double violation_a, std::span<const double> b,
                          double violation_b) {
  if (violation_a > 0 || violation_b > 0) return violation_a < violation_b;
  return Dominates(a, b);
}

std::vector<int> NonDominatedRanks(const std::vector<Point>& points) {
  if (points.empty()) return {};
  const std::size_t dimensions = points.front().size();
  if (dimensions <= 2) return RanksByTwo(points);
  return dimensions == 3 ? RanksByMany<Steps>(points) : RanksByMany<Tails>(points);
}

std::vector<int> ConstrainedRanks(const std::vector<Point>& points,
                                  std::span<const double> violations) {
  std::vector<Point> feasible;
  std::vector<double> levels;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (violations[i] > 0) {
      levels.push_back(violations[i]);
    } else {
      feasible.push_back(points[i]);
    }
  }
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  const std::vector<int> feasible_ranks = NonDominatedRanks(feasible);
  int first_level = 0;
  for (const int rank : feasible_ranks) first_level = std::max(first_level, rank + 1);

  std::vector<int> ranks(points.size(), 0);
  std::size_t next = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (violations[i] > 0) {
      const auto level = std::lower_bound(levels.begin(), levels.end(), violations[i]);
      ranks[i] = first_level + static_cast<int>(level - levels.begin());
    } else {
      ranks[i] = feasible_ranks[next++];
    }
  }
  return ranks;
}

std::vector<double> CrowdingDistance(const std::vector<Point>& points) {
  const std::size_t n = points.size();
  if (n <= 2) return std::vector<double>(n, kInfinity);
  std::vector<double> distance(n, 0.0);
  std::vector<std::size_t> order(n);
  for (std::size_t m = 0; m < points.front().size(); ++m) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return points[a][m] < points[b][m]; });
    const double low = points[order.front()][m];
    const double high = points[order.back()][m];
    if (low == high) continue;
    distance[order.front()] = kInfinity;
    distance[order.back()] = kInfinity;
    const double range = high - low;
    if (!std::isfinite(range)) continue;
    for (std::size_t i = 1; i + 1 < n; ++i) {
      distance[order[i]] += (points[order[i + 1]][m] - points[order[i - 1]][m]) / range;
    }
  }
  return distance;
}

bool ParetoArchive::Earlier::operator()(const Entry& a, const Entry& b) const {
  return a.point != b.point ? a.point < b.point : a.order < b.order;
}

bool ParetoArchive::Insert(Point point, std::size_t id) {
  Entry entry{std::move(point), id, inserted_};
  // Lexicographically, what dominates the point is before it, and what it dominates is after it.
  const auto place = kept_.lower_bound(entry);
  const bool two = entry.point.size() <= 2;
  // Of one or two coordinates, the last one falls along the archive: the neighbour tells.
  const auto first = two && place != kept_.begin() ? std::prev(place) : kept_.begin();
  for (auto before = first; before != place; ++before) {
    if (Dominates(before->point, entry.point)) return false;
  }
  for (auto after = place; after != kept_.end();) {
    if (Dominates(entry.point, after->point)) {
      after = kept_.erase(after);
    } else if (two) {
      break;
    } else {
      ++after;
    }
  }
  kept_.insert(std::move(entry));
  ++inserted_;
  return true;
}

std::vector<ParetoArchive::Entry> ParetoArchive::entries() const {
  std::vector<Entry> entries(kept_.begin(), kept_.end());
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.order < b.order; });
  return entries;
}

}  // namespace oqat::search
