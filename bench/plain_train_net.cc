#include "bench/plain_train_net.h"

#include <torch/nn/module.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/sgd.h>
#include <torch/types.h>

#include <cmath>
#include <utility>

#include "artifacts/supernet_tensors.h"
#include "space/block_plan.h"

namespace oqat::bench {

namespace {

at::Tensor Activate(const at::Tensor& x, space::Activation activation) {
  return activation == space::Activation::kRelu ? at::relu(x) : at::hardswish(x);
}

/// LSQ with straight-through rounding: `detach` hides what has no gradient; hardtanh's gradient is
/// strictly inside the range, as LSQ's.
at::Tensor Quantize(const at::Tensor& v, const at::Tensor& step, double low, double high) {
  const double scale = 1 / std::sqrt(static_cast<double>(v.numel()) * high);
  const at::Tensor scaled = step * scale;
  const at::Tensor s = (scaled + (step - scaled).detach()).abs();
  const at::Tensor clipped = at::hardtanh(v / s, low, high);
  return (clipped + (at::round(clipped) - clipped).detach()) * s;
}

}  // namespace

struct PlainTrainNet::Parts {
  const at::Tensor& At(const std::string& name) const { return tensors.at(name); }

  at::Tensor Norm(const at::Tensor& x, const std::string& name) const {
    const auto active = [&](const char* what) { return At(name + what).narrow(0, 0, x.size(1)); };
    return at::batch_norm(x, active(".weight"), active(".bias"), active(".running_mean"),
                          active(".running_var"), true, 0.1, 1e-5, false);
  }

  at::Tensor Conv(const at::Tensor& x, const std::string& name, const at::Tensor& weight,
                  int stride, std::int64_t groups, bool signed_input) const {
    at::Tensor input = x, quantized = weight;
    if (bits < 32) {
      const double half = std::ldexp(1, bits - 1);
      input = signed_input ? Quantize(x, At(name + ".sa"), -half, half - 1)
                           : Quantize(x, At(name + ".sa"), 0, 2 * half - 1);
      quantized = Quantize(weight, At(name + ".sw"), -half, half - 1);
    }
    return at::conv2d(input, quantized, {}, stride, weight.size(2) / 2, 1, groups);
  }

  at::Tensor DepthWeight(const space::BlockPlan& block, const std::string& prefix) const {
    at::Tensor weight =
        At(prefix + (block.expand ? "depth_conv.conv.conv.weight" : "depth_conv.conv.weight"))
            .narrow(0, 0, block.mid);
    for (auto k = space.kernels.size(); block.expand && k-- > 1;) {
      const int from = space.kernels[k], to = space.kernels[k - 1];
      if (from <= block.kernel) break;
      const int start = (from - to) / 2;
      const at::Tensor centre =
          weight.narrow(2, start, to).narrow(3, start, to).reshape({block.mid, to * to});
      weight =
          at::linear(centre, At(prefix + "depth_conv.conv." + artifacts::TransformName(from, to)))
              .view({block.mid, 1, to, to});
    }
    return weight;
  }

  at::Tensor SqueezeExcite(const at::Tensor& x, const std::string& fc, int squeezed) const {
    const std::int64_t mid = x.size(1);
    const at::Tensor hidden = at::relu(at::conv2d(
        x.mean({2, 3}, true), At(fc + "reduce.weight").narrow(0, 0, squeezed).narrow(1, 0, mid),
        At(fc + "reduce.bias").narrow(0, 0, squeezed)));
    const at::Tensor gate =
        at::conv2d(hidden, At(fc + "expand.weight").narrow(0, 0, mid).narrow(1, 0, squeezed),
                   At(fc + "expand.bias").narrow(0, 0, mid));
    return x * at::hardsigmoid(gate);
  }

  at::Tensor Block(const space::BlockPlan& block, const at::Tensor& x) const {
    const std::string prefix = artifacts::BlockPrefix(block.index);
    const std::string conv = block.expand ? ".conv.conv" : ".conv";
    const std::string bn = block.expand ? ".bn.bn" : ".bn";
    const auto slice = [&](const std::string& name, int out, int in) {
      return At(prefix + name + conv + ".weight").narrow(0, 0, out).narrow(1, 0, in);
    };
    at::Tensor y = x;
    if (block.expand) {
      const std::string name = "inverted_bottleneck";
      y = Conv(y, prefix + name + conv, slice(name, block.mid, block.in), 1, 1, is_signed);
      y = Activate(Norm(y, prefix + name + bn), block.activation);
    }
    y = Conv(y, prefix + "depth_conv" + conv, DepthWeight(block, prefix), block.stride, block.mid,
             false);
    y = Activate(Norm(y, prefix + "depth_conv" + bn), block.activation);
    if (block.squeeze_excite) {
      y = SqueezeExcite(y, prefix + "depth_conv.se.fc.", block.squeezed());
    }
    y = Conv(y, prefix + "point_linear" + conv, slice("point_linear", block.out, block.mid), 1, 1,
             false);
    y = Norm(y, prefix + "point_linear" + bn);
    return block.shortcut ? y + x : y;
  }

