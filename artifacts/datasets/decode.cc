#include "artifacts/datasets/decode.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "base/error.h"

#if OQAT_WITH_PNG
#include <png.h>
#endif
#if OQAT_WITH_TURBOJPEG
#include <turbojpeg.h>
#endif

namespace oqat::artifacts {
namespace {

constexpr std::uint64_t kMaxPixels = 64'000'000;  // a small file may claim to be huge

// Unused in a build without both libraries: [[maybe_unused]].
[[maybe_unused]] std::string OneLine(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

[[maybe_unused]] Error Unreadable(std::string_view where, std::string_view kind,
                                  std::string_view reason) {
  return Error(Code::kDataLoss, std::string(where) + ": not a complete " + std::string(kind) +
                                    " image: " + OneLine(reason));
}

[[maybe_unused]] RgbImage Allocate(std::uint64_t width, std::uint64_t height,
                                   std::string_view where) {
  if (width > kMaxPixels || height > kMaxPixels || width * height > kMaxPixels) {
    throw Error(Code::kResourceExhausted,
                InvalidField(std::string(where) + ": size",
                             std::to_string(width) + " x " + std::to_string(height) + " pixels",
                             "at most " + std::to_string(kMaxPixels) + " pixels")
                    .what());
  }
  RgbImage image{static_cast<int>(width), static_cast<int>(height), {}};
  image.pixels.resize(width * height * 3);
  return image;
}

#if OQAT_WITH_PNG
RgbImage DecodePng(std::string_view bytes, std::string_view where) {
  png_image png;
  std::memset(&png, 0, sizeof png);
  png.version = PNG_IMAGE_VERSION;
  // png_image_free is safe at every stage; the guard also covers a throwing allocation.
  const std::unique_ptr<png_image, void (*)(png_image*)> guard(&png, &png_image_free);
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) {
    throw Unreadable(where, "PNG", png.message);
  }
  RgbImage image = Allocate(png.width, png.height, where);
  // 16-bit samples without a gAMA chunk are sRGB like all others, not linear light.
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  png.format = PNG_FORMAT_RGBA;
  std::vector<std::uint8_t> rgba(PNG_IMAGE_SIZE(png));
  if (!png_image_finish_read(&png, nullptr, rgba.data(), 0, nullptr)) {
    throw Unreadable(where, "PNG", png.message);
  }
  for (std::size_t i = 0; i < rgba.size() / 4; ++i) {
    std::memcpy(image.pixels.data() + 3 * i, rgba.data() + 4 * i, 3);
  }
  return image;
}
#else
RgbImage DecodePng(std::string_view, std::string_view where) {
  throw LibraryMissing(where, "libpng");
}
#endif

#if OQAT_WITH_TURBOJPEG
RgbImage DecodeJpeg(std::string_view bytes, std::string_view where) {
  // A decompressor of its own for each image: it keeps tables of the one before, and a damaged
  // image would spoil its successors.
  const std::unique_ptr<void, int (*)(void*)> decompressor(tjInitDecompress(), &tjDestroy);
  if (!decompressor) throw Error(Code::kInternal, "libjpeg-turbo cannot start a decompressor");
  void* handle = decompressor.get();
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, subsampling = 0, colorspace = 0;
  if (tjDecompressHeader3(handle, data, bytes.size(), &width, &height, &subsampling, &colorspace) !=
      0) {
    throw Unreadable(where, "JPEG", tjGetErrorStr2(handle));
  }
  if (width < 1 || height < 1) throw Unreadable(where, "JPEG", "it has no size");
  RgbImage image =
      Allocate(static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(height), where);
  const bool is_cmyk = colorspace == TJCS_CMYK || colorspace == TJCS_YCCK;
  std::vector<std::uint8_t> cmyk(is_cmyk ? std::size_t{4} * width * height : 0);
  std::uint8_t* target = is_cmyk ? cmyk.data() : image.pixels.data();
  // The scan limit stops progressive files that are built to take hours. A warning means damaged
  // data (a truncated file is only a warning to the library), except for stray bytes between two
  // markers, which do not touch the pixels.
  const int result =
      tjDecompress2(handle, data, bytes.size(), target, width, 0, height,
                    is_cmyk ? TJPF_CMYK : TJPF_RGB, TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT);
  if (result != 0) {
    const std::string reason = tjGetErrorStr2(handle);
    const bool harmless = tjGetErrorCode(handle) == TJERR_WARNING &&
                          reason.find("extraneous bytes before marker") != std::string::npos;
    if (!harmless) throw Unreadable(where, "JPEG", reason);
  }
  if (is_cmyk) {
    // Adobe's CMYK JPEGs store the inverse of the ink, so colour x black is the light that is left.
    for (std::size_t i = 0; i < cmyk.size() / 4; ++i) {
      const std::uint8_t* ink = cmyk.data() + 4 * i;
      for (int c = 0; c < 3; ++c) {
        image.pixels[3 * i + c] = static_cast<std::uint8_t>((ink[c] * ink[3] + 127) / 255);
      }
    }
  }
  return image;
}
#else
RgbImage DecodeJpeg(std::string_view, std::string_view where) {
  throw LibraryMissing(where, "libjpeg-turbo");
}
#endif

}  // namespace

Error LibraryMissing(std::string_view where, std::string_view library) {
  return Error(Code::kFailedPrecondition,
               std::string(where) + ": this build has no " + std::string(library) +
                   "; pack the data set with `oqat-train pack` on a machine whose build has it, "
                   "and use packed:FILE here");
}

RgbImage DecodeImage(std::string_view bytes, std::string_view where) {
  if (bytes.starts_with("\xff\xd8\xff")) return DecodeJpeg(bytes, where);
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return DecodePng(bytes, where);
  throw Error(Code::kDataLoss, std::string(where) + ": is neither a JPEG nor a PNG image");
}

void AppendCropped(const RgbImage& image, std::int32_t label, ImageSet& images) {
  const int side = std::min(image.width, image.height);
  const int left = (image.width - side) / 2, top = (image.height - side) / 2;
  std::vector<std::uint8_t> square;
  const std::uint8_t* pixels = image.pixels.data();
  if (image.width != image.height) {
    square.resize(std::size_t{3} * side * side);
    for (int y = 0; y < side; ++y) {
      std::memcpy(square.data() + std::size_t{3} * y * side,
                  pixels + 3 * (std::size_t(top + y) * image.width + left), std::size_t{3} * side);
    }
    pixels = square.data();
  }
  const std::size_t begin = images.pixels.size();
  images.pixels.resize(begin + static_cast<std::size_t>(images.bytes_per_image()));
  ResizeSquare(pixels, side, images.pixels.data() + begin, images.size);
  images.labels.push_back(label);
}

}  // namespace oqat::artifacts
