#define TORCH_ASSERT_ONLY_METHOD_OPERATORS
#include "supernet/train/sgd_ops.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/stack.h>

namespace oqat::supernet {

double GradientNormByOps(const std::vector<at::Tensor>& gradients) {
  if (gradients.empty()) return 0;
  const at::NoGradGuard no_grad;
  return at::stack(at::_foreach_norm(gradients)).to(at::kDouble).norm().item<double>();
}

void ScaleByOps(const std::vector<at::Tensor>& tensors, double factor) {
  if (tensors.empty()) return;
  const at::NoGradGuard no_grad;
  at::_foreach_mul_(tensors, at::Scalar(factor));
}

void SgdStepByOps(const std::vector<at::Tensor>& parameters,
                  const std::vector<at::Tensor>& gradients, const std::vector<at::Tensor>& momenta,
                  const SgdOptions& options) {
  if (parameters.empty()) return;
  const at::NoGradGuard no_grad;
  const std::vector<at::Tensor> d =
      options.weight_decay == 0 ? gradients
                                : at::_foreach_add(gradients, parameters, options.weight_decay);
  at::_foreach_mul_(momenta, at::Scalar(options.momentum));
  at::_foreach_add_(momenta, d);
  const std::vector<at::Tensor> direction =
      options.nesterov ? at::_foreach_add(d, momenta, options.momentum) : momenta;
  at::_foreach_add_(parameters, direction, -options.rate);
}

}  // namespace oqat::supernet
