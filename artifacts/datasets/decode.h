#pragma once
// Internal to artifacts/: image files to pixels, by libjpeg-turbo and libpng.

#include <cstdint>
#include <string_view>
#include <vector>

#include "artifacts/image.h"
#include "base/error.h"

namespace oqat::artifacts {

/// Pixels [height, width, 3] bytes, RGB.
struct RgbImage {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
};

/// Decodes JPEG (RGB, grey, CMYK) and PNG (any colour type, 8 or 16 bit; alpha is dropped, as
/// torchvision's ImageFolder does). The kind is told by the first bytes. Throws Error DATA_LOSS
/// naming `where` for anything that is not a complete image, RESOURCE_EXHAUSTED for one of more
/// than 64 million pixels, LibraryMissing where the build lacks the library.
RgbImage DecodeImage(std::string_view bytes, std::string_view where);

/// FAILED_PRECONDITION: `where` needs `library`, which a build with OQAT_ONLY_TRAIN may lack.
Error LibraryMissing(std::string_view where, std::string_view library);

/// Centre-crops to a square and appends to `images`, resized to images.size.
void AppendCropped(const RgbImage& image, std::int32_t label, ImageSet& images);

}  // namespace oqat::artifacts
