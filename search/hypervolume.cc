#include <algorithm>
#include <cmath>
#include <limits>

#include "search/pareto.h"

namespace oqat::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool Inside(const Point& point, const Point& reference) {
  for (std::size_t i = 0; i < point.size(); ++i) {
    if (!(point[i] < reference[i])) return false;
  }
  return true;
}

bool WeaklyDominates(const Point& a, const Point& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
  }
  return true;
}

// The non-dominated points, one of each, in lexicographic order.
std::vector<Point> NonDominatedSet(std::vector<Point> points) {
  std::sort(points.begin(), points.end());
  std::vector<Point> kept;
  for (Point& point : points) {
    const bool dominated = std::any_of(kept.begin(), kept.end(), [&](const Point& other) {
      return WeaklyDominates(other, point);
    });
    if (!dominated) kept.push_back(std::move(point));
  }
  return kept;
}

// `points`: non-dominated, lexicographic, so the second coordinate falls.
double Sweep(const std::vector<Point>& points, const Point& reference) {
  double volume = 0;
  double ceiling = reference[1];
  for (const Point& point : points) {
    volume += (reference[0] - point[0]) * (ceiling - point[1]);
    ceiling = point[1];
  }
  return volume;
}

double VolumeOf(std::vector<Point> points, const Point& reference);

// The part of the box from `point` to the reference that `others` do not dominate.
double ExclusiveVolume(const Point& point, std::span<const Point> others, const Point& reference) {
  double box = 1;
  for (std::size_t i = 0; i < point.size(); ++i) box *= reference[i] - point[i];
  if (others.empty()) return box;
  std::vector<Point> limited;
  limited.reserve(others.size());
  for (const Point& other : others) {
    Point limit(point.size());
    for (std::size_t i = 0; i < point.size(); ++i) limit[i] = std::max(point[i], other[i]);
    limited.push_back(std::move(limit));
  }
  return box - VolumeOf(std::move(limited), reference);
}

// WFG with slicing: in falling order of the last coordinate, a point's later ones all reach its
// own last coordinate, so what is exclusive to it is a prism over one dimension less.
double VolumeOf(std::vector<Point> points, const Point& reference) {
  points = NonDominatedSet(std::move(points));
  const std::size_t last = reference.size() - 1;
  if (points.empty()) return 0;
  if (last == 0) return reference[0] - points.front()[0];
  if (last == 1) return Sweep(points, reference);
  std::stable_sort(points.begin(), points.end(),
                   [last](const Point& a, const Point& b) { return a[last] > b[last]; });
  std::vector<double> heights;
  heights.reserve(points.size());
  for (Point& point : points) {
    heights.push_back(reference[last] - point[last]);
    point.pop_back();
  }
  const Point base(reference.begin(), reference.end() - 1);
  double volume = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::span<const Point> later(points.data() + i + 1, points.size() - i - 1);
    volume += heights[i] * ExclusiveVolume(points[i], later, base);
  }
  return volume;
}

}  // namespace

double Hypervolume(const std::vector<Point>& points, const Point& reference) {
  std::vector<Point> inside;
  for (const Point& point : points) {
    if (!Inside(point, reference)) continue;
    for (std::size_t i = 0; i < point.size(); ++i) {
      if (std::isinf(reference[i] - point[i])) return kInfinity;
    }
    inside.push_back(point);
  }
  return VolumeOf(std::move(inside), reference);
}

std::vector<double> HypervolumeContributions(const std::vector<Point>& points,
                                             const Point& reference) {
  std::vector<double> contributions(points.size(), 0.0);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!Inside(points[i], reference)) continue;
    std::vector<Point> others;
    bool redundant = false;
    for (std::size_t j = 0; j < points.size() && !redundant; ++j) {
      if (j == i || !Inside(points[j], reference)) continue;
      redundant = WeaklyDominates(points[j], points[i]);
      others.push_back(points[j]);
    }
    if (!redundant) contributions[i] = ExclusiveVolume(points[i], others, reference);
  }
  return contributions;
}

}  // namespace oqat::search
