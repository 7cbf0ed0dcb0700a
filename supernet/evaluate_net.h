#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_protocol.h"
#include "space/architecture.h"
#include "supernet/elastic_net.h"

namespace oqat::supernet {

/// Slices one architecture out of `net`, recalibrates its BatchNorm on the calibration images and
/// counts, on the device where `net` is. `net` stays as it is. `progress` (done, total images) may
/// return false to stop: Error CANCELLED is thrown. Throws Error INVALID_ARGUMENT for an
/// architecture of other bits or a protocol that the set cannot meet.
artifacts::EvaluationResult EvaluateNet(
    const ElasticNetImpl& net, const artifacts::Normalization& normalization,
    const space::Architecture& architecture, const artifacts::EvaluationSet& set,
    const artifacts::EvaluationProtocol& protocol,
    const std::function<bool(std::int64_t, std::int64_t)>& progress = {});

/// The first `count` images as network input of `size` pixels, `batch_size` at a time: [n, 3, size,
/// size] float32, channels_last.
std::vector<at::Tensor> InputBatches(const artifacts::ImageSet& images, std::int64_t count,
                                     std::int64_t batch_size, int size,
                                     const artifacts::Normalization& normalization);

}  // namespace oqat::supernet
