#include "supernet/check_tensors.h"

#include <cmath>
#include <set>

#include "base/error.h"

namespace oqat::supernet {

namespace {

void CheckValues(const TensorSpec& spec, const artifacts::Tensor& tensor,
                 const std::string& field) {
  const bool variance = spec.kind == TensorKind::kRunningVar;
  const std::vector<double> values = artifacts::ToDoubles(tensor);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) && !(variance && values[i] < 0)) continue;
    throw InvalidField(field + "[" + std::to_string(i) + "]", std::to_string(values[i]),
                       variance ? "finite numbers that are not negative" : "finite numbers");
  }
}

}  // namespace

std::string ShapeText(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

void CheckTensors(const std::vector<TensorSpec>& specs,
                  const std::map<std::string, artifacts::Tensor>& tensors, std::string_view where) {
  const std::string prefix = std::string(where) + ": ";
  std::set<std::string_view> known;
  for (const TensorSpec& spec : specs) {
    known.insert(spec.name);
    const auto found = tensors.find(spec.name);
    if (found == tensors.end()) {
      throw InvalidField(prefix + spec.name, "no such tensor", "shape " + ShapeText(spec.shape));
    }
    const artifacts::Tensor& tensor = found->second;
    if (tensor.shape != spec.shape) {
      throw InvalidField(prefix + spec.name, "shape " + ShapeText(tensor.shape),
                         "shape " + ShapeText(spec.shape));
    }
    using artifacts::DType;
    if (tensor.dtype != DType::kF32 && tensor.dtype != DType::kF64 && tensor.dtype != DType::kF16) {
      throw InvalidField(prefix + spec.name,
                         "type " + std::string(artifacts::DTypeName(tensor.dtype)),
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

}  // namespace oqat::supernet
