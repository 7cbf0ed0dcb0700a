#include "supernet/tensors.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <cstring>

#include "artifacts/supernet_tensors.h"

namespace oqat::supernet {

artifacts::Tensor ToArtifact(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.detach().cpu().contiguous();
  artifacts::Tensor out;
  out.dtype = dense.scalar_type() == at::kDouble ? artifacts::DType::kF64 : artifacts::DType::kF32;
  out.shape = dense.sizes().vec();
  out.bytes.resize(dense.nbytes());
  if (!out.bytes.empty()) std::memcpy(out.bytes.data(), dense.data_ptr(), out.bytes.size());
  return out;
}

at::Tensor FromArtifact(const artifacts::Tensor& tensor) {
  const std::vector<double> values = artifacts::ToDoubles(tensor);
  at::Tensor out = at::empty(tensor.shape, at::kDouble);
  std::memcpy(out.data_ptr<double>(), values.data(), values.size() * sizeof(double));
  return out;
}

void CopyTensors(const std::vector<artifacts::TensorSpec>& specs,
                 const std::map<std::string, artifacts::Tensor>& tensors, std::string_view where,
                 const NamedTensors& targets) {
  artifacts::CheckTensors(specs, tensors, where);
  const at::NoGradGuard no_grad;
  for (const artifacts::TensorSpec& spec : specs) {
    targets.at(spec.name).copy_(FromArtifact(tensors.at(spec.name)));
  }
}

}  // namespace oqat::supernet
