// The shipped tiny model, measured by real workers.

#include <gmock/gmock.h>

#include <filesystem>

#include "base/files.h"
#include "base/processor.h"
#include "space/cost.h"
#include "tests/e2e/farm.h"

namespace oqat::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kTiny[] = OQAT_SOURCE_DIR "/models/tiny";

TEST(TinyModel, IsSearchedAndTheFrontsNumbersAreThoseOfALocalEvaluation) {
  Farm farm;
  const Outcome pushed = farm.Oqat({"model", "push", kTiny, "--name", "tiny"});
  ASSERT_EQ(pushed.status, 0) << pushed.err;
  farm.AddWorker("oqat-worker");
  farm.AddWorker("oqat-worker");
  const Json result =
      farm.OqatJson({"search", "create", "--model", "tiny", "--evaluations", "8", "--round-size",
                     "4", "--seed", "3", "--search-images", "200", "--wait", "--json"});
  ASSERT_EQ(result["search"]["state"], "SUCCEEDED");
  const Json& front = result["front"];
  ASSERT_FALSE(front.empty());
  const Json& best = front.back();
  EXPECT_GT(best["metrics"]["top1"], 0.3) << "ten classes: chance is 0.1";

  const space::SearchSpace& space = space::Preset("tiny-mbv3");
  const space::Architecture a = space::ArchitectureFromJson(space, best["architecture"]);
  EXPECT_EQ(best["metrics"]["bitops"].get<double>(),
            static_cast<double>(space::CostsOf(space, a).bitops));

  WriteFileAtomically(farm.folder() / "best.json", best["architecture"].dump());
  const Json local =
      farm.OqatJson({"evaluate", "--model-dir", kTiny, "--arch", farm.folder() / "best.json",
                     "--split", "search", "--images", "200", "--json"});
  ASSERT_EQ(local.size(), 1u);
  EXPECT_EQ(local[0]["metrics"]["top1"], best["metrics"]["top1"]);
  EXPECT_EQ(local[0]["metrics"]["loss"], best["metrics"]["loss"]);
}

TEST(TinyModel, IsMeasuredByTheEngineThatTheSearchAsksFor) {
  if (!std::filesystem::exists(OQAT_BIN_DIR "/oqat-worker-torch")) {
    GTEST_SKIP() << "built without LibTorch";
  }
  Farm farm;
  ASSERT_EQ(farm.Oqat({"model", "push", kTiny, "--name", "tiny"}).status, 0);
  farm.AddWorker("oqat-worker");
  farm.AddWorker("oqat-worker", {"--engine", "torch"});
  const auto run = [&](const std::string& engine) {
    const Json result = farm.OqatJson({"search", "create", "--model", "tiny", "--name", engine,
                                       "--evaluations", "4", "--seed", "3", "--search-images",
                                       "100", "--engine", engine, "--wait", "--json"});
    EXPECT_EQ(result["search"]["state"], "SUCCEEDED");
    EXPECT_EQ(result["search"]["spec"]["engine"], engine);
    EXPECT_EQ(result["search"]["progress"]["evaluations_cached"], 0);
    return result["front"];
  };
  for (const Json& member : run("int8")) EXPECT_EQ(member["worker"], "w0");
  for (const Json& member : run("torch")) EXPECT_EQ(member["worker"], "w1");
}

TEST(TinyModel, LatencyIsAnObjectiveOnTheWorkersProcessor) {
  Farm farm;
  ASSERT_EQ(farm.Oqat({"model", "push", kTiny, "--name", "tiny"}).status, 0);
  farm.AddWorker("oqat-worker");
  // Once something is measured, its worker is known.
  ASSERT_EQ(
      farm.Oqat({"search", "create", "--model", "tiny", "--evaluations", "1", "--wait"}).status, 0);
  const Json result = farm.OqatJson({"search", "create", "--model", "tiny", "--evaluations", "4",
                                     "--search-images", "100", "--objective", "top1", "--objective",
                                     "latency_ms", "--wait", "--json"});
  ASSERT_EQ(result["search"]["state"], "SUCCEEDED");
  const std::string cpu = result["search"]["spec"]["cpu"];
  EXPECT_THAT(cpu, HasSubstr(ProcessorName()));
  ASSERT_FALSE(result["front"].empty());
  for (const Json& member : result["front"]) {
    EXPECT_GT(member["metrics"]["latency_ms"], 0);
    EXPECT_EQ(member["cpu"], cpu);
  }
}

}  // namespace
}  // namespace oqat::testing
