#include "supernet/train/recipe.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "supernet/train/recipe_presets.h"

namespace oqat::supernet {
namespace {

constexpr std::int64_t kMaxImages = 1'000'000'000;
constexpr std::uint64_t kMaxRecipeBytes = 1 << 20;

RecipeStage StageFromJson(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  RecipeStage stage;
  stage.bits = static_cast<int>(reader.Int("bits", 1, 32));
  stage.epochs = reader.Number("epochs", 1e-6, 1e6);
  stage.learning_rate = reader.Number("learning_rate", 1e-9, 1e3, stage.learning_rate);
  // BatchNorm needs two images to have a variance.
  stage.batch_size = static_cast<int>(reader.Int("batch_size", 2, 65536, stage.batch_size));
  stage.warmup = reader.Number("warmup", 0, 0.9, stage.warmup);
  reader.Finish();
  if (stage.bits > 8 && stage.bits != 32) {
    throw InvalidField(path + ".bits", std::to_string(stage.bits), "1 to 8, or 32 (float)");
  }
  return stage;
}

artifacts::SplitOptions SplitFromJson(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  artifacts::SplitOptions split;
  split.calibration = reader.Int("calibration", 1, kMaxImages, split.calibration);
  split.search = reader.Int("search", 1, kMaxImages, split.search);
  split.test = reader.Int("test", 0, kMaxImages, split.test);
  split.seed = static_cast<std::uint64_t>(
      reader.Int("seed", 0, INT64_MAX, static_cast<std::int64_t>(split.seed)));
  reader.Finish();
  return split;
}

/// The array element or object member that one word of a dotted field names.
Json& Descend(Json& at, const std::string& word, std::string_view field) {
  if (at.is_array()) {
    std::size_t index = 0;
    const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), index);
    if (fault != std::errc() || end != word.data() + word.size() || index >= at.size()) {
      throw InvalidField("set: " + std::string(field), word,
                         "an index from 0 to " + std::to_string(at.size() - 1));
    }
    return at[index];
  }
  if (at.is_null()) at = Json::object();
  if (!at.is_object()) {
    throw InvalidField("set: " + std::string(field), word,
                       "no further part: this is a plain value");
  }
  return at[word];
}

}  // namespace

std::vector<std::string> RecipePresetNames() {
  std::vector<std::string> names;
  for (const auto& preset : RecipePresets()) names.push_back(std::string(preset.name));
  return names;
}

Json LoadRecipeJson(const std::string& name_or_file) {
  for (const auto& preset : RecipePresets()) {
    if (preset.name == name_or_file) return ParseJson(preset.json, name_or_file);
  }
  if (!std::filesystem::is_regular_file(name_or_file)) {
    std::string names;
    for (const auto& preset : RecipePresets()) {
      names += (names.empty() ? "" : ", ") + std::string(preset.name);
    }
    throw Error(Code::kNotFound,
                "recipe: no preset or file '" + name_or_file + "'; presets: " + names);
  }
  return ParseJson(ReadFile(name_or_file, kMaxRecipeBytes), name_or_file);
}

void SetRecipeField(Json& recipe, std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    throw InvalidField("set", assignment, "field=value");
  }
  const std::string_view field = assignment.substr(0, equals);
  const std::string value(assignment.substr(equals + 1));
  Json* at = &recipe;
  for (std::size_t begin = 0; begin <= field.size();) {
    const std::size_t dot = std::min(field.find('.', begin), field.size());
    at = &Descend(*at, std::string(field.substr(begin, dot - begin)), field);
    begin = dot + 1;
  }
  Json parsed = Json::parse(value, nullptr, /*allow_exceptions=*/false);
  *at = parsed.is_discarded() ? Json(value) : std::move(parsed);
}

