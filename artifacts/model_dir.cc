#include "artifacts/model_dir.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "artifacts/dataset.h"
#include "artifacts/evaluation_set.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"

namespace oqat::artifacts {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxModelJsonBytes = 1 << 20;

// The file that a field of model.json names. A model folder is something people pass around, so it
// cannot point at files outside itself, not even through "..".
std::string FileWithin(const fs::path& dir, const Json& value, const std::string& field) {
  const std::string name = value.is_string() ? value.get<std::string>() : "";
  const fs::path relative = fs::path(name).lexically_normal();
  if (name.empty() || relative.is_absolute() || *relative.begin() == "..") {
    throw InvalidField(field, value.is_string() ? Json(name).dump() : "something else",
                       "a relative path of a file within the model's folder");
  }
  const fs::path path = dir / relative;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) {
    throw Error(Code::kNotFound, field + ": there is no file " + path.string());
  }
  return path.string();
}

int BitsOfKey(const std::string& key, const space::SearchSpace& space, const std::string& field) {
  for (const int bits : space.bits) {
    if (key == std::to_string(bits)) return bits;
  }
  throw InvalidField(field, "a checkpoint of \"" + key + "\" bits",
                     "the space's " + Json(space.bits).dump());
}

struct BuildRecipe {
  std::string data, sha256;
  DatasetOptions dataset;
  SplitOptions split;
};

BuildRecipe RecipeFromJson(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  BuildRecipe recipe;
  recipe.data = reader.String("data");
  recipe.dataset.image_size = static_cast<int>(reader.Int("image_size", 1, 4096));
  recipe.dataset.seed = static_cast<std::uint64_t>(reader.Int("data_seed", 0, INT64_MAX, 1));
  recipe.sha256 = reader.String("sha256");
  if (!IsSha256Hex(recipe.sha256)) {
    throw InvalidField(reader.PathOf("sha256"), "other text",
                       "64 lower-case hex digits, as `oqat evalset build` prints them");
  }
  if (reader.Has("split")) {
    JsonReader split(reader.Get("split"), reader.PathOf("split"));
    SplitOptions& s = recipe.split;
    s.calibration = split.Int("calibration", 1, INT64_MAX, s.calibration);
    s.search = split.Int("search", 1, INT64_MAX, s.search);
    s.test = split.Int("test", 0, INT64_MAX, s.test);
    s.seed = static_cast<std::uint64_t>(
        split.Int("seed", 0, INT64_MAX, static_cast<std::int64_t>(s.seed)));
    split.Finish();
  }
  reader.Finish();
  return recipe;
}

std::string BuiltEvaluationSet(BuildRecipe recipe, const ModelDirOptions& options,
                               const std::string& field) {
  const fs::path folder =
      fs::path(options.cache_dir.empty() ? DefaultCacheDir() : options.cache_dir) /
      "evaluation-sets";
  const std::string path = (folder / (recipe.sha256 + ".safetensors")).string();
  std::error_code failed;
  if (fs::exists(path, failed) && Sha256HexOfFile(path) == recipe.sha256) return path;

  recipe.dataset.progress = options.progress;
  const EvaluationSet set =
      BuildEvaluationSet(LoadDataset(recipe.data, recipe.dataset), recipe.split);
  const std::string bytes = SerializeEvaluationSet(set);
  const std::string sha256 = Sha256Hex(bytes);
  if (sha256 != recipe.sha256) {
    throw Error(Code::kDataLoss, field + ".sha256: the evaluation set built from " + recipe.data +
                                     " has " + sha256 + "; model.json promises " + recipe.sha256 +
                                     " (is it the same data and split?)");
  }
  fs::create_directories(folder, failed);
  if (failed) {
    throw Error(Code::kPermissionDenied, folder.string() + ": cannot be made: " + failed.message());
  }
  WriteFileAtomically(path, bytes);
  return path;
}

}  // namespace

std::string DefaultCacheDir() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/oqat";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.cache/oqat";
  std::error_code failed;
  const fs::path temporary = fs::temp_directory_path(failed);
  return ((failed ? fs::path(".") : temporary) / "oqat-cache").string();
}

ModelDir LoadModelDir(const std::string& dir, const ModelDirOptions& options) {
  const std::string file = (fs::path(dir) / "model.json").string();
  std::error_code ignored;
  if (!fs::is_directory(dir, ignored)) {
    throw Error(Code::kNotFound, dir + ": is not a folder; a model is a folder with model.json");
  }
  const Json json = ParseJson(ReadFile(file, kMaxModelJsonBytes), file);
  JsonReader reader(json, file + ": model");
  ModelDir model;
  model.dir = dir;

  const Json& space = reader.Get("space");
  try {
    model.space =
        space.is_string() ? space::Preset(space.get<std::string>()) : space::SpaceFromJson(space);
  } catch (const Error& error) {
    throw WithContext(reader.PathOf("space"), error);
  }

  const Json& checkpoints = reader.Get("checkpoints");
  const std::string field = reader.PathOf("checkpoints");
  if (!checkpoints.is_object() || checkpoints.empty()) {
    throw InvalidField(field, checkpoints.is_object() ? "none" : "something else",
                       "an object {\"BITS\": \"FILE\", ...} with one checkpoint or more");
  }
  for (const auto& [key, value] : checkpoints.items()) {
    model.checkpoints[BitsOfKey(key, model.space, field)] =
        FileWithin(dir, value, field + "." + key);
  }

  const Json& set = reader.Get("evaluation_set");
  const std::string set_field = reader.PathOf("evaluation_set");
  if (set.is_object()) {
    BuildRecipe recipe = RecipeFromJson(set, set_field);
    reader.Finish();
    if (options.evaluation_set) {
      model.evaluation_set = BuiltEvaluationSet(std::move(recipe), options, set_field);
    }
  } else {
    reader.Finish();
    if (options.evaluation_set) model.evaluation_set = FileWithin(dir, set, set_field);
  }
  return model;
}

}  // namespace oqat::artifacts
