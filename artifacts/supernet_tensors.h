#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/safetensors.h"
#include "space/block_plan.h"

namespace oqat::artifacts {

enum class TensorKind {
  kConvWeight,    ///< [out, in / groups, k, k]
  kLinearWeight,  ///< [out, in]
  kBias,          ///< [out]
  kBnWeight,      ///< [channels], as the three below
  kBnBias,
  kRunningMean,
  kRunningVar,
  kStep,       ///< [1]
  kTransform,  ///< [k*k, k*k]
};

struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  TensorKind kind = TensorKind::kConvWeight;
};

/// Names and shapes of every tensor of a supernet, in module order: those of the released OQA code
/// without `num_batches_tracked`.
std::vector<TensorSpec> SupernetTensors(const space::SearchSpace& space);

/// The same for an extracted subnet: blocks numbered without gaps, one kernel size, no transform
/// matrices, and names with `conv` and `bn` once.
std::vector<TensorSpec> SubnetTensors(const space::SearchSpace& space,
                                      const std::vector<space::BlockPlan>& plan);

/// "blocks.INDEX.mobile_inverted_conv."
std::string BlockPrefix(int index);

/// "7to5_matrix"
std::string TransformName(int from, int to);

/// "[8, 3, 3, 3]"
std::string ShapeText(const std::vector<std::int64_t>& shape);

/// Checks that `tensors` are exactly those of `specs`: names, shapes, float types, finite values
/// and variances that are not negative. Throws Error INVALID_ARGUMENT "WHERE: NAME: ...".
void CheckTensors(const std::vector<TensorSpec>& specs,
                  const std::map<std::string, Tensor>& tensors, std::string_view where);

}  // namespace oqat::artifacts
