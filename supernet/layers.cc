#include "supernet/layers.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/hardsigmoid.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "base/error.h"
#include "supernet/depthwise.h"
#include "supernet/lsq.h"

namespace oqat::supernet {

namespace {

constexpr double kBatchNormEps = 1e-5;
constexpr double kBatchNormMomentum = 0.1;

at::Tensor Activate(const at::Tensor& x, space::Activation activation) {
  return activation == space::Activation::kRelu ? at::relu(x) : at::hardswish(x);
}

/// Normalises with the batch's own statistics and adds them to the sums.
at::Tensor NormalizeAndCollect(const BatchNormLayer& bn, const at::Tensor& x, const at::Tensor& w,
                               const at::Tensor& b, StatisticsSum& sum) {
  const std::int64_t channels = x.size(1);
  const at::Tensor mean = x.mean({0, 2, 3}, true);
  const at::Tensor variance = (x - mean).square_().mean({0, 2, 3});
  const double batch = static_cast<double>(x.size(0));
  if (!sum.mean.defined()) {
    sum.mean = at::zeros({channels}, bn.running_mean.options().dtype(at::kDouble));
    sum.variance = at::zeros_like(sum.mean);
  }
  const at::Tensor flat = mean.view({channels});
  sum.mean.add_(flat.to(at::kDouble), batch);
  sum.variance.add_(variance.to(at::kDouble), batch);
  sum.weight += batch;
  return at::batch_norm(x, w, b, flat, variance, false, 0, kBatchNormEps, false);
}

at::Tensor RunBatchNorm(const BatchNormLayer& bn, const at::Tensor& x, const Pass& pass) {
  const std::int64_t channels = x.size(1);
  const at::Tensor w = bn.weight.narrow(0, 0, channels);
  const at::Tensor b = bn.bias.narrow(0, 0, channels);
  if (pass.batch_norm == BatchNormMode::kRecalibrate) {
    return NormalizeAndCollect(bn, x, w, b, (*pass.statistics)[&bn]);
  }
  return at::batch_norm(
      x, w, b, bn.running_mean.narrow(0, 0, channels), bn.running_var.narrow(0, 0, channels),
      pass.batch_norm == BatchNormMode::kTraining, kBatchNormMomentum, kBatchNormEps, false);
}

/// The weight step comes from the whole tensor, which is the largest subnet's weight: every kernel
/// size and width shares it.
void InitializeSteps(ConvLayer& conv, const at::Tensor& x, const Pass& pass) {
  const at::NoGradGuard no_grad;
  const double activation =
      InitialStep(x, ActivationCodes(pass.bits, conv.signed_input), pass.step_initialization);
  const double weight = InitialStep(conv.weight, WeightCodes(pass.bits), pass.step_initialization);
  for (const StepPair& steps : conv.AllSteps()) {
    steps.activation.fill_(activation);
    steps.weight.fill_(weight);
  }
  conv.fresh_steps = false;
}

at::Tensor RunConv(ConvLayer& conv, const at::Tensor& x, int out, int kernel, int stride,
                   const Pass& pass) {
  const int in = static_cast<int>(x.size(1));
  at::Tensor input = x;
  at::Tensor weight = ActiveWeight(conv, out, in, kernel);
  if (pass.bits < 32) {
    if (conv.fresh_steps && pass.batch_norm == BatchNormMode::kTraining) {
      InitializeSteps(conv, x, pass);
    }
    const StepPair steps = conv.StepsOf({out, conv.depthwise ? 1 : in, kernel});
    input = LsqQuantize(x, steps.activation, ActivationCodes(pass.bits, conv.signed_input));
    weight = LsqQuantize(weight, steps.weight, WeightCodes(pass.bits));
  }
  return conv.depthwise ? DepthwiseConv(input, weight, stride) : at::conv2d(input, weight);
}

at::Tensor RunSqueezeExcite(const SqueezeExciteLayer& se, const at::Tensor& x, int squeezed) {
  const std::int64_t channels = x.size(1);
  const at::Tensor pooled = x.mean({2, 3}, true);
  const at::Tensor hidden =
      at::relu(at::conv2d(pooled, se.reduce_weight.narrow(0, 0, squeezed).narrow(1, 0, channels),
                          se.reduce_bias.narrow(0, 0, squeezed)));
  const at::Tensor gate =
      at::conv2d(hidden, se.expand_weight.narrow(0, 0, channels).narrow(1, 0, squeezed),
                 se.expand_bias.narrow(0, 0, channels));
  return x * at::hardsigmoid(gate);
}

at::Tensor RunBlock(BlockLayers& layers, const space::BlockPlan& block, const at::Tensor& x,
                    const Pass& pass) {
  at::Tensor y = x;
  if (block.expand) {
    y = RunConv(layers.expand, y, block.mid, 1, 1, pass);
    y = Activate(RunBatchNorm(layers.expand_bn, y, pass), block.activation);
  }
  y = RunConv(layers.depth, y, block.mid, block.kernel, block.stride, pass);
  y = Activate(RunBatchNorm(layers.depth_bn, y, pass), block.activation);
  if (block.squeeze_excite) y = RunSqueezeExcite(layers.squeeze_excite, y, block.squeezed());
  y = RunConv(layers.project, y, block.out, 1, 1, pass);
  y = RunBatchNorm(layers.project_bn, y, pass);
  return block.shortcut ? y + x : y;
}

class Wiring {
 public:
  explicit Wiring(const NamedTensors& tensors) : tensors_(tensors) {}

