#include "supernet/elastic_net.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "supernet/layers.h"
#include "supernet/separate_steps.h"
#include "supernet/tensors.h"

namespace oqat::supernet {

namespace {

void CheckBits(int bits) {
  if ((bits < 1 || bits > 8) && bits != 32) {
    throw InvalidField("bits", std::to_string(bits), "1 to 8, or 32 for float");
  }
}

bool IsBuffer(artifacts::TensorKind kind) {
  return kind == artifacts::TensorKind::kRunningMean || kind == artifacts::TensorKind::kRunningVar;
}

/// Filled from our own stream: equal seeds give equal weights with every LibTorch.
at::Tensor Initial(const artifacts::TensorSpec& spec, RandomStream& random) {
  switch (spec.kind) {
    case artifacts::TensorKind::kConvWeight: {
      // He et al. 2015 by fan-out, as once-for-all does (groups are not divided out).
      at::Tensor weight = at::empty(spec.shape, at::kFloat);
      const double fan_out = static_cast<double>(spec.shape[0] * spec.shape[2] * spec.shape[3]);
      const double deviation = std::sqrt(2 / fan_out);
      float* values = weight.data_ptr<float>();
      for (std::int64_t i = 0; i < weight.numel(); ++i) {
        values[i] = static_cast<float>(deviation * random.Normal());
      }
      return weight;
    }
    case artifacts::TensorKind::kLinearWeight: {
      at::Tensor weight = at::empty(spec.shape, at::kFloat);
      const double bound = 1 / std::sqrt(static_cast<double>(spec.shape[1]));
      float* values = weight.data_ptr<float>();
      for (std::int64_t i = 0; i < weight.numel(); ++i) {
        values[i] = static_cast<float>(bound * (2 * random.Uniform() - 1));
      }
      return weight;
    }
    case artifacts::TensorKind::kTransform: return at::eye(spec.shape[0], at::kFloat);
    case artifacts::TensorKind::kBnWeight:
    case artifacts::TensorKind::kRunningVar:
    case artifacts::TensorKind::kStep: return at::ones(spec.shape, at::kFloat);
    case artifacts::TensorKind::kBias:
    case artifacts::TensorKind::kBnBias:
    case artifacts::TensorKind::kRunningMean: break;
  }
  return at::zeros(spec.shape, at::kFloat);
}

/// Registers `tensor` under a dotted name, making the modules on the way.
void Register(torch::nn::Module& root, const artifacts::TensorSpec& spec, at::Tensor& tensor) {
  torch::nn::Module* module = &root;
  std::size_t begin = 0;
  for (std::size_t dot; (dot = spec.name.find('.', begin)) != std::string::npos; begin = dot + 1) {
    const std::string part = spec.name.substr(begin, dot - begin);
    const auto children = module->named_children();
    const auto* child = children.find(part);
    module = child != nullptr
                 ? child->get()
                 : module->register_module(part, std::make_shared<torch::nn::Module>()).get();
  }
  const std::string leaf = spec.name.substr(begin);
  tensor = IsBuffer(spec.kind) ? module->register_buffer(leaf, tensor)
                               : module->register_parameter(leaf, tensor);
}

}  // namespace

struct ElasticNetImpl::Parts {
  space::SearchSpace space;
  int bits = 32;
  artifacts::ActivationRange range = artifacts::ActivationRange::kUnsigned;
  std::vector<artifacts::TensorSpec> specs;
  NamedTensors tensors;
  NetLayers layers;
  StepOptions step_options;
};

ElasticNetImpl::ElasticNetImpl(const space::SearchSpace& space, int bits,
                               artifacts::ActivationRange range, std::uint64_t seed,
                               const StepOptions& step_options)
    : parts_(std::make_unique<Parts>()) {
  CheckBits(bits);
  Parts& parts = *parts_;
  parts.space = space;
  parts.bits = bits;
  parts.range = range;
  parts.step_options = step_options;
  parts.specs = artifacts::SupernetTensors(space);
  const bool separate = step_options.sizes == StepSizes::kSeparate;
  if (separate) AddSeparateSteps(space, parts.specs);
  RandomStream random(seed, "supernet.init");
  for (const artifacts::TensorSpec& spec : parts.specs) {
    at::Tensor tensor = Initial(spec, random);
    Register(*this, spec, tensor);
    parts.tensors.emplace(spec.name, tensor);
  }
  parts.layers = WireLayers(space, space::SupernetPlan(space), true, range, parts.tensors);
  if (separate) WireSeparateSteps(space, parts.tensors, parts.layers);
  ForgetSteps();
}

ElasticNetImpl::~ElasticNetImpl() = default;

torch::Tensor ElasticNetImpl::Forward(const torch::Tensor& x,
                                      const space::Architecture& architecture) {
  const space::Architecture canonical = space::Canonical(parts_->space, architecture);
  Pass pass;
  pass.bits = parts_->bits;
  pass.step_initialization = parts_->step_options.initialization;
  pass.batch_norm = is_training() ? BatchNormMode::kTraining : BatchNormMode::kRunning;
  return RunNet(parts_->layers, space::SubnetPlan(parts_->space, canonical), x, pass);
}

void ElasticNetImpl::SetBits(int bits) {
  CheckBits(bits);
  const int old = parts_->bits;
  parts_->bits = bits;
  if (bits == old || bits == 32) return;
  if (old == 32) {
    ForgetSteps();
    return;
  }
  const at::NoGradGuard no_grad;
  // The range halves with every bit, so the step doubles to cover the same values.
  const double factor = std::ldexp(1, old - bits);
  for (ConvLayer* conv : parts_->layers.QuantizedConvs()) {
    for (const StepPair& steps : conv->AllSteps()) {
      steps.activation.mul_(factor);
      steps.weight.mul_(factor);
    }
  }
}

void ElasticNetImpl::ForgetSteps() {
  for (ConvLayer* conv : parts_->layers.QuantizedConvs()) conv->fresh_steps = true;
}

std::vector<int> ElasticNetImpl::FreshSteps() const {
  std::vector<int> fresh;
  const auto convs = parts_->layers.QuantizedConvs();
  for (std::size_t i = 0; i < convs.size(); ++i) {
    if (convs[i]->fresh_steps) fresh.push_back(static_cast<int>(i));
  }
  return fresh;
}

void ElasticNetImpl::SetFreshSteps(const std::vector<int>& convolutions) {
  const auto convs = parts_->layers.QuantizedConvs();
  for (const int i : convolutions) convs.at(static_cast<std::size_t>(i))->fresh_steps = true;
}

int ElasticNetImpl::bits() const { return parts_->bits; }
const space::SearchSpace& ElasticNetImpl::space() const { return parts_->space; }
artifacts::ActivationRange ElasticNetImpl::activation_range() const { return parts_->range; }
NetLayers& ElasticNetImpl::layers() { return parts_->layers; }
const NetLayers& ElasticNetImpl::layers() const { return parts_->layers; }

ElasticNetImpl::ParameterGroups ElasticNetImpl::GroupParameters() {
  ParameterGroups groups;
  for (const artifacts::TensorSpec& spec : parts_->specs) {
    const at::Tensor& tensor = parts_->tensors.at(spec.name);
    switch (spec.kind) {
      case artifacts::TensorKind::kConvWeight:
      case artifacts::TensorKind::kLinearWeight: groups.weights.push_back(tensor); break;
      case artifacts::TensorKind::kTransform: groups.transforms.push_back(tensor); break;
      case artifacts::TensorKind::kBias: groups.biases.push_back(tensor); break;
      case artifacts::TensorKind::kBnWeight:
      case artifacts::TensorKind::kBnBias: groups.norms.push_back(tensor); break;
      case artifacts::TensorKind::kStep: groups.steps.push_back(tensor); break;
      case artifacts::TensorKind::kRunningMean:
      case artifacts::TensorKind::kRunningVar: break;
    }
  }
  return groups;
}

std::map<std::string, artifacts::Tensor> ElasticNetImpl::ToTensors() const {
  std::map<std::string, artifacts::Tensor> tensors;
  for (const auto& [name, tensor] : parts_->tensors) tensors.emplace(name, ToArtifact(tensor));
  return tensors;
}

void ElasticNetImpl::FromTensors(const std::map<std::string, artifacts::Tensor>& tensors,
                                 std::string_view where) {
  CopyTensors(parts_->specs, tensors, where, parts_->tensors);
  for (ConvLayer* conv : parts_->layers.QuantizedConvs()) conv->fresh_steps = false;
}

}  // namespace oqat::supernet
