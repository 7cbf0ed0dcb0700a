#include "runtime/quantized_supernet.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>

#include "artifacts/supernet_tensors.h"
#include "base/error.h"
#include "runtime/kernels.h"

namespace oqat::runtime {

namespace {

using artifacts::BlockPrefix;

// Within these the product of two steps is a normal float, and so are a step's reciprocal and the
// variance of a convolution's outputs, whose integers are below 2^31.
constexpr float kLeastStep = 0x1p-63F;
constexpr float kMostStep = 0x1p16F;

std::string Text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

/// Reads tensors that were checked, and packs them.
class Packer {
 public:
  Packer(const artifacts::Checkpoint& checkpoint, std::string_view where)
      : checkpoint_(checkpoint), where_(where) {
    // LSQ: -2^(b-1) to 2^(b-1) - 1.
    low_ = -std::ldexp(1.0F, checkpoint.bits - 1);
    high_ = -low_ - 1;
  }

  std::vector<float> Floats(const std::string& name) const {
    std::vector<float> values = artifacts::ToFloats(checkpoint_.tensors.at(name));
    for (std::size_t i = 0; i < values.size(); ++i) {
      // A float64 that was finite in the file.
      if (std::isfinite(values[i])) continue;
      throw InvalidField(where_ + ": " + name + "[" + std::to_string(i) + "]",
                         Text(artifacts::ToDoubles(checkpoint_.tensors.at(name))[i]),
                         "numbers that float32 can hold");
    }
    return values;
  }

  BatchNorm Norm(const std::string& name) const {
    return {Floats(name + ".weight"), Floats(name + ".bias"), Floats(name + ".running_mean"),
            Floats(name + ".running_var")};
  }

  PointwiseWeights PointwiseConv(const std::string& name, bool signed_input) const {
    PointwiseWeights conv;
    ReadSteps(name, signed_input, conv);
    const std::vector<float> weight = Floats(name + ".weight");
    const auto& shape = checkpoint_.tensors.at(name + ".weight").shape;
    const std::int64_t out = shape[0], in = shape[1];
    CheckSums(name, in);
    conv.out = Padded(static_cast<int>(out));
    conv.in = Padded(static_cast<int>(in));
    conv.codes.resize(static_cast<std::size_t>(conv.out) * static_cast<std::size_t>(conv.in));
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t i = 0; i < in; ++i) {
        conv.codes[static_cast<std::size_t>(
            ((o / kBlock * (conv.in / 4) + i / 4) * kBlock + o % kBlock) * 4 + i % 4)] =
            Code(weight[static_cast<std::size_t>(o * in + i)], conv.weight_step);
      }
    }
    return conv;
  }

  /// `kernels`: the sizes to prepare, descending from the tensor's own.
  DepthwiseWeights DepthwiseConv(const std::string& name, const std::vector<int>& kernels) const {
    DepthwiseWeights conv;
    ReadSteps(name, false, conv);
    std::vector<float> weight = Floats(name + ".weight");
    const auto channels = checkpoint_.tensors.at(name + ".weight").shape[0];
    for (std::size_t k = 0; k < kernels.size(); ++k) {
      if (k > 0) {
        const std::string matrix = name.substr(0, name.rfind(".conv") + 1) +
                                   artifacts::TransformName(kernels[k - 1], kernels[k]);
        weight = Transformed(weight, channels, kernels[k - 1], kernels[k], Floats(matrix));
      }
      conv.codes[kernels[k]] = PackTaps(weight, channels, kernels[k], conv.weight_step);
    }
    return conv;
  }

