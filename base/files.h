#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace oqat {

/// The whole file. Throws Error NOT_FOUND if it cannot be opened, RESOURCE_EXHAUSTED if it is
/// larger than `max_bytes`, INTERNAL if reading fails; every message names the path.
std::string ReadFile(const std::string& path, std::uint64_t max_bytes = std::uint64_t{1} << 40);

/// A file that appears under its name only when it is complete: bytes go to a temporary name
/// beside it; Commit flushes to disk and renames. Destroyed uncommitted, it leaves nothing.
class AtomicFile {
 public:
  /// Throws Error if the temporary file cannot be made.
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws Error RESOURCE_EXHAUSTED on a full disk, INTERNAL on other faults.
  void Append(const void* data, std::size_t size);
  void Append(std::string_view data) { Append(data.data(), data.size()); }

  /// fsync, rename over `path`, fsync of the folder.
  void Commit();

  const std::string& temporary_path() const { return temporary_; }

 private:
  std::string path_;
  std::string temporary_;
  int fd_ = -1;
};

/// AtomicFile in one call.
void WriteFileAtomically(const std::string& path, std::string_view bytes);

}  // namespace oqat
