#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "supernet/train/trainer.h"

namespace oqat::supernet {

/// Two steps per stage on 300 images; the space is tiny-mbv3.
inline TrainRequest SmallRequest(const std::string& folder) {
  TrainRequest request;
  Recipe& recipe = request.recipe;
  recipe.data = "synthetic:train=300,test=50";
  recipe.split.calibration = 32;
  recipe.split.search = 60;
  recipe.split.test = 40;
  for (const int bits : {32, 4, 3}) {
    RecipeStage stage;
    stage.bits = bits;
    stage.epochs = 2.0 * 16 / 240;
    stage.batch_size = 16;
    recipe.stages.push_back(stage);
  }
  recipe.evaluation_images = 30;
  recipe.evaluation_random_subnets = 1;
  request.out_folder = testing::TempDir() + "/oqat_train_" + folder;
  std::filesystem::remove_all(request.out_folder);
  request.progress = false;
  return request;
}

}  // namespace oqat::supernet
