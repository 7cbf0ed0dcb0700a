#include "search/pareto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/files.h"
#include "base/json.h"
#include "base/random.h"
#include "tests/search/simulated_search.h"

namespace oqat::search {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pointwise;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A reference to something that lives on: a range-for does not keep a temporary's parts alive.
const Json& Cases(const char* name) {
  static const Json cases = ParseJson(
      ReadFile(std::string(OQAT_SOURCE_DIR) + "/tests/golden/moo_cases.json"), "moo_cases.json");
  EXPECT_FALSE(cases.at(name).empty());
  return cases.at(name);
}

std::vector<Point> Points(const Json& json) { return json.get<std::vector<Point>>(); }

// Small integers, so that ties and duplicates are common and all arithmetic is exact.
std::vector<Point> RandomPoints(RandomStream& random, std::size_t n, int dimensions, int most) {
  std::vector<Point> points(n, Point(dimensions));
  for (Point& point : points) {
    for (double& value : point) value = static_cast<double>(random.Below(most));
  }
  return points;
}

// Counts unit cells; exact for integer coordinates.
double VolumeByCells(const std::vector<Point>& points, int reference, int dimensions) {
  double volume = 0;
  const int cells = static_cast<int>(std::lround(std::pow(reference, dimensions)));
  for (int cell = 0; cell < cells; ++cell) {
    Point corner(dimensions);
    int rest = cell;
    for (double& value : corner) {
      value = rest % reference;
      rest /= reference;
    }
    for (const Point& point : points) {
      bool covers = true;
      for (int m = 0; m < dimensions; ++m) covers = covers && point[m] <= corner[m];
      if (covers) {
        volume += 1;
        break;
      }
    }
  }
  return volume;
}

TEST(Hypervolume, KnownAnswers) {
  int tried = 0;
  for (const Json& item : Cases("hypervolume")) {
    if (item.contains("closed_form")) continue;
    std::vector<Point> points = Points(item.at("points"));
    auto reference = item.at("reference").get<Point>();
    if (item.value("maximise", false)) {
      for (Point& point : points) {
        for (double& value : point) value = -value;
      }
      for (double& value : reference) value = -value;
    }
    EXPECT_NEAR(Hypervolume(points, reference), item.at("value").get<double>(), 1e-12);
    ++tried;
  }
  EXPECT_EQ(tried, 3);
}

TEST(Hypervolume, ClosedForms) {
  for (const int n : {1, 2, 5, 12}) {
    std::vector<Point> two, three;
    for (int i = 0; i < n; ++i) {
      two.push_back({double(i), double(n - 1 - i)});
      two.push_back({double(i), double(n - i)});
      for (int j = 0; i + j < n; ++j)
        three.push_back({double(i), double(j), double(n - 1 - i - j)});
    }
    const double size = n;
    EXPECT_EQ(Hypervolume(two, {size, size}), size * size - size * (size - 1) / 2);
    EXPECT_EQ(Hypervolume(three, {size, size, size}),
              size * size * size - (size - 1) * size * (size + 1) / 6);
  }
}

TEST(Hypervolume, EqualsCellCountInOneToFiveDimensions) {
  RandomStream random(11);
  for (int dimensions = 1; dimensions <= 5; ++dimensions) {
    for (int trial = 0; trial < 20; ++trial) {
      // Some coordinates reach the reference 5 or pass it: those points do not count.
      const std::vector<Point> points = RandomPoints(random, 12, dimensions, 7);
      EXPECT_EQ(Hypervolume(points, Point(dimensions, 5.0)), VolumeByCells(points, 5, dimensions))
          << ::testing::PrintToString(points);
    }
  }
}

// Inclusion and exclusion over all subsets: the volume of what several boxes share is that of one.
double VolumeBySubsets(const std::vector<Point>& points, const Point& reference) {
  double volume = 0;
  for (std::size_t subset = 1; subset < std::size_t{1} << points.size(); ++subset) {
    double shared = -1;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (subset >> i & 1) shared = -shared;
    }
    for (std::size_t m = 0; m < reference.size(); ++m) {
      double most = -kInfinity;
      for (std::size_t i = 0; i < points.size(); ++i) {
        if (subset >> i & 1) most = std::max(most, points[i][m]);
      }
      shared *= std::max(0.0, reference[m] - most);
    }
    volume += shared;
  }
  return volume;
}

TEST(Hypervolume, EqualsInclusionAndExclusionOfRealNumbers) {
  RandomStream random(15);
  for (int dimensions = 1; dimensions <= 5; ++dimensions) {
    for (int trial = 0; trial < 20; ++trial) {
      std::vector<Point> points(9, Point(dimensions));
      for (Point& point : points) {
        for (double& value : point) value = 1.2 * random.Uniform();
      }
      const Point reference(dimensions, 1.0);
      EXPECT_NEAR(Hypervolume(points, reference), VolumeBySubsets(points, reference), 1e-12);
    }
  }
}