  space::SearchSpace space;
  int bits = 32;
  bool is_signed = false;
  double gradient_clip = 0;
  std::map<std::string, at::Tensor> tensors;
  std::vector<at::Tensor> parameters;
  std::unique_ptr<torch::optim::SGD> sgd;
};

PlainTrainNet::PlainTrainNet(const space::SearchSpace& space, int bits,
                             artifacts::ActivationRange range,
                             const std::map<std::string, artifacts::Tensor>& tensors,
                             at::ScalarType dtype, const Optimizer& optimizer)
    : parts_(std::make_unique<Parts>()) {
  using artifacts::TensorKind;
  Parts& parts = *parts_;
  parts.space = space;
  parts.bits = bits;
  parts.is_signed = range == artifacts::ActivationRange::kAuto;
  parts.gradient_clip = optimizer.gradient_clip;
  std::vector<at::Tensor> decayed, plain, steps;
  for (const artifacts::TensorSpec& spec : artifacts::SupernetTensors(space)) {
    const std::vector<double> values = artifacts::ToDoubles(tensors.at(spec.name));
    at::Tensor tensor = torch::tensor(values, torch::kDouble).view(spec.shape).to(dtype);
    parts.tensors[spec.name] = tensor;
    if (spec.kind == TensorKind::kRunningMean || spec.kind == TensorKind::kRunningVar) continue;
    tensor.requires_grad_();
    parts.parameters.push_back(tensor);
    switch (spec.kind) {
      case TensorKind::kConvWeight:
      case TensorKind::kLinearWeight:
      case TensorKind::kTransform: decayed.push_back(tensor); break;
      case TensorKind::kStep: steps.push_back(tensor); break;
      default: plain.push_back(tensor);
    }
  }
  const auto options = [&](double factor, double decay) {
    return std::make_unique<torch::optim::SGDOptions>(
        torch::optim::SGDOptions(optimizer.learning_rate * factor)
            .momentum(optimizer.momentum)
            .weight_decay(decay)
            .nesterov(true));
  };
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(decayed, options(1, optimizer.weight_decay));
  groups.emplace_back(plain, options(1, 0));
  groups.emplace_back(steps, options(optimizer.step_factor, 0));
  parts.sgd =
      std::make_unique<torch::optim::SGD>(groups, torch::optim::SGDOptions(optimizer.learning_rate)
                                                      .momentum(optimizer.momentum)
                                                      .nesterov(true));
}

PlainTrainNet::~PlainTrainNet() = default;

at::Tensor PlainTrainNet::Forward(const at::Tensor& x, const space::Architecture& architecture) {
  const Parts& net = *parts_;
  constexpr auto kHSwish = space::Activation::kHSwish;
  at::Tensor y = at::conv2d(x, net.At("first_conv.conv.weight"), {}, net.space.stem_stride, 1);
  y = Activate(net.Norm(y, "first_conv.bn"), kHSwish);
  for (const space::BlockPlan& block : space::SubnetPlan(net.space, architecture)) {
    y = net.Block(block, y);
  }
  y = net.Conv(y, "final_expand_layer.conv", net.At("final_expand_layer.conv.weight"), 1, 1,
               net.is_signed);
  y = Activate(net.Norm(y, "final_expand_layer.bn"), kHSwish);
  y = y.mean({2, 3}, true);
  y = net.Conv(y, "feature_mix_layer.conv", net.At("feature_mix_layer.conv.weight"), 1, 1, false);
  y = Activate(y, kHSwish).flatten(1);
  return at::linear(y, net.At("classifier.linear.weight"), net.At("classifier.linear.bias"));
}

void PlainTrainNet::Update() {
  if (parts_->gradient_clip > 0) {
    torch::nn::utils::clip_grad_norm_(parts_->parameters, parts_->gradient_clip);
  }
  parts_->sgd->step();
  for (at::Tensor& parameter : parts_->parameters) parameter.mutable_grad() = at::Tensor();
}

at::Tensor PlainTrainNet::Gradient(const std::string& name) const {
  return parts_->tensors.at(name).grad();
}

}  // namespace oqat::bench
