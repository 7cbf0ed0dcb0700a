#include "artifacts/model_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "artifacts/dataset.h"
#include "base/files.h"
#include "base/hash.h"
#include "tests/workers/scratch.h"

namespace oqat::artifacts {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;
using workers::ErrorOf;
using workers::ScratchDir;

class ModelDirTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"b4", "b2", "set"}) WriteFileAtomically(dir_ / name, "content");
    json_ = {{"space", "tiny-mbv3"},
             {"checkpoints", {{"2", "b2"}, {"4", "b4"}}},
             {"evaluation_set", "set"}};
    options_.cache_dir = dir_ / "cache";
  }
  ModelDir Load() {
    WriteFileAtomically(dir_ / "model.json", json_.dump());
    return LoadModelDir(dir_.path(), options_);
  }
  std::string Complaint() {
    return ErrorOf([&] { Load(); });
  }

  ScratchDir dir_;
  Json json_;
  ModelDirOptions options_;
};

TEST_F(ModelDirTest, ReadsNamesAndObjects) {
  ModelDir model = Load();
  EXPECT_EQ(model.space, space::Preset("tiny-mbv3"));
  EXPECT_THAT(model.checkpoints, ElementsAre(Pair(4, dir_ / "b4"), Pair(2, dir_ / "b2")));
  EXPECT_EQ(model.evaluation_set, dir_ / "set");
  json_["space"] = space::SpaceToJson(space::Preset("tiny-mbv3"));
  EXPECT_EQ(Load().space, space::Preset("tiny-mbv3"));
}

TEST_F(ModelDirTest, BuildsTheEvaluationSetItDescribesOnce) {
  DatasetOptions dataset;
  dataset.image_size = 16;
  SplitOptions split{20, 30, 10, 7};
  const std::string bytes = SerializeEvaluationSet(
      BuildEvaluationSet(LoadDataset("synthetic:train=100,test=20", dataset), split));
  json_["evaluation_set"] = {
      {"data", "synthetic:train=100,test=20"},
      {"image_size", 16},
      {"split", {{"calibration", 20}, {"search", 30}, {"test", 10}, {"seed", 7}}},
      {"sha256", Sha256Hex(bytes)}};
  const std::string path = Load().evaluation_set;
  EXPECT_THAT(path, StartsWith(options_.cache_dir));
  EXPECT_EQ(ReadFile(path), bytes);
  const auto written = std::filesystem::last_write_time(path);
  EXPECT_EQ(Load().evaluation_set, path);
  EXPECT_EQ(std::filesystem::last_write_time(path), written);
  // A damaged one is built again.
  std::ofstream(path, std::ios::trunc) << "damaged";
  EXPECT_EQ(ReadFile(Load().evaluation_set), bytes);

  json_["evaluation_set"]["sha256"] = std::string(64, 'a');
  EXPECT_THAT(Complaint(), AllOf(StartsWith("DATA_LOSS"), HasSubstr("evaluation_set.sha256"),
                                 HasSubstr(Sha256Hex(bytes))));
  options_.evaluation_set = false;
  EXPECT_EQ(Load().evaluation_set, "");
}

TEST_F(ModelDirTest, NamesTheFieldThatIsWrong) {
  const Json good = json_;
  const auto complaint = [&](const char* field, const Json& value) {
    json_ = good;
    json_[field] = value;
    return Complaint();
  };
  EXPECT_THAT(complaint("space", "nowhere"),
              AllOf(HasSubstr("model.space"), HasSubstr("tiny-mbv3")));
  EXPECT_THAT(complaint("checkpoints", Json::object()), HasSubstr("model.checkpoints: got none"));
  EXPECT_THAT(complaint("checkpoints", {{"5", "b4"}}),
              AllOf(HasSubstr("\"5\" bits"), HasSubstr("[4,3,2]")));
  EXPECT_THAT(complaint("checkpoints", {{"4", "absent"}}),
              AllOf(StartsWith("NOT_FOUND"), HasSubstr("checkpoints.4")));
  for (const char* outside : {"../b4", "/etc/passwd", "a/../../b4", "", ".."}) {
    EXPECT_THAT(complaint("checkpoints", {{"4", outside}}),
                AllOf(StartsWith("INVALID_ARGUMENT"), HasSubstr("within the model's folder")))
        << outside;
  }
  EXPECT_THAT(complaint("evaluation_set", 7), HasSubstr("model.evaluation_set"));
  EXPECT_THAT(complaint("evaluation_set", {{"data", "synthetic"}}), HasSubstr("image_size"));
  EXPECT_THAT(
      complaint("evaluation_set", {{"data", "synthetic"}, {"image_size", 16}, {"sha256", "abc"}}),
      HasSubstr("evaluation_set.sha256"));
  EXPECT_THAT(complaint("extra", 1), HasSubstr("model.extra: got an unknown field"));
  json_ = good;
  json_.erase("checkpoints");
  EXPECT_THAT(Complaint(), HasSubstr("model.checkpoints: is missing"));
  WriteFileAtomically(dir_ / "model.json", "{");
  EXPECT_THAT(ErrorOf([&] { LoadModelDir(dir_.path(), options_); }), HasSubstr("malformed JSON"));
  std::filesystem::remove(dir_ / "model.json");
  EXPECT_THAT(ErrorOf([&] { LoadModelDir(dir_.path(), options_); }), StartsWith("NOT_FOUND"));
}

}  // namespace
}  // namespace oqat::artifacts
