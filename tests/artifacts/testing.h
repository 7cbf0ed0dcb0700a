#pragma once
// Shared by the tests of artifacts/: errors as values, a folder of one's own, image files.

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace oqat::artifacts {

/// "CODE: message" of the Error that `action` throws; empty if it throws none.
inline std::string ThrownBy(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return std::string(CodeName(error.code())) + ": " + error.what();
  }
  return "";
}

/// A fresh folder below the test's working folder, removed at the end.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  const std::filesystem::path& path() const { return path_; }

  /// Writes a file (its folders are made); returns its path.
  std::string Write(const std::string& name, std::string_view bytes) const;

 private:
  std::filesystem::path path_;
};

// JPEG, PNG and gzip: image_files.cc, only where the libraries are.
enum class JpegKind { kRgb, kGrey, kCmyk, kProgressive };

/// A JPEG file of quality 100 without chroma subsampling, made by libjpeg-turbo. `pixels` is
/// [height, width, n] bytes, n = 3, 1, 4, 3 by kind.
std::string MakeJpeg(int width, int height, const std::vector<std::uint8_t>& pixels,
                     JpegKind kind = JpegKind::kRgb);

/// A PNG file made by libpng; `format` is a PNG_FORMAT_ constant, colour maps among them.
std::string MakePng(int width, int height, const void* pixels, std::uint32_t format,
                    const void* colormap = nullptr, std::uint32_t colormap_entries = 0);

/// `bytes` as a gzip file.
std::string Gzip(std::string_view bytes);

/// An IDX file of unsigned bytes.
std::string MakeIdx(const std::vector<std::uint32_t>& dimensions, std::string_view content);

/// A CIFAR-10 batch: `count` records, label i % 10, every pixel i.
std::string MakeCifarBatch(int count);

}  // namespace oqat::artifacts
