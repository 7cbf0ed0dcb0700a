#pragma once
// Small valid content of each kind of file.

#include "artifacts/checkpoint.h"
#include "artifacts/dataset.h"
#include "artifacts/evaluation_set.h"
#include "artifacts/model.h"

namespace oqat::artifacts {

inline Checkpoint SampleCheckpoint() {
  Checkpoint checkpoint;
  checkpoint.space = space::Preset("tiny-mbv3");
  checkpoint.bits = 4;
  checkpoint.activation_range = ActivationRange::kAuto;
  checkpoint.normalization = {{0.5, 0.25, 0.1}, {0.2, 0.3, 1.0 / 3}};
  checkpoint.lineage.parent_sha256 = std::string(64, 'a');
  checkpoint.lineage.recipe = {{"epochs", 3}, {"lr", 0.1}};
  checkpoint.lineage.seed = ~std::uint64_t{0};
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  checkpoint.tensors["first_conv.conv.weight"] = TensorFromFloats({2, 3, 1, 1}, values.data());
  checkpoint.tensors["classifier.linear.bias"] = TensorFromFloats({2}, values.data());
  return checkpoint;
}

inline EvaluationSet SampleEvaluationSet() {
  EvaluationSet set;
  set.source = "synthetic";
  set.class_names = {"cat", "dog"};
  set.image_size = 4;
  std::vector<std::uint8_t> image(48);
  for (ImageSet* split : {&set.calibration, &set.search, &set.test}) {
    split->size = 4;
    for (std::int32_t label = 0; label < 2; ++label) {
      for (std::uint8_t& byte : image) byte = static_cast<std::uint8_t>(byte * 5 + 3);
      split->Append(image.data(), label);
    }
  }
  return set;
}

inline Dataset SampleDataset() {
  const EvaluationSet set = SampleEvaluationSet();
  Dataset dataset{"synthetic", set.class_names, set.search, set.test};
  for (std::uint8_t& byte : dataset.test.pixels) byte ^= 0x55;
  return dataset;
}

inline Model SampleModel() {
  Model model;
  model.name = "tiny";
  model.space = space::Preset("tiny-mbv3");
  model.checkpoints = {{4, {std::string(64, '4'), 4}}, {3, {std::string(64, '3'), 3}}};
  model.evaluation_set = {std::string(64, 'e'), 7};
  return model;
}

}  // namespace oqat::artifacts
