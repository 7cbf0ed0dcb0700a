#include "supernet/train/recipe.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "supernet/train/recipe_presets.h"

namespace oqat::supernet {
namespace {

constexpr std::uint64_t kMaxRecipeBytes = 1 << 20;

/// The array element or object member that one word of a dotted field names.
Json& Descend(Json& at, const std::string& word, std::string_view field) {
  if (at.is_array()) {
    std::size_t index = 0;
    const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), index);
    if (fault != std::errc() || end != word.data() + word.size() || index >= at.size()) {
      throw InvalidField("set: " + std::string(field), word,
                         at.empty() ? "nothing: the array is empty"
                                    : "an index from 0 to " + std::to_string(at.size() - 1));
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

space::SearchSpace SpaceOfRecipe(const Recipe& recipe) {
  return recipe.space.is_string() ? space::LoadSpace(recipe.space.get<std::string>())
                                  : space::SpaceFromJson(recipe.space);
}

namespace {

/// Throws unless stage `i` has what it starts from.
void CheckStart(const Recipe& recipe, std::size_t i, int initial_bits, const std::string& path) {
  const RecipeStage& stage = recipe.stages[i];
  if (stage.start == StageStart::kScratch) return;
  const bool first = i == 0;
  if (stage.start == StageStart::kFloat) {
    if (stage.bits < 32 && ((!first && recipe.stages[0].bits == 32) || initial_bits == 32)) return;
    throw InvalidField(path + ".start", "float", "a float stage or checkpoint to start from");
  }
  if (first && initial_bits == 0) {
    if (stage.bits == 32) return;
    throw InvalidField(path + ".bits", std::to_string(stage.bits),
                       "32 (training starts in float), or start scratch, or an initial_checkpoint");
  }
  const int before = first ? initial_bits : recipe.stages[i - 1].bits;
  const bool goes_on = first && stage.bits == initial_bits;
  if (before != 32 && stage.bits != before - 1 && !goes_on) {
    throw InvalidField(
        path + ".bits", std::to_string(stage.bits),
        std::to_string(before - 1) + " (one bit less than before), or start scratch or float");
  }
}

}  // namespace

void CheckStages(const Recipe& recipe, const space::SearchSpace& space, int initial_bits) {
  bool quantized = false;
  for (std::size_t i = 0; i < recipe.stages.size(); ++i) {
    const int bits = recipe.stages[i].bits;
    const std::string path = "recipe.stages[" + std::to_string(i) + "]";
    if (bits == 32 && i > 0) {
      throw InvalidField(path + ".bits", "32", "a quantized width: float is the first stage");
    }
    CheckStart(recipe, i, initial_bits, path);
    if (bits == 32) continue;
    quantized = true;
    if (std::find(space.bits.begin(), space.bits.end(), bits) == space.bits.end()) {
      throw InvalidField(path + ".bits", std::to_string(bits),
                         "a width of space " + space.name + ": " + Json(space.bits).dump());
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (recipe.stages[j].bits == bits) {
        throw InvalidField(path + ".bits", std::to_string(bits),
                           "a width that no stage before has (their files would be one)");
      }
    }
  }
  if (!quantized) {
    throw InvalidField("recipe.stages", "only a float stage", "a quantized stage");
  }
}

void StartFromScratch(Json& recipe, const std::vector<int>& bits) {
  for (const int b : bits) {
    bool found = false;
    if (recipe.contains("stages") && recipe["stages"].is_array()) {
      for (Json& stage : recipe["stages"]) {
        if (!stage.is_object() || !stage.contains("bits") || stage["bits"] != b) continue;
        stage["start"] = "scratch";
        found = true;
      }
    }
    if (!found) {
      throw InvalidField("from-scratch", std::to_string(b), "the bits of a stage of the recipe");
    }
  }
}

}  // namespace oqat::supernet
