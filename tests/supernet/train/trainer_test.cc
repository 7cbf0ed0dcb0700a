#include "supernet/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_set.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "supernet/subnet_evaluator.h"
#include "tests/supernet/train/small_request.h"

namespace oqat::supernet {
namespace {

class TrainerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    request_ = new TrainRequest(SmallRequest("suite"));
    report_ = new TrainReport(Train(*request_));
  }
  static void TearDownTestSuite() {
    std::filesystem::remove_all(request_->out_folder);
    delete request_;
    delete report_;
  }
  static std::string PathOf(const std::string& name) { return request_->out_folder + "/" + name; }

  static TrainRequest* request_;
  static TrainReport* report_;
};
TrainRequest* TrainerTest::request_ = nullptr;
TrainReport* TrainerTest::report_ = nullptr;

TEST_F(TrainerTest, WritesACheckpointPerStageWithItsLineage) {
  ASSERT_EQ(report_->stages.size(), 3u);
  const char* names[] = {"float.ckpt.safetensors", "b4.safetensors", "b3.safetensors"};
  std::string parent;
  for (std::size_t i = 0; i < 3; ++i) {
    const StageReport& stage = report_->stages[i];
    EXPECT_EQ(stage.steps, 2);
    EXPECT_EQ(stage.sha256, Sha256HexOfFile(PathOf(names[i])));
    const auto checkpoint = artifacts::ReadCheckpoint(PathOf(names[i]));
    EXPECT_EQ(checkpoint.bits, stage.bits);
    EXPECT_EQ(checkpoint.space, space::Preset("tiny-mbv3"));
    EXPECT_EQ(checkpoint.lineage.parent_sha256, parent);
    EXPECT_EQ(checkpoint.lineage.seed, 1u);
    EXPECT_EQ(RecipeFromJson(checkpoint.lineage.recipe).stages, request_->recipe.stages);
    EXPECT_EQ(checkpoint.normalization.mean[0],
              std::round(checkpoint.normalization.mean[0] * 1e4) / 1e4);
    parent = stage.sha256;
  }
}

TEST_F(TrainerTest, WritesAModelThatCanBePushed) {
  const Json model = ParseJson(ReadFile(PathOf("model.json")), "model.json");
  EXPECT_EQ(model, ParseJson(R"({"space":"tiny-mbv3","evaluation_set":"evaluation_set.safetensors",
      "checkpoints":{"4":"b4.safetensors","3":"b3.safetensors"}})",
                             "test"));
  const auto set = artifacts::ReadEvaluationSet(PathOf("evaluation_set.safetensors"));
  EXPECT_EQ(set.calibration.count(), 32);
  EXPECT_EQ(set.search.count(), 60);
  EXPECT_EQ(set.test.count(), 40);
  EXPECT_EQ(set.image_size, space::Preset("tiny-mbv3").max_resolution());
  EXPECT_EQ(report_->evaluation_set_sha256, Sha256HexOfFile(PathOf("evaluation_set.safetensors")));
}

TEST_F(TrainerTest, ScoresAreWhatAWorkerWouldMeasure) {
  const auto checkpoint = artifacts::ReadCheckpoint(PathOf("b3.safetensors"));
  const auto set = artifacts::ReadEvaluationSet(PathOf("evaluation_set.safetensors"));
  SubnetEvaluator evaluator(checkpoint);
  artifacts::EvaluationProtocol protocol;
  protocol.images = 30;
  const auto& scores = report_->stages[2].scores;
  ASSERT_EQ(scores.size(), 4u);
  EXPECT_EQ(scores.front().name, "smallest");
  EXPECT_EQ(scores[1].name, "median");
  EXPECT_EQ(scores.back().name, "largest");
  for (const SubnetScore& score : scores) {
    const auto result = evaluator.Evaluate(score.architecture, set, protocol);
    EXPECT_EQ(result.top1, score.top1);
    EXPECT_EQ(result.loss, score.loss);
    artifacts::EvaluationProtocol on_test;
    on_test.split = artifacts::Split::kTest;
    EXPECT_EQ(evaluator.Evaluate(score.architecture, set, on_test).top1, score.test_top1);
  }
}

TEST_F(TrainerTest, MetricsAreJsonLines) {
  std::ifstream file(PathOf("metrics.jsonl"));
  std::map<std::string, int> kinds;
  for (std::string line; std::getline(file, line);) {
    ++kinds[ParseJson(line, "metrics.jsonl")["kind"].get<std::string>()];
  }
  EXPECT_EQ(kinds["stage"], 3);
  EXPECT_EQ(kinds["evaluation"], 12);
}

