#include "bench/plain_net.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "artifacts/supernet_tensors.h"
#include "space/block_plan.h"

namespace oqat::bench {

namespace {

struct Sums {
  at::Tensor mean, variance;
  double weight = 0;
};

class PlainNet {
 public:
  PlainNet(const artifacts::Checkpoint& checkpoint, const space::Architecture& architecture)
      : space_(checkpoint.space),
        bits_(checkpoint.bits),
        signed_(checkpoint.activation_range == artifacts::ActivationRange::kAuto),
        plan_(space::SubnetPlan(space_, architecture)) {
    for (const auto& [name, tensor] : checkpoint.tensors) {
      const std::vector<float> values = artifacts::ToFloats(tensor);
      tensors_[name] = at::tensor(values).view(tensor.shape);
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

  static at::Tensor Quantize(const at::Tensor& v, const at::Tensor& step, double low, double high) {
    const at::Tensor s = step.abs();
    return at::round(at::clamp(v / s, low, high)) * s;
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
    const at::Tensor input = signed_input ? Quantize(x, At(name + ".sa"), -half, half - 1)
                                          : Quantize(x, At(name + ".sa"), 0, 2 * half - 1);
    const at::Tensor quantized = Quantize(weight, At(name + ".sw"), -half, half - 1);
    return at::conv2d(input, quantized, {}, stride, weight.size(2) / 2, 1, groups);
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
  PlainNet net(checkpoint, architecture);
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

}  // namespace oqat::bench
