#include "search/front.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "search/pareto.h"
#include "tests/search/simulated_search.h"

namespace oqat::search {
namespace {

using space::Metric;

const space::SearchSpace& Space() { return space::Preset("tiny-mbv3"); }

SearchRequest Request() {
  SearchRequest request;
  request.strategy = "random";
  request.evaluations = 200;
  return request;
}

TEST(FinalFront, IsExactlyTheNonDominatedAllowedOnes) {
  SearchRequest request = Request();
  std::vector<Measured> all = Simulate(Space(), request, /*fail_every=*/7);
  request.constraints = {{Metric::kTop1, 0.5, 0.8}};
  const std::vector<Measured> front = FinalFront(Space(), request, all);
  ASSERT_FALSE(front.empty());
  const auto counts = [&](const Measured& m) {
    return !m.failed && Violation(request.constraints, m.metrics) == 0;
  };
  std::size_t expected = 0;
  for (const Measured& m : all) {
    if (!counts(m)) continue;
    const Point point = ToPoint(m.metrics, request.objectives);
    expected += std::none_of(all.begin(), all.end(), [&](const Measured& other) {
      return counts(other) && Dominates(ToPoint(other.metrics, request.objectives), point);
    });
  }
  EXPECT_EQ(front.size(), expected);
  for (std::size_t i = 1; i < front.size(); ++i) {
    EXPECT_LT(front[i - 1].metrics.at(Metric::kBitops), front[i].metrics.at(Metric::kBitops));
    EXPECT_LT(front[i - 1].metrics.at(Metric::kTop1), front[i].metrics.at(Metric::kTop1));
  }

  RandomStream random(1);
  random.Shuffle(std::span(all));
  const std::vector<Measured> again = FinalFront(Space(), request, all);
  ASSERT_EQ(again.size(), front.size());
  for (std::size_t i = 0; i < front.size(); ++i) {
    EXPECT_EQ(again[i].architecture, front[i].architecture);
  }
}

TEST(FinalFront, KeepsEqualPointsInOrderOfTheirKeys) {
  SearchRequest request = Request();
  std::vector<Measured> all = Simulate(Space(), request);
  all.resize(3);
  for (Measured& m : all) {
    m.metrics[Metric::kTop1] = 0.5;
    m.metrics[Metric::kBitops] = 1000;
  }
  const std::vector<Measured> front = FinalFront(Space(), request, all);
  ASSERT_EQ(front.size(), 3u);
  for (int i = 1; i < 3; ++i) {
    EXPECT_LT(space::ToKey(Space(), front[i - 1].architecture),
              space::ToKey(Space(), front[i].architecture));
  }
  request.objectives = {{Metric::kTop1, true}};
  all[1].metrics[Metric::kTop1] = 0.6;
  ASSERT_EQ(FinalFront(Space(), request, all).size(), 1u);
  EXPECT_EQ(FinalFront(Space(), request, all)[0].architecture, all[1].architecture);
}

TEST(FinalFront, IsEmptyIfNothingCounts) {
  const SearchRequest request = Request();
  EXPECT_TRUE(FinalFront(Space(), request, {}).empty());
  const std::vector<Measured> failed = Simulate(Space(), request, /*fail_every=*/1);
  EXPECT_TRUE(FinalFront(Space(), request, failed).empty());
  std::vector<Measured> nan = Simulate(Space(), request);
  for (Measured& m : nan) m.metrics[Metric::kTop1] = std::nan("");
  EXPECT_TRUE(FinalFront(Space(), request, nan).empty());
  EXPECT_EQ(ReportRound(Space(), request, nan, 2).hypervolume, 0);
}

TEST(FrontHypervolume, HasAFixedScale) {
  SearchRequest request = Request();
  const auto at = [&](const space::Architecture& a, double top1) {
    Measured m{0, 0, a, space::CostMetrics(Space(), a)};
    m.metrics[Metric::kTop1] = top1;
    m.metrics[Metric::kLoss] = std::log(10.0) / 4;
    return std::vector<Measured>{m};
  };
  const std::vector<Measured> small = at(space::Smallest(Space(), 2), 0.25);
  const std::vector<Measured> large = at(space::Largest(Space(), 4), 1.0);
  EXPECT_DOUBLE_EQ(FrontHypervolume(Space(), request, small), 0.25);
  EXPECT_DOUBLE_EQ(FrontHypervolume(Space(), request, large), 0);
  request.objectives = {{Metric::kLoss, false}};
  EXPECT_DOUBLE_EQ(FrontHypervolume(Space(), request, small), 0.75);
  request.objectives = {{Metric::kTop1, true}, {Metric::kBitops, true}};
  EXPECT_DOUBLE_EQ(FrontHypervolume(Space(), request, small), 0);
  EXPECT_DOUBLE_EQ(FrontHypervolume(Space(), request, large), 1);
}

TEST(ReportRound, NeverFalls) {
  const SearchRequest request = Request();
  const std::vector<Measured> all = Simulate(Space(), request);
  double last = 0;
  for (int round = 0; round < NumRounds(request); ++round) {
    std::vector<Measured> seen;
    for (const Measured& m : all) {
      if (m.round <= round) seen.push_back(m);
    }
    const RoundReport report = ReportRound(Space(), request, seen, round, 0.5);
    EXPECT_EQ(report.round, round);
    EXPECT_EQ(report.predictor_tau, 0.5);
    EXPECT_GE(report.hypervolume, last);
    EXPECT_GT(report.front_size, 0);
    EXPECT_LT(report.hypervolume, 1);
    last = report.hypervolume;
  }
}

}  // namespace
}  // namespace oqat::search
