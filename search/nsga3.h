#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/random.h"
#include "search/genes.h"
#include "search/pareto.h"
#include "search/strategy.h"

// Internal to search/. NSGA-III: Deb and Jain 2014, with constraints as in Jain and Deb 2014, on
// architectures.
namespace oqat::search {

/// Points of the unit simplex, evenly spread (Das and Dennis 1998): the finest grid of at most
/// `most` points, at least the corners. Where that grid has no inner points, as with many
/// objectives, a second one, shrunk by half towards the centre, follows if it fits.
std::vector<Point> ReferenceDirections(std::size_t objectives, std::size_t most);

/// `points` moved so that their ideal point is the origin, and scaled so that the hyperplane
/// through their extreme points meets every axis at 1. Where there is no such plane, by the range
/// of `front`, positions of the best ones. `points` must be finite.
std::vector<Point> NormalizedByIntercepts(const std::vector<Point>& points,
                                          const std::vector<std::size_t>& front);

/// Positions of the `count` survivors, all if there are fewer: whole fronts of constrained
/// domination, and of the one that does not fit, those closest to the directions that have the
/// fewest survivors so far.
std::vector<std::size_t> SelectByDirections(const std::vector<Point>& points,
                                            std::span<const double> violations,
                                            const std::vector<Point>& directions, std::size_t count,
                                            RandomStream& random);

/// NSGA-III on measurements: parents are what its selection keeps of all that was evaluated.
class Nsga3Strategy : public Strategy {
 public:
  Nsga3Strategy(const space::SearchSpace& space, const SearchRequest& request);
  std::vector<space::Architecture> Propose(const History& history, int round, int count,
                                           RandomStream& random) const override;

 private:
  SearchRequest request_;
  GeneSpace genes_;
  std::size_t population_;
  std::vector<Point> directions_;
};

}  // namespace oqat::search