TEST(Hypervolume, IsThatOfTheFrontInAnyOrder) {
  RandomStream random(16);
  for (int dimensions = 2; dimensions <= 5; ++dimensions) {
    std::vector<Point> points = RandomPoints(random, 120, dimensions, 30);
    const Point reference(dimensions, 28.0);
    const double volume = Hypervolume(points, reference);
    const std::vector<int> ranks = NonDominatedRanks(points);
    std::vector<Point> front;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (ranks[i] == 0) front.push_back(points[i]);
    }
    EXPECT_EQ(Hypervolume(front, reference), volume);
    random.Shuffle(std::span(points));
    EXPECT_EQ(Hypervolume(points, reference), volume);
  }
}

TEST(Hypervolume, EdgesAndInfinities) {
  EXPECT_EQ(Hypervolume({}, {1, 1}), 0);
  EXPECT_EQ(Hypervolume({{1, 0}}, {1, 1}), 0);
  EXPECT_EQ(Hypervolume({{0, 2}}, {1, 1}), 0);
  EXPECT_EQ(Hypervolume({{0, 0}, {0, 0}}, {1, 1}), 1);
  EXPECT_EQ(Hypervolume({{kInfinity, 0}, {0.5, 0.5}}, {1, 1}), 0.25);
  EXPECT_EQ(Hypervolume({{-kInfinity, 0}}, {1, 1}), kInfinity);
  EXPECT_EQ(Hypervolume({{-kInfinity, 1}}, {1, 1}), 0);
  EXPECT_EQ(Hypervolume({{0, 0}}, {kInfinity, 1}), kInfinity);
  EXPECT_EQ(Hypervolume({{0, 0, 0, -kInfinity, 0}, {0, 0, 0, 0, 0}}, Point(5, 1)), kInfinity);
  EXPECT_EQ(Hypervolume({{0, 0, 0, kInfinity, 0}, {0, 0, 0, 0, 0}}, Point(5, 1)), 1);
  EXPECT_THAT(ErrorOf([] { Hypervolume({}, Point(6, 1)); }), HasSubstr("6 coordinates"));
  EXPECT_THAT(ErrorOf([] { Hypervolume({}, {}); }), HasSubstr("1 to 5"));
}

TEST(HypervolumeContributions, KnownAnswers) {
  for (const Json& item : Cases("hypervolume_contributions")) {
    std::vector<Point> points = Points(item.at("points"));
    const auto expected = item.at("values").get<std::vector<double>>();
    EXPECT_EQ(HypervolumeContributions(points, item.at("reference").get<Point>()), expected);
    points.push_back(points.front());
    std::vector<double> doubled = expected;
    doubled.front() = 0;
    doubled.push_back(0);
    EXPECT_EQ(HypervolumeContributions(points, item.at("reference").get<Point>()), doubled);
  }
}

TEST(HypervolumeContributions, AreWhatRemovalCosts) {
  RandomStream random(12);
  for (int dimensions = 2; dimensions <= 5; ++dimensions) {
    for (int trial = 0; trial < 20; ++trial) {
      const std::vector<Point> points = RandomPoints(random, 10, dimensions, 8);
      const Point reference(dimensions, 6.0);
      const std::vector<double> contributions = HypervolumeContributions(points, reference);
      for (std::size_t i = 0; i < points.size(); ++i) {
        std::vector<Point> others = points;
        others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
        EXPECT_EQ(contributions[i],
                  Hypervolume(points, reference) - Hypervolume(others, reference));
      }
    }
  }
}

TEST(NonDominatedRanks, KnownAnswers) {
  for (const Json& item : Cases("non_dominated_ranks")) {
    EXPECT_EQ(NonDominatedRanks(Points(item.at("points"))),
              item.at("ranks").get<std::vector<int>>());
  }
}

TEST(NonDominatedRanks, EqualPeelingFrontByFront) {
  RandomStream random(13);
  for (int dimensions = 1; dimensions <= 5; ++dimensions) {
    for (int trial = 0; trial < 50; ++trial) {
      std::vector<Point> points = RandomPoints(random, 40, dimensions, trial % 2 ? 8 : 3);
      points.front().front() = -kInfinity;
      points.back().back() = kInfinity;
      std::vector<int> expected(points.size(), -1);
      std::size_t left = points.size();
      for (int rank = 0; left > 0; ++rank) {
        std::vector<std::size_t> front;
        for (std::size_t i = 0; i < points.size(); ++i) {
          bool dominated = expected[i] != -1;
          for (std::size_t j = 0; j < points.size() && !dominated; ++j) {
            dominated = expected[j] == -1 && Dominates(points[j], points[i]);
          }
          if (!dominated) front.push_back(i);
        }
        for (const std::size_t i : front) expected[i] = rank;
        left -= front.size();
      }
      EXPECT_EQ(NonDominatedRanks(points), expected);
    }
  }
  EXPECT_TRUE(NonDominatedRanks({}).empty());
}

