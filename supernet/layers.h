#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "artifacts/checkpoint.h"
#include "artifacts/supernet_tensors.h"
#include "supernet/step_sizes.h"

namespace oqat::supernet {

/// Tensors by checkpoint name. Handles, not copies.
using NamedTensors = std::map<std::string, at::Tensor>;

struct BatchNormLayer {
  at::Tensor weight, bias, running_mean, running_var;  ///< [channels]
};

/// The step sizes of a convolution's input and weight, [1] each.
struct StepPair {
  at::Tensor activation, weight;
};

/// {out, in / groups, kernel} of the weight that a subnet uses.
using ConvShape = std::array<int, 3>;

/// A quantized convolution without bias. Depthwise weights are [channels, 1, k, k], others
/// [out, in, 1, 1].
struct ConvLayer {
  at::Tensor weight, activation_step, weight_step;
  /// Where every kernel size and width has its own two (StepSizes::kSeparate): by {out, in,
  /// kernel}.
  std::map<ConvShape, StepPair> separate_steps;
  bool depthwise = false;
  bool signed_input = false;
  /// Target kernel size and matrix [k*k, k*k], from the largest target down.
  std::vector<std::pair<int, at::Tensor>> transforms;
  /// Step sizes wait for the first training pass.
  bool fresh_steps = false;

  /// Those that a subnet of this shape uses.
  StepPair StepsOf(const ConvShape& shape) const;
  /// All there are.
  std::vector<StepPair> AllSteps() const;
};

struct SqueezeExciteLayer {
  at::Tensor reduce_weight, reduce_bias, expand_weight, expand_bias;
};

struct BlockLayers {
  ConvLayer expand, depth, project;
  BatchNormLayer expand_bn, depth_bn, project_bn;
  SqueezeExciteLayer squeeze_excite;
};

/// The layers of a supernet or of an extracted subnet, wired to their tensors.
struct NetLayers {
  int stem_stride = 2;
  at::Tensor stem_weight;
  BatchNormLayer stem_bn;
  std::vector<BlockLayers> blocks;
  ConvLayer final_expand, feature_mix;
  BatchNormLayer final_bn;
  at::Tensor classifier_weight, classifier_bias;

  /// Every quantized convolution that exists, in order.
  std::vector<ConvLayer*> QuantizedConvs();
};

/// Wires layers to tensors named as SupernetTensors (`elastic`) or SubnetTensors say.
NetLayers WireLayers(const space::SearchSpace& space, const std::vector<space::BlockPlan>& plan,
                     bool elastic, artifacts::ActivationRange range, const NamedTensors& tensors);

enum class BatchNormMode {
  kRunning,      ///< normalise with the running statistics
  kTraining,     ///< with the batch's; running ones follow with momentum 0.1
  kRecalibrate,  ///< with the batch's, which are collected
};

/// Batch-size-weighted sums of one layer's statistics, float64.
struct StatisticsSum {
  at::Tensor mean, variance;
  double weight = 0;
};

/// How one forward pass is made.
struct Pass {
  int bits = 32;
  BatchNormMode batch_norm = BatchNormMode::kRunning;
  std::map<const BatchNormLayer*, StatisticsSum>* statistics = nullptr;  ///< kRecalibrate only
  StepInitialization step_initialization = StepInitialization::kLsq;     ///< kTraining only
};

/// The first `out` x `in` channels of a weight at kernel size `kernel`, float. Kernels shrink step
/// by step: the centre of the larger one times the transform matrix (once-for-all, Cai et al.
/// 2020).
at::Tensor ActiveWeight(const ConvLayer& conv, int out, int in, int kernel);

/// x: [batch, channels, size, size]. Returns logits [batch, classes]. `plan` names the active
/// blocks and their widths.
at::Tensor RunNet(NetLayers& net, const std::vector<space::BlockPlan>& plan, const at::Tensor& x,
                  const Pass& pass);

/// Recomputes the statistics of the active channels: every batch is normalised with its own; the
/// new values are batch-size-weighted means of batch means and biased within-batch variances.
/// Throws Error INVALID_ARGUMENT without batches.
void RecalibrateNet(NetLayers& net, const std::vector<space::BlockPlan>& plan,
                    const std::vector<at::Tensor>& batches, int bits);

}  // namespace oqat::supernet
