// The shipped tiny model, measured by real workers.

#include <gmock/gmock.h>

#include "base/files.h"
#include "space/cost.h"
#include "tests/e2e/farm.h"

namespace oqat::testing {
namespace {

constexpr char kTiny[] = OQAT_SOURCE_DIR "/models/tiny";

TEST(TinyModel, IsSearchedAndTheFrontsNumbersAreThoseOfALocalEvaluation) {
  Farm farm;
  const Outcome pushed = farm.Oqat({"model", "push", kTiny, "--name", "tiny"});
  ASSERT_EQ(pushed.status, 0) << pushed.err;
  farm.AddWorker("oqat-worker");
  farm.AddWorker("oqat-worker");
  const Json result = farm.OqatJson(
      {"search", "create", "--model", "tiny", "--evaluations", "8", "--round-size", "4", "--seed",
       "3", "--search-images", "200", "--wait", "--json"});
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
  const Json local = farm.OqatJson({"evaluate", "--model-dir", kTiny, "--arch",
                                    farm.folder() / "best.json", "--split", "search", "--images",
                                    "200", "--json"});
  ASSERT_EQ(local.size(), 1u);
  EXPECT_EQ(local[0]["metrics"]["top1"], best["metrics"]["top1"]);
  EXPECT_EQ(local[0]["metrics"]["loss"], best["metrics"]["loss"]);
}

}  // namespace
}  // namespace oqat::testing
