#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

#include <vector>

namespace oqat::supernet {

/// Stochastic gradient descent with momentum, in the form of torch.optim.SGD: d = g + decay w;
/// m = momentum m + d; w -= rate m, or with Nesterov (Sutskever et al. 2013) w -= rate (d +
/// momentum m). One pass over each tensor instead of five kernel calls: a supernet has hundreds of
/// small tensors. On other devices than the CPU by supernet/train/sgd_ops.h.
class Sgd {
 public:
  struct Group {
    std::vector<at::Tensor> parameters;
    double rate_factor = 1;
    double weight_decay = 0;
  };

  /// Parameters are float32 leaves of one device; a parameter without a gradient is left alone by
  /// Step.
  Sgd(std::vector<Group> groups, double momentum, bool nesterov = true);

  /// Scales the gradients so that their common L2 norm is at most `max_norm` (0: leaves them) and
  /// returns the norm they had.
  double ClipGradients(double max_norm);

  void Step(double learning_rate);

  /// Forgets the gradients.
  void ZeroGradients();

  /// The momentum of every parameter, group by group: what a resumed training needs.
  const std::vector<std::vector<at::Tensor>>& momenta() const { return momenta_; }

 private:
  bool OnCpu() const;
  double ClipByOps(double max_norm);
  void StepByOps(double learning_rate);

  std::vector<Group> groups_;
  std::vector<std::vector<at::Tensor>> momenta_;
  double momentum_;
  bool nesterov_;
};

}  // namespace oqat::supernet
