#include "search/pareto.h"

#include <algorithm>
#include <cmath>
#include <limits>
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

// Whatever dominates a point precedes it lexicographically, so one pass settles the ranks.
std::vector<int> RanksByMany(const std::vector<Point>& points) {
  const std::vector<std::size_t> order = LexicographicOrder(points);
  std::vector<int> ranks(points.size(), 0);
  for (std::size_t i = 0; i < order.size(); ++i) {
    int rank = 0;
    for (std::size_t j = 0; j < i; ++j) {
      if (ranks[order[j]] >= rank && Dominates(points[order[j]], points[order[i]])) {
        rank = ranks[order[j]] + 1;
      }
    }
    ranks[order[i]] = rank;
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
  return points.front().size() <= 2 ? RanksByTwo(points) : RanksByMany(points);
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

bool ParetoArchive::Insert(Point point, std::size_t id) {
  for (const Entry& entry : entries_) {
    if (Dominates(entry.point, point)) return false;
  }
  std::erase_if(entries_, [&](const Entry& entry) { return Dominates(point, entry.point); });
  entries_.push_back({std::move(point), id});
  return true;
}

}  // namespace oqat::search
