#pragma once

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_protocol.h"
#include "space/architecture.h"

namespace oqat::bench {

/// What every peer does: LSQ, BatchNorm and convolutions as separate LibTorch operations in NCHW.
/// The measure that engines are compared with; never used by a program.
artifacts::EvaluationResult PlainEvaluate(const artifacts::Checkpoint& checkpoint,
                                          const space::Architecture& architecture,
                                          const artifacts::EvaluationSet& set,
                                          const artifacts::EvaluationProtocol& protocol);

}  // namespace oqat::bench
