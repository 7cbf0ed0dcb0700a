#include "supernet/train/recipe_presets.h"

namespace oqat::supernet {
namespace {

// The quick start's model: minutes on one core. Textures have no mirror symmetry to rely on and
// the images are small, so crops stay mild.
constexpr std::string_view kTiny = R"({
  "name": "tiny",
  "space": "tiny-mbv3",
  "data": "synthetic",
  "split": {"calibration": 256, "search": 1000, "test": 1000, "seed": 1},
  "stages": [
    {"bits": 32, "epochs": 20, "learning_rate": 0.05, "batch_size": 64},
    {"bits": 4, "epochs": 4, "learning_rate": 0.02, "batch_size": 64},
    {"bits": 3, "epochs": 3, "learning_rate": 0.02, "batch_size": 64},
    {"bits": 2, "epochs": 4.5, "learning_rate": 0.03, "batch_size": 64}
  ],
  "crop_padding": 2,
  "flip": true,
  "evaluation_images": 1000
})";

// About 35 minutes on one core for 50,000 images of 32 pixels.
constexpr std::string_view kCifar10Cpu = R"({
  "name": "cifar10-cpu",
  "space": "cifar10-mbv3",
  "split": {"calibration": 512, "search": 2000, "test": 0, "seed": 1},
  "stages": [
    {"bits": 32, "epochs": 8, "learning_rate": 0.1, "batch_size": 128},
    {"bits": 4, "epochs": 2.5, "learning_rate": 0.04, "batch_size": 128},
    {"bits": 3, "epochs": 2, "learning_rate": 0.03, "batch_size": 128},
    {"bits": 2, "epochs": 3, "learning_rate": 0.03, "batch_size": 128}
  ],
  "crop_padding": 4,
  "flip": true,
  "evaluation_images": 1000
})";

constexpr RecipePreset kPresets[] = {{"tiny", kTiny}, {"cifar10-cpu", kCifar10Cpu}};

}  // namespace

std::span<const RecipePreset> RecipePresets() { return kPresets; }

}  // namespace oqat::supernet
