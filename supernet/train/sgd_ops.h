#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

#include <vector>

namespace oqat::supernet {

// The arithmetic of supernet/train/sgd.h with LibTorch's operations over lists of tensors, for
// devices whose memory the CPU cannot walk. The same results but for the order of the sums.

/// The common L2 norm. Waits for the device.
double GradientNormByOps(const std::vector<at::Tensor>& gradients);

/// Multiplies every tensor in place.
void ScaleByOps(const std::vector<at::Tensor>& tensors, double factor);

struct SgdOptions {
  double rate = 0;
  double weight_decay = 0;
  double momentum = 0;
  bool nesterov = true;
};

/// One step for parameters that all have a gradient; lists of equal length. Gradients are kept.
void SgdStepByOps(const std::vector<at::Tensor>& parameters,
                  const std::vector<at::Tensor>& gradients, const std::vector<at::Tensor>& momenta,
                  const SgdOptions& options);

}  // namespace oqat::supernet
