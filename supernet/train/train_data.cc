#include "supernet/train/train_data.h"

#include <cstdint>

#include "base/error.h"
#include "base/hash.h"
#include "base/progress.h"
#include "supernet/train/augment.h"

namespace oqat::supernet {
namespace {

std::string Fingerprint(const artifacts::Dataset& data) {
  Sha256 hash;
  for (const artifacts::ImageSet* images : {&data.train, &data.test}) {
    hash.Update(std::to_string(images->size) + "x" + std::to_string(images->count()) + ";");
    hash.Update(images->pixels.data(), images->pixels.size());
    hash.Update(images->labels.data(), images->labels.size() * sizeof(std::int32_t));
  }
  return hash.HexDigest();
}

}  // namespace

TrainData LoadTrainData(const Recipe& recipe, const space::SearchSpace& space, bool progress) {
  if (recipe.data.empty()) throw InvalidField("data", "", "a data set, for example synthetic");
  ProgressBar bar("data");
  artifacts::DatasetOptions options;
  options.image_size = recipe.image_size;
  if (progress) {
    options.progress = [&bar](std::int64_t done, std::int64_t total) {
      bar.Update(static_cast<double>(done), static_cast<double>(total));
    };
  }
  TrainData result;
  result.data = artifacts::LoadDataset(recipe.data, options);
  bar.Finish();
  const std::size_t classes = result.data.class_names.size();
  if (static_cast<int>(classes) != space.num_classes) {
    throw InvalidField("data", recipe.data + " with " + std::to_string(classes) + " classes",
                       std::to_string(space.num_classes) + " classes (space " + space.name + ")");
  }
  result.split = artifacts::SplitTrainImages(result.data.train.count(), recipe.split);
  if (recipe.train_images > 0) {
    if (recipe.train_images > static_cast<std::int64_t>(result.split.train.size())) {
      throw InvalidField("recipe.train_images", std::to_string(recipe.train_images),
                         "0 (all) to " + std::to_string(result.split.train.size()));
    }
    result.split.train.resize(static_cast<std::size_t>(recipe.train_images));
  }
  result.evaluation_set = artifacts::BuildEvaluationSet(result.data, recipe.split);
  result.normalization = MeasureNormalization(result.data.train, result.split.train);
  result.sha256 = Fingerprint(result.data);
  for (const RecipeStage& stage : recipe.stages) {
    if (stage.batch_size > static_cast<std::int64_t>(result.split.train.size())) {
      throw InvalidField(
          "recipe.stages.batch_size", std::to_string(stage.batch_size),
          "at most the " + std::to_string(result.split.train.size()) + " training images");
    }
  }
  return result;
}

}  // namespace oqat::supernet
