#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "artifacts/checkpoint.h"
#include "artifacts/safetensors.h"
#include "space/architecture.h"

namespace oqat::bench {

/// A supernet trained the plain way: NCHW, every layer and the quantizer written with LibTorch's
/// own tensor operations, gradients by autograd, LibTorch's SGD and clipping. What a direct port of
/// the published code to C++ does, and what this project's training is measured against.
class PlainTrainNet {
 public:
  struct Optimizer {
    double learning_rate = 0, momentum = 0, weight_decay = 0, gradient_clip = 0, step_factor = 1;
  };

  /// `tensors` carry a supernet's names; bits 32 is float; `dtype` float32 or float64.
  PlainTrainNet(const space::SearchSpace& space, int bits, artifacts::ActivationRange range,
                const std::map<std::string, artifacts::Tensor>& tensors, at::ScalarType dtype,
                const Optimizer& optimizer);
  ~PlainTrainNet();

  /// Logits [batch, classes]; BatchNorm in training mode. x: [batch, 3, size, size].
  at::Tensor Forward(const at::Tensor& x, const space::Architecture& architecture);

  /// Clips, updates, forgets the gradients.
  void Update();

  /// By the supernet's names; undefined for tensors without a gradient.
  at::Tensor Gradient(const std::string& name) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace oqat::bench
