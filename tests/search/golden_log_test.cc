// What every strategy proposes, round by round, on a network that is made up. A changed log is a
// changed search: look at the difference, then write the new ones with
//   OQAT_WRITE_GOLDEN=1 build/release/bin/search_test --gtest_filter='*GoldenLog*'
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/files.h"
#include "search/front.h"
#include "tests/fakes/fake_evaluator.h"
#include "tests/search/simulated_search.h"

namespace oqat::search {
namespace {

const space::SearchSpace& Space() { return space::Preset("tiny-mbv3"); }

SearchRequest RequestOf(const std::string& strategy) {
  SearchRequest request;
  request.strategy = strategy;
  request.seed = 2021;
  request.evaluations = 72;
  request.round_size = 8;
  if (strategy == "nsga3") request.objectives.push_back({space::Metric::kParams, false});
  const auto most = space::CostMetrics(Space(), space::Largest(Space(), 4));
  request.constraints = {{space::Metric::kBitops, {}, most.at(space::Metric::kBitops) / 2}};
  return request;
}

std::string LogOf(const SearchRequest& request) {
  const auto strategy = MakeStrategy(Space(), request, GaussianFactory(Space()));
  std::vector<Measured> all;
  std::string log = "# strategy " + request.strategy + ", seed " + std::to_string(request.seed) +
                    ", tiny-mbv3 as measured by tests/fakes/fake_evaluator.h\n";
  for (int round = 0; round < NumRounds(request); ++round) {
    RandomStream random = RoundStream(request.seed, round);
    log += "round " + std::to_string(round) + "\n";
    for (const space::Architecture& a : strategy->Propose(
             VisibleHistory(request, all, round), round, RoundCount(request, round), random)) {
      Measured m{round, static_cast<int>(all.size()) % request.round_size, a,
                 space::CostMetrics(Space(), a)};
      for (const auto& [metric, value] : fakes::FakeEvaluator::Evaluate(Space(), a)) {
        m.metrics[metric] = value;
      }
      all.push_back(std::move(m));
      log += space::ToKey(Space(), a) + "\n";
    }
  }
  log += "front\n";
  for (const Measured& m : FinalFront(Space(), request, all)) {
    log += space::ToKey(Space(), m.architecture) + "\n";
  }
  return log;
}

class GoldenLog : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Search, GoldenLog, ::testing::ValuesIn(StrategyNames()),
                         [](const auto& info) { return info.param; });

TEST_P(GoldenLog, IsTheCommittedOne) {
  const std::string path =
      std::string(OQAT_SOURCE_DIR) + "/tests/golden/search_logs/" + GetParam() + ".txt";
  const std::string log = LogOf(RequestOf(GetParam()));
  if (std::getenv("OQAT_WRITE_GOLDEN") != nullptr) WriteFileAtomically(path, log);
  EXPECT_EQ(log, ReadFile(path));
}

}  // namespace
}  // namespace oqat::search
