#include "tests/runtime/float_reference.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "artifacts/supernet_tensors.h"

namespace oqat::runtime {

namespace {

/// Half a unit in the last place of float32, relative.
constexpr double kUnit = 0x1p-24 * 1.01;

Real HSwish(Real y) {
  // y * clamp(fma(y, 1 / 6, 0.5), 0, 1): the constant, the gate and the product are rounded; the
  // slope is 1.5 at most. In units of a step it is no different.
  const double h = y.value * std::clamp(y.value + 3, 0.0, 6.0) / 6;
  return {h, 1.5 * y.error + kUnit * (std::abs(y.value) + 3 * std::abs(h))};
}

Real Activate(Real y, space::Activation activation) {
  if (activation == space::Activation::kHSwish) return HSwish(y);
  return {std::max(y.value, 0.0), y.error};
}

}  // namespace

struct FloatReference::Map {
  int channels = 0, size = 0;
  std::vector<Real> at;         ///< [channels][size][size]
  double unit = 1;              ///< what 1 in `at` is worth: sums of codes are kept as integers
  std::vector<double> missing;  ///< what the runtime's sums of unsigned codes lack; empty: nothing

  Map(int channels_in, int size_in)
      : channels(channels_in),
        size(size_in),
        at(static_cast<std::size_t>(channels_in) * pixels()) {}

  std::size_t pixels() const { return static_cast<std::size_t>(size) * size; }
  Real* channel(int c) { return at.data() + static_cast<std::size_t>(c) * pixels(); }
  const Real* channel(int c) const { return at.data() + static_cast<std::size_t>(c) * pixels(); }

  template <class Change>
  void Each(Change&& change) {
    for (Real& x : at) x = change(x);
  }

