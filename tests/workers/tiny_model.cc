#include "tests/workers/tiny_model.h"

#include <ATen/ops/ones.h>

#include "base/random.h"
#include "supernet/elastic_net.h"

namespace oqat::workers {

artifacts::Checkpoint TinyCheckpoint(int bits) {
  artifacts::Checkpoint checkpoint;
  checkpoint.space = space::Preset("tiny-mbv3");
  checkpoint.bits = bits;
  supernet::ElasticNet net(checkpoint.space, bits, checkpoint.activation_range, 5);
  // The first forward pass in training mode chooses the step sizes.
  net->train();
  const int size = checkpoint.space.max_resolution();
  at::Tensor images = at::ones({4, 3, size, size});
  float* values = images.data_ptr<float>();
  RandomStream random(1);
  for (std::int64_t i = 0; i < images.numel(); ++i) {
    values[i] = static_cast<float>(random.Normal());
  }
  net->Forward(images, space::Largest(checkpoint.space, bits));
  net->eval();
  checkpoint.tensors = net->ToTensors();
  return checkpoint;
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
