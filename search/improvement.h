#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "search/pareto.h"

// Internal to search/.
namespace oqat::search {

/// How much a candidate of uncertain value is expected to add to the hypervolume of a front
/// (Emmerich et al. 2011), each uncertain coordinate being normal. The expectation is a mean over
/// fixed quantiles, the volume exact; any number of objectives.
class ExpectedImprovement {
 public:
  /// `front`: minimised points; what lies beyond `reference` counts nothing.
  ExpectedImprovement(std::vector<Point> front, Point reference);

  double Of(const Point& mean, std::span<const double> stddev) const;

  /// From now on the front has this point, too.
  void Believe(Point point);

 private:
  double Gain(const Point& point) const;

  std::vector<Point> front_;
  Point reference_;
};

/// The positions of up to `count` candidates, one after the other the one of the greatest expected
/// improvement when those before it are believed to turn out as predicted. Fewer where nothing more
/// is expected to improve. stddev: of each coordinate.
std::vector<std::size_t> ChooseByImprovement(ExpectedImprovement improvement,
                                             const std::vector<Point>& means,
                                             const std::vector<std::vector<double>>& stddevs,
                                             std::size_t count);

}  // namespace oqat::search
