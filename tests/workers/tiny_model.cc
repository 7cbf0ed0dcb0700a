#include "tests/workers/tiny_model.h"

#include "artifacts/random_checkpoint.h"
#include "base/random.h"

namespace oqat::workers {

artifacts::Checkpoint TinyCheckpoint(int bits) {
  return artifacts::RandomCheckpoint(space::Preset("tiny-mbv3"), bits, 5);
}

artifacts::EvaluationSet TinySet() {
  const space::SearchSpace& space = space::Preset("tiny-mbv3");
  artifacts::EvaluationSet set;
  set.source = "noise";
  for (int c = 0; c < space.num_classes; ++c) set.class_names.push_back(std::to_string(c));
  set.image_size = 24;
  RandomStream random(3);
  for (artifacts::ImageSet* images : {&set.calibration, &set.search, &set.test}) {
    images->size = set.image_size;
    for (int i = 0; i < 12; ++i) {
      std::vector<std::uint8_t> pixels(static_cast<std::size_t>(images->bytes_per_image()));
      for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.Below(256));
      images->Append(pixels.data(), static_cast<std::int32_t>(random.Below(10)));
    }
  }
  return set;
}

}  // namespace oqat::workers
