#include "bench/plain_net.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "artifacts/supernet_tensors.h"
#include "runtime/input.h"
#include "space/block_plan.h"
#include "supernet/depthwise.h"
#include "supernet/pointwise.h"

namespace oqat::bench {

namespace {

struct Sums {
  at::Tensor mean, variance;
  double weight = 0;
};

/// The checkpoint's name of the BatchNorm behind a runtime layer, "blocks.2.depth_conv".
std::string BatchNormName(const std::string& layer) {
  const std::string blocks = "blocks.";
  if (!layer.starts_with(blocks)) return layer + ".bn";
  const std::size_t dot = layer.find('.', blocks.size());
  const int index = std::stoi(layer.substr(blocks.size(), dot - blocks.size()));
  // The released code wraps the layers of elastic blocks, all but the first, once more.
  return artifacts::BlockPrefix(index) + layer.substr(dot + 1) + (index == 0 ? ".bn" : ".bn.bn");
}

class PlainNet {
 public:
  /// `exact`: in float64 instead of float32.
  PlainNet(const artifacts::Checkpoint& checkpoint, const space::Architecture& architecture,
           bool exact)
      : space_(checkpoint.space),
        bits_(checkpoint.bits),
        exact_(exact),
        signed_(checkpoint.activation_range == artifacts::ActivationRange::kAuto),
        plan_(space::SubnetPlan(space_, architecture)) {
    for (const auto& [name, tensor] : checkpoint.tensors) {
      const at::Tensor values = at::tensor(artifacts::ToFloats(tensor)).view(tensor.shape);
      tensors_[name] = exact ? values.to(at::kDouble) : values;
    }
  }

  void SetStatistics(const std::vector<runtime::Statistics>& statistics) {
    for (const runtime::Statistics& layer : statistics) {
      const std::string name = BatchNormName(layer.layer);
      const at::ScalarType type = exact_ ? at::kDouble : at::kFloat;
      tensors_[name + ".running_mean"] = at::tensor(layer.mean).to(type);
      tensors_[name + ".running_var"] = at::tensor(layer.variance).to(type);
    }
  }

  void Recalibrate(const std::vector<at::Tensor>& batches) {
    collect_ = true;
    for (const at::Tensor& batch : batches) Forward(batch);
    collect_ = false;
    for (const auto& [name, sums] : sums_) {
      tensors_[name + ".running_mean"] = sums.mean / sums.weight;
      tensors_[name + ".running_var"] = sums.variance / sums.weight;
    }
  }

  at::Tensor Forward(const at::Tensor& x) {
    at::Tensor y = at::conv2d(x, At("first_conv.conv.weight"), {}, space_.stem_stride, 1);
    y = Activate(Norm(y, "first_conv.bn"), space::Activation::kHSwish);
    for (const space::BlockPlan& block : plan_) y = Block(block, y);
    y = Conv(y, "final_expand_layer.conv", At("final_expand_layer.conv.weight"), 1, 1, signed_);
    y = Activate(Norm(y, "final_expand_layer.bn"), space::Activation::kHSwish);
    y = at::adaptive_avg_pool2d(y, {1, 1});
    y = Conv(y, "feature_mix_layer.conv", At("feature_mix_layer.conv.weight"), 1, 1, false);
    y = Activate(y, space::Activation::kHSwish).flatten(1);
    return at::linear(y, At("classifier.linear.weight"), At("classifier.linear.bias"));
  }

 private:
  const at::Tensor& At(const std::string& name) const { return tensors_.at(name); }

  static at::Tensor Activate(const at::Tensor& x, space::Activation activation) {
    if (activation == space::Activation::kRelu) return at::relu(x);
    return x * (at::clamp(x + 3, 0, 6) / 6);
  }

  static at::Tensor Codes(const at::Tensor& v, const at::Tensor& step, double low, double high) {
    return at::round(at::clamp(v / step.abs(), low, high));
  }

  static at::Tensor Quantize(const at::Tensor& v, const at::Tensor& step, double low, double high) {
    return Codes(v, step, low, high) * step.abs();
  }

