#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/safetensors.h"
#include "supernet/plan.h"

namespace oqat::supernet {

/// "[8, 3, 3, 3]"
std::string ShapeText(const std::vector<std::int64_t>& shape);

/// Checks that `tensors` are exactly those of `specs`: names, shapes, float types, finite values
/// and variances that are not negative. Throws Error INVALID_ARGUMENT "WHERE: NAME: ...".
void CheckTensors(const std::vector<TensorSpec>& specs,
                  const std::map<std::string, artifacts::Tensor>& tensors, std::string_view where);

}  // namespace oqat::supernet
