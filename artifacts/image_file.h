#pragma once
// Internal to artifacts/: safetensors files of decoded images, in named parts. Evaluation sets and
// packed data sets are such files.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/image.h"
#include "artifacts/safetensors.h"

namespace oqat::artifacts {

struct ImageFile {
  std::string source;  ///< the data spec it was built from, for people
  std::vector<std::string> class_names;
  int image_size = 0;
  std::map<std::string, ImageSet> parts;
};

/// Reads a file of `format` with exactly these parts: PART.images U8 [n, size, size, 3] and
/// PART.labels I32 [n]. Throws Error DATA_LOSS or INVALID_ARGUMENT naming the file and the field
/// (labels outside the classes, sizes that disagree, an empty part).
ImageFile ParseImageFile(std::string_view bytes, std::string_view where, std::string_view format,
                         std::span<const std::string_view> parts);

/// The content of such a file; `parts` must outlive the view. Throws Error INVALID_ARGUMENT for
/// what ParseImageFile refuses.
SafeTensorsView ViewImageFile(std::string_view format, const std::string& source,
                              const std::vector<std::string>& class_names, int image_size,
                              const std::map<std::string, const ImageSet*>& parts);

}  // namespace oqat::artifacts
