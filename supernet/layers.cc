#include "supernet/layers.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/hardsigmoid.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "base/error.h"
#include "supernet/batch_norm.h"
#include "supernet/depthwise.h"
#include "supernet/lsq.h"
#include "supernet/pointwise.h"

namespace oqat::supernet {

namespace {

constexpr double kBatchNormEps = 1e-5;
constexpr double kBatchNormMomentum = 0.1;

Rectifier RectifierOf(space::Activation activation) {
  return activation == space::Activation::kRelu ? Rectifier::kRelu : Rectifier::kHSwish;
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

/// The part of a convolution that a subnet uses.
struct UsedConv {
  UsedConv(ConvLayer& conv, int out_channels, int in_channels, int kernel_size = 1, int by = 1)
      : layer(conv), out(out_channels), in(in_channels), kernel(kernel_size), stride(by) {}

  StepPair steps() const { return layer.StepsOf({out, layer.depthwise ? 1 : in, kernel}); }

  ConvLayer& layer;
  int out, in, kernel, stride;
};

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

/// x as `conv` wants its input: quantized.
at::Tensor QuantizeInput(const UsedConv& conv, const at::Tensor& x, const Pass& pass) {
  if (pass.bits == 32) return x;
  if (conv.layer.fresh_steps && pass.batch_norm == BatchNormMode::kTraining) {
    InitializeSteps(conv.layer, x, pass);
  }
  return LsqQuantize(x, conv.steps().activation,
                     ActivationCodes(pass.bits, conv.layer.signed_input));
}

/// BatchNorm, rectifier, and either a sum with `residual` or the quantizer of the convolution
/// `next`; null and undefined: none of it.
at::Tensor RunBatchNorm(const BatchNormLayer& bn, const at::Tensor& x, Rectifier rectifier,
                        const UsedConv* next, const at::Tensor& residual, const Pass& pass) {
  const std::int64_t channels = x.size(1);
  const at::Tensor w = bn.weight.narrow(0, 0, channels);
  const at::Tensor b = bn.bias.narrow(0, 0, channels);
  const at::Tensor mean = bn.running_mean.narrow(0, 0, channels);
  const at::Tensor var = bn.running_var.narrow(0, 0, channels);
  at::Tensor y;
  if (pass.batch_norm == BatchNormMode::kTraining) {
    Epilogue epilogue{rectifier, residual, {}, {}};
    // The first pass needs the values before the quantizer, to set its step size.
    const bool fuse = next != nullptr && pass.bits < 32 && !next->layer.fresh_steps;
    if (fuse) {
      epilogue.step = next->steps().activation;
      epilogue.range = ActivationCodes(pass.bits, next->layer.signed_input);
    }
    y = TrainingBatchNorm(x, w, b, mean, var, kBatchNormMomentum, kBatchNormEps, epilogue);
    return fuse || next == nullptr ? y : QuantizeInput(*next, y, pass);
  }
  y = pass.batch_norm == BatchNormMode::kRecalibrate
          ? NormalizeAndCollect(bn, x, w, b, (*pass.statistics)[&bn])
          : at::batch_norm(x, w, b, mean, var, false, 0, kBatchNormEps, false);
  y = Rectified(y, rectifier);
  if (residual.defined()) y = y + residual;
  return next == nullptr ? y : QuantizeInput(*next, y, pass);
}

/// x is quantized already.
at::Tensor RunConv(const UsedConv& conv, const at::Tensor& x, const Pass& pass) {
  at::Tensor weight = ActiveWeight(conv.layer, conv.out, conv.in, conv.kernel);
  if (pass.bits < 32) weight = LsqQuantize(weight, conv.steps().weight, WeightCodes(pass.bits));
  return conv.layer.depthwise ? DepthwiseConv(x, weight, conv.stride) : PointwiseConv(x, weight);
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
  const Rectifier rectifier = RectifierOf(block.activation);
  const UsedConv depth(layers.depth, block.mid, block.mid, block.kernel, block.stride);
  const UsedConv project(layers.project, block.out, block.mid);
  at::Tensor y;
  if (block.expand) {
    const UsedConv expand(layers.expand, block.mid, block.in);
    y = RunConv(expand, QuantizeInput(expand, x, pass), pass);
    y = RunBatchNorm(layers.expand_bn, y, rectifier, &depth, {}, pass);
  } else {
    y = QuantizeInput(depth, x, pass);
  }
  y = RunConv(depth, y, pass);
  if (block.squeeze_excite) {
    y = RunBatchNorm(layers.depth_bn, y, rectifier, nullptr, {}, pass);
    y = RunSqueezeExcite(layers.squeeze_excite, y, block.squeezed());
    y = QuantizeInput(project, y, pass);
  } else {
    y = RunBatchNorm(layers.depth_bn, y, rectifier, &project, {}, pass);
  }
  y = RunConv(project, y, pass);
  return RunBatchNorm(layers.project_bn, y, Rectifier::kNone, nullptr,
                      block.shortcut ? x : at::Tensor(), pass);
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
  at::Tensor y = x.contiguous(at::MemoryFormat::ChannelsLast);
  y = at::conv2d(y, net.stem_weight, {}, net.stem_stride, 1);
  y = RunBatchNorm(net.stem_bn, y, Rectifier::kHSwish, nullptr, {}, pass);
  for (const space::BlockPlan& block : plan) y = RunBlock(net.blocks[block.index], block, y, pass);
  const auto channels = [](const at::Tensor& weight, int dim) {
    return static_cast<int>(weight.size(dim));
  };
  const UsedConv expand(net.final_expand, channels(net.final_expand.weight, 0),
                        channels(net.final_expand.weight, 1));
  const UsedConv mix(net.feature_mix, channels(net.feature_mix.weight, 0),
                     channels(net.feature_mix.weight, 1));
  y = RunConv(expand, QuantizeInput(expand, y, pass), pass);
  y = RunBatchNorm(net.final_bn, y, Rectifier::kHSwish, nullptr, {}, pass);
  y = RunConv(mix, QuantizeInput(mix, y.mean({2, 3}, true), pass), pass);
  y = Rectified(y, Rectifier::kHSwish);
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