TEST_F(TrainerTest, OneThreadReproducesBitByBit) {
  const TrainRequest again = SmallRequest("again");
  const TrainReport report = Train(again);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(report.stages[i].sha256, report_->stages[i].sha256) << report.stages[i].bits;
  }
  std::filesystem::remove_all(again.out_folder);

  TrainRequest other = SmallRequest("other");
  other.seed = 2;
  EXPECT_NE(Train(other).stages[2].sha256, report_->stages[2].sha256);
  std::filesystem::remove_all(other.out_folder);
}

TEST(Trainer, LearnsByHeart) {
  TrainRequest request = SmallRequest("learns");
  Recipe& recipe = request.recipe;
  Json space = space::SpaceToJson(space::Preset("tiny-mbv3"));
  space["name"] = "smaller";
  space["depths"] = {1};
  space["resolutions"] = {16};
  recipe.space = space;
  recipe.data = "synthetic:train=80,test=40";
  recipe.split.search = 20;
  recipe.stages.resize(2);
  recipe.stages[0].epochs = 80;
  recipe.stages[0].learning_rate = 0.03;
  recipe.crop_padding = 0;
  recipe.flip = false;
  recipe.label_smoothing = 0;
  Train(request);
  std::ifstream file(request.out_folder + "/metrics.jsonl");
  double first = 0, last = 0;
  for (std::string line; std::getline(file, line);) {
    const Json json = ParseJson(line, "metrics.jsonl");
    if (json["kind"] != "train" || json["bits"] != 32) continue;
    last = json["loss"];
    if (first == 0) first = last;
  }
  EXPECT_LT(last, first - 0.5);
  std::filesystem::remove_all(request.out_folder);
}

TEST(Trainer, DivergenceIsAClearErrorAndKeepsTheLastCheckpoint) {
  TrainRequest request = SmallRequest("diverges");
  request.recipe.gradient_clip = 0;
  request.recipe.stages[1].learning_rate = 1e3;
  request.recipe.stages[1].epochs = 20;
  request.recipe.stages[1].warmup = 0;
  request.recipe.weight_decay = 1;
  try {
    Train(request);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kFailedPrecondition) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr("4 bit"));
  }
  EXPECT_NO_THROW(artifacts::ReadCheckpoint(request.out_folder + "/float.ckpt.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(request.out_folder + "/b4.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(request.out_folder + "/model.json"));
  std::filesystem::remove_all(request.out_folder);
}

TEST(Trainer, ATimeLimitCutsEveryStage) {
  TrainRequest request = SmallRequest("short");
  for (RecipeStage& stage : request.recipe.stages) stage.epochs = 1000;
  request.max_minutes = 0.05;
  std::string said;
  request.say = [&said](const std::string& line) { said += line + "\n"; };
  const TrainReport report = Train(request);
  EXPECT_THAT(said, testing::HasSubstr("are cut to"));
  const auto checkpoint = artifacts::ReadCheckpoint(request.out_folder + "/b3.safetensors");
  const Recipe recipe = RecipeFromJson(checkpoint.lineage.recipe);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_LT(report.stages[i].steps, 15000);
    EXPECT_NEAR(recipe.stages[i].epochs, report.stages[i].steps * 16.0 / 240, 1e-9);
  }
  std::filesystem::remove_all(request.out_folder);
}

TEST(Trainer, BadRequestsAreRefusedBeforeAnyTraining) {
  const auto code = [](const std::function<void(TrainRequest&)>& spoil) {
    TrainRequest request = SmallRequest("bad");
    spoil(request);
    try {
      Train(request);
    } catch (const Error& error) {
      std::filesystem::remove_all(request.out_folder);
      return error.code();
    }
    return Code::kInternal;
  };
  EXPECT_EQ(code([](auto& r) { r.recipe.data = ""; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.recipe.data = "pictures:x"; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.recipe.data = "cifar10:/nowhere"; }), Code::kNotFound);
  EXPECT_EQ(code([](auto& r) { r.recipe.space = "no-such-space"; }), Code::kNotFound);
  EXPECT_EQ(code([](auto& r) { r.recipe.space = "oqa-mbv3-w1.0"; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.recipe.train_images = 241; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.recipe.split.search = 300; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.recipe.stages[0].batch_size = 1000; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.recipe.stages.resize(1); }), Code::kInvalidArgument);
  EXPECT_EQ(code([](auto& r) { r.out_folder = "/proc/oqat"; }), Code::kInvalidArgument);
}

}  // namespace
}  // namespace oqat::supernet