  /// float(sum of the pixels, one after the other) * float(1 / pixels).
  Map Mean() const {
    Map mean(channels, 1);
    const double n = static_cast<double>(pixels());
    for (int c = 0; c < channels; ++c) {
      Real sum;
      double magnitude = 0;
      for (std::size_t p = 0; p < pixels(); ++p) {
        sum.value += channel(c)[p].value;
        sum.error += channel(c)[p].error;
        magnitude += std::abs(channel(c)[p].value);
      }
      mean.at[static_cast<std::size_t>(c)] = {sum.value / n,
                                              (sum.error + kUnit * (n + 1) * magnitude) / n};
    }
    return mean;
  }
};

struct FloatReference::Conv {
  std::string layer;
  std::vector<double> weight;       ///< float, full width
  std::vector<std::int64_t> shape;  ///< of `weight`
  double activation_step, weight_step;
  double low, high;  ///< codes of inputs
  double weight_low, weight_high;
};

FloatReference::FloatReference(const artifacts::Checkpoint& checkpoint,
                               const space::Architecture& architecture,
                               const std::vector<Statistics>& statistics)
    : checkpoint_(checkpoint), plan_(space::SubnetPlan(checkpoint.space, architecture)) {
  for (const Statistics& layer : statistics) statistics_[layer.layer] = layer;
}

double FloatReference::Code(double scaled, double low, double high) {
  return std::nearbyint(std::clamp(scaled, low, high));
}

std::vector<double> FloatReference::Values(const std::string& tensor) const {
  return artifacts::ToDoubles(checkpoint_.tensors.at(tensor));
}

FloatReference::Conv FloatReference::Quantized(const std::string& layer, const std::string& tensor,
                                               bool signed_input) const {
  const double half = std::ldexp(1, checkpoint_.bits - 1);
  Conv conv;
  conv.layer = layer;
  conv.weight = Values(tensor + ".weight");
  conv.shape = checkpoint_.tensors.at(tensor + ".weight").shape;
  conv.activation_step = std::abs(Values(tensor + ".sa")[0]);
  conv.weight_step = std::abs(Values(tensor + ".sw")[0]);
  conv.low = signed_input ? -half : 0;
  conv.high = signed_input ? half - 1 : 2 * half - 1;
  conv.weight_low = -half;
  conv.weight_high = half - 1;
  return conv;
}

std::vector<double> FloatReference::Codes(const Conv& conv, const Map& x,
                                          const Rounding& round) const {
  std::vector<Real> scaled = x.at;
  for (Real& v : scaled) {
    // At most: times the rounded reciprocal of the step, plus the offset of signed codes, rounded.
    v.value /= conv.activation_step;
    v.error = v.error / conv.activation_step + kUnit * (2 * std::abs(v.value) - conv.low);
  }
  return round(conv.layer, scaled, x.channels, conv.low, conv.high);
}

FloatReference::Map FloatReference::Pointwise(const Conv& conv, const Map& x, int out,
                                              const Rounding& round) const {
  const std::vector<double> codes = Codes(conv, x, round);
  Map y(out, x.size);
  y.unit = conv.activation_step * conv.weight_step;
  y.missing.resize(static_cast<std::size_t>(out));
  for (int o = 0; o < out; ++o) {
    Real* target = y.channel(o);
    for (int i = 0; i < x.channels; ++i) {
      const double w =
          Code(conv.weight[static_cast<std::size_t>(o * conv.shape[1] + i)] / conv.weight_step,
               conv.weight_low, conv.weight_high);
      const double* source = codes.data() + static_cast<std::size_t>(i) * x.pixels();
      for (std::size_t p = 0; p < x.pixels(); ++p) target[p].value += w * source[p];
      y.missing[static_cast<std::size_t>(o)] += w * conv.low;
    }
  }
  return y;
}

FloatReference::Map FloatReference::Depthwise(const Conv& conv, const Map& x,
                                              const space::BlockPlan& plan,
                                              const Rounding& round) const {
  const std::vector<double> codes = Codes(conv, x, round);
  const std::vector<int>& kernels = checkpoint_.space.kernels;
  const std::string matrices = artifacts::BlockPrefix(plan.index) + "depth_conv.conv.";
  Map y(x.channels, (x.size - 1) / plan.stride + 1);
  y.unit = conv.activation_step * conv.weight_step;
  for (int c = 0; c < x.channels; ++c) {
    int kernel = static_cast<int>(conv.shape[2]);
    std::vector<double> taps(conv.weight.begin() + std::ptrdiff_t{c} * kernel * kernel,
                             conv.weight.begin() + std::ptrdiff_t{c + 1} * kernel * kernel);
    // Once-for-all: the centre of the larger kernel times a matrix, size by size.
    for (auto next = kernels.rbegin(); kernel > plan.kernel; ++next) {
      if (*next >= kernel) continue;
      const std::vector<double> matrix = Values(matrices + artifacts::TransformName(kernel, *next));
      const int margin = (kernel - *next) / 2, side = *next * *next;
      std::vector<double> smaller(static_cast<std::size_t>(side));
      for (int t = 0; t < side; ++t) {
        for (int v = 0; v < side; ++v) {
          smaller[static_cast<std::size_t>(t)] +=
              matrix[static_cast<std::size_t>(t * side + v)] *
              taps[static_cast<std::size_t>((v / *next + margin) * kernel + v % *next + margin)];
        }
      }
      taps = smaller;
      kernel = *next;
    }
    for (double& tap : taps) tap = Code(tap / conv.weight_step, conv.weight_low, conv.weight_high);
    const double* source = codes.data() + static_cast<std::size_t>(c) * x.pixels();
    Real* target = y.channel(c);
    for (int p = 0; p < y.size * y.size; ++p) {
      for (int t = 0; t < kernel * kernel; ++t) {
        const int row = p / y.size * plan.stride + t / kernel - kernel / 2;
        const int column = p % y.size * plan.stride + t % kernel - kernel / 2;
        if (row < 0 || row >= x.size || column < 0 || column >= x.size) continue;
        target[p].value += taps[static_cast<std::size_t>(t)] * source[row * x.size + column];
      }
    }
  }
  return y;
}

FloatReference::Map FloatReference::Stem(const std::vector<double>& image, int size) const {
  const int stride = checkpoint_.space.stem_stride;
  const std::vector<double> weight = Values("first_conv.conv.weight");
  Map y(checkpoint_.space.stem_width, (size - 1) / stride + 1);
  for (int c = 0; c < y.channels; ++c) {
    for (int p = 0; p < y.size * y.size; ++p) {
      Real sum;
      double magnitude = 0;
      for (int t = 0; t < 27; ++t) {
        const int row = p / y.size * stride + t % 9 / 3 - 1;
        const int column = p % y.size * stride + t % 3 - 1;
        if (row < 0 || row >= size || column < 0 || column >= size) continue;
        const double term = weight[static_cast<std::size_t>(c * 27 + t)] *
                            image[static_cast<std::size_t>((t / 9 * size + row) * size + column)];
        sum.value += term;
        magnitude += std::abs(term);
      }
      // 27 fused steps, each rounded.
      sum.error = 27 * kUnit * magnitude;
      y.channel(c)[p] = sum;
    }
  }
  return y;
}

void FloatReference::Normalize(Map& x, const std::string& layer, const std::string& tensor) const {
  const Statistics& statistics = statistics_.at(layer);
  const std::vector<double> weight = Values(tensor + ".weight"), bias = Values(tensor + ".bias");
  for (int c = 0; c < x.channels; ++c) {
    const auto at = static_cast<std::size_t>(c);
    const double gain = weight[at] / std::sqrt(double{statistics.variance[at]} + 1e-5);
    const double scale = gain * x.unit, offset = bias[at] - statistics.mean[at] * gain;
    // The bias makes up for what is missing.
    const double missing = x.missing.empty() ? 0 : std::abs(x.missing[at] * scale);
    for (std::size_t p = 0; p < x.pixels(); ++p) {
      // fma(sum, scale, bias): both constants and the result are rounded.
      Real& v = x.channel(c)[p];
      const double product = v.value * scale, y = product + offset;
      v = {y, std::abs(scale) * v.error +
                  kUnit * (std::abs(product) + std::abs(offset) + missing + std::abs(y))};
    }
  }
  x.unit = 1;
  x.missing.clear();
}

FloatReference::Map FloatReference::Dense(const Map& x, int out, const std::string& weight_name,
                                          const std::string& bias_name, int columns) const {
  const std::vector<double> weight = Values(weight_name), bias = Values(bias_name);
  Map y(out, 1);
  for (int o = 0; o < out; ++o) {
    Real sum{bias[static_cast<std::size_t>(o)], 0};
    double magnitude = std::abs(sum.value);
    for (int i = 0; i < x.channels; ++i) {
      const double w = weight[static_cast<std::size_t>(o * columns + i)];
      const Real& v = x.at[static_cast<std::size_t>(i)];
      sum.value += w * v.value;
      sum.error += std::abs(w) * v.error;
      magnitude += std::abs(w * v.value);
    }
    sum.error += kUnit * x.channels * magnitude;
    y.at[static_cast<std::size_t>(o)] = sum;
  }
  return y;
}

void FloatReference::SqueezeExcite(Map& x, const std::string& fc, int squeezed) const {
  const auto columns = [&](const std::string& name) {
    return static_cast<int>(checkpoint_.tensors.at(fc + name).shape[1]);
  };
  Map hidden =
      Dense(x.Mean(), squeezed, fc + "reduce.weight", fc + "reduce.bias", columns("reduce.weight"));
  hidden.Each([](Real v) { return Activate(v, space::Activation::kRelu); });
  Map gates =
      Dense(hidden, x.channels, fc + "expand.weight", fc + "expand.bias", columns("expand.weight"));
  for (int c = 0; c < x.channels; ++c) {
    // clamp(fma(g, 1/6, 0.5), 0, 1), two roundings; then the product with the values.
    const Real g = gates.at[static_cast<std::size_t>(c)];
    const double gate = std::clamp(g.value + 3, 0.0, 6.0) / 6;
    const double gate_error = g.error / 6 + 2 * kUnit;
    for (std::size_t p = 0; p < x.pixels(); ++p) {
      Real& v = x.channel(c)[p];
      v = {v.value * gate,
           v.error * (gate + gate_error) + std::abs(v.value) * (gate_error + kUnit * gate)};
    }
  }
}

FloatReference::Map FloatReference::Block(const space::BlockPlan& plan, const Map& x,
                                          const Rounding& round) const {
  const bool signed_bottleneck = checkpoint_.activation_range == artifacts::ActivationRange::kAuto;
  const std::string layer = "blocks." + std::to_string(plan.index) + ".";
  const std::string prefix = artifacts::BlockPrefix(plan.index);
  const std::string conv = plan.expand ? ".conv.conv" : ".conv";
  const std::string bn = plan.expand ? ".bn.bn" : ".bn";
  const auto activate = [&](Real v) { return Activate(v, plan.activation); };
  Map y = x;
  if (plan.expand) {
    const std::string name = "inverted_bottleneck";
    y = Pointwise(Quantized(layer + name, prefix + name + conv, signed_bottleneck), y, plan.mid,
                  round);
    Normalize(y, layer + name, prefix + name + bn);
    y.Each(activate);
  }
  y = Depthwise(Quantized(layer + "depth_conv", prefix + "depth_conv" + conv, false), y, plan,
                round);
  Normalize(y, layer + "depth_conv", prefix + "depth_conv" + bn);
  y.Each(activate);
  if (plan.squeeze_excite) SqueezeExcite(y, prefix + "depth_conv.se.fc.", plan.squeezed());
  y = Pointwise(Quantized(layer + "point_linear", prefix + "point_linear" + conv, false), y,
                plan.out, round);
  Normalize(y, layer + "point_linear", prefix + "point_linear" + bn);
  for (std::size_t i = 0; plan.shortcut && i < y.at.size(); ++i) {
    const double sum = y.at[i].value + x.at[i].value;
    y.at[i] = {sum, y.at[i].error + x.at[i].error + kUnit * std::abs(sum)};
  }
  return y;
}

std::vector<Real> FloatReference::Logits(const std::vector<double>& image, int size,
                                         const Rounding& round) const {
  const space::SearchSpace& space = checkpoint_.space;
  const bool signed_bottleneck = checkpoint_.activation_range == artifacts::ActivationRange::kAuto;
  Map x = Stem(image, size);
  Normalize(x, "first_conv", "first_conv.bn");
  x.Each(HSwish);
  for (const space::BlockPlan& plan : plan_) x = Block(plan, x, round);
  const std::string expand = "final_expand_layer";
  x = Pointwise(Quantized(expand, expand + ".conv", signed_bottleneck), x, space.final_expand_width,
                round);
  Normalize(x, expand, expand + ".bn");
  x.Each(HSwish);
  const std::string mix = "feature_mix_layer";
  x = Pointwise(Quantized(mix, mix + ".conv", false), x.Mean(), space.feature_mix_width, round);
  // No BatchNorm here: a rounded scale and a rounded product.
  x.Each([&](Real sum) {
    const double v = sum.value * x.unit;
    return HSwish({v, 2 * kUnit * std::abs(v)});
  });
  return Dense(x, space.num_classes, "classifier.linear.weight", "classifier.linear.bias",
               space.feature_mix_width)
      .at;
}

}  // namespace oqat::runtime
