#include "search/nsga3.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace oqat::search {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

TEST(ReferenceDirections, AreTheFinestGridThatFits) {
  // Deb and Jain 2014: three objectives and twelve divisions make 91 directions.
  EXPECT_THAT(ReferenceDirections(3, 91), SizeIs(91));
  EXPECT_THAT(ReferenceDirections(3, 104), SizeIs(91));
  EXPECT_THAT(ReferenceDirections(3, 105), SizeIs(105));
  EXPECT_THAT(ReferenceDirections(3, 6),
              UnorderedElementsAre(Point{1, 0, 0}, Point{0, 1, 0}, Point{0, 0, 1},
                                   Point{0.5, 0.5, 0}, Point{0.5, 0, 0.5}, Point{0, 0.5, 0.5}));
  EXPECT_THAT(ReferenceDirections(5, 2), SizeIs(5));
}

TEST(ReferenceDirections, HaveAnInnerLayerWhereTheGridHasNoInnerPoints) {
  // Five objectives: 35 directions of three divisions, then 5 of one, shrunk towards the centre.
  const std::vector<Point> directions = ReferenceDirections(5, 48);
  EXPECT_THAT(directions, SizeIs(40));
  EXPECT_THAT(directions, Contains(Point{0.6, 0.1, 0.1, 0.1, 0.1}));
  for (const Point& direction : directions) {
    EXPECT_NEAR(std::accumulate(direction.begin(), direction.end(), 0.0), 1, 1e-12);
  }
  EXPECT_EQ(std::set<Point>(directions.begin(), directions.end()).size(), directions.size());
}

TEST(NormalizedByIntercepts, PutsTheFrontOnTheUnitSimplex) {
  const std::vector<Point> points = {{10, 0, 5}, {14, -2, 5}, {10, -2, 13}, {12, -1, 5}};
  const std::vector<Point> normalized = NormalizedByIntercepts(points, {0, 1, 2, 3});
  EXPECT_THAT(normalized,
              ElementsAre(Point{0, 1, 0}, Point{1, 0, 0}, Point{0, 0, 1}, Point{0.5, 0.5, 0}));
}

TEST(NormalizedByIntercepts, FallsBackOnTheRangeOfTheFront) {
  // One point is the extreme of two axes, and the third coordinate never changes.
  const std::vector<Point> points = {{0, 4, 7}, {2, 0, 7}, {6, 6, 7}};
  EXPECT_THAT(NormalizedByIntercepts(points, {0, 1}),
              ElementsAre(Point{0, 1, 0}, Point{1, 0, 0}, Point{3, 1.5, 0}));
  EXPECT_THAT(NormalizedByIntercepts({{3, 3, 3}}, {0}), ElementsAre(Point{0, 0, 0}));
}

TEST(SelectByDirections, TakesWholeFrontsThenOneOfEachNiche) {
  const std::vector<Point> directions = ReferenceDirections(3, 3);  // the corners
  // Three crowds near the corners of one front, and what they dominate.
  std::vector<Point> points;
  for (int axis = 0; axis < 3; ++axis) {
    for (int i = 0; i < 3; ++i) {
      Point point(3, 0.01 * i);
      point[axis] = 1 - 0.02 * i;
      points.push_back(point);
    }
  }
  points.push_back({2, 2, 2});
  const std::vector<double> violations(points.size(), 0.0);
  RandomStream random(1);
  // The closest of every crowd; with the next one, a second of some crowd.
  EXPECT_THAT(SelectByDirections(points, violations, directions, 3, random),
              UnorderedElementsAre(0, 3, 6));
  EXPECT_THAT(SelectByDirections(points, violations, directions, 9, random),
              UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_THAT(SelectByDirections(points, violations, directions, 100, random), SizeIs(10));
  EXPECT_THAT(SelectByDirections({}, {}, directions, 4, random), SizeIs(0));
}

TEST(SelectByDirections, PrefersSmallerViolations) {
  const std::vector<Point> directions = ReferenceDirections(3, 10);
  const std::vector<Point> points = {{0, 0, 0}, {5, 5, 5}, {1, 1, 1}, {9, 9, 9}};
  const std::vector<double> violations = {0.5, 0, 0.1, 0};
  RandomStream random(1);
  EXPECT_THAT(SelectByDirections(points, violations, directions, 2, random), ElementsAre(1, 3));
  EXPECT_THAT(SelectByDirections(points, violations, directions, 3, random), ElementsAre(1, 3, 2));
}

TEST(SelectByDirections, CountsTheSurvivorsOfEarlierFronts) {
  const std::vector<Point> directions = ReferenceDirections(3, 3);
  // Corners 0 and 1 are taken by the first front, so that of the second one corner 2 comes first.
  const std::vector<Point> points = {{1, 0, 0}, {0, 1, 0}, {1.1, 0, 0}, {0, 1.1, 0}, {1, 0, 2}};
  const std::vector<double> violations(points.size(), 0.0);
  for (int seed = 0; seed < 8; ++seed) {
    RandomStream random(seed);
    const std::vector<std::size_t> kept =
        SelectByDirections(points, violations, directions, 3, random);
    EXPECT_THAT(kept, ElementsAre(0, 1, 4));
  }
}

}  // namespace
}  // namespace oqat::search
