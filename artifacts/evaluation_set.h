#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/image.h"

namespace oqat::artifacts {

enum class Split { kCalibration, kSearch, kTest };
std::string_view SplitName(Split split);  ///< "calibration", "search", "test"
Split SplitFromName(std::string_view name, std::string_view field);

/// One file with calibration, search and test images, decoded, in the order they are used. Search
/// and calibration images come from the training data (held out of it), test images from the test
/// data. On disk: safetensors, U8 images [n, size, size, 3] and I32 labels [n] per split.
struct EvaluationSet {
  std::string source;  ///< the data spec it was built from, for people
  std::vector<std::string> class_names;
  int image_size = 0;  ///< height = width, pixels
  ImageSet calibration, search, test;

  const ImageSet& split(Split which) const;
};

/// Throws Error DATA_LOSS or INVALID_ARGUMENT naming the file and the field (labels outside the
/// classes, sizes that disagree, an empty split).
EvaluationSet ParseEvaluationSet(std::string_view bytes, std::string_view where);
EvaluationSet ReadEvaluationSet(const std::string& path);
std::string SerializeEvaluationSet(const EvaluationSet& set);
std::string WriteEvaluationSet(const std::string& path, const EvaluationSet& set);  ///< its sha256

}  // namespace oqat::artifacts
