#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_protocol.h"
#include "runtime/subnet.h"
#include "space/architecture.h"

namespace oqat::bench {

/// What every peer does: LSQ, BatchNorm and convolutions as separate LibTorch operations in NCHW.
/// The measure that engines are compared with; never used by a program.
artifacts::EvaluationResult PlainEvaluate(const artifacts::Checkpoint& checkpoint,
                                          const space::Architecture& architecture,
                                          const artifacts::EvaluationSet& set,
                                          const artifacts::EvaluationProtocol& protocol);

/// The same formulas as a judge of the int8 engine: the class of each of the first `count` images,
/// with the statistics that a runtime::Subnet of that architecture has. `exact`: in float64.
/// `done` hears of every batch; images so far.
std::vector<int> PlainClasses(const artifacts::Checkpoint& checkpoint,
                              const space::Architecture& architecture,
                              const std::vector<runtime::Statistics>& statistics,
                              const artifacts::ImageSet& images, std::int64_t count, bool exact,
                              const std::function<void(std::int64_t)>& done);

}  // namespace oqat::bench
