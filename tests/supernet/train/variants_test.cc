// Trainings other than the usual one: each a few steps, to see that it does what it says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "artifacts/checkpoint.h"
#include "base/error.h"
#include "supernet/train/trainer.h"
#include "tests/supernet/train/small_request.h"

namespace oqat::supernet {
namespace {

using testing::HasSubstr;

class Variants : public testing::Test {
 protected:
  explicit Variants() : request_(SmallRequest("variant")) {}
  ~Variants() override {
    std::filesystem::remove_all(request_.out_folder);
    std::filesystem::remove_all(other_folder());
  }
  std::string other_folder() const { return request_.out_folder + "_other"; }
  artifacts::Checkpoint Trained(int bits) const {
    const std::string name = bits == 32 ? "float.ckpt" : "b" + std::to_string(bits);
    return artifacts::ReadCheckpoint(request_.out_folder + "/" + name + ".safetensors");
  }

  TrainRequest request_;
};

TEST_F(Variants, FromScratchForgetsWhatCameBefore) {
  request_.recipe.stages.resize(2);
  request_.recipe.stages[1].start = StageStart::kScratch;
  const std::string after_float = Train(request_).stages[1].sha256;
  EXPECT_EQ(Trained(4).lineage.parent_sha256, "");

  TrainRequest alone = request_;
  alone.out_folder = other_folder();
  alone.recipe.stages.erase(alone.recipe.stages.begin());
  Train(alone);
  const auto checkpoint = artifacts::ReadCheckpoint(other_folder() + "/b4.safetensors");
  EXPECT_EQ(checkpoint.tensors, Trained(4).tensors);
}

TEST_F(Variants, FromFloatSkipsBitInheritance) {
  request_.recipe.stages[2].bits = 2;
  request_.recipe.stages[2].start = StageStart::kFloat;
  const TrainReport report = Train(request_);
  EXPECT_EQ(Trained(2).lineage.parent_sha256, report.stages[0].sha256);
}

TEST_F(Variants, AnInitialCheckpointIsGoneOnFrom) {
  Train(request_);
  TrainRequest next = request_;
  next.out_folder = other_folder();
  next.recipe.initial_checkpoint = request_.out_folder + "/b4.safetensors";
  next.recipe.stages.erase(next.recipe.stages.begin(), next.recipe.stages.begin() + 2);
  const TrainReport report = Train(next);
  // The third stage from where the first two left off is what one training makes.
  const auto checkpoint = artifacts::ReadCheckpoint(other_folder() + "/b3.safetensors");
  EXPECT_EQ(checkpoint.tensors, Trained(3).tensors);
  EXPECT_EQ(checkpoint.lineage.parent_sha256, Trained(3).lineage.parent_sha256);

  next.recipe.space = "cifar10-mbv3";
  try {
    Train(next);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("initial_checkpoint"));
  }
}

TEST_F(Variants, SeparateStepSizesAreTrainedButNotDeployed) {
  request_.recipe.step_sizes = StepSizes::kSeparate;
  const TrainReport report = Train(request_);
  EXPECT_EQ(report.stages[1].file, "");
  EXPECT_EQ(report.stages[1].scores.size(), 4u);
  EXPECT_FALSE(std::filesystem::exists(request_.out_folder + "/model.json"));
  // The float supernet is an ordinary one.
  TrainRequest shared = SmallRequest("variant_other");
  shared.out_folder = other_folder();
  Train(shared);
  EXPECT_EQ(Trained(32).tensors,
            artifacts::ReadCheckpoint(other_folder() + "/float.ckpt.safetensors").tensors);
}

TEST_F(Variants, AFloatTeacherChangesQuantizedStagesOnly) {
  const TrainReport in_place = Train(request_);
  TrainRequest taught = request_;
  taught.out_folder = other_folder();
  taught.recipe.distillation = Distillation::kFloat;
  const TrainReport report = Train(taught);
  EXPECT_EQ(artifacts::ReadCheckpoint(other_folder() + "/float.ckpt.safetensors").tensors,
            Trained(32).tensors);
  EXPECT_NE(artifacts::ReadCheckpoint(other_folder() + "/b4.safetensors").tensors,
            Trained(4).tensors);
}

TEST_F(Variants, ATeacherNeedsAFloatStage) {
  request_.recipe.distillation = Distillation::kFloat;
  request_.recipe.stages = {request_.recipe.stages[1]};
  request_.recipe.stages[0].start = StageStart::kScratch;
  try {
    Train(request_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("recipe.distillation"));
  }
}

TEST_F(Variants, EveryFieldThatTrainsMattersToTheWeights) {
  request_.recipe.stages.resize(2);
  request_.recipe.stages[0].epochs = request_.recipe.stages[1].epochs = 3.0 * 16 / 240;
  Train(request_);
  const auto base = Trained(4).tensors;
  for (const char* assignment :
       {"nesterov=false", "schedule=constant", "decay_on.norms=true", "step_initialization=mse",
        "smallest_subnet=false", "distillation=none", "elastic_from.kernel=1",
        "resolution_sampling=largest", "resolution_sampling=subnet", "erase_probability=1",
        "cutout=6", "label_smoothing=0", "gradient_clip=0.1", "distillation_weight=0.5",
        "momentum=0.5", "step_learning_rate_factor=1"}) {
    std::filesystem::remove_all(request_.out_folder);
    Json json = RecipeToJson(request_.recipe);
    SetRecipeField(json, assignment);
    TrainRequest changed = request_;
    changed.recipe = RecipeFromJson(json);
    Train(changed);
    EXPECT_NE(Trained(4).tensors, base) << assignment;
  }
}

}  // namespace
}  // namespace oqat::supernet
