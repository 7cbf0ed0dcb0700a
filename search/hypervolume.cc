#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"
#include "search/pareto.h"

namespace oqat::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <std::size_t D>
using Coordinates = std::array<double, D>;

// The area that points dominate below a corner, kept as the steps of its boundary.
class Staircase {
 public:
  Staircase(double corner_x, double corner_y) : corner_{corner_x, corner_y} {}

  void Clear() { steps_.clear(); }

  // The area that (x, y) adds. Logarithmic but for moving the later steps, which is what a few
  // thousand of them cost least.
  double Add(double x, double y) {
    const auto first = std::lower_bound(steps_.begin(), steps_.end(), x,
                                        [](const Step& step, double at) { return step.x < at; });
    if (first != steps_.end() && first->x == x && first->y <= y) return 0;
    double ceiling = first == steps_.begin() ? corner_.y : (first - 1)->y;
    if (ceiling <= y) return 0;
    double left = x;
    double gain = 0;
    auto last = first;
    for (; last != steps_.end() && last->y >= y; ++last) {
      gain += (last->x - left) * (ceiling - y);
      left = last->x;
      ceiling = last->y;
    }
    gain += ((last == steps_.end() ? corner_.x : last->x) - left) * (ceiling - y);
    if (first == last) {
      steps_.insert(first, {x, y});
    } else {
      *first = {x, y};
      steps_.erase(first + 1, last);
    }
    return gain;
  }

 private:
  struct Step {
    double x, y;
  };

  Step corner_;
  std::vector<Step> steps_;  // x rises, y falls
};

// The volume that points dominate below a corner, one dimension up.
class Solid {
 public:
  explicit Solid(const Coordinates<3>& corner) : corner_(corner), covered_(corner[0], corner[1]) {}

  // The volume that `p` adds: the area exclusive to it shrinks with rising height, at every point
  // of the solid that reaches into it (Guerreiro and Fonseca 2018, HV4D+). Linear in the points.
  double Add(const Coordinates<3>& p) {
    covered_.Clear();
    double area = (corner_[0] - p[0]) * (corner_[1] - p[1]);
    const auto cover = [&](const Coordinates<3>& q) {
      area -= covered_.Add(std::max(p[0], q[0]), std::max(p[1], q[1]));
    };
    auto next = points_.begin();
    for (; next != points_.end() && (*next)[2] <= p[2]; ++next) {
      if (Over(*next, p)) return 0;
      cover(*next);
    }
    const auto place = next - points_.begin();
    double volume = 0;
    double floor = p[2];
    for (; next != points_.end(); ++next) {
      volume += area * ((*next)[2] - floor);
      floor = (*next)[2];
      if (Over(*next, p)) break;
      cover(*next);
    }
    if (next == points_.end()) volume += area * (corner_[2] - floor);
    points_.erase(std::remove_if(points_.begin() + place, points_.end(),
                                 [&](const Coordinates<3>& q) { return Over(p, q); }),
                  points_.end());
    points_.insert(points_.begin() + place, p);
    return volume;
  }

 private:
  static bool Over(const Coordinates<3>& a, const Coordinates<3>& b) {
    return a[0] <= b[0] && a[1] <= b[1];
  }

  Coordinates<3> corner_;
  Staircase covered_;                   // of one Add; a member to keep its memory
  std::vector<Coordinates<3>> points_;  // by the third coordinate
};

template <std::size_t D>
Coordinates<D - 1> WithoutLast(const Coordinates<D>& point) {
  Coordinates<D - 1> base{};
  std::copy(point.begin(), point.end() - 1, base.begin());
  return base;
}

template <std::size_t D>
double VolumeOf(std::vector<Coordinates<D>> points, const Coordinates<D>& corner);

// The part of the box from `point` to the corner that `others` do not dominate.
template <std::size_t D>
double ExclusiveVolume(const Coordinates<D>& point, const std::vector<Coordinates<D>>& others,
                       const Coordinates<D>& corner) {
  double box = 1;
  for (std::size_t i = 0; i < D; ++i) box *= corner[i] - point[i];
  std::vector<Coordinates<D>> limited = others;
  for (Coordinates<D>& other : limited) {
    for (std::size_t i = 0; i < D; ++i) other[i] = std::max(point[i], other[i]);
  }
  return box - VolumeOf(std::move(limited), corner);
}

// Any further dimension: points of the solid, and WFG's exclusive volumes.
class HyperSolid {
 public:
  explicit HyperSolid(const Coordinates<4>& corner) : corner_(corner) {}

  double Add(const Coordinates<4>& p) {
    for (const Coordinates<4>& q : points_) {
      if (WeaklyDominates(q, p)) return 0;
    }
    const double gain = ExclusiveVolume(p, points_, corner_);
    std::erase_if(points_, [&](const Coordinates<4>& q) { return WeaklyDominates(p, q); });
    points_.push_back(p);
    return gain;
  }

