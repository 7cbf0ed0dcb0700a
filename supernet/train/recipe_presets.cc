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

// models/cifar10: an hour or two on one core for 50,000 images of 32 pixels.
constexpr std::string_view kCifar10Cpu = R"({
  "name": "cifar10-cpu",
  "space": "cifar10-mbv3",
  "split": {"calibration": 512, "search": 2000, "test": 0, "seed": 1},
  "stages": [
    {"bits": 32, "epochs": 14, "learning_rate": 0.1, "batch_size": 128},
    {"bits": 4, "epochs": 5, "learning_rate": 0.04, "batch_size": 128},
    {"bits": 3, "epochs": 5, "learning_rate": 0.03, "batch_size": 128},
    {"bits": 2, "epochs": 9, "learning_rate": 0.04, "batch_size": 128}
  ],
  "crop_padding": 4,
  "flip": true,
  "evaluation_every": 2,
  "evaluation_images": 1000
})";

// An H100 or the like, an hour or two. Written from published anchors, not yet run to its end.
constexpr std::string_view kCifar10Gpu = R"({
  "name": "cifar10-gpu",
  "space": "cifar10-mbv3",
  "split": {"calibration": 512, "search": 2000, "test": 0, "seed": 1},
  "stages": [
    {"bits": 32, "epochs": 200, "learning_rate": 0.2, "batch_size": 256, "warmup": 0.025},
    {"bits": 4, "epochs": 60, "learning_rate": 0.08, "batch_size": 256},
    {"bits": 3, "epochs": 50, "learning_rate": 0.06, "batch_size": 256},
    {"bits": 2, "epochs": 80, "learning_rate": 0.06, "batch_size": 256}
  ],
  "weight_decay": 1e-4,
  "random_subnets": 2,
  "crop_padding": 4,
  "flip": true,
  "cutout": 8,
  "evaluation_every": 5,
  "evaluation_images": 2000
})";

// The published space. Values are those of once-for-all (learning rate 2.6 for 2,048 images a step,
// weight decay 3e-5) and BatchQuant (largest, smallest and four random subnets); never run by us.
constexpr std::string_view kImageNet = R"({
  "name": "imagenet",
  "space": "oqa-mbv3-w1.0",
  "image_size": 256,
  "split": {"calibration": 2000, "search": 10000, "test": 0, "seed": 1},
  "stages": [
    {"bits": 32, "epochs": 180, "learning_rate": 1.3, "batch_size": 1024, "warmup": 0.03},
    {"bits": 4, "epochs": 120, "learning_rate": 0.16, "batch_size": 1024},
    {"bits": 3, "epochs": 25, "learning_rate": 0.08, "batch_size": 1024},
    {"bits": 2, "epochs": 25, "learning_rate": 0.08, "batch_size": 1024}
  ],
  "random_subnets": 4,
  "elastic_from": {"kernel": 0.2, "depth": 0.4, "expand": 0.6},
  "crop_padding": 32,
  "flip": true,
  "evaluation_every": 5,
  "evaluation_images": 5000
})";

constexpr RecipePreset kPresets[] = {{"tiny", kTiny},
                                     {"cifar10-cpu", kCifar10Cpu},
                                     {"cifar10-gpu", kCifar10Gpu},
                                     {"imagenet", kImageNet}};

}  // namespace

std::span<const RecipePreset> RecipePresets() { return kPresets; }

}  // namespace oqat::supernet