  at::Tensor Norm(const at::Tensor& x, const std::string& name) {
    const auto channels = x.size(1);
    const at::Tensor weight = At(name + ".weight").narrow(0, 0, channels);
    const at::Tensor bias = At(name + ".bias").narrow(0, 0, channels);
    if (!collect_) {
      return at::batch_norm(x, weight, bias, At(name + ".running_mean").narrow(0, 0, channels),
                            At(name + ".running_var").narrow(0, 0, channels), false, 0, 1e-5,
                            false);
    }
    const at::Tensor mean = x.mean({0, 2, 3}, true);
    const at::Tensor variance = ((x - mean) * (x - mean)).mean({0, 2, 3}, true);
    Sums& sums = sums_[name];
    const double batch = static_cast<double>(x.size(0));
    const at::Tensor m = mean.flatten() * batch, v = variance.flatten() * batch;
    sums.mean = sums.mean.defined() ? sums.mean + m : m;
    sums.variance = sums.variance.defined() ? sums.variance + v : v;
    sums.weight += batch;
    return at::batch_norm(x, weight, bias, mean.flatten(), variance.flatten(), false, 0, 1e-5,
                          false);
  }

  at::Tensor Conv(const at::Tensor& x, const std::string& name, const at::Tensor& weight,
                  int stride, std::int64_t groups, bool signed_input) {
    const double half = std::ldexp(1, bits_ - 1);
    const double low = signed_input ? -half : 0, high = signed_input ? half - 1 : 2 * half - 1;
    const at::Tensor &sa = At(name + ".sa"), &sw = At(name + ".sw");
    if (exact_ && std::max(-low, high) * half * static_cast<double>(weight[0].numel()) < 0x1p24) {
      // Sums of codes are integers that float32 holds exactly, in whatever order: the same numbers
      // as in float64, several times faster.
      const at::Tensor codes = Codes(x, sa, low, high).to(at::kFloat);
      const at::Tensor taps = Codes(weight, sw, -half, half - 1).to(at::kFloat);
      const at::Tensor sums = groups == 1 ? supernet::PointwiseConv(codes, taps)
                                          : supernet::DepthwiseConv(codes, taps, stride);
      return sums.to(at::kDouble) * (sa.abs() * sw.abs());
    }
    return at::conv2d(Quantize(x, sa, low, high), Quantize(weight, sw, -half, half - 1), {}, stride,
                      weight.size(2) / 2, 1, groups);
  }

