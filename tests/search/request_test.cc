#include "search/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "search/genes.h"
#include "space/cost.h"
#include "tests/search/simulated_search.h"

namespace oqat::search {
namespace {

using space::Metric;
using ::testing::AllOf;
using ::testing::HasSubstr;

const space::SearchSpace& Space() { return space::Preset("tiny-mbv3"); }

SearchRequest Good() {
  SearchRequest request;
  request.evaluations = 100;
  return request;
}

TEST(CheckRequest, AcceptsTheDefaultsAndTheEdges) {
  SearchRequest request = Good();
  EXPECT_NO_THROW(CheckRequest(Space(), request));
  request.evaluations = kMaxEvaluations;
  request.round_size = 1;
  request.lag = 8;
  request.bits = {2, 4};
  request.seed = UINT64_MAX;
  request.constraints = {{Metric::kTop1, 0.5, {}}, {Metric::kBitops, 0, 1e12}};
  EXPECT_NO_THROW(CheckRequest(Space(), request));
  EXPECT_EQ(BitsOf(Space(), request), (std::vector<int>{4, 2}));
}

TEST(CheckRequest, NamesFieldValueAndWhatIsAllowed) {
  struct Bad {
    std::function<void(SearchRequest&)> change;
    std::string field, value, allowed;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Bad> cases = {
      {[](auto& r) { r.strategy = "greedy"; }, "strategy", "greedy",
       "coarse_to_fine, nsga2, nsga3, predictor_nsga2, random"},
      {[](auto& r) { r.strategy = "nsga3"; }, "objectives", "2 objectives",
       "at least 3 with strategy nsga3"},
      {[](auto& r) { r.evaluations = 0; }, "evaluations", "got 0", "1 to 1000000"},
      {[](auto& r) { r.evaluations = -5; }, "evaluations", "-5", "1 to 1000000"},
      {[](auto& r) { r.evaluations = 1000001; }, "evaluations", "1000001", "1 to 1000000"},
      {[](auto& r) { r.round_size = 0; }, "round_size", "got 0", "1 to 1024"},
      {[](auto& r) { r.round_size = 1025; }, "round_size", "1025", "1 to 1024"},
      {[](auto& r) { r.lag = 0; }, "lag", "got 0", "1 to 8"},
      {[](auto& r) { r.lag = 9; }, "lag", "9", "1 to 8"},
      {[](auto& r) { r.objectives.clear(); }, "objectives", "0 objectives", "1 to 5"},
      {[](auto& r) { r.objectives.resize(6); }, "objectives", "6 objectives", "1 to 5"},
      {[](auto& r) {
         r.objectives = {{Metric::kMacs, false}};
       },
       "objectives", "macs", "measured"},
      {[](auto& r) {
         r.objectives = {{Metric::kTop1, true}, {Metric::kTop1, false}};
       },
       "objectives[1].metric", "top1", "at most once"},
      {[](auto& r) { r.objectives[1].metric = Metric::kLatencySpreadMs; }, "objectives[1].metric",
       "latency_spread_ms", "bitops"},
      {[](auto& r) {
         r.constraints = {{Metric::kLatencySpreadMs, {}, 5}};
       },
       "constraints[0].metric", "latency_spread_ms", "top1"},
      {[](auto& r) {
         r.constraints = {{Metric::kMacs, {}, {}}};
       },
       "constraints[0]", "neither min nor max", "at least one"},
      {[](auto& r) {
         r.constraints = {{Metric::kMacs, 1, 2}, {Metric::kMacs, 9, 3}};
       },
       "constraints[1].min", "9", "at most its max, 3"},
      {[](auto& r) {
         r.constraints = {{Metric::kMacs, -1, {}}};
       },
       "constraints[0].min", "-1", "at least 0"},
      {[nan](auto& r) {
         r.constraints = {{Metric::kMacs, {}, nan}};
       },
       "constraints[0].max", "nan", "finite"},
      {[](auto& r) {
         r.constraints = {{Metric::kTop1, 1.5, {}}};
       },
       "constraints[0].min", "1.5", "0 to 1"},
      {[](auto& r) {
         r.constraints.assign(17, {Metric::kMacs, {}, 9});
       },
       "constraints", "17 constraints", "0 to 16"},
      {[](auto& r) {
         r.bits = {4, 8};
       },
       "bits[1]", "8", "4, 3, 2"},
      {[](auto& r) {
         r.bits = {4, 4};
       },
       "bits[1]", "4", "at most once"},
      {[](auto& r) { r.warm_start.assign(17, "a"); }, "warm_start", "17 searches", "0 to 16"},
      {[](auto& r) {
         r.warm_start = {"a", ""};
       },
       "warm_start[1]", "nothing", "id"},
      {[](auto& r) {
         r.warm_start = {"a", "a"};
       },
       "warm_start[0]", "a", "at most once"},
      {[](auto& r) { r.stop_after_stagnant_rounds = -1; }, "stop_after_stagnant_rounds", "-1",
       "0 to 1000000"},
      {[](auto& r) { r.max_seconds = 31'622'401; }, "max_seconds", "31622401", "0 to 31622400"},
  };
  for (const Bad& bad : cases) {
    SearchRequest request = Good();
    bad.change(request);
    EXPECT_THAT(ErrorOf([&] { CheckRequest(Space(), request); }),
                AllOf(HasSubstr(bad.field + ":"), HasSubstr(bad.value), HasSubstr(bad.allowed)));
    EXPECT_NE(ErrorOf([&] { MakeStrategy(Space(), request, GaussianFactory(Space())); }), "");
  }
  EXPECT_THAT(ErrorOf([&] { MakeStrategy(Space(), Good(), {}); }), HasSubstr("predictor"));
}

TEST(RequestJson, RoundTrips) {
  SearchRequest request = Good();
  EXPECT_EQ(RequestFromJson(RequestToJson(request)), request);
  request.strategy = "random";
  request.seed = UINT64_MAX;
  request.round_size = 7;
  request.lag = 1;
  request.objectives = {{Metric::kLoss, false}, {Metric::kParams, false}};
  request.constraints = {{Metric::kTop1, 0.25, {}}, {Metric::kBitops, 1, 2.5e9}};
  request.bits = {3};
  request.warm_start = {"a", "b"};
  request.stop_after_stagnant_rounds = 4;
  request.max_seconds = 5;
  EXPECT_EQ(RequestFromJson(ParseJson(RequestToJson(request).dump(), "x")), request);
}

TEST(RequestJson, MissingFieldsHaveDefaultsAndDirections) {
  const SearchRequest request = RequestFromJson(
      ParseJson(R"({"evaluations":9,"objectives":[{"metric":"top1"},{"metric":"macs"}]})", "x"));
  SearchRequest expected;
  expected.evaluations = 9;
  expected.objectives = {{Metric::kTop1, true}, {Metric::kMacs, false}};
  EXPECT_EQ(request, expected);
}

TEST(RequestJson, RefusesWhatItDoesNotKnow) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"([])", "search"},
      {R"({})", "search.evaluations: is missing"},
      {R"({"evaluations":"9"})", "search.evaluations"},
      {R"({"evaluations":1e30})", "search.evaluations"},
      {R"({"evaluations":9,"budget":9})", "budget"},
      {R"({"evaluations":9,"seed":-1})", "search.seed"},
      {R"({"evaluations":9,"seed":"x"})", "search.seed"},
      {R"({"evaluations":9,"seed":1.5})", "search.seed"},
      {R"({"evaluations":9,"objectives":"top1"})", "search.objectives"},
      {R"({"evaluations":9,"objectives":[{"metric":"accuracy"}]})",
       "search.objectives[0].metric: got \"accuracy\"; allowed: top1"},
      {R"({"evaluations":9,"objectives":[{"metric":"top1","minimise":1}]})", "minimise"},
      {R"({"evaluations":9,"constraints":[{"max":3}]})", "search.constraints[0].metric"},
      {R"({"evaluations":9,"constraints":[{"metric":"macs","max":"3"}]})",
       "search.constraints[0].max"},
      {R"({"evaluations":9,"bits":[4,"3"]})", "search.bits[1]"},
      {R"({"evaluations":9,"warm_start":"a"})", "search.warm_start: got"},
      {R"({"evaluations":9,"warm_start":["a",7]})", "search.warm_start[1]"},
  };
  for (const auto& [text, complaint] : cases) {
    EXPECT_THAT(ErrorOf([&] { RequestFromJson(ParseJson(text, "x")); }), HasSubstr(complaint))
        << text;
  }
}

