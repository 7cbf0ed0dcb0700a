#pragma once
// Internal to artifacts/: image files to pixels, by libjpeg-turbo and libpng.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "artifacts/image.h"

namespace oqat::artifacts {

/// Pixels [height, width, 3] bytes, RGB.
struct RgbImage {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
};

/// Decodes JPEG (RGB, grey, CMYK) and PNG (any colour type, 8 or 16 bit; alpha is dropped, as
/// torchvision's ImageFolder does). Keeps a decompressor from one image to the next. Not
/// thread-safe.
class ImageDecoder {
 public:
  ImageDecoder();
  ~ImageDecoder();

  /// The kind is told by the first bytes. Throws Error DATA_LOSS naming `where` for anything that
  /// is not a complete image, RESOURCE_EXHAUSTED for one of more than 64 million pixels.
  RgbImage Decode(std::string_view bytes, std::string_view where);

 private:
  RgbImage DecodeJpeg(std::string_view bytes, std::string_view where);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Centre-crops to a square and appends to `images`, resized to images.size.
void AppendCropped(const RgbImage& image, std::int32_t label, ImageSet& images);

}  // namespace oqat::artifacts
