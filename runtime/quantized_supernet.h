#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "artifacts/checkpoint.h"
#include "space/block_plan.h"

namespace oqat::runtime {

/// BatchNorm of a layer at its full width, as the checkpoint has it.
struct BatchNorm {
  std::vector<float> weight, bias, running_mean, running_var;  ///< [channels]
};

/// What all quantized convolutions have in common. Steps are |s|.
struct QuantizedConv {
  float activation_step = 1, weight_step = 1;
  bool signed_input = false;
};

/// Weight codes of a 1x1 convolution at full width, [out / 8][in / 4][8][4] (runtime/kernels.h): a
/// slice to fewer channels is the same memory with fewer steps. Here and below `in` and `out` are
/// whole blocks of 8; what was added is 0.
struct PointwiseWeights : QuantizedConv {
  int in = 0, out = 0;
  std::vector<std::int8_t> codes;
};

/// Weight codes of a depthwise convolution per kernel size, as runtime/kernels.h wants them.
struct DepthwiseWeights : QuantizedConv {
  std::map<int, std::vector<std::int8_t>> codes;
};

/// Float matrix and bias, [out / 8][in][8].
struct DenseWeights {
  int in = 0, out = 0;
  std::vector<float> weights, bias;
};

struct BlockWeights {
  PointwiseWeights expand;  ///< codes empty in the first block, which has none
  DepthwiseWeights depth;
  DenseWeights reduce, gate;  ///< squeeze-and-excite; empty without
  PointwiseWeights project;
  BatchNorm expand_bn, depth_bn, project_bn;
};

/// The weights of one checkpoint, quantized once at full width: slicing, kernel transforms and
/// quantization in float as training does them, then integers. Every subnet reads them in place.
/// Immutable; may be shared by threads.
struct QuantizedSupernet {
  /// Throws Error INVALID_ARGUMENT, "WHERE: FIELD: ...": a tensor that is missing, extra,
  /// mis-shaped or not finite in float32, a step size of 0 or far from any use, bits outside 2 to
  /// 8, a kernel size other than 3, 5, 7, a 1x1 convolution of more than MostInputs.
  QuantizedSupernet(const artifacts::Checkpoint& checkpoint, std::string_view where);

  space::SearchSpace space;
  int bits = 0;
  artifacts::Normalization normalization;
  std::vector<float> stem;  ///< [out / 8][channels][3][3][8]
  BatchNorm stem_bn;
  std::vector<BlockWeights> blocks;  ///< by BlockPlan::index
  PointwiseWeights final_expand, feature_mix;
  BatchNorm final_bn;
  DenseWeights classifier;
};

}  // namespace oqat::runtime
