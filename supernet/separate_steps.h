#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <map>
#include <string>
#include <vector>

#include "artifacts/supernet_tensors.h"
#include "space/search_space.h"
#include "supernet/layers.h"

namespace oqat::supernet {

// Step sizes of their own for every kernel size and width (StepSizes::kSeparate): what OQAT shares,
// taken apart to measure what sharing costs. Names: those of the shared ones with a suffix
// "_oOUTiINkKERNEL". Convolutions whose shape never changes keep their two.

/// Appends the specifications of these tensors to the supernet's.
void AddSeparateSteps(const space::SearchSpace& space, std::vector<artifacts::TensorSpec>& specs);

/// Lets the convolutions use them. `tensors` has every tensor of the extended specification.
void WireSeparateSteps(const space::SearchSpace& space, const NamedTensors& tensors,
                       NetLayers& net);

/// A checkpoint's tensors with separate step sizes that equal the shared ones.
std::map<std::string, artifacts::Tensor> WithSeparateSteps(
    const space::SearchSpace& space, std::map<std::string, artifacts::Tensor> tensors);

/// Leaves the tensors of a checkpoint.
void RemoveSeparateSteps(const space::SearchSpace& space,
                         std::map<std::string, artifacts::Tensor>& tensors);

}  // namespace oqat::supernet
