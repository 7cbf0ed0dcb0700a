#include "supernet/train/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/files.h"

namespace oqat::supernet {
namespace {

Json Minimal() {
  return ParseJson(R"({"stages":[{"bits":32,"epochs":1},{"bits":4,"epochs":0.5}]})", "test");
}

/// The message of the Error that parsing `assignment` on the minimal recipe throws.
std::string Complaint(const std::string& assignment) {
  try {
    Json json = Minimal();
    SetRecipeField(json, assignment);
    RecipeFromJson(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument) << error.what();
    return error.what();
  }
  return "";
}

TEST(Recipe, PresetsAreValidAndFitTheirSpaces) {
  for (const std::string& name : RecipePresetNames()) {
    const Recipe recipe = RecipeFromJson(LoadRecipeJson(name));
    EXPECT_EQ(recipe.name, name);
    EXPECT_NO_THROW(CheckStages(recipe, SpaceOfRecipe(recipe)));
  }
}

TEST(Recipe, DefaultsAreThoseOfTheStruct) {
  const Recipe recipe = RecipeFromJson(Minimal());
  EXPECT_EQ(recipe.stages[1].epochs, 0.5);
  Recipe expected;
  expected.stages = recipe.stages;
  EXPECT_EQ(RecipeToJson(recipe), RecipeToJson(expected));
}

TEST(Recipe, EveryFieldSurvivesJson) {
  Json json = Minimal();
  for (const char* assignment : {"name=x",
                                 "space=cifar10-mbv3",
                                 "data=cifar10:d",
                                 "image_size=24",
                                 "split.calibration=7",
                                 "split.search=8",
                                 "split.test=9",
                                 "split.seed=10",
                                 "stages.1.bits=3",
                                 "stages.1.learning_rate=0.25",
                                 "stages.1.batch_size=32",
                                 "stages.1.warmup=0.5",
                                 "momentum=0.5",
                                 "weight_decay=0.001",
                                 "step_learning_rate_factor=2",
                                 "gradient_clip=0",
                                 "label_smoothing=0",
                                 "distillation_weight=0.5",
                                 "random_subnets=2",
                                 "crop_padding=0",
                                 "flip=false",
                                 "activation_range=unsigned",
                                 "evaluation_images=5",
                                 "evaluation_random_subnets=0",
                                 "train_images=60",
                                 "test_images=70",
                                 "initial_checkpoint=x",
                                 "stages.1.start=scratch",
                                 "nesterov=false",
                                 "schedule=linear",
                                 "decay_on.norms=true",
                                 "step_initialization=mse",
                                 "step_sizes=separate",
                                 "smallest_subnet=false",
                                 "distillation=float",
                                 "elastic_from.depth=0.5",
                                 "resolution_sampling=subnet",
                                 "erase_probability=0.25",
                                 "erase_max_area=0.2",
                                 "cutout=8",
                                 "evaluation_every=2"}) {
    SetRecipeField(json, assignment);
  }
  const Recipe recipe = RecipeFromJson(json);
  EXPECT_EQ(recipe.split.seed, 10u);
  EXPECT_FALSE(recipe.flip);
  EXPECT_EQ(recipe.activation_range, artifacts::ActivationRange::kUnsigned);
  EXPECT_EQ(recipe.stages[1].start, StageStart::kScratch);
  EXPECT_EQ(recipe.distillation, Distillation::kFloat);
  EXPECT_EQ(recipe.schedule, Schedule::kLinear);
  EXPECT_EQ(recipe.resolution_sampling, ResolutionSampling::kSubnet);
  EXPECT_EQ(recipe.step_initialization, StepInitialization::kMse);
  EXPECT_EQ(recipe.step_sizes, StepSizes::kSeparate);
  EXPECT_TRUE(recipe.decay_on.norms);
  EXPECT_EQ(recipe.elastic_from.depth, 0.5);
  EXPECT_EQ(RecipeToJson(RecipeFromJson(RecipeToJson(recipe))), RecipeToJson(recipe));
  EXPECT_EQ(RecipeFromJson(RecipeToJson(recipe)).stages, recipe.stages);
}

TEST(Recipe, BadFieldsAreNamed) {
  using testing::HasSubstr;
  for (const char* assignment : {"image_size=-1",
                                 "split.search=0",
                                 "split.calibration=0",
                                 "split.test=-1",
                                 "split.seed=-1",
                                 "stages.0.bits=9",
                                 "stages.0.bits=0",
                                 "stages.1.epochs=0",
                                 "stages.1.epochs=\"many\"",
                                 "stages.1.learning_rate=0",
                                 "stages.1.batch_size=1",
                                 "stages.1.warmup=1",
                                 "momentum=1",
                                 "weight_decay=-1",
                                 "step_learning_rate_factor=-1",
                                 "gradient_clip=-1",
                                 "label_smoothing=1",
                                 "distillation_weight=-1",
                                 "random_subnets=65",
                                 "crop_padding=-1",
                                 "flip=3",
                                 "name=3",
                                 "data=3",
                                 "space=3",
                                 "activation_range=signed",
                                 "evaluation_images=-1",
                                 "evaluation_random_subnets=1.5",
                                 "stages.0.start=nowhere",
                                 "nesterov=1",
                                 "schedule=step",
                                 "decay_on.colour=true",
                                 "step_initialization=max",
                                 "step_sizes=many",
                                 "largest_subnet=false",
                                 "only=r32-b4-k3e2",
                                 "distillation=teacher",
                                 "elastic_from.kernel=2",
                                 "resolution_sampling=none",
                                 "erase_probability=2",
                                 "erase_max_area=0",
                                 "cutout=-1",
                                 "evaluation_every=-1",
                                 "evaluation_every=0.5",
                                 "train_images=-1",
                                 "test_images=-1",
                                 "initial_checkpoint=3",
                                 "stages=[]",
                                 "stages=3",
                                 "colour=1",
                                 "split.colour=1",
                                 "stages.0.colour=1"}) {
    const std::string field(assignment, std::string_view(assignment).find('='));
    EXPECT_THAT(Complaint(assignment), HasSubstr(field.substr(field.rfind('.') + 1))) << assignment;
  }
}

TEST(Recipe, SetRefusesWhatItCannotFollow) {
  using testing::HasSubstr;
  EXPECT_THAT(Complaint("momentum"), HasSubstr("field=value"));
  EXPECT_THAT(Complaint("=1"), HasSubstr("field=value"));
  EXPECT_THAT(Complaint("stages.2.epochs=1"), HasSubstr("0 to 1"));
  EXPECT_THAT(Complaint("stages.x.epochs=1"), HasSubstr("got x"));
  EXPECT_THAT(Complaint("stages.0.epochs.deep=1"), HasSubstr("plain value"));
}

TEST(Recipe, EveryStageHasWhatItStartsFrom) {
  struct Step {
    int bits;
    StageStart start = StageStart::kInherit;
  };
  const auto check = [](std::vector<Step> steps, int initial_bits = 0) {
    Recipe recipe;
    for (const Step& step : steps) {
      RecipeStage stage;
      stage.bits = step.bits;
      stage.start = step.start;
      recipe.stages.push_back(stage);
    }
    CheckStages(recipe, space::Preset("tiny-mbv3"), initial_bits);
  };
  const StageStart scratch = StageStart::kScratch, from_float = StageStart::kFloat;
  EXPECT_NO_THROW(check({{32}, {4}, {3}, {2}}));
  EXPECT_NO_THROW(check({{32}, {3}}));
  EXPECT_NO_THROW(check({{32}, {4}, {2, from_float}}));
  EXPECT_NO_THROW(check({{32}, {2}, {4, scratch}}));
  EXPECT_NO_THROW(check({{2, scratch}}));
  EXPECT_NO_THROW(check({{4}, {3}}, 32));
  EXPECT_NO_THROW(check({{2, from_float}}, 32));
  EXPECT_NO_THROW(check({{3}}, 4));
  EXPECT_NO_THROW(check({{4}, {3}}, 4));
  const std::vector<std::vector<Step>> bad = {{{32}},
                                              {{4}, {3}},
                                              {{32}, {4}, {2}},
                                              {{32}, {3}, {4}},
                                              {{32}, {5}},
                                              {{32}, {32}},
                                              {{32}, {4}, {4, scratch}},
                                              {{2, from_float}},
                                              {{32, from_float}, {4}}};
  for (const std::vector<Step>& steps : bad) {
    EXPECT_THROW(check(steps), Error) << steps.size() << " from " << steps[0].bits;
  }
  EXPECT_THROW(check({{2}}, 4), Error);
  EXPECT_THROW(check({{2, from_float}}, 4), Error);
}

TEST(Recipe, FromScratchNamesAStage) {
  Json json = Minimal();
  StartFromScratch(json, {4});
  EXPECT_EQ(RecipeFromJson(json).stages[1].start, StageStart::kScratch);
  EXPECT_EQ(RecipeFromJson(json).stages[0].start, StageStart::kInherit);
  EXPECT_THROW(StartFromScratch(json, {2}), Error);
}

TEST(Recipe, UnknownNamesListThePresets) {
  try {
    LoadRecipeJson("nowhere");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNotFound);
    EXPECT_THAT(error.what(), testing::HasSubstr("cifar10-cpu"));
  }
}

TEST(Recipe, FilesAreRead) {
  const std::string path = testing::TempDir() + "/oqat_recipe.json";
  WriteFileAtomically(path, Minimal().dump());
  EXPECT_EQ(RecipeFromJson(LoadRecipeJson(path)).stages.size(), 2u);
  WriteFileAtomically(path, "{");
  EXPECT_THROW(LoadRecipeJson(path), Error);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace oqat::supernet
