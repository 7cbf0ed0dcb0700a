#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/safetensors.h"
#include "artifacts/supernet_tensors.h"
#include "supernet/layers.h"

namespace oqat::supernet {

/// Row-major copy in the tensor's own type (float32 or float64).
artifacts::Tensor ToArtifact(const at::Tensor& tensor);

/// A float64 copy of a float tensor. Throws Error INVALID_ARGUMENT for integers.
at::Tensor FromArtifact(const artifacts::Tensor& tensor);

/// Copies values into `targets` (one per spec), converted to their type. All checks come before
/// the first copy. Throws Error INVALID_ARGUMENT "WHERE: NAME: ..." for a missing, extra,
/// mis-shaped or non-finite tensor.
void CopyTensors(const std::vector<artifacts::TensorSpec>& specs,
                 const std::map<std::string, artifacts::Tensor>& tensors, std::string_view where,
                 const NamedTensors& targets);

}  // namespace oqat::supernet
