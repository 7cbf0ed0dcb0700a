#include "search/improvement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "search/predictor_nsga2.h"

namespace oqat::search {
namespace {

TEST(ExpectedImprovement, IsTheGainInVolumeWhereNothingIsUncertain) {
  const std::vector<double> sure{0, 0};
  ExpectedImprovement improvement({{1, 3}, {3, 1}, {2, 5}}, {4, 4});
  EXPECT_DOUBLE_EQ(improvement.Of({2, 2}, sure), 1);
  EXPECT_DOUBLE_EQ(improvement.Of({0, 0}, sure), 16 - 5);
  EXPECT_DOUBLE_EQ(improvement.Of({3, 3}, sure), 0);
  EXPECT_DOUBLE_EQ(improvement.Of({0, 4}, sure), 0);  // on the reference
  improvement.Believe({2, 2});
  EXPECT_DOUBLE_EQ(improvement.Of({2, 2}, sure), 0);
  EXPECT_DOUBLE_EQ(improvement.Of({1, 2}, sure), 1);
}

TEST(ExpectedImprovement, IsNearTheMeanOverDraws) {
  RandomStream random(1);
  const std::vector<Point> front{{0.2, 0.7}, {0.5, 0.4}, {0.8, 0.3}};
  const Point reference{1, 1};
  const ExpectedImprovement improvement(front, reference);
  for (const Point& mean : {Point{0.4, 0.5}, Point{0.6, 0.6}, Point{0.1, 0.2}}) {
    const std::vector<double> stddev{0, 0.1};
    double sum = 0;
    constexpr int kDraws = 20'000;
    for (int i = 0; i < kDraws; ++i) {
      std::vector<Point> with = front;
      with.push_back({mean[0], mean[1] + stddev[1] * random.Normal()});
      sum += Hypervolume(with, reference) - Hypervolume(front, reference);
    }
    EXPECT_NEAR(improvement.Of(mean, stddev), sum / kDraws, 0.002);
  }
}

TEST(ExpectedImprovement, UncertaintyIsWorthSomethingBehindTheFront) {
  const ExpectedImprovement improvement({{0.5, 0.5}}, {1, 1});
  const std::vector<double> sure{0, 0}, unsure{0, 0.1}, both{0.1, 0.1};
  EXPECT_EQ(improvement.Of({0.5, 0.55}, sure), 0);
  EXPECT_GT(improvement.Of({0.5, 0.55}, unsure), 0);
  EXPECT_GT(improvement.Of({0.55, 0.55}, both), 0);
}

TEST(ChooseByImprovement, DoesNotTakeTheSamePlaceTwice) {
  const std::vector<Point> means{{0.5, 0.5}, {0.5, 0.51}, {0.2, 0.8}, {0.8, 0.2}, {0.9, 0.9}};
  const std::vector<std::vector<double>> sure(means.size(), {0, 0});
  const std::vector<std::size_t> chosen =
      ChooseByImprovement(ExpectedImprovement({{0.85, 0.85}}, {1, 1}), means, sure, 5);
  EXPECT_EQ(chosen, (std::vector<std::size_t>{0, 2, 3}));
}

TEST(ChooseByImprovement, EqualsTheGreedyChoiceWithoutShortcuts) {
  RandomStream random(2);
  for (int run = 0; run < 20; ++run) {
    std::vector<Point> means;
    std::vector<std::vector<double>> stddevs;
    for (int i = 0; i < 30; ++i) {
      means.push_back({random.Uniform(), random.Uniform(), random.Uniform()});
      stddevs.push_back({0, 0.1 * random.Uniform(), 0});
    }
    ExpectedImprovement improvement({{0.3, 0.5, 0.4}, {0.6, 0.2, 0.4}}, {1, 1, 1});
    const std::vector<std::size_t> chosen = ChooseByImprovement(improvement, means, stddevs, 6);
    std::vector<bool> taken(means.size());
    for (const std::size_t mine : chosen) {
      double best = 0;
      for (std::size_t i = 0; i < means.size(); ++i) {
        if (taken[i]) continue;
        best = std::max(best, improvement.Of(means[i], stddevs[i]));
      }
      EXPECT_DOUBLE_EQ(improvement.Of(means[mine], stddevs[mine]), best);
      improvement.Believe(means[mine]);
      taken[mine] = true;
    }
  }
}

TEST(ExploredOf, GrowsWhereThePredictorIsNoBetterThanChance) {
  EXPECT_EQ(ExploredOf(0.8, 16), 2);
  EXPECT_EQ(ExploredOf({}, 16), 2);
  EXPECT_EQ(ExploredOf(0.1, 16), 5);
  EXPECT_EQ(ExploredOf(0.0, 16), 8);
  EXPECT_EQ(ExploredOf(-0.7, 16), 8);
}

}  // namespace
}  // namespace oqat::search
