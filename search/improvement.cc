#include "search/improvement.h"

#include <algorithm>
#include <array>
#include <utility>

namespace oqat::search {
namespace {

// Quantiles of the standard normal distribution at 1/16, 3/16, ..., 15/16.
constexpr std::array<double, 8> kQuantiles{-1.534121, -0.887147, -0.488776, -0.157311,
                                           0.157311,  0.488776,  0.887147,  1.534121};

}  // namespace

ExpectedImprovement::ExpectedImprovement(std::vector<Point> front, Point reference)
    : reference_(std::move(reference)) {
  for (Point& point : front) Believe(std::move(point));
}

double ExpectedImprovement::Gain(const Point& point) const {
  double volume = 1;
  for (std::size_t k = 0; k < point.size(); ++k) {
    if (point[k] >= reference_[k]) return 0;
    volume *= reference_[k] - point[k];
  }
  // What the front dominates of the point's own box.
  std::vector<Point> inside;
  for (const Point& other : front_) {
    Point corner(point.size());
    bool empty = false;
    for (std::size_t k = 0; k < point.size(); ++k) {
      corner[k] = std::max(point[k], other[k]);
      empty = empty || corner[k] >= reference_[k];
    }
    if (!empty) inside.push_back(std::move(corner));
  }
  return std::max(0.0, volume - Hypervolume(inside, reference_));
}

double ExpectedImprovement::Of(const Point& mean, std::span<const double> stddev) const {
  double sum = 0;
  for (std::size_t i = 0; i < kQuantiles.size(); ++i) {
    Point point = mean;
    std::size_t order = i;
    for (std::size_t k = 0; k < point.size(); ++k) {
      if (stddev[k] <= 0) continue;
      point[k] += stddev[k] * kQuantiles[order];
      // A second uncertain coordinate takes its quantiles in another order (3 is odd: all of them).
      order = (3 * order + 1) % kQuantiles.size();
    }
    sum += Gain(point);
  }
  return sum / static_cast<double>(kQuantiles.size());
}

void ExpectedImprovement::Believe(Point point) {
  for (const Point& other : front_) {
    if (other == point || Dominates(other, point)) return;
  }
  std::erase_if(front_, [&](const Point& other) { return Dominates(point, other); });
  front_.push_back(std::move(point));
}

std::vector<std::size_t> ChooseByImprovement(ExpectedImprovement improvement,
                                             const std::vector<Point>& means,
                                             const std::vector<std::vector<double>>& stddevs,
                                             std::size_t count) {
  // Gains only fall when the front grows: the best of those that are up to date is the best.
  std::vector<std::pair<double, std::size_t>> queue;
  const auto worse = [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  };
  std::vector<std::size_t> asked(means.size(), 0), chosen;
  for (std::size_t i = 0; i < means.size(); ++i) {
    const double gain = improvement.Of(means[i], stddevs[i]);
    if (gain > 0) queue.emplace_back(gain, i);
  }
  std::make_heap(queue.begin(), queue.end(), worse);
  while (chosen.size() < count && !queue.empty()) {
    std::pop_heap(queue.begin(), queue.end(), worse);
    const std::size_t i = queue.back().second;
    queue.pop_back();
    if (asked[i] == chosen.size()) {
      chosen.push_back(i);
      improvement.Believe(means[i]);
      continue;
    }
    asked[i] = chosen.size();
    const double gain = improvement.Of(means[i], stddevs[i]);
    if (gain <= 0) continue;
    queue.emplace_back(gain, i);
    std::push_heap(queue.begin(), queue.end(), worse);
  }
  return chosen;
}

}  // namespace oqat::search
