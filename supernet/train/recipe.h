#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/checkpoint.h"
#include "artifacts/dataset.h"
#include "base/json.h"
#include "supernet/step_sizes.h"

namespace oqat::supernet {

/// What a stage starts from.
enum class StageStart {
  kInherit,  ///< the stage before: weights, statistics and step sizes (bit inheritance)
  kFloat,    ///< the float stage's weights and statistics; step sizes are initialised anew
  kScratch,  ///< random weights, for comparison
};

/// What the subnets besides the largest learn from.
enum class Distillation {
  kInPlace,  ///< the largest subnet's softmax output in the same step
  kFloat,    ///< the largest float subnet, frozen, from the float stage on; in place before
  kNone,     ///< the labels
};

enum class Schedule { kCosine, kLinear, kConstant };

enum class ResolutionSampling {
  kStep,     ///< one for all subnets of a step
  kSubnet,   ///< the largest subnet sees the largest; every other one draws its own
  kLargest,  ///< always the largest
};

/// One bit width's share of the training. Stages run in order.
struct RecipeStage {
  int bits = 32;  ///< 32: float, no fake quantization
  double epochs = 1;
  double learning_rate = 0.05;  ///< the peak
  int batch_size = 64;
  double warmup = 0.05;  ///< share of the stage in which the learning rate rises linearly
  StageStart start = StageStart::kInherit;
  bool operator==(const RecipeStage&) const = default;
};

/// From which share of the float stage on a dimension varies; until then it is at its largest
/// (progressive shrinking, Cai et al. 2020). 0: from the first step on.
struct ElasticFrom {
  double kernel = 0, depth = 0, expand = 0;
  bool operator==(const ElasticFrom&) const = default;
};

/// Which tensors weight decay acts on.
struct DecayOn {
  bool weights = true;     ///< of convolutions and the classifier
  bool transforms = true;  ///< kernel transform matrices
  bool norms = false;      ///< BatchNorm's scales and shifts
  bool biases = false;
  bool steps = false;
  bool operator==(const DecayOn&) const = default;
};

/// Everything that decides what a training does, but the seed and the data. docs/TRAINING.md
/// documents each field with its default and range.
struct Recipe {
  std::string name;
  Json space = "tiny-mbv3";  ///< a preset's or file's name, or the space itself
  std::string data;          ///< default of --data; may be empty
  int image_size = 0;        ///< pixels; 0: the space's largest resolution
  artifacts::SplitOptions split;
  std::int64_t train_images = 0;  ///< of those left to train on, from a shuffle's start; 0: all
  std::vector<RecipeStage> stages;
  std::string initial_checkpoint;  ///< file that the first stage starts from; may be empty

  double momentum = 0.9;
  bool nesterov = true;
  Schedule schedule = Schedule::kCosine;
  double weight_decay = 3e-5;
  DecayOn decay_on;
  double step_learning_rate_factor = 0.1;  ///< step sizes learn at this multiple of the rate
  StepInitialization step_initialization = StepInitialization::kLsq;
  StepSizes step_sizes = StepSizes::kShared;
  double gradient_clip = 1.0;    ///< largest global L2 norm of a step's gradients; 0: no clipping
  double label_smoothing = 0.1;  ///< of every loss against labels

  bool largest_subnet = true;   ///< trained in every step
  bool smallest_subnet = true;  ///< trained in every step
  int random_subnets = 1;       ///< per step, besides these two
  /// Key of an architecture that is trained alone, in place of the largest one and at each stage's
  /// bit width; to compare with. Empty: the whole supernet is trained.
  std::string only;
  Distillation distillation = Distillation::kInPlace;
  double distillation_weight = 1.0;  ///< of the others' loss
  ElasticFrom elastic_from;
  ResolutionSampling resolution_sampling = ResolutionSampling::kStep;

  int crop_padding = 4;  ///< pixels at image_size
  bool flip = true;
  double erase_probability = 0;  ///< of blanking a random rectangle (Zhong et al. 2020)
  double erase_max_area = 0.33;  ///< its largest share of the image; the smallest is 0.02
  int cutout = 0;                ///< side of a blanked square, pixels at image_size; 0: none
  artifacts::ActivationRange activation_range = artifacts::ActivationRange::kAuto;

  double evaluation_every = 1;  ///< epochs between evaluations within a stage; 0: at its end only
  std::int64_t evaluation_images = 1000;  ///< search images per subnet; 0: all
  int evaluation_random_subnets = 3;      ///< at the end of a stage
  std::int64_t test_images = 0;           ///< test images per subnet at the end of a stage; 0: all
};

std::vector<std::string> RecipePresetNames();

/// NAME of a preset, or the path of a JSON file, as JSON. Throws Error NOT_FOUND listing presets.
Json LoadRecipeJson(const std::string& name_or_file);

/// Applies "field=value" to a recipe's JSON; fields are dotted ("split.search", "stages.1.epochs").
/// The value is JSON, or a string if it is not. Throws Error INVALID_ARGUMENT for an assignment
/// without "=" or an index outside its array; unknown fields are found by RecipeFromJson.
void SetRecipeField(Json& recipe, std::string_view assignment);

/// Throws Error INVALID_ARGUMENT naming the field, its value and what is allowed; unknown fields
/// are refused.
Recipe RecipeFromJson(const Json& json);

/// Every field, defaults included: what a checkpoint's lineage keeps.
Json RecipeToJson(const Recipe& recipe);

/// "inherit", "float" or "scratch".
std::string StageStartName(StageStart start);

/// Lets the stages of these widths start from scratch, in a recipe's JSON. Throws Error
/// INVALID_ARGUMENT for a width without a stage.
void StartFromScratch(Json& recipe, const std::vector<int>& bits);

/// The recipe's space. Throws Error (NOT_FOUND, INVALID_ARGUMENT).
space::SearchSpace SpaceOfRecipe(const Recipe& recipe);

/// Throws Error INVALID_ARGUMENT unless every stage has what it starts from: the first is float,
/// starts from scratch or from the initial checkpoint (of `initial_bits`; 0: none); one that
/// inherits follows float or one of one bit more; widths are the space's, each at most once.
void CheckStages(const Recipe& recipe, const space::SearchSpace& space, int initial_bits = 0);

}  // namespace oqat::supernet
