#pragma once

#include <string>

#include "artifacts/checkpoint.h"
#include "space/search_space.h"

namespace oqat::supernet {

/// Reads the released OQA code's state dict, saved as safetensors under the authors' key names, as
/// a checkpoint of `space` at `bits`. Activations use the unsigned range, as the authors' code
/// does; normalisation is left at its default and is for the caller to fill in.
/// `num_batches_tracked` counters are dropped. Throws Error: DATA_LOSS for a broken file;
/// INVALID_ARGUMENT naming the file and the key for a missing, extra, mis-shaped or non-finite
/// tensor.
artifacts::Checkpoint ImportOqa(const std::string& path, const space::SearchSpace& space, int bits);

}  // namespace oqat::supernet