  const at::Tensor& At(const std::string& name) const { return tensors_.at(name); }

  BatchNormLayer BatchNorm(const std::string& name) const {
    return {At(name + ".weight"), At(name + ".bias"), At(name + ".running_mean"),
            At(name + ".running_var")};
  }

  ConvLayer Conv(const std::string& name, bool signed_input) const {
    ConvLayer conv;
    conv.weight = At(name + ".weight");
    conv.activation_step = At(name + ".sa");
    conv.weight_step = At(name + ".sw");
    conv.signed_input = signed_input;
    return conv;
  }

 private:
  const NamedTensors& tensors_;
};

}  // namespace

StepPair ConvLayer::StepsOf(const ConvShape& shape) const {
  if (separate_steps.empty()) return {activation_step, weight_step};
  return separate_steps.at(shape);
}

std::vector<StepPair> ConvLayer::AllSteps() const {
  std::vector<StepPair> all{{activation_step, weight_step}};
  for (const auto& [shape, steps] : separate_steps) all.push_back(steps);
  return all;
}

std::vector<ConvLayer*> NetLayers::QuantizedConvs() {
  std::vector<ConvLayer*> convs;
  for (BlockLayers& block : blocks) {
    if (block.expand.weight.defined()) convs.push_back(&block.expand);
    convs.push_back(&block.depth);
    convs.push_back(&block.project);
  }
  convs.push_back(&final_expand);
  convs.push_back(&feature_mix);
  return convs;
}

NetLayers WireLayers(const space::SearchSpace& space, const std::vector<space::BlockPlan>& plan,
                     bool elastic, artifacts::ActivationRange range, const NamedTensors& tensors) {
  const Wiring wire(tensors);
  // Only the outputs of linear bottlenecks have no rectifier.
  const bool signed_bottleneck = range == artifacts::ActivationRange::kAuto;
  NetLayers net;
  net.stem_stride = space.stem_stride;
  net.stem_weight = wire.At("first_conv.conv.weight");
  net.stem_bn = wire.BatchNorm("first_conv.bn");
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const space::BlockPlan& block = plan[i];
    const std::string prefix = artifacts::BlockPrefix(static_cast<int>(i));
    const bool wrapped = elastic && block.expand;
    const std::string conv = wrapped ? ".conv.conv" : ".conv";
    const std::string bn = wrapped ? ".bn.bn" : ".bn";
    BlockLayers layers;
    if (block.expand) {
      layers.expand = wire.Conv(prefix + "inverted_bottleneck" + conv, signed_bottleneck);
      layers.expand_bn = wire.BatchNorm(prefix + "inverted_bottleneck" + bn);
    }
    layers.depth = wire.Conv(prefix + "depth_conv" + conv, false);
    layers.depth.depthwise = true;
    layers.depth_bn = wire.BatchNorm(prefix + "depth_conv" + bn);
    if (wrapped) {
      for (std::size_t k = space.kernels.size() - 1; k > 0; --k) {
        const std::string name = artifacts::TransformName(space.kernels[k], space.kernels[k - 1]);
        layers.depth.transforms.emplace_back(space.kernels[k - 1],
                                             wire.At(prefix + "depth_conv.conv." + name));
      }
    }
    if (block.squeeze_excite) {
      const std::string se = prefix + "depth_conv.se.fc.";
      layers.squeeze_excite = {wire.At(se + "reduce.weight"), wire.At(se + "reduce.bias"),
                               wire.At(se + "expand.weight"), wire.At(se + "expand.bias")};
    }
    layers.project = wire.Conv(prefix + "point_linear" + conv, false);
    layers.project_bn = wire.BatchNorm(prefix + "point_linear" + bn);
    net.blocks.push_back(std::move(layers));
  }
  net.final_expand = wire.Conv("final_expand_layer.conv", signed_bottleneck);
  net.final_bn = wire.BatchNorm("final_expand_layer.bn");
  net.feature_mix = wire.Conv("feature_mix_layer.conv", false);
  net.classifier_weight = wire.At("classifier.linear.weight");
  net.classifier_bias = wire.At("classifier.linear.bias");
  return net;
}

