#pragma once

#include <functional>

#include "artifacts/evaluation_protocol.h"
#include "runtime/kernels.h"
#include "runtime/quantized_supernet.h"

namespace oqat::runtime {

/// Compiles one subnet, recalibrates it on the set's calibration images and counts on the
/// protocol's split. `progress` (done, total images) may return false to stop: Error CANCELLED is
/// thrown. Throws Error INVALID_ARGUMENT for an architecture or set that does not fit.
artifacts::EvaluationResult Evaluate(
    const QuantizedSupernet& supernet, const space::Architecture& architecture,
    const artifacts::EvaluationSet& set, const artifacts::EvaluationProtocol& protocol,
    const Kernels& kernels, const std::function<bool(std::int64_t, std::int64_t)>& progress = {});

}  // namespace oqat::runtime