Recipe RecipeFromJson(const Json& json) {
  JsonReader reader(json, "recipe");
  Recipe r;
  r.name = reader.String("name", "");
  if (reader.Has("space")) {
    r.space = reader.Get("space");
    if (!r.space.is_string() && !r.space.is_object()) {
      throw InvalidField("recipe.space", r.space.dump(), "a name, a file or a space object");
    }
  }
  r.data = reader.String("data", r.data);
  r.image_size = static_cast<int>(reader.Int("image_size", 0, 1024, r.image_size));
  if (reader.Has("split")) r.split = SplitFromJson(reader.Get("split"), "recipe.split");
  const Json& stages = reader.Get("stages");
  if (!stages.is_array() || stages.empty()) {
    throw InvalidField("recipe.stages", stages.dump(), "a non-empty array of stages");
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    r.stages.push_back(StageFromJson(stages[i], "recipe.stages[" + std::to_string(i) + "]"));
  }
  r.momentum = reader.Number("momentum", 0, 0.9999, r.momentum);
  r.weight_decay = reader.Number("weight_decay", 0, 1, r.weight_decay);
  r.step_learning_rate_factor =
      reader.Number("step_learning_rate_factor", 0, 1e3, r.step_learning_rate_factor);
  r.gradient_clip = reader.Number("gradient_clip", 0, 1e9, r.gradient_clip);
  r.label_smoothing = reader.Number("label_smoothing", 0, 0.99, r.label_smoothing);
  r.distillation_weight = reader.Number("distillation_weight", 0, 1e3, r.distillation_weight);
  r.random_subnets = static_cast<int>(reader.Int("random_subnets", 0, 64, r.random_subnets));
  r.crop_padding = static_cast<int>(reader.Int("crop_padding", 0, 64, r.crop_padding));
  r.flip = reader.Bool("flip", r.flip);
  r.activation_range = artifacts::ActivationRangeFromName(
      reader.String("activation_range",
                    std::string(artifacts::ActivationRangeName(r.activation_range))),
      "recipe.activation_range");
  r.evaluation_images = reader.Int("evaluation_images", 0, kMaxImages, r.evaluation_images);
  r.evaluation_random_subnets = static_cast<int>(
      reader.Int("evaluation_random_subnets", 0, 1000, r.evaluation_random_subnets));
  reader.Finish();
  return r;
}

Json RecipeToJson(const Recipe& r) {
  Json stages = Json::array();
  for (const RecipeStage& stage : r.stages) {
    stages.push_back({{"bits", stage.bits},
                      {"epochs", stage.epochs},
                      {"learning_rate", stage.learning_rate},
                      {"batch_size", stage.batch_size},
                      {"warmup", stage.warmup}});
  }
  return {{"name", r.name},
          {"space", r.space},
          {"data", r.data},
          {"image_size", r.image_size},
          {"split",
           {{"calibration", r.split.calibration},
            {"search", r.split.search},
            {"test", r.split.test},
            {"seed", r.split.seed}}},
          {"stages", stages},
          {"momentum", r.momentum},
          {"weight_decay", r.weight_decay},
          {"step_learning_rate_factor", r.step_learning_rate_factor},
          {"gradient_clip", r.gradient_clip},
          {"label_smoothing", r.label_smoothing},
          {"distillation_weight", r.distillation_weight},
          {"random_subnets", r.random_subnets},
          {"crop_padding", r.crop_padding},
          {"flip", r.flip},
          {"activation_range", artifacts::ActivationRangeName(r.activation_range)},
          {"evaluation_images", r.evaluation_images},
          {"evaluation_random_subnets", r.evaluation_random_subnets}};
}

space::SearchSpace SpaceOfRecipe(const Recipe& recipe) {
  return recipe.space.is_string() ? space::LoadSpace(recipe.space.get<std::string>())
                                  : space::SpaceFromJson(recipe.space);
}

void CheckStages(const Recipe& recipe, const space::SearchSpace& space) {
  for (std::size_t i = 0; i < recipe.stages.size(); ++i) {
    const int bits = recipe.stages[i].bits;
    const std::string field = "recipe.stages[" + std::to_string(i) + "].bits";
    if (i == 0) {
      if (bits != 32)
        throw InvalidField(field, std::to_string(bits), "32 (training starts in float)");
      continue;
    }
    const int before = recipe.stages[i - 1].bits;
    if (before != 32 && bits != before - 1) {
      throw InvalidField(field, std::to_string(bits),
                         std::to_string(before - 1) + " (one bit less than the stage before)");
    }
    if (std::find(space.bits.begin(), space.bits.end(), bits) == space.bits.end()) {
      throw InvalidField(field, std::to_string(bits),
                         "a width of space " + space.name + ": " + Json(space.bits).dump());
    }
  }
  if (recipe.stages.size() < 2) {
    throw InvalidField("recipe.stages", "only a float stage", "a quantized stage after it");
  }
}

}  // namespace oqat::supernet