  DenseWeights Matrix(const std::string& weight_name, const std::string& bias_name) const {
    DenseWeights dense;
    const std::vector<float> weight = Floats(weight_name);
    const auto& shape = checkpoint_.tensors.at(weight_name).shape;
    const std::int64_t out = shape[0], in = shape[1];
    dense.in = Padded(static_cast<int>(in));
    dense.out = Padded(static_cast<int>(out));
    dense.weights.resize(static_cast<std::size_t>(dense.out) * static_cast<std::size_t>(dense.in));
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t i = 0; i < in; ++i) {
        dense.weights[static_cast<std::size_t>((o / kBlock * dense.in + i) * kBlock + o % kBlock)] =
            weight[static_cast<std::size_t>(o * in + i)];
      }
    }
    dense.bias = Floats(bias_name);
    dense.bias.resize(static_cast<std::size_t>(dense.out));
    return dense;
  }

  std::vector<float> Stem(const std::string& name) const {
    const std::vector<float> weight = Floats(name);
    const auto& shape = checkpoint_.tensors.at(name).shape;
    const std::int64_t taps = shape[1] * 9;
    std::vector<float> packed(static_cast<std::size_t>(Padded(static_cast<int>(shape[0])) * taps));
    for (std::int64_t o = 0; o < shape[0]; ++o) {
      for (std::int64_t t = 0; t < taps; ++t) {
        packed[static_cast<std::size_t>((o / kBlock * taps + t) * kBlock + o % kBlock)] =
            weight[static_cast<std::size_t>(o * taps + t)];
      }
    }
    return packed;
  }

 private:
  void ReadSteps(const std::string& name, bool signed_input, QuantizedConv& conv) const {
    const auto step = [&](const char* suffix) {
      const float value = Floats(name + suffix).at(0), size = std::abs(value);
      if (size < kLeastStep || size > kMostStep) {
        throw InvalidField(where_ + ": " + name + suffix, Text(value),
                           "a step size of 2^-63 to 2^16 in magnitude");
      }
      return size;
    };
    conv.activation_step = step(".sa");
    conv.weight_step = step(".sw");
    conv.signed_input = signed_input;
  }

  /// Statistics add the sums of four pixels in 32 bits (kernels.h).
  void CheckSums(const std::string& name, std::int64_t inputs) const {
    const int bits = checkpoint_.bits;
    const std::int64_t most = MostInputs(bits);
    if (inputs <= most) return;
    throw InvalidField(where_ + ": " + name + ".weight", std::to_string(inputs) + " inputs",
                       "at most " + std::to_string(most) + " at " + std::to_string(bits) +
                           " bit, whose sums fit 32 bits");
  }

  std::int8_t Code(float value, float step) const {
    const float clipped = std::min(std::max(value / step, low_), high_);
    return static_cast<std::int8_t>(std::nearbyint(clipped));
  }

  /// The centre of each kernel times the transform matrix (once-for-all, Cai et al. 2020).
  static std::vector<float> Transformed(const std::vector<float>& weight, std::int64_t channels,
                                        int from, int to, const std::vector<float>& matrix) {
    const int taps = to * to, margin = (from - to) / 2;
    std::vector<float> centre(static_cast<std::size_t>(taps));
    std::vector<float> out(static_cast<std::size_t>(channels * taps));
    for (std::int64_t c = 0; c < channels; ++c) {
      for (int t = 0; t < taps; ++t) {
        const std::int64_t at = (c * from + t / to + margin) * from + t % to + margin;
        centre[static_cast<std::size_t>(t)] = weight[static_cast<std::size_t>(at)];
      }
      for (int t = 0; t < taps; ++t) {
        double sum = 0;
        for (int u = 0; u < taps; ++u) {
          sum += static_cast<double>(matrix[static_cast<std::size_t>(t * taps + u)]) *
                 centre[static_cast<std::size_t>(u)];
        }
        out[static_cast<std::size_t>(c * taps + t)] = static_cast<float>(sum);
      }
    }
    return out;
  }

  std::vector<std::int8_t> PackTaps(const std::vector<float>& weight, std::int64_t channels,
                                    int kernel, float step) const {
    std::vector<std::int8_t> packed(static_cast<std::size_t>(
        Padded(static_cast<int>(channels)) / kBlock * DepthwiseWeightBytes(kernel)));
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t y = 0; y < kernel; ++y) {
        for (std::int64_t x = 0; x < kernel; ++x) {
          const std::int64_t tap = (c / kBlock * RowPairs(kernel) + y / 2) * kernel + x;
          packed[static_cast<std::size_t>((tap * kBlock + c % kBlock) * 2 + y % 2)] =
              Code(weight[static_cast<std::size_t>((c * kernel + y) * kernel + x)], step);
        }
      }
    }
    return packed;
  }

  const artifacts::Checkpoint& checkpoint_;
  const std::string where_;
  float low_, high_;
};

