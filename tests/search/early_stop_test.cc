#include "search/early_stop.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "search/front.h"
#include "tests/search/simulated_search.h"

namespace oqat::search {
namespace {

using space::Metric;

const space::SearchSpace& Space() { return space::Preset("tiny-mbv3"); }

TEST(EarlyStop, WantsTop1AsTheOnlyMeasuredObjective) {
  SearchRequest request;
  EXPECT_NO_THROW(CheckEarlyStop(request));
  for (const std::vector<Objective>& objectives :
       {std::vector<Objective>{{Metric::kLoss, false}},
        std::vector<Objective>{{Metric::kTop1, false}, {Metric::kMacs, false}},
        std::vector<Objective>{{Metric::kTop1, true}, {Metric::kLatencyMs, false}}}) {
    request.objectives = objectives;
    EXPECT_THROW(CheckEarlyStop(request), Error);
  }
}

TEST(EarlyStop, TheBoundIsTheBestThatCostsNoMore) {
  const SearchRequest request;
  const auto measured = [](double top1, double bitops) {
    Measured m;
    m.metrics = {{Metric::kTop1, top1}, {Metric::kBitops, bitops}};
    return m;
  };
  std::vector<Measured> all = {measured(0.5, 10), measured(0.7, 20), measured(0.9, 30)};
  const auto bound = [&](double bitops) {
    return StopBelow(request, all, {{Metric::kBitops, bitops}});
  };
  EXPECT_EQ(bound(5), std::nullopt);
  EXPECT_EQ(bound(10), 0.5);
  EXPECT_EQ(bound(29), 0.7);
  EXPECT_EQ(bound(99), 0.9);
  all[2].stopped = true;
  EXPECT_EQ(bound(99), 0.7);
  all[1].failed = true;
  EXPECT_EQ(bound(99), 0.5);
}

TEST(EarlyStop, BreakersOfConstraintsSetNoBound) {
  SearchRequest request;
  request.constraints = {{Metric::kLoss, {}, 1.0}};
  Measured m;
  m.metrics = {{Metric::kTop1, 0.9}, {Metric::kBitops, 1}, {Metric::kLoss, 2}};
  EXPECT_EQ(StopBelow(request, std::vector{m}, {{Metric::kBitops, 5}}), std::nullopt);
  m.metrics[Metric::kLoss] = 0.5;
  EXPECT_EQ(StopBelow(request, std::vector{m}, {{Metric::kBitops, 5}}), 0.9);
}

// What is below its bound is on no front: leaving it out changes nothing.
TEST(EarlyStop, NoMemberOfTheFrontIsBelowItsBound) {
  SearchRequest request;
  request.strategy = "random";
  request.evaluations = 150;
  std::vector<Measured> all = Simulate(Space(), request, 0);
  const std::vector<Measured> front = FinalFront(Space(), request, all);
  int below = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto bound = StopBelow(request, std::span(all).first(i), all[i].metrics);
    all[i].stopped = bound && all[i].metrics.at(Metric::kTop1) < *bound;
    below += all[i].stopped ? 1 : 0;
  }
  EXPECT_GT(below, 10);
  const std::vector<Measured> without = FinalFront(Space(), request, all);
  ASSERT_EQ(without.size(), front.size());
  for (std::size_t i = 0; i < front.size(); ++i) {
    EXPECT_EQ(without[i].index, front[i].index);
    EXPECT_FALSE(without[i].stopped);
  }
}

}  // namespace
}  // namespace oqat::search
