#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/checkpoint.h"
#include "artifacts/dataset.h"
#include "base/json.h"

namespace oqat::supernet {

/// One bit width's share of the training. Stages run in order; each starts from the weights of the
/// one before it.
struct RecipeStage {
  int bits = 32;  ///< 32: float, no fake quantization
  double epochs = 1;
  double learning_rate = 0.05;  ///< the peak
  int batch_size = 64;
  double warmup = 0.05;  ///< share of the stage in which the learning rate rises linearly
  bool operator==(const RecipeStage&) const = default;
};

/// Everything that decides what a training does, but the seed and the data. docs/TRAINING.md
/// documents each field with its default and range.
struct Recipe {
  std::string name;
  Json space = "tiny-mbv3";  ///< a preset's or file's name, or the space itself
  std::string data;          ///< default of --data; may be empty
  int image_size = 0;        ///< pixels; 0: the space's largest resolution
  artifacts::SplitOptions split;
  std::vector<RecipeStage> stages;

  double momentum = 0.9;
  double weight_decay = 3e-5;
  double step_learning_rate_factor = 0.1;  ///< step sizes learn at this multiple of the rate
  double gradient_clip = 1.0;              ///< largest global L2 norm per subnet; 0: no clipping
  double label_smoothing = 0.1;            ///< of the largest subnet's labels
  double distillation_weight = 1.0;        ///< of the others' loss against the largest's output
  int random_subnets = 1;                  ///< per step, besides the largest and the smallest
  int crop_padding = 4;                    ///< pixels at image_size
  bool flip = true;
  artifacts::ActivationRange activation_range = artifacts::ActivationRange::kAuto;

  std::int64_t evaluation_images = 1000;  ///< search images per subnet after each stage; 0: all
  int evaluation_random_subnets = 3;
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

/// The recipe's space. Throws Error (NOT_FOUND, INVALID_ARGUMENT).
space::SearchSpace SpaceOfRecipe(const Recipe& recipe);

/// Throws Error INVALID_ARGUMENT unless stages begin in float and then go down bit by bit through
/// widths of the space.
void CheckStages(const Recipe& recipe, const space::SearchSpace& space);

}  // namespace oqat::supernet
