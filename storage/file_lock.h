#pragma once

#include <string>

namespace oqat::storage {

/// Keeps other processes (and other locks of this one) away from a data directory. It ends with its
/// process, however that ends. The file itself stays: removing it would race with the next owner.
class FileLock {
 public:
  /// Makes and locks `path`. Throws Error FAILED_PRECONDITION "data directory D is in use by
  /// process P" if another one has it, else NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED,
  /// INTERNAL.
  explicit FileLock(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace oqat::storage