TEST(ConstrainedRanks, FeasibleFirstThenByViolation) {
  const std::vector<Point> points = {{0, 0}, {5, 5}, {6, 6}, {1, 1}, {2, 2}};
  const std::vector<double> violations = {0.5, 0, 0, 0.1, 0.5};
  EXPECT_THAT(ConstrainedRanks(points, violations), ElementsAre(3, 0, 1, 2, 3));
  EXPECT_TRUE(ConstrainedDominates(points[1], 0, points[0], 0.5));
  EXPECT_TRUE(ConstrainedDominates(points[3], 0.1, points[0], 0.5));
  EXPECT_FALSE(ConstrainedDominates(points[0], 0.5, points[4], 0.5));
  EXPECT_TRUE(ConstrainedDominates(points[1], 0, points[2], 0));
}

TEST(CrowdingDistance, KnownAnswers) {
  for (const Json& item : Cases("crowding_distance_sum_over_objectives")) {
    std::vector<double> expected;
    for (const Json& value : item.at("values")) {
      expected.push_back(value.is_string() ? kInfinity : value.get<double>());
    }
    const std::vector<double> distances = CrowdingDistance(Points(item.at("points")));
    ASSERT_EQ(distances.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_DOUBLE_EQ(distances[i], expected[i]);
    }
  }
}

TEST(CrowdingDistance, DegenerateFronts) {
  EXPECT_TRUE(CrowdingDistance({}).empty());
  EXPECT_THAT(CrowdingDistance({{1, 2}, {2, 1}}), ElementsAre(kInfinity, kInfinity));
  EXPECT_THAT(CrowdingDistance({{1, 1}, {1, 1}, {1, 1}}), ElementsAre(0, 0, 0));
  EXPECT_THAT(CrowdingDistance({{0, 1}, {1, 1}, {2, 1}}), ElementsAre(kInfinity, 1, kInfinity));
  EXPECT_THAT(CrowdingDistance({{0, kInfinity}, {1, 1}, {2, 0}, {3, -1}}),
              ElementsAre(kInfinity, 2.0 / 3, 2.0 / 3, kInfinity));
}

TEST(Dominates, TiesAndDuplicates) {
  EXPECT_TRUE(Dominates(Point{1, 2}, Point{1, 3}));
  EXPECT_FALSE(Dominates(Point{1, 2}, Point{1, 2}));
  EXPECT_FALSE(Dominates(Point{1, 3}, Point{2, 2}));
  EXPECT_TRUE(Dominates(Point{1, 2}, Point{kInfinity, 2}));
  EXPECT_FALSE(Dominates(Point{kInfinity}, Point{kInfinity}));
}

TEST(ParetoArchive, HoldsTheFirstFrontOfAnySequence) {
  RandomStream random(14);
  for (int dimensions = 1; dimensions <= 5; ++dimensions) {
    for (int trial = 0; trial < 30; ++trial) {
      std::vector<Point> points = RandomPoints(random, 40, dimensions, trial % 2 ? 10 : 3);
      points[7].back() = -kInfinity;
      points[9].front() = kInfinity;
      ParetoArchive archive;
      for (std::size_t i = 0; i < points.size(); ++i) archive.Insert(points[i], i);
      const std::vector<int> ranks = NonDominatedRanks(points);
      std::vector<std::size_t> expected, kept;
      for (std::size_t i = 0; i < points.size(); ++i) {
        if (ranks[i] == 0) expected.push_back(i);
      }
      for (const ParetoArchive::Entry& entry : archive.entries()) {
        kept.push_back(entry.id);
        EXPECT_EQ(entry.point, points[entry.id]);
      }
      EXPECT_EQ(kept, expected);
      EXPECT_EQ(archive.size(), expected.size());
    }
  }
  ParetoArchive archive;
  EXPECT_TRUE(archive.Insert({2, 2}, 0));
  EXPECT_FALSE(archive.Insert({2, 3}, 1));
  EXPECT_TRUE(archive.Insert({2, 2}, 2));
}

TEST(ToPoint, NegatesWhatIsMaximisedAndNamesWhatIsMissing) {
  const std::vector<Objective> objectives = {{space::Metric::kTop1, true},
                                             {space::Metric::kMacs, false}};
  EXPECT_EQ(ToPoint({{space::Metric::kTop1, 0.5}, {space::Metric::kMacs, 9}}, objectives),
            (Point{-0.5, 9}));
  EXPECT_THAT(ErrorOf([&] {
                ToPoint({{space::Metric::kTop1, 0.5}}, objectives);
              }),
              HasSubstr("macs is missing"));
}

}  // namespace
}  // namespace oqat::search