TEST(Rounds, CoverTheBudget) {
  SearchRequest request = Good();
  EXPECT_EQ(NumRounds(request), 7);
  EXPECT_EQ(RoundCount(request, 0), 16);
  EXPECT_EQ(RoundCount(request, 6), 4);
  EXPECT_EQ(RoundCount(request, 7), 0);
  EXPECT_EQ(RoundCount(request, -1), 0);
}

TEST(ViolationSum, IsRelativeToTheBroken) {
  const std::vector<Constraint> constraints = {
      {Metric::kMacs, 100, 200}, {Metric::kTop1, 0.5, {}}, {Metric::kParams, {}, 0}};
  EXPECT_EQ(Violation(constraints, {{Metric::kMacs, 150}, {Metric::kTop1, 0.5}}), 0);
  EXPECT_DOUBLE_EQ(Violation(constraints, {{Metric::kMacs, 300}, {Metric::kTop1, 0.25}}), 1.0);
  EXPECT_DOUBLE_EQ(Violation(constraints, {{Metric::kMacs, 50}, {Metric::kParams, 3}}), 3.5);
}

// CheckReachable reads the range of a cost off the smallest and largest architecture.
TEST(CheckReachable, CostsGrowWithEveryGene) {
  RandomStream random(5);
  for (const std::string& name : space::PresetNames()) {
    const space::SearchSpace& space = space::Preset(name);
    const GeneSpace genes(space, space.bits);
    for (int trial = 0; trial < 200; ++trial) {
      Genome genome = genes.Uniform(random);
      const space::MetricValues before = space::CostMetrics(space, genes.Decode(genome));
      const int gene = static_cast<int>(random.Below(genes.size()));
      if (genome[gene] + 1 == genes.choices(gene)) continue;
      ++genome[gene];
      for (const auto& [metric, value] : space::CostMetrics(space, genes.Decode(genome))) {
        EXPECT_GE(value, before.at(metric)) << name << " " << space::MetricName(metric);
      }
    }
  }
}

