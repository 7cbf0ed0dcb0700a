#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "artifacts/model.h"

namespace oqat::workers {

/// Where artifacts come from; the coordinator, or a test's memory.
class ArtifactSource {
 public:
  virtual ~ArtifactSource() = default;

  /// Gives `sink` the bytes from `offset` to the end, in order, each piece checked against its own
  /// checksum; returns early when `sink` returns false. Throws Error: NOT_FOUND for an artifact it
  /// has not, UNAVAILABLE if it cannot be reached, DATA_LOSS for a piece that arrives damaged.
  virtual void Read(const std::string& sha256, std::uint64_t offset,
                    const std::function<bool(std::string_view)>& sink) = 0;
};

/// A cached artifact in use: while this lives, no worker that shares the folder deletes the file.
class CachedFile {
 public:
  CachedFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~CachedFile();
  CachedFile(CachedFile&& other) noexcept;
  CachedFile& operator=(CachedFile&&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_;  ///< holds a shared flock
};

/// A folder of artifacts named by their sha256, shared by any number of workers of one machine.
///
/// A download goes to SHA256.part under an exclusive flock, so that two workers fetch an artifact
/// once, and one that was killed is continued where it stopped; it gets its name when its sha256
/// holds. An entry is verified (size, sha256) the first time this process uses it and whenever its
/// inode, size or mtime has changed; a damaged one is fetched again. When the folder exceeds its
/// limit, entries nobody uses are deleted, least recently used (atime, set by us) first.
/// Thread-safe.
class ArtifactCache {
 public:
  /// Makes the folder. Throws Error if it cannot, naming it.
  ArtifactCache(std::string dir, std::uint64_t max_bytes);

  /// Returns the verified file, downloading it if it must. An unreachable source is tried again for
  /// ever (0.1 to 5 s apart), damaged pieces three times. Throws Error: CANCELLED once `keep_going`
  /// returns false (asked at least every 0.1 s while waiting), INVALID_ARGUMENT for a malformed
  /// reference, NOT_FOUND, DATA_LOSS if the bytes do not have the promised sha256,
  /// RESOURCE_EXHAUSTED if it is larger than the cache may be or the disk is full.
  CachedFile Fetch(const artifacts::ArtifactRef& ref, ArtifactSource& source,
                   const std::function<bool()>& keep_going);

  const std::string& dir() const { return dir_; }

 private:
  class PartFile;

  std::optional<CachedFile> OpenVerified(const artifacts::ArtifactRef& ref);
  void Download(const artifacts::ArtifactRef& ref, ArtifactSource& source, PartFile& part,
                const std::function<bool()>& keep_going);
  void MakeRoom(std::uint64_t bytes);

  const std::string dir_;
  const std::uint64_t max_bytes_;
  std::mutex mutex_;                             ///< guards verified_
  std::map<std::string, std::string> verified_;  ///< sha256 -> stamp of the file when verified
};

}  // namespace oqat::workers
