#include "artifacts/supernet_tensors.h"

#include <cmath>
#include <set>

#include "base/error.h"

namespace oqat::artifacts {

namespace {

using space::BlockPlan;
using space::SearchSpace;

/// Appends tensors in the order in which the released code registers its modules.
class SpecList {
 public:
  void Add(std::string name, std::vector<std::int64_t> shape, TensorKind kind) {
    specs_.push_back({std::move(name), std::move(shape), kind});
  }

  void QuantConv(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel) {
    Add(name + ".weight", {out, in, kernel, kernel}, TensorKind::kConvWeight);
    Add(name + ".sa", {1}, TensorKind::kStep);
    Add(name + ".sw", {1}, TensorKind::kStep);
  }

  void FloatConv(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel,
                 bool bias) {
    Add(name + ".weight", {out, in, kernel, kernel}, TensorKind::kConvWeight);
    if (bias) Add(name + ".bias", {out}, TensorKind::kBias);
  }

  void BatchNorm(const std::string& name, std::int64_t channels) {
    Add(name + ".weight", {channels}, TensorKind::kBnWeight);
    Add(name + ".bias", {channels}, TensorKind::kBnBias);
    Add(name + ".running_mean", {channels}, TensorKind::kRunningMean);
    Add(name + ".running_var", {channels}, TensorKind::kRunningVar);
  }

  std::vector<TensorSpec> Take() { return std::move(specs_); }

 private:
  std::vector<TensorSpec> specs_;
};

/// `elastic`: with transform matrices and the elastic layers' names.
std::vector<TensorSpec> NetTensors(const SearchSpace& space, const std::vector<BlockPlan>& plan,
                                   bool elastic) {
  SpecList list;
  list.FloatConv("first_conv.conv", space.stem_width, space.input_channels, 3, false);
  list.BatchNorm("first_conv.bn", space.stem_width);
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const BlockPlan& block = plan[i];
    const std::string prefix = BlockPrefix(static_cast<int>(i));
    // The released code wraps the layers of elastic blocks once more.
    const bool wrapped = elastic && block.expand;
    const std::string conv = wrapped ? ".conv.conv" : ".conv";
    const std::string bn = wrapped ? ".bn.bn" : ".bn";
    if (block.expand) {
      list.QuantConv(prefix + "inverted_bottleneck" + conv, block.mid, block.in, 1);
      list.BatchNorm(prefix + "inverted_bottleneck" + bn, block.mid);
    }
    if (wrapped) {
      for (std::size_t k = 0; k + 1 < space.kernels.size(); ++k) {
        const std::int64_t side = std::int64_t{space.kernels[k]} * space.kernels[k];
        list.Add(
            prefix + "depth_conv.conv." + TransformName(space.kernels[k + 1], space.kernels[k]),
            {side, side}, TensorKind::kTransform);
      }
    }
    list.QuantConv(prefix + "depth_conv" + conv, block.mid, 1, block.kernel);
    list.BatchNorm(prefix + "depth_conv" + bn, block.mid);
    if (block.squeeze_excite) {
      list.FloatConv(prefix + "depth_conv.se.fc.reduce", block.squeezed(), block.mid, 1, true);
      list.FloatConv(prefix + "depth_conv.se.fc.expand", block.mid, block.squeezed(), 1, true);
    }
    list.QuantConv(prefix + "point_linear" + conv, block.out, block.mid, 1);
    list.BatchNorm(prefix + "point_linear" + bn, block.out);
  }
  list.QuantConv("final_expand_layer.conv", space.final_expand_width, plan.back().out, 1);
  list.BatchNorm("final_expand_layer.bn", space.final_expand_width);
  list.QuantConv("feature_mix_layer.conv", space.feature_mix_width, space.final_expand_width, 1);
  list.Add("classifier.linear.weight", {space.num_classes, space.feature_mix_width},
           TensorKind::kLinearWeight);
  list.Add("classifier.linear.bias", {space.num_classes}, TensorKind::kBias);
  return list.Take();
}

void CheckValues(const TensorSpec& spec, const Tensor& tensor, const std::string& field) {
  const bool variance = spec.kind == TensorKind::kRunningVar;
  const std::vector<double> values = ToDoubles(tensor);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) && !(variance && values[i] < 0)) continue;
    throw InvalidField(field + "[" + std::to_string(i) + "]", std::to_string(values[i]),
                       variance ? "finite numbers that are not negative" : "finite numbers");
  }
}

}  // namespace

std::vector<TensorSpec> SupernetTensors(const SearchSpace& space) {
  return NetTensors(space, space::SupernetPlan(space), true);
}

std::vector<TensorSpec> SubnetTensors(const SearchSpace& space,
                                      const std::vector<BlockPlan>& plan) {
  return NetTensors(space, plan, false);
}

std::string BlockPrefix(int index) {
  return "blocks." + std::to_string(index) + ".mobile_inverted_conv.";
}

std::string TransformName(int from, int to) {
  return std::to_string(from) + "to" + std::to_string(to) + "_matrix";
}

std::string ShapeText(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

void CheckTensors(const std::vector<TensorSpec>& specs,
                  const std::map<std::string, Tensor>& tensors, std::string_view where) {
  const std::string prefix = std::string(where) + ": ";
  std::set<std::string_view> known;
  for (const TensorSpec& spec : specs) {
    known.insert(spec.name);
    const auto found = tensors.find(spec.name);
    if (found == tensors.end()) {
      throw InvalidField(prefix + spec.name, "no such tensor", "shape " + ShapeText(spec.shape));
    }
    const Tensor& tensor = found->second;
    if (tensor.shape != spec.shape) {
      throw InvalidField(prefix + spec.name, "shape " + ShapeText(tensor.shape),
                         "shape " + ShapeText(spec.shape));
    }
    if (tensor.dtype != DType::kF32 && tensor.dtype != DType::kF64 && tensor.dtype != DType::kF16) {
      throw InvalidField(prefix + spec.name, "type " + std::string(DTypeName(tensor.dtype)),
                         "F16, F32, F64");
    }
    CheckValues(spec, tensor, prefix + spec.name);
  }
  for (const auto& [name, tensor] : tensors) {
    if (!known.contains(name)) {
      throw InvalidField(prefix + name, "a tensor of shape " + ShapeText(tensor.shape),
                         "only tensors of the search space's supernet");
    }
  }
}

}  // namespace oqat::artifacts
