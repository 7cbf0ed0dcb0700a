#pragma once

#include <cstdint>

#include "artifacts/checkpoint.h"

namespace oqat::artifacts {

/// An untrained supernet: weights drawn by their fan-in, step sizes that fit them and activations
/// of BatchNorm. As fast and as large as a trained one, for benchmarks and tests; its accuracy is
/// that of guessing. Equal arguments give equal checkpoints.
Checkpoint RandomCheckpoint(const space::SearchSpace& space, int bits, std::uint64_t seed);

}  // namespace oqat::artifacts
