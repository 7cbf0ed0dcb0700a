#include "search/strategy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "search/front.h"
#include "tests/search/simulated_search.h"

namespace oqat::search {
namespace {

using space::Metric;
using ::testing::Contains;

const space::SearchSpace& Space() { return space::Preset("tiny-mbv3"); }

SearchRequest RequestOf(const std::string& strategy, std::uint64_t seed, int evaluations) {
  SearchRequest request;
  request.strategy = strategy;
  request.seed = seed;
  request.evaluations = evaluations;
  if (strategy == "nsga3") request.objectives.push_back({Metric::kParams, false});
  return request;
}

double FinalVolume(const space::SearchSpace& space, const SearchRequest& request) {
  const std::vector<Measured> all = Simulate(space, request);
  EXPECT_EQ(static_cast<int>(all.size()), request.evaluations);
  return FrontHypervolume(space, request, FinalFront(space, request, all));
}

class EachStrategy : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Search, EachStrategy, ::testing::ValuesIn(StrategyNames()),
                         [](const auto& info) { return info.param; });

// Simulate checks every proposal: canonical, never repeated, within the cost constraints.
TEST_P(EachStrategy, SpendsTheWholeBudgetWhateverFailsAndLags) {
  for (const int lag : {1, 2, 5}) {
    SearchRequest request = RequestOf(GetParam(), 3, 90);
    request.lag = lag;
    EXPECT_EQ(Simulate(Space(), request, /*fail_every=*/3).size(), 90u);
  }
}

TEST_P(EachStrategy, IsAPureFunctionOfItsArguments) {
  const SearchRequest request = RequestOf(GetParam(), 8, 80);
  const std::vector<Measured> all = Simulate(Space(), request);
  const auto propose = [&](const SearchRequest& asked, int round) {
    const std::unique_ptr<Strategy> strategy =
        MakeStrategy(Space(), asked, GaussianFactory(Space()));
    RandomStream random = RoundStream(asked.seed, round);
    std::vector<Measured> before;
    for (const Measured& m : all) {
      if (m.round < round) before.push_back(m);
    }
    return Keys(Space(),
                strategy->Propose(VisibleHistory(request, before, round), round, 16, random));
  };
  SearchRequest other = request;
  other.seed = 9;
  for (int round = 0; round < 5; ++round) {
    const std::vector<std::string> again = propose(request, round);
    std::vector<std::string> first;
    for (const Measured& m : all) {
      if (m.round == round) first.push_back(space::ToKey(Space(), m.architecture));
    }
    EXPECT_EQ(again, first) << round;
    EXPECT_NE(propose(other, round), first) << round;
  }
}

// Simulate fails where something known is proposed again.
TEST_P(EachStrategy, BeginsWithWhatEarlierSearchesMeasured) {
  SearchRequest request = RequestOf(GetParam(), 3, 40);
  std::vector<Measured> warm = Simulate(Space(), RequestOf(GetParam(), 11, 100));
  for (std::size_t i = 0; i < warm.size(); ++i) {
    warm[i].round = kWarmRound;
    warm[i].index = static_cast<int>(i);
  }
  request.lag = 5;  // all rounds are proposed from what was known
  const std::vector<Measured> cold_run = Simulate(Space(), request);
  const std::vector<Measured> warm_run = Simulate(Space(), request, 0, warm);
  EXPECT_EQ(warm_run.size(), 40u);
  if (GetParam() == "random") return;  // learns nothing
  const auto mean_top1 = [](const std::vector<Measured>& all) {
    double sum = 0;
    for (const Measured& m : all) sum += m.metrics.at(Metric::kTop1);
    return sum / static_cast<double>(all.size());
  };
  EXPECT_GT(mean_top1(warm_run), mean_top1(cold_run));
}

TEST_P(EachStrategy, KeepsToTheAllowedBits) {
  SearchRequest request = RequestOf(GetParam(), 4, 64);
  request.bits = {2, 3};
  for (const Measured& m : Simulate(Space(), request)) EXPECT_NE(m.architecture.bits, 4);
}

TEST_P(EachStrategy, FindsItsWayIntoTightConstraints) {
  // A band of bitops of one percent, and macs below a tenth above the least at all.
  SearchRequest band = RequestOf(GetParam(), 1, 64);
  const double most = space::CostMetrics(Space(), space::Largest(Space(), 4)).at(Metric::kBitops);
  band.constraints = {{Metric::kBitops, 0.6 * most, 0.606 * most}};
  EXPECT_NO_THROW(CheckReachable(Space(), band));
  EXPECT_EQ(Simulate(Space(), band).size(), 64u);

  SearchRequest low = RequestOf(GetParam(), 1, 32);
  const double least = space::CostMetrics(Space(), space::Smallest(Space(), 2)).at(Metric::kMacs);
  low.constraints = {{Metric::kMacs, {}, 1.1 * least}};
  EXPECT_EQ(Simulate(Space(), low).size(), 32u);
}

TEST_P(EachStrategy, FindsItsWayInTheLargeSpace) {
  const space::SearchSpace& space = space::Preset("oqa-mbv3-w1.0");
  SearchRequest request = RequestOf(GetParam(), 1, 48);
  const double least = space::CostMetrics(space, space::Smallest(space, 2)).at(Metric::kBitops);
  request.constraints = {{Metric::kBitops, {}, 1.03 * least}};
  EXPECT_EQ(Simulate(space, request).size(), 48u);
}

TEST_P(EachStrategy, EndsWhenTheSpaceIsExhausted) {
  const space::SearchSpace space = TinySpace();
  SearchRequest request = RequestOf(GetParam(), 2, 100);
  request.round_size = 3;
  EXPECT_EQ(Simulate(space, request).size(), 8u);
  request.round_size = 8;
  EXPECT_EQ(Simulate(space, request).size(), 8u);
}

TEST_P(EachStrategy, EndsWhenTheAllowedRegionOfALargeSpaceIsExhausted) {
  SearchRequest request = RequestOf(GetParam(), 2, 100);
  request.round_size = 4;
  const auto least = space::CostMetrics(Space(), space::Smallest(Space(), 2));
  // Only the smallest one, at any resolution and bit width, has no more parameters.
  request.constraints = {{Metric::kParams, {}, least.at(Metric::kParams)}};
  EXPECT_EQ(Simulate(Space(), request).size(), 9u);
  request.constraints.push_back({Metric::kBitops, {}, least.at(Metric::kBitops)});
  EXPECT_EQ(Simulate(Space(), request).size(), 1u);
}

TEST_P(EachStrategy, ProposesNothingWhereNothingIsAllowed) {
  SearchRequest request = RequestOf(GetParam(), 2, 10);
  request.constraints = {{Metric::kMacs, {}, 1}};
  EXPECT_TRUE(Simulate(Space(), request).empty());
}

TEST_P(EachStrategy, AsksForNothing) {
  const SearchRequest request = RequestOf(GetParam(), 2, 10);
  RandomStream random = RoundStream(2, 0);
  EXPECT_TRUE(
      MakeStrategy(Space(), request, GaussianFactory(Space()))->Propose({}, 0, 0, random).empty());
}

TEST_P(EachStrategy, SurvivesAllFailuresAndNonFiniteMetrics) {
  const SearchRequest request = RequestOf(GetParam(), 6, 60);
  EXPECT_EQ(Simulate(Space(), request, /*fail_every=*/1).size(), 60u);
  History history;
  std::vector<Measured> all = Simulate(Space(), request);
  for (Measured& m : all) m.metrics[Metric::kTop1] = std::nan("");
  history.measured = all;
  RandomStream random = RoundStream(6, 9);
  EXPECT_EQ(MakeStrategy(Space(), request, GaussianFactory(Space()))
                ->Propose(history, 9, 16, random)
                .size(),
            16u);
}

TEST(Strategies, MoreAndOtherObjectives) {
  for (const std::string& name : StrategyNames()) {
    SearchRequest request = RequestOf(name, 5, 64);
    request.objectives = {
        {Metric::kTop1, true}, {Metric::kBitops, false}, {Metric::kParams, false}};
    EXPECT_EQ(Simulate(Space(), request).size(), 64u);
    if (name == "nsga3") continue;  // for three and more
    request.objectives = {{Metric::kLoss, false}};
    EXPECT_EQ(Simulate(Space(), request).size(), 64u);
  }
}

TEST(Nsga3, BeatsRandomOnAverageInThreeObjectives) {
  double selected = 0, crowded = 0, random = 0;
  constexpr int kSeeds = 5;
  for (int seed = 0; seed < kSeeds; ++seed) {
    SearchRequest request = RequestOf("nsga3", seed, 256);
    selected += FinalVolume(Space(), request) / kSeeds;
    request.strategy = "nsga2";
    crowded += FinalVolume(Space(), request) / kSeeds;
    request.strategy = "random";
    random += FinalVolume(Space(), request) / kSeeds;
  }
  RecordProperty("volumes", std::to_string(selected) + " " + std::to_string(crowded) + " " +
                                std::to_string(random));
  EXPECT_GT(selected, random);
}

TEST(CoarseToFine, SamplesWidelyThenPerturbsWhatWasBest) {
  const SearchRequest request = RequestOf("coarse_to_fine", 7, 192);
  const std::vector<Measured> all = Simulate(Space(), request);
  std::vector<std::vector<double>> costs(5);
  std::vector<Measured> before;
  int near = 0, fine = 0;
  for (int round = 0; round < NumRounds(request); ++round) {
    const std::vector<Measured> front =
        FinalFront(Space(), request, VisibleHistory(request, before, round).measured);
    for (const Measured& m : all) {
      if (m.round != round) continue;
      before.push_back(m);
      if (round < 3) costs[m.architecture.bits].push_back(m.metrics.at(Metric::kBitops));
      if (round < NumRounds(request) - 3) continue;
      // The last steps are single genes.
      ++fine;
      near += std::any_of(front.begin(), front.end(), [&](const Measured& member) {
        int genes = (member.architecture.bits != m.architecture.bits) +
                    (member.architecture.resolution != m.architecture.resolution);
        for (std::size_t i = 0; i < m.architecture.kernels.size(); ++i) {
          genes += member.architecture.kernels[i] != m.architecture.kernels[i];
          genes += member.architecture.expands[i] != m.architecture.expands[i];
        }
        return genes <= 3;
      });
    }
  }
  // The first quarter, 48 candidates: every bit width as often, over most of its range of costs.
  for (const int bits : Space().bits) {
    EXPECT_EQ(costs[bits].size(), 16u);
    const auto [low, high] = std::minmax_element(costs[bits].begin(), costs[bits].end());
    const double least =
        space::CostMetrics(Space(), space::Smallest(Space(), bits)).at(Metric::kBitops);
    const double most =
        space::CostMetrics(Space(), space::Largest(Space(), bits)).at(Metric::kBitops);
    EXPECT_GT(std::log(*high / *low), 0.6 * std::log(most / least));
  }
  EXPECT_EQ(fine, 48);
  EXPECT_GE(near, 40);
}

TEST(CoarseToFine, BeatsRandomOnAverage) {
  double perturbed = 0, random = 0;
  constexpr int kSeeds = 5;
  for (int seed = 0; seed < kSeeds; ++seed) {
    perturbed += FinalVolume(Space(), RequestOf("coarse_to_fine", seed, 128)) / kSeeds;
    random += FinalVolume(Space(), RequestOf("random", seed, 128)) / kSeeds;
  }
  RecordProperty("volumes", std::to_string(perturbed) + " " + std::to_string(random));
  EXPECT_GT(perturbed, random);
}

TEST(PredictorNsga2, BeginsWithTheEndsOfEveryBitWidth) {
  const std::vector<Measured> all = Simulate(Space(), RequestOf("predictor_nsga2", 7, 16));
  std::vector<space::Architecture> proposed;
  for (const Measured& m : all) proposed.push_back(m.architecture);
  for (const int bits : Space().bits) {
    EXPECT_THAT(proposed, Contains(space::Smallest(Space(), bits)));
    EXPECT_THAT(proposed, Contains(space::Largest(Space(), bits)));
  }
}

TEST(PredictorNsga2, BeatsRandomOnAverage) {
  double predictor = 0, evolved = 0, random = 0;
  constexpr int kSeeds = 5;
  for (int seed = 0; seed < kSeeds; ++seed) {
    predictor += FinalVolume(Space(), RequestOf("predictor_nsga2", seed, 128)) / kSeeds;
    evolved += FinalVolume(Space(), RequestOf("nsga2", seed, 128)) / kSeeds;
    random += FinalVolume(Space(), RequestOf("random", seed, 128)) / kSeeds;
  }
  RecordProperty("volumes", std::to_string(predictor) + " " + std::to_string(evolved) + " " +
                                std::to_string(random));
  EXPECT_GT(evolved, random);
  EXPECT_GT(predictor, evolved);
}

TEST(PredictorNsga2, MeasuredConstraintsSteerTheSearch) {
  SearchRequest request = RequestOf("predictor_nsga2", 3, 128);
  request.constraints = {{Metric::kTop1, 0.8, {}}};
  const std::vector<Measured> all = Simulate(Space(), [&] {
    SearchRequest free = request;
    free.constraints.clear();
    return free;
  }());
  const auto allowed = [](const std::vector<Measured>& measured) {
    return std::count_if(measured.begin(), measured.end(),
                         [](const Measured& m) { return m.metrics.at(Metric::kTop1) >= 0.8; });
  };
  // Not Simulate: it refuses proposals that break a constraint, which measured ones may.
  const std::unique_ptr<Strategy> strategy =
      MakeStrategy(Space(), request, GaussianFactory(Space()));
  RandomStream random = RoundStream(3, 8);
  History history;
  history.measured = all;
  const std::vector<space::Architecture> batch = strategy->Propose(history, 8, 16, random);
  int above = 0;
  for (const space::Architecture& a : batch) above += SyntheticTop1(Space(), a) >= 0.8;
  EXPECT_GE(above, 11);
  EXPECT_LT(static_cast<double>(allowed(all)) / static_cast<double>(all.size()), 11.0 / 16);
}

TEST(PredictRound, IsWhatTheRoundWasProposedWith) {
  const SearchRequest request = RequestOf("predictor_nsga2", 7, 128);
  const std::vector<Measured> all = Simulate(Space(), request);
  const PredictorFactory factory = GaussianFactory(Space());
  std::vector<Measured> before;
  std::vector<space::Architecture> proposed;
  for (const Measured& m : all) {
    if (m.round < 6) before.push_back(m);
    if (m.round == 6) proposed.push_back(m.architecture);
  }
  const History history = VisibleHistory(request, before, 6);
  const std::vector<double> predicted =
      PredictRound(Space(), request, factory, history, 6, Metric::kTop1, proposed);
  ASSERT_EQ(predicted.size(), proposed.size());
  for (std::size_t i = 0; i < proposed.size(); ++i) {
    EXPECT_NEAR(predicted[i], SyntheticTop1(Space(), proposed[i]), 0.05);
  }
  EXPECT_TRUE(PredictRound(Space(), request, factory, history, 6, Metric::kLoss, proposed).empty());
  EXPECT_TRUE(PredictRound(Space(), request, factory, {}, 0, Metric::kTop1, proposed).empty());
  EXPECT_TRUE(PredictRound(Space(), request, {}, history, 6, Metric::kTop1, proposed).empty());
}

TEST(RoundStreams, DifferByRoundAndSeed) {
  EXPECT_EQ(RoundStream(1, 2).NextU64(), RoundStream(1, 2).NextU64());
  EXPECT_NE(RoundStream(1, 2).NextU64(), RoundStream(1, 3).NextU64());
  EXPECT_NE(RoundStream(1, 2).NextU64(), RoundStream(2, 2).NextU64());
}

}  // namespace
}  // namespace oqat::search
