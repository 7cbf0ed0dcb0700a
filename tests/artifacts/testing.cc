#include "tests/artifacts/testing.h"

#include <png.h>
#include <turbojpeg.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <cstring>
#include <memory>

#include "base/files.h"

namespace oqat::artifacts {

TempFolder::TempFolder() {
  static std::atomic<int> counter{0};
  path_ = std::filesystem::current_path() / ("artifacts_test." + std::to_string(::getpid()) + "." +
                                             std::to_string(counter.fetch_add(1)));
  std::filesystem::create_directories(path_);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::Write(const std::string& name, std::string_view bytes) const {
  const std::filesystem::path path = path_ / name;
  std::filesystem::create_directories(path.parent_path());
  WriteFileAtomically(path.string(), bytes);
  return path.string();
}

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

std::string MakeIdx(const std::vector<std::uint32_t>& dimensions, std::string_view content) {
  std::string bytes{0, 0, 8, static_cast<char>(dimensions.size())};
  for (std::uint32_t dimension : dimensions) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(dimension >> shift);
  }
  return bytes.append(content);
}

std::string MakeCifarBatch(int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    bytes += static_cast<char>(i % 10);
    bytes.append(3072, static_cast<char>(i));
  }
  return bytes;
}

}  // namespace oqat::artifacts