 private:
  static bool WeaklyDominates(const Coordinates<4>& a, const Coordinates<4>& b) {
    return a[0] <= b[0] && a[1] <= b[1] && a[2] <= b[2] && a[3] <= b[3];
  }

  Coordinates<4> corner_;
  std::vector<Coordinates<4>> points_;
};

double AddTo(Staircase& base, const Coordinates<2>& p) { return base.Add(p[0], p[1]); }
double AddTo(Solid& base, const Coordinates<3>& p) { return base.Add(p); }
double AddTo(HyperSolid& base, const Coordinates<4>& p) { return base.Add(p); }

// A sweep along the last coordinate: between two points the cut through the volume stays as it is,
// at each it grows by what the point adds to it.
template <std::size_t D>
double VolumeOf(std::vector<Coordinates<D>> points, const Coordinates<D>& corner) {
  if (points.empty()) return 0;
  if constexpr (D == 1) {
    return corner[0] - (*std::min_element(points.begin(), points.end()))[0];
  } else if constexpr (D == 2) {
    std::sort(points.begin(), points.end());
    double volume = 0;
    double ceiling = corner[1];
    for (const Coordinates<2>& point : points) {
      if (point[1] >= ceiling) continue;
      volume += (corner[0] - point[0]) * (ceiling - point[1]);
      ceiling = point[1];
    }
    return volume;
  } else {
    std::sort(points.begin(), points.end(),
              [](const Coordinates<D>& a, const Coordinates<D>& b) { return a.back() < b.back(); });
    const Coordinates<D - 1> base_corner = WithoutLast(corner);
    auto base = [&] {
      if constexpr (D == 3) return Staircase(base_corner[0], base_corner[1]);
      if constexpr (D == 4) return Solid(base_corner);
      if constexpr (D == 5) return HyperSolid(base_corner);
    }();
    double volume = 0;
    double cut = 0;
    double floor = points.front().back();
    for (const Coordinates<D>& point : points) {
      volume += cut * (point.back() - floor);
      floor = point.back();
      cut += AddTo(base, WithoutLast(point));
    }
    return volume + cut * (corner.back() - floor);
  }
}

template <std::size_t D>
Coordinates<D> Fixed(const Point& point) {
  Coordinates<D> fixed{};
  std::copy(point.begin(), point.end(), fixed.begin());
  return fixed;
}

bool Inside(const Point& point, const Point& reference) {
  for (std::size_t i = 0; i < point.size(); ++i) {
    if (!(point[i] < reference[i])) return false;
  }
  return true;
}

template <std::size_t D>
double HypervolumeIn(const std::vector<Point>& points, const Point& reference) {
  std::vector<Coordinates<D>> inside;
  inside.reserve(points.size());
  for (const Point& point : points) {
    if (!Inside(point, reference)) continue;
    for (std::size_t i = 0; i < D; ++i) {
      if (std::isinf(reference[i] - point[i])) return kInfinity;
    }
    inside.push_back(Fixed<D>(point));
  }
  return VolumeOf(std::move(inside), Fixed<D>(reference));
}

template <std::size_t D>
std::vector<double> ContributionsIn(const std::vector<Point>& points, const Point& reference) {
  std::vector<double> contributions(points.size(), 0.0);
  const Coordinates<D> corner = Fixed<D>(reference);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!Inside(points[i], reference)) continue;
    std::vector<Coordinates<D>> others;
    bool redundant = false;
    for (std::size_t j = 0; j < points.size() && !redundant; ++j) {
      if (j == i || !Inside(points[j], reference)) continue;
      redundant = points[j] == points[i] || Dominates(points[j], points[i]);
      others.push_back(Fixed<D>(points[j]));
    }
    if (!redundant) contributions[i] = ExclusiveVolume(Fixed<D>(points[i]), others, corner);
  }
  return contributions;
}

static_assert(kMaxObjectives == 5);

Error TooMany(std::size_t dimensions) {
  return InvalidField("reference", std::to_string(dimensions) + " coordinates", "1 to 5");
}

}  // namespace

double Hypervolume(const std::vector<Point>& points, const Point& reference) {
  switch (reference.size()) {
    case 1: return HypervolumeIn<1>(points, reference);
    case 2: return HypervolumeIn<2>(points, reference);
    case 3: return HypervolumeIn<3>(points, reference);
    case 4: return HypervolumeIn<4>(points, reference);
    case 5: return HypervolumeIn<5>(points, reference);
    default: throw TooMany(reference.size());
  }
}

std::vector<double> HypervolumeContributions(const std::vector<Point>& points,
                                             const Point& reference) {
  switch (reference.size()) {
    case 1: return ContributionsIn<1>(points, reference);
    case 2: return ContributionsIn<2>(points, reference);
    case 3: return ContributionsIn<3>(points, reference);
    case 4: return ContributionsIn<4>(points, reference);
    case 5: return ContributionsIn<5>(points, reference);
    default: throw TooMany(reference.size());
  }
}

}  // namespace oqat::search
