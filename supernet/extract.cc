#include "supernet/extract.h"

#include <ATen/core/grad_mode.h>

#include "artifacts/supernet_tensors.h"
#include "supernet/layers.h"
#include "supernet/tensors.h"

namespace oqat::supernet {

namespace {

/// Fills a subnet's named tensors with copies of the parts in use.
class Extraction {
 public:
  void Copy(const std::string& name, const at::Tensor& tensor) {
    tensors_.emplace(name, tensor.detach().clone(at::MemoryFormat::Contiguous));
  }

  void BatchNorm(const std::string& name, const BatchNormLayer& bn, int channels) {
    Copy(name + ".weight", bn.weight.narrow(0, 0, channels));
    Copy(name + ".bias", bn.bias.narrow(0, 0, channels));
    Copy(name + ".running_mean", bn.running_mean.narrow(0, 0, channels));
    Copy(name + ".running_var", bn.running_var.narrow(0, 0, channels));
  }

  void Conv(const std::string& name, const ConvLayer& conv, int out, int in, int kernel) {
    Copy(name + ".weight", ActiveWeight(conv, out, in, kernel));
    const StepPair steps = conv.StepsOf({out, in, kernel});
    Copy(name + ".sa", steps.activation);
    Copy(name + ".sw", steps.weight);
  }

  void Block(const std::string& prefix, const BlockLayers& layers, const space::BlockPlan& block) {
    if (block.expand) {
      Conv(prefix + "inverted_bottleneck.conv", layers.expand, block.mid, block.in, 1);
      BatchNorm(prefix + "inverted_bottleneck.bn", layers.expand_bn, block.mid);
    }
    Conv(prefix + "depth_conv.conv", layers.depth, block.mid, 1, block.kernel);
    BatchNorm(prefix + "depth_conv.bn", layers.depth_bn, block.mid);
    if (block.squeeze_excite) {
      const SqueezeExciteLayer& se = layers.squeeze_excite;
      const std::string fc = prefix + "depth_conv.se.fc.";
      const int squeezed = block.squeezed();
      Copy(fc + "reduce.weight", se.reduce_weight.narrow(0, 0, squeezed).narrow(1, 0, block.mid));
      Copy(fc + "reduce.bias", se.reduce_bias.narrow(0, 0, squeezed));
      Copy(fc + "expand.weight", se.expand_weight.narrow(0, 0, block.mid).narrow(1, 0, squeezed));
      Copy(fc + "expand.bias", se.expand_bias.narrow(0, 0, block.mid));
    }
    Conv(prefix + "point_linear.conv", layers.project, block.out, block.mid, 1);
    BatchNorm(prefix + "point_linear.bn", layers.project_bn, block.out);
  }

  NamedTensors Take() { return std::move(tensors_); }

 private:
  NamedTensors tensors_;
};

NamedTensors Extract(const NetLayers& net, const space::SearchSpace& space,
                     const std::vector<space::BlockPlan>& plan) {
  const at::NoGradGuard no_grad;
  Extraction out;
  out.Copy("first_conv.conv.weight", net.stem_weight);
  out.BatchNorm("first_conv.bn", net.stem_bn, space.stem_width);
  for (std::size_t i = 0; i < plan.size(); ++i) {
    out.Block(artifacts::BlockPrefix(static_cast<int>(i)), net.blocks[plan[i].index], plan[i]);
  }
  out.Conv("final_expand_layer.conv", net.final_expand, space.final_expand_width, plan.back().out,
           1);
  out.BatchNorm("final_expand_layer.bn", net.final_bn, space.final_expand_width);
  out.Conv("feature_mix_layer.conv", net.feature_mix, space.feature_mix_width,
           space.final_expand_width, 1);
  out.Copy("classifier.linear.weight", net.classifier_weight);
  out.Copy("classifier.linear.bias", net.classifier_bias);
  return out.Take();
}

}  // namespace

struct FixedNet::Parts {
  int bits = 32;
  std::vector<space::BlockPlan> plan;
  NamedTensors tensors;
  NetLayers layers;
};

FixedNet::FixedNet(const ElasticNetImpl& net, const space::Architecture& architecture)
    : parts_(std::make_unique<Parts>()) {
  const space::SearchSpace& space = net.space();
  Parts& parts = *parts_;
  parts.bits = net.bits();
  parts.plan = space::SubnetPlan(space, space::Canonical(space, architecture));
  parts.tensors = Extract(net.layers(), space, parts.plan);
  for (std::size_t i = 0; i < parts.plan.size(); ++i) parts.plan[i].index = static_cast<int>(i);
  parts.layers = WireLayers(space, parts.plan, false, net.activation_range(), parts.tensors);
}

FixedNet::~FixedNet() = default;
FixedNet::FixedNet(FixedNet&&) noexcept = default;
FixedNet& FixedNet::operator=(FixedNet&&) noexcept = default;

at::Tensor FixedNet::Forward(const at::Tensor& x) {
  const at::NoGradGuard no_grad;
  Pass pass;
  pass.bits = parts_->bits;
  return RunNet(parts_->layers, parts_->plan, x, pass);
}

void FixedNet::Recalibrate(const std::vector<at::Tensor>& batches) {
  RecalibrateNet(parts_->layers, parts_->plan, batches, parts_->bits);
}

std::map<std::string, artifacts::Tensor> FixedNet::ToTensors() const {
  std::map<std::string, artifacts::Tensor> tensors;
  for (const auto& [name, tensor] : parts_->tensors) tensors.emplace(name, ToArtifact(tensor));
  return tensors;
}

}  // namespace oqat::supernet