at::Tensor ActiveWeight(const ConvLayer& conv, int out, int in, int kernel) {
  at::Tensor weight = conv.weight.narrow(0, 0, out);
  if (!conv.depthwise) return weight.narrow(1, 0, in);
  for (const auto& [target, matrix] : conv.transforms) {
    const std::int64_t size = weight.size(2);
    if (size <= kernel) break;
    const std::int64_t start = (size - target) / 2;
    const at::Tensor centre = weight.narrow(2, start, target).narrow(3, start, target);
    weight =
        at::linear(centre.reshape({out, target * target}), matrix).view({out, 1, target, target});
  }
  return weight;
}

at::Tensor RunNet(NetLayers& net, const std::vector<space::BlockPlan>& plan, const at::Tensor& x,
                  const Pass& pass) {
  constexpr auto kHSwish = space::Activation::kHSwish;
  at::Tensor y = x.contiguous(at::MemoryFormat::ChannelsLast);
  y = at::conv2d(y, net.stem_weight, {}, net.stem_stride, 1);
  y = Activate(RunBatchNorm(net.stem_bn, y, pass), kHSwish);
  for (const space::BlockPlan& block : plan) y = RunBlock(net.blocks[block.index], block, y, pass);
  const int expanded = static_cast<int>(net.final_expand.weight.size(0));
  y = RunConv(net.final_expand, y, expanded, 1, 1, pass);
  y = Activate(RunBatchNorm(net.final_bn, y, pass), kHSwish);
  y = y.mean({2, 3}, true);
  y = RunConv(net.feature_mix, y, static_cast<int>(net.feature_mix.weight.size(0)), 1, 1, pass);
  y = Activate(y, kHSwish);
  return at::linear(y.flatten(1), net.classifier_weight, net.classifier_bias);
}

void RecalibrateNet(NetLayers& net, const std::vector<space::BlockPlan>& plan,
                    const std::vector<at::Tensor>& batches, int bits) {
  if (batches.empty()) {
    throw InvalidField("calibration batches", "none", "at least one");
  }
  const at::NoGradGuard no_grad;
  std::map<const BatchNormLayer*, StatisticsSum> statistics;
  const Pass pass{bits, BatchNormMode::kRecalibrate, &statistics};
  for (const at::Tensor& batch : batches) RunNet(net, plan, batch, pass);
  for (const auto& [bn, sum] : statistics) {
    const std::int64_t channels = sum.mean.size(0);
    bn->running_mean.narrow(0, 0, channels).copy_(sum.mean / sum.weight);
    bn->running_var.narrow(0, 0, channels).copy_(sum.variance / sum.weight);
  }
}

}  // namespace oqat::supernet
