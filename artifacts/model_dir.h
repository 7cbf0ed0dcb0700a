#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "space/search_space.h"

namespace oqat::artifacts {

/// A model as people keep it: a folder with model.json beside its checkpoints.
///
///   {"space": NAME or {...},
///    "checkpoints": {"4": "b4.safetensors", "2": "b2.safetensors"},
///    "evaluation_set": "evaluation_set.safetensors"}
///
/// Paths are relative and stay within the folder. In place of a file, `evaluation_set` may say how
/// to build one (evaluation sets are large, their recipe is a line):
///
///   {"data": "synthetic", "image_size": 32, "sha256": "...",
///    "split": {"calibration": 512, "search": 2000, "test": 0, "seed": 1}}
struct ModelDir {
  std::string dir;
  space::SearchSpace space;
  std::map<int, std::string, std::greater<>> checkpoints;  ///< bits -> path, widest first
  std::string evaluation_set;                              ///< path of a file that is there
};

struct ModelDirOptions {
  /// Where a built evaluation set is kept, named by its sha256; empty: DefaultCacheDir().
  std::string cache_dir;
  /// False: `evaluation_set` is checked but neither looked for nor built, and stays empty.
  bool evaluation_set = true;
  /// Called now and then with (done, total images) while data is read; may be empty.
  std::function<void(std::int64_t, std::int64_t)> progress;
};

/// Throws Error: NOT_FOUND for a missing folder or file, INVALID_ARGUMENT naming the field of
/// model.json, DATA_LOSS if a built evaluation set has another sha256 than the one promised.
/// Checkpoints must be there; their content is not read.
ModelDir LoadModelDir(const std::string& dir, const ModelDirOptions& options = {});

/// $XDG_CACHE_HOME/oqat, else $HOME/.cache/oqat, else oqat-cache in the folder for temporary files.
std::string DefaultCacheDir();

}  // namespace oqat::artifacts
