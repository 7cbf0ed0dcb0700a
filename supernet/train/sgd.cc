#define TORCH_ASSERT_ONLY_METHOD_OPERATORS
#include "supernet/train/sgd.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "supernet/train/sgd_ops.h"

namespace oqat::supernet {
namespace {

/// The gradient in the parameter's memory layout, so that one index walks both.
at::Tensor GradientLike(const at::Tensor& parameter) {
  at::Tensor gradient = parameter.grad();
  if (!gradient.defined() || gradient.strides() == parameter.strides()) return gradient;
  at::Tensor same = at::empty_like(parameter.detach());
  same.copy_(gradient);
  return same;
}

}  // namespace

Sgd::Sgd(std::vector<Group> groups, double momentum, bool nesterov)
    : groups_(std::move(groups)), momentum_(momentum), nesterov_(nesterov) {
  for (const Group& group : groups_) {
    momenta_.emplace_back();
    for (const at::Tensor& parameter : group.parameters) {
      momenta_.back().push_back(at::zeros_like(parameter.detach()));
    }
  }
}

bool Sgd::OnCpu() const {
  for (const Group& group : groups_) {
    if (!group.parameters.empty()) return group.parameters.front().device().is_cpu();
  }
  return true;
}

double Sgd::ClipByOps(double max_norm) {
  std::vector<at::Tensor> gradients;
  for (const Group& group : groups_) {
    for (const at::Tensor& parameter : group.parameters) {
      if (parameter.grad().defined()) gradients.push_back(parameter.grad());
    }
  }
  const double norm = GradientNormByOps(gradients);
  if (max_norm > 0 && norm > max_norm) ScaleByOps(gradients, max_norm / norm);
  return norm;
}

void Sgd::StepByOps(double learning_rate) {
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    std::vector<at::Tensor> parameters, gradients, momenta;
    for (std::size_t p = 0; p < groups_[group].parameters.size(); ++p) {
      const at::Tensor& parameter = groups_[group].parameters[p];
      if (!parameter.grad().defined()) continue;
      parameters.push_back(parameter);
      gradients.push_back(parameter.grad());
      momenta.push_back(momenta_[group][p]);
    }
    SgdStepByOps(parameters, gradients, momenta,
                 {learning_rate * groups_[group].rate_factor, groups_[group].weight_decay,
                  momentum_, nesterov_});
  }
}

double Sgd::ClipGradients(double max_norm) {
  if (!OnCpu()) return ClipByOps(max_norm);
  double sum = 0;
  for (const Group& group : groups_) {
    for (const at::Tensor& parameter : group.parameters) {
      const at::Tensor gradient = GradientLike(parameter);
      if (!gradient.defined()) continue;
      const float* g = gradient.data_ptr<float>();
      const std::int64_t n = gradient.numel();
      for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(g[i]) * g[i];
    }
  }
  const double norm = std::sqrt(sum);
  if (max_norm > 0 && norm > max_norm) {
    for (Group& group : groups_) {
      for (at::Tensor& parameter : group.parameters) {
        if (parameter.grad().defined()) parameter.mutable_grad().mul_(max_norm / norm);
      }
    }
  }
  return norm;
}

void Sgd::Step(double learning_rate) {
  if (!OnCpu()) return StepByOps(learning_rate);
  const auto momentum = static_cast<float>(momentum_);
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    const auto rate = static_cast<float>(learning_rate * groups_[group].rate_factor);
    const auto decay = static_cast<float>(groups_[group].weight_decay);
    for (std::size_t p = 0; p < groups_[group].parameters.size(); ++p) {
      const at::Tensor& parameter = groups_[group].parameters[p];
      const at::Tensor gradient = GradientLike(parameter);
      if (!gradient.defined()) continue;
      float* w = parameter.data_ptr<float>();
      float* m = momenta_[group][p].data_ptr<float>();
      const float* g = gradient.data_ptr<float>();
      const std::int64_t n = parameter.numel();
      for (std::int64_t i = 0; i < n; ++i) {
        const float d = g[i] + decay * w[i];
        m[i] = momentum * m[i] + d;
        w[i] -= rate * (nesterov_ ? d + momentum * m[i] : m[i]);
      }
    }
  }
}

void Sgd::ZeroGradients() {
  for (Group& group : groups_) {
    for (at::Tensor& parameter : group.parameters) parameter.mutable_grad() = at::Tensor();
  }
}

}  // namespace oqat::supernet