TEST(CheckReachable, NamesTheReachableMinimumAndMaximum) {
  for (const Metric metric : {Metric::kMacs, Metric::kBitops, Metric::kWeightedMacs,
                              Metric::kParams, Metric::kWeightBytes}) {
    SearchRequest request = Good();
    const double least = space::CostMetrics(Space(), space::Smallest(Space(), 2)).at(metric);
    const double most = space::CostMetrics(Space(), space::Largest(Space(), 4)).at(metric);
    request.constraints = {{metric, most, {}}, {Metric::kTop1, 0.99, {}}};
    EXPECT_NO_THROW(CheckReachable(Space(), request));
    request.constraints = {{metric, {}, least}};
    EXPECT_NO_THROW(CheckReachable(Space(), request));

    request.constraints = {{metric, {}, std::floor(least) - 1}};
    EXPECT_THAT(ErrorOf([&] { CheckReachable(Space(), request); }),
                AllOf(HasSubstr("constraints[0].max: got"), HasSubstr("reachable minimum"),
                      HasSubstr(std::string(space::MetricName(metric)))));
    request.constraints = {{metric, std::ceil(most) + 1, {}}};
    EXPECT_THAT(ErrorOf([&] { CheckReachable(Space(), request); }),
                AllOf(HasSubstr("constraints[0].min: got"), HasSubstr("reachable maximum")));
  }
}

TEST(CheckReachable, DependsOnTheAllowedBits) {
  SearchRequest request = Good();
  const double two = space::CostMetrics(Space(), space::Smallest(Space(), 2)).at(Metric::kBitops);
  request.constraints = {{Metric::kBitops, {}, two}};
  EXPECT_NO_THROW(CheckReachable(Space(), request));
  request.bits = {4};
  const double four = space::CostMetrics(Space(), space::Smallest(Space(), 4)).at(Metric::kBitops);
  EXPECT_THAT(
      ErrorOf([&] { CheckReachable(Space(), request); }),
      AllOf(HasSubstr("at least " + std::to_string(static_cast<long long>(four))), HasSubstr("4")));
}

TEST(CheckReachable, RefusesWhatCannotHoldTogether) {
  SearchRequest request = Good();
  const double macs = space::CostMetrics(Space(), space::Largest(Space(), 4)).at(Metric::kMacs);
  const double params =
      space::CostMetrics(Space(), space::Smallest(Space(), 4)).at(Metric::kParams);
  request.constraints = {{Metric::kMacs, macs, {}}, {Metric::kParams, {}, params}};
  EXPECT_THAT(ErrorOf([&] { CheckReachable(Space(), request); }),
              AllOf(HasSubstr("constraints: got macs >= "), HasSubstr("params <= "),
                    HasSubstr("together"), HasSubstr("closest found is r")));
}

}  // namespace
}  // namespace oqat::search
