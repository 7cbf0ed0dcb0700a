#pragma once

#include <cmath>

#include "artifacts/checkpoint.h"

namespace oqat::runtime {

/// models/tiny's 4-bit weights with codes of `bits`: finer steps for the same ranges.
inline artifacts::Checkpoint WiderCheckpoint(int bits) {
  artifacts::Checkpoint checkpoint =
      artifacts::ReadCheckpoint(OQAT_SOURCE_DIR "/models/tiny/b4.safetensors");
  checkpoint.bits = bits;
  for (auto& [name, tensor] : checkpoint.tensors) {
    if (!name.ends_with(".sa") && !name.ends_with(".sw")) continue;
    const auto step = static_cast<float>(std::ldexp(artifacts::ToDoubles(tensor)[0], 4 - bits));
    tensor = artifacts::TensorFromFloats(tensor.shape, &step);
  }
  checkpoint.space.bits = {bits};
  return checkpoint;
}

}  // namespace oqat::runtime
