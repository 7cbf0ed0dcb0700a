// A search's result depends on its request and its model alone.

#include <gtest/gtest.h>

#include <csignal>

#include "tests/e2e/farm.h"

namespace oqat::testing {
namespace {

std::vector<std::string> SearchArgs(const std::string& name, const std::string& strategy) {
  return {"search", "create",     "--model", "hollow",       "--name", name,     "--evaluations",
          "60",     "--strategy", strategy,  "--round-size", "8",      "--seed", "5"};
}

Json RunSearch(Farm& farm, const std::string& name, const std::string& strategy) {
  std::vector<std::string> args = SearchArgs(name, strategy);
  args.insert(args.end(), {"--wait", "--json"});
  return farm.OqatJson(args);
}

class EveryStrategy : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryStrategy, GivesTheSameFrontWithOneAndThreeWorkers) {
  Json fronts[2];
  for (int i = 0; i < 2; ++i) {
    Farm farm;
    farm.PushHollowModel();
    for (int w = 0; w < (i == 0 ? 1 : 3); ++w) {
      // Different speeds, so that results arrive in another order.
      farm.AddWorker("oqat-fake-worker", {"--delay-ms", std::to_string(1 + 7 * w)});
    }
    const Json result = RunSearch(farm, "s", GetParam());
    ASSERT_EQ(result["search"]["state"], "SUCCEEDED");
    EXPECT_EQ(result["search"]["progress"]["evaluations_done"], 60);
    fronts[i] = EssenceOfFront(result["front"]);
    EXPECT_GT(fronts[i].size(), 2u);
    for (const Json& member : fronts[i]) EXPECT_TRUE(member["test_metrics"].contains("top1"));
  }
  EXPECT_EQ(fronts[0].dump(1), fronts[1].dump(1));
}

INSTANTIATE_TEST_SUITE_P(Strategies, EveryStrategy,
                         ::testing::Values("predictor_nsga2", "nsga2", "random", "coarse_to_fine"));

TEST(Crashes, KilledWorkersAndCoordinatorsChangeNothing) {
  Json undisturbed;
  {
    Farm farm;
    farm.PushHollowModel();
    farm.AddWorker("oqat-fake-worker");
    undisturbed = EssenceOfFront(RunSearch(farm, "s", "predictor_nsga2")["front"]);
  }
  Farm farm;
  farm.PushHollowModel();
  farm.AddWorker("oqat-fake-worker", {"--delay-ms", "40"});
  farm.AddWorker("oqat-fake-worker", {"--delay-ms", "40"});
  ASSERT_EQ(farm.Oqat(SearchArgs("s", "predictor_nsga2")).status, 0);
  const auto done = [](int count) {
    return [count](const Json& search) {
      return search["progress"]["evaluations_done"].get<int>() >= count;
    };
  };
  farm.AwaitSearch("s", done(5));
  farm.workers()[0].Signal(SIGKILL);
  farm.AwaitSearch("s", done(12));
  farm.KillServer();
  farm.StartServer();
  farm.AwaitSearch("s", done(25));
  farm.KillServer();
  farm.StartServer();
  farm.AddWorker("oqat-fake-worker", {"--delay-ms", "5"});
  const Json search = farm.AwaitSearch(
      "s", [](const Json& s) { return s["state"] != "RUNNING" && s["state"] != "PENDING"; });
  EXPECT_EQ(search["state"], "SUCCEEDED");
  EXPECT_EQ(search["progress"]["evaluations_done"], 60);
  EXPECT_EQ(search["progress"]["evaluations_failed"], 0);
  EXPECT_EQ(EssenceOfFront(farm.OqatJson({"front", "s", "--json"})["evaluations"]).dump(1),
            undisturbed.dump(1));
}

TEST(Cache, ASecondSearchAsksNoWorker) {
  Farm farm;
  farm.PushHollowModel();
  Process& worker = farm.AddWorker("oqat-fake-worker");
  const Json first = RunSearch(farm, "first", "nsga2");
  worker.Signal(SIGKILL);
  const Json second = RunSearch(farm, "second", "nsga2");
  EXPECT_EQ(second["search"]["progress"]["evaluations_cached"], 60);
  EXPECT_EQ(EssenceOfFront(first["front"]).dump(), EssenceOfFront(second["front"]).dump());
}

}  // namespace
}  // namespace oqat::testing
