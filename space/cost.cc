#include "space/cost.h"

namespace oqat::space {
namespace {

enum class Role {
  kStem,
  kFirstDepthwise,
  kFirstLinear,
  kExpand,
  kDepthwise,
  kReduceSe,
  kExpandSe,
  kLinear,
  kFinalExpand,
  kFeatureMix,
  kClassifier,
};

struct Shape {
  Role role;
  int block;  // in the supernet's numbering; 0 is the fixed first block
  int in, out, kernel, stride, groups, in_size, out_size;
  bool bias, batch_norm, quantized;
};

// Calls visit(Shape) for every layer in order. The one place that knows the network's geometry.
template <typename Visit>
void ForEachLayer(const SearchSpace& space, const Architecture& a, Visit&& visit) {
  int size = a.resolution;
  const auto conv = [&](Role role, int block, int in, int out, int kernel, int stride, int groups,
                        bool quantized, bool batch_norm = true) {
    const int after = (size + 2 * (kernel / 2) - kernel) / stride + 1;
    visit(Shape{role, block, in, out, kernel, stride, groups, size, after, false, batch_norm,
                quantized});
    size = after;
  };
  const auto on_vector = [&](Role role, int block, int in, int out, bool quantized, bool bias) {
    visit(Shape{role, block, in, out, 1, 1, 1, 1, 1, bias, false, quantized});
  };

  conv(Role::kStem, 0, space.input_channels, space.stem_width, 3, space.stem_stride, 1, false);
  const int first = space.stem_width;
  conv(Role::kFirstDepthwise, 0, first, first, 3, 1, first, true);
  conv(Role::kFirstLinear, 0, first, space.first_block_width, 1, 1, 1, true);

  int width = space.first_block_width;
  for (int s = 0; s < space.num_stages(); ++s) {
    const Stage& stage = space.stages[s];
    for (int b = 0; b < a.depths[s]; ++b) {
      const int i = s * space.max_depth() + b;
      const int middle = MakeDivisible(width * a.expands[i]);
      conv(Role::kExpand, i + 1, width, middle, 1, 1, 1, true);
      conv(Role::kDepthwise, i + 1, middle, middle, a.kernels[i], b == 0 ? stage.stride : 1, middle,
           true);
      if (stage.squeeze_excite) {
        const int squeezed = MakeDivisible(middle / 4);
        on_vector(Role::kReduceSe, i + 1, middle, squeezed, false, true);
        on_vector(Role::kExpandSe, i + 1, squeezed, middle, false, true);
      }
      conv(Role::kLinear, i + 1, middle, stage.width, 1, 1, 1, true);
      width = stage.width;
    }
  }
  conv(Role::kFinalExpand, 0, width, space.final_expand_width, 1, 1, 1, true);
  on_vector(Role::kFeatureMix, 0, space.final_expand_width, space.feature_mix_width, true, false);
  on_vector(Role::kClassifier, 0, space.feature_mix_width, space.num_classes, false, true);
}

std::string NameOf(const Shape& shape) {
  const std::string block = "blocks." + std::to_string(shape.block) + ".";
  switch (shape.role) {
    case Role::kStem: return "first_conv";
    case Role::kFirstDepthwise:
    case Role::kDepthwise: return block + "depth_conv";
    case Role::kExpand: return block + "inverted_bottleneck";
    case Role::kReduceSe: return block + "depth_conv.se.reduce";
    case Role::kExpandSe: return block + "depth_conv.se.expand";
    case Role::kFirstLinear:
    case Role::kLinear: return block + "point_linear";
    case Role::kFinalExpand: return "final_expand_layer";
    case Role::kFeatureMix: return "feature_mix_layer";
    case Role::kClassifier: return "classifier";
  }
  return "";
}

constexpr int kFloatBits = 32;
constexpr int kStepsPerConvolution = 2;  // one for the weights, one for the input activations

}  // namespace

Costs CostsOf(const SearchSpace& space, const Architecture& architecture) {
  Costs costs;
  const std::int64_t bits = architecture.bits;
  ForEachLayer(space, architecture, [&](const Shape& shape) {
    const std::int64_t weights = static_cast<std::int64_t>(shape.out) * (shape.in / shape.groups) *
                                 shape.kernel * shape.kernel;
    const std::int64_t macs = weights * shape.out_size * shape.out_size;
    const std::int64_t others = (shape.bias ? shape.out : 0) + (shape.batch_norm ? 2 * shape.out : 0);
    costs.macs += macs;
    costs.params += weights + others;
    costs.params_with_steps += weights + others;
    if (shape.quantized) {
      costs.macs_quantized += macs;
      costs.params_with_steps += kStepsPerConvolution;
      costs.bitops += macs * bits * bits;
      costs.weight_bits += (weights + kStepsPerConvolution) * bits + others * kFloatBits;
    } else {
      costs.macs_float += macs;
      costs.bitops += macs * kFloatBits * kFloatBits;
      costs.weight_bits += (weights + others) * kFloatBits;
    }
  });
  costs.weighted_macs = static_cast<double>(costs.macs_quantized * bits * bits) / 64.0 +
                        static_cast<double>(costs.macs_float);
  return costs;
}

std::vector<Layer> LayersOf(const SearchSpace& space, const Architecture& architecture) {
  std::vector<Layer> layers;
  ForEachLayer(space, architecture, [&](const Shape& shape) {
    Layer layer;
    layer.name = NameOf(shape);
    layer.in_channels = shape.in;
    layer.out_channels = shape.out;
    layer.kernel = shape.kernel;
    layer.stride = shape.stride;
    layer.groups = shape.groups;
    layer.in_size = shape.in_size;
    layer.out_size = shape.out_size;
    layer.bias = shape.bias;
    layer.batch_norm = shape.batch_norm;
    if (shape.quantized) layer.weight_bits = layer.activation_bits = architecture.bits;
    layers.push_back(std::move(layer));
  });
  return layers;
}

}  // namespace oqat::space