void CheckSpace(const space::SearchSpace& space, const std::string& where) {
  if (space.input_channels != 3) {
    throw InvalidField(where + ": space.input_channels", std::to_string(space.input_channels),
                       "3 (RGB) for the int8 engine");
  }
  for (const int kernel : space.kernels) {
    if (kernel != 3 && kernel != 5 && kernel != 7) {
      throw InvalidField(where + ": space.kernels", std::to_string(kernel),
                         "3, 5, 7 for the int8 engine");
    }
  }
}

}  // namespace

QuantizedSupernet::QuantizedSupernet(const artifacts::Checkpoint& checkpoint,
                                     std::string_view where_view)
    : space(checkpoint.space), bits(checkpoint.bits), normalization(checkpoint.normalization) {
  const std::string where(where_view);
  if (bits < 2 || bits > 8) {
    throw InvalidField(where + ": bits", std::to_string(bits), "2 to 8 for the int8 engine");
  }
  CheckSpace(space, where);
  artifacts::CheckTensors(artifacts::SupernetTensors(space), checkpoint.tensors, where);

  const Packer pack(checkpoint, where);
  // Only the outputs of linear bottlenecks have no rectifier.
  const bool signed_bottleneck = checkpoint.activation_range == artifacts::ActivationRange::kAuto;
  stem = pack.Stem("first_conv.conv.weight");
  stem_bn = pack.Norm("first_conv.bn");
  std::vector<int> kernels(space.kernels.rbegin(), space.kernels.rend());
  for (const space::BlockPlan& plan : space::SupernetPlan(space)) {
    const std::string prefix = BlockPrefix(plan.index);
    // The released code wraps the layers of elastic blocks once more.
    const std::string conv = plan.expand ? ".conv.conv" : ".conv";
    const std::string bn = plan.expand ? ".bn.bn" : ".bn";
    BlockWeights block;
    if (plan.expand) {
      block.expand = pack.PointwiseConv(prefix + "inverted_bottleneck" + conv, signed_bottleneck);
      block.expand_bn = pack.Norm(prefix + "inverted_bottleneck" + bn);
    }
    block.depth = pack.DepthwiseConv(prefix + "depth_conv" + conv,
                                     plan.expand ? kernels : std::vector<int>{plan.kernel});
    block.depth_bn = pack.Norm(prefix + "depth_conv" + bn);
    if (plan.squeeze_excite) {
      const std::string fc = prefix + "depth_conv.se.fc.";
      block.reduce = pack.Matrix(fc + "reduce.weight", fc + "reduce.bias");
      block.gate = pack.Matrix(fc + "expand.weight", fc + "expand.bias");
    }
    block.project = pack.PointwiseConv(prefix + "point_linear" + conv, false);
    block.project_bn = pack.Norm(prefix + "point_linear" + bn);
    blocks.push_back(std::move(block));
  }
  final_expand = pack.PointwiseConv("final_expand_layer.conv", signed_bottleneck);
  final_bn = pack.Norm("final_expand_layer.bn");
  feature_mix = pack.PointwiseConv("feature_mix_layer.conv", false);
  classifier = pack.Matrix("classifier.linear.weight", "classifier.linear.bias");
}

}  // namespace oqat::runtime
