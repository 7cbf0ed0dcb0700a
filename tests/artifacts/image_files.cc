#include <png.h>
#include <turbojpeg.h>
#include <zlib.h>

#include <cstring>
#include <memory>

#include "tests/artifacts/testing.h"

namespace oqat::artifacts {

std::string MakeJpeg(int width, int height, const std::vector<std::uint8_t>& pixels,
                     JpegKind kind) {
  const std::unique_ptr<void, int (*)(void*)> handle(tjInitCompress(), &tjDestroy);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  const int format = kind == JpegKind::kGrey   ? TJPF_GRAY
                     : kind == JpegKind::kCmyk ? TJPF_CMYK
                                               : TJPF_RGB;
  EXPECT_EQ(tjCompress2(handle.get(), pixels.data(), width, 0, height, format, &data, &size,
                        kind == JpegKind::kGrey ? TJSAMP_GRAY : TJSAMP_444, 100,
                        kind == JpegKind::kProgressive ? TJFLAG_PROGRESSIVE : 0),
            0);
  std::string bytes(reinterpret_cast<const char*>(data), size);
  tjFree(data);
  return bytes;
}

std::string MakePng(int width, int height, const void* pixels, std::uint32_t format,
                    const void* colormap, std::uint32_t colormap_entries) {
  png_image image;
  std::memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<std::uint32_t>(width);
  image.height = static_cast<std::uint32_t>(height);
  image.format = format;
  image.colormap_entries = colormap_entries;
  std::string bytes(std::size_t{1} << 20, '\0');
  png_alloc_size_t size = bytes.size();
  EXPECT_TRUE(png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels, 0, colormap))
      << image.message;
  bytes.resize(size);
  return bytes;
}

std::string Gzip(std::string_view bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace oqat::artifacts
