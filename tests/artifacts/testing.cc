#include "tests/artifacts/testing.h"

#include <unistd.h>

#include <atomic>

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