  at::Tensor DepthWeight(const space::BlockPlan& block, const std::string& prefix) {
    const std::string wrapped =
        block.expand ? "depth_conv.conv.conv.weight" : "depth_conv.conv.weight";
    at::Tensor weight = At(prefix + wrapped).narrow(0, 0, block.mid);
    for (auto k = space_.kernels.size(); block.expand && k-- > 1;) {
      const int from = space_.kernels[k], to = space_.kernels[k - 1];
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

  at::Tensor Block(const space::BlockPlan& block, const at::Tensor& x) {
    const std::string prefix = artifacts::BlockPrefix(block.index);
    const std::string conv = block.expand ? ".conv.conv" : ".conv";
    const std::string bn = block.expand ? ".bn.bn" : ".bn";
    const auto slice = [&](const std::string& name, int out, int in) {
      return At(prefix + name + conv + ".weight").narrow(0, 0, out).narrow(1, 0, in);
    };
    at::Tensor y = x;
    if (block.expand) {
      const std::string name = "inverted_bottleneck";
      y = Conv(y, prefix + name + conv, slice(name, block.mid, block.in), 1, 1, signed_);
      y = Activate(Norm(y, prefix + name + bn), block.activation);
    }
    y = Conv(y, prefix + "depth_conv" + conv, DepthWeight(block, prefix), block.stride, block.mid,
             false);
    y = Activate(Norm(y, prefix + "depth_conv" + bn), block.activation);
    if (block.squeeze_excite) {
      const std::string fc = prefix + "depth_conv.se.fc.";
      const int squeezed = block.squeezed();
      const at::Tensor hidden = at::relu(
          at::conv2d(y.mean({2, 3}, true),
                     At(fc + "reduce.weight").narrow(0, 0, squeezed).narrow(1, 0, block.mid),
                     At(fc + "reduce.bias").narrow(0, 0, squeezed)));
      const at::Tensor gate = at::conv2d(
          hidden, At(fc + "expand.weight").narrow(0, 0, block.mid).narrow(1, 0, squeezed),
          At(fc + "expand.bias").narrow(0, 0, block.mid));
      y = y * (at::clamp(gate + 3, 0, 6) / 6);
    }
    y = Conv(y, prefix + "point_linear" + conv, slice("point_linear", block.out, block.mid), 1, 1,
             false);
    y = Norm(y, prefix + "point_linear" + bn);
    return block.shortcut ? y + x : y;
  }

  const space::SearchSpace space_;
  const int bits_;
  const bool exact_;
  const bool signed_;
  const std::vector<space::BlockPlan> plan_;
  std::map<std::string, at::Tensor> tensors_;
  bool collect_ = false;
  std::map<std::string, Sums> sums_;
};

}  // namespace

artifacts::EvaluationResult PlainEvaluate(const artifacts::Checkpoint& checkpoint,
                                          const space::Architecture& architecture,
                                          const artifacts::EvaluationSet& set,
                                          const artifacts::EvaluationProtocol& protocol) {
  const at::NoGradGuard no_grad;
  PlainNet net(checkpoint, architecture, false);
  const auto [calibration, count] = artifacts::CountImages(protocol, set, checkpoint.space);
  const auto batch_of = [&](const artifacts::ImageSet& images, std::int64_t begin,
                            std::int64_t end) {
    const int size = architecture.resolution;
    at::Tensor bytes = at::empty({end - begin, size, size, 3}, at::kByte);
    for (std::int64_t i = begin; i < end; ++i) {
      auto* target = bytes.data_ptr<std::uint8_t>() + (i - begin) * 3 * size * size;
      artifacts::ResizeSquare(images.image(i), images.size, target, size);
    }
    const auto& [mean, std] = checkpoint.normalization;
    const at::Tensor m = at::tensor({mean[0], mean[1], mean[2]}).view({1, 3, 1, 1});
    const at::Tensor s = at::tensor({std[0], std[1], std[2]}).view({1, 3, 1, 1});
    const at::Tensor x = bytes.permute({0, 3, 1, 2}).to(at::kDouble) / 255.0;
    return ((x - m) / s).to(at::kFloat).contiguous();
  };
  std::vector<at::Tensor> batches;
  for (std::int64_t i = 0; i < calibration; i += protocol.batch_size) {
    batches.push_back(batch_of(set.calibration, i, std::min(calibration, i + protocol.batch_size)));
  }
  net.Recalibrate(batches);
  const artifacts::ImageSet& images = set.split(protocol.split);
  artifacts::Score score;
  for (std::int64_t i = 0; i < count; i += protocol.batch_size) {
    const std::int64_t end = std::min(count, i + protocol.batch_size);
    const at::Tensor logits = net.Forward(batch_of(images, i, end)).contiguous();
    score.Add(logits.data_ptr<float>(), images.labels.data() + i, end - i, logits.size(1));
  }
  return score.Result();
}

std::vector<int> PlainClasses(const artifacts::Checkpoint& checkpoint,
                              const space::Architecture& architecture,
                              const std::vector<runtime::Statistics>& statistics,
                              const artifacts::ImageSet& images, std::int64_t count, bool exact,
                              const std::function<void(std::int64_t)>& done) {
  // So few that a layer's values stay in the caches.
  constexpr std::int64_t kImages = 20;
  const at::NoGradGuard no_grad;
  PlainNet net(checkpoint, architecture, exact);
  net.SetStatistics(statistics);
  const std::int64_t size = architecture.resolution;
  runtime::InputMaker maker(checkpoint.normalization, architecture.resolution,
                            checkpoint.space.stem_stride);
  std::vector<int> classes;
  for (std::int64_t begin = 0; begin < count; begin += kImages) {
    const std::int64_t batch = std::min(count - begin, kImages);
    // A view of what the int8 engine's stem reads, without its padding.
    const at::Tensor padded =
        at::from_blob(const_cast<float*>(maker.Make(images, begin, begin + batch)),
                      {batch, 3, size + 2, maker.row()}, at::kFloat);
    const at::Tensor x = padded.narrow(2, 1, size).narrow(3, 1, size);
    const at::Tensor best =
        net.Forward(
               x.to(exact ? at::kDouble : at::kFloat).contiguous(at::MemoryFormat::ChannelsLast))
            .argmax(1)
            .contiguous();
    const std::int64_t* first = best.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < batch; ++i) classes.push_back(static_cast<int>(first[i]));
    done(begin + batch);
  }
  return classes;
}

}  // namespace oqat::bench
