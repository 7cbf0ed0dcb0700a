#pragma once

#include <string>

#include "artifacts/checkpoint.h"
#include "artifacts/dataset.h"
#include "space/search_space.h"
#include "supernet/train/recipe.h"

namespace oqat::supernet {

/// The images of a training, and how they are used.
struct TrainData {
  artifacts::Dataset data;
  artifacts::TrainSplit split;
  artifacts::EvaluationSet evaluation_set;
  artifacts::Normalization normalization;  ///< measured on the training images
  std::string sha256;                      ///< of all pixels and labels
};

/// Loads and splits the recipe's data set; recipe.image_size is set. `progress`: a bar on stderr.
/// Throws Error: no data set, classes that are not the space's, too few images for a split or a
/// batch, and what artifacts::LoadDataset throws.
TrainData LoadTrainData(const Recipe& recipe, const space::SearchSpace& space, bool progress);

}  // namespace oqat::supernet
