#include "workers/artifact_cache.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/hash.h"

namespace oqat::workers {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDamaged = 3;
constexpr double kFirstRetrySeconds = 0.1;
constexpr double kLastRetrySeconds = 5;
constexpr std::string_view kPartSuffix = ".part";

Error FileError(const std::string& path, const char* action) {
  const int reason = errno;
  const Code code = reason == ENOSPC || reason == EDQUOT  ? Code::kResourceExhausted
                    : reason == EACCES || reason == EPERM ? Code::kPermissionDenied
                                                          : Code::kInternal;
  return Error(code, path + ": cannot " + action + ": " + std::strerror(reason));
}

Error Stopped(const std::string& sha256) {
  return Error(Code::kCancelled, "download of " + sha256 + " was stopped");
}

// False if `keep_going` said so before the time was over.
bool SleepUnlessStopped(double seconds, const std::function<bool()>& keep_going) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (keep_going()) {
    const auto now = Clock::now();
    if (now >= end) return true;
    std::this_thread::sleep_for(
        std::min<std::chrono::duration<double>>(end - now, std::chrono::milliseconds(50)));
  }
  return false;
}

struct stat StatOf(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw FileError(path, "be examined");
  return info;
}

// Changes whenever the bytes may have changed.
std::string StampOf(const struct stat& info) {
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) + ":" +
         std::to_string(info.st_size) + ":" + std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec);
}

}  // namespace

CachedFile::~CachedFile() {
  if (fd_ >= 0) ::close(fd_);
}

CachedFile::CachedFile(CachedFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

// SHA256.part, exclusively ours while this lives.
class ArtifactCache::PartFile {
 public:
  PartFile(std::string target, const std::function<bool()>& keep_going)
      : target_(std::move(target)), path_(target_ + std::string(kPartSuffix)) {
    while (true) {
      fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
      if (fd_ < 0) throw FileError(path_, "be created");
      while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
        if (!SleepUnlessStopped(0.05, keep_going)) {
          ::close(fd_);
          throw Error(Code::kCancelled, path_ + ": waiting for another worker was stopped");
        }
      }
      // Whoever held the lock may have finished (renamed) or deleted what we have opened.
      struct stat named {};
      const struct stat opened = StatOf(fd_, path_);
      if (::stat(path_.c_str(), &named) == 0 && named.st_ino == opened.st_ino) return;
      ::close(fd_);
      struct stat finished {};
      if (::stat(target_.c_str(), &finished) == 0) {
        fd_ = -1;
        return;
      }
    }
  }
  ~PartFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  /// False: another worker has finished the download meanwhile.
  bool ours() const { return fd_ >= 0; }
  std::uint64_t size() const { return static_cast<std::uint64_t>(StatOf(fd_, path_).st_size); }

  std::string Stamp() const { return StampOf(StatOf(fd_, path_)); }

  void Clear() {
    if (::ftruncate(fd_, 0) != 0) throw FileError(path_, "be truncated");
  }

  void Append(std::string_view bytes) {
    std::uint64_t position = size();
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(position));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw FileError(path_, "be written");
      bytes.remove_prefix(static_cast<std::size_t>(n));
      position += static_cast<std::uint64_t>(n);
    }
  }

  void UpdateWithContent(Sha256& hash) const {
    std::vector<char> buffer(1 << 20);
    off_t position = 0;
    while (true) {
      const ssize_t n = ::pread(fd_, buffer.data(), buffer.size(), position);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw FileError(path_, "be read");
      if (n == 0) return;
      hash.Update(buffer.data(), static_cast<std::size_t>(n));
      position += n;
    }
  }

  void Finish() {
    if (::fsync(fd_) != 0) throw FileError(path_, "be flushed to disk");
    if (::rename(path_.c_str(), target_.c_str()) != 0) throw FileError(path_, "be renamed");
  }

 private:
  std::string target_, path_;
  int fd_ = -1;
};

ArtifactCache::ArtifactCache(std::string dir, std::uint64_t max_bytes)
    : dir_(std::move(dir)), max_bytes_(max_bytes) {
  std::error_code failed;
  fs::create_directories(dir_, failed);
  if (failed || ::access(dir_.c_str(), W_OK | X_OK) != 0) {
    const std::string reason = failed ? failed.message() : std::strerror(errno);
    throw Error(Code::kPermissionDenied,
                "--cache: the folder " + dir_ + " cannot be made or written: " + reason);
  }
}

std::optional<CachedFile> ArtifactCache::OpenVerified(const artifacts::ArtifactRef& ref) {
  const std::string path = dir_ + "/" + ref.sha256;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::nullopt;
    throw FileError(path, "be opened");
  }
  CachedFile file(path, fd);
  // Waits only while another worker deletes it or has just finished writing it.
  while (::flock(fd, LOCK_SH) != 0) {
    if (errno != EINTR) throw FileError(path, "be locked");
  }
  const struct stat info = StatOf(fd, path);
  if (info.st_nlink == 0) return std::nullopt;
  const std::string stamp = StampOf(info);
  bool known = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = verified_.find(ref.sha256);
    known = found != verified_.end() && found->second == stamp;
  }
  if (!known) {
    const bool whole =
        static_cast<std::uint64_t>(info.st_size) == ref.size && Sha256HexOfFile(path) == ref.sha256;
    if (!whole) {
      spdlog::warn("cache entry {} is damaged; fetching it again", path);
      return std::nullopt;
    }
    const std::lock_guard lock(mutex_);
    verified_[ref.sha256] = stamp;
  } else if (static_cast<std::uint64_t>(info.st_size) != ref.size) {
    throw InvalidField("artifact.size", std::to_string(ref.size),
                       std::to_string(info.st_size) + ", the size of " + ref.sha256);
  }
  // atime is the clock of the deletion order; mtime must stay, it is part of the stamp.
  const timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  (void)::futimens(fd, times);
  return file;
}

CachedFile ArtifactCache::Fetch(const artifacts::ArtifactRef& ref, ArtifactSource& source,
                                const std::function<bool()>& keep_going) {
  if (!IsSha256Hex(ref.sha256)) {
    throw InvalidField("artifact.sha256", "other text", "64 lower-case hex digits");
  }
  if (ref.size == 0 || ref.size > max_bytes_) {
    throw Error(ref.size == 0 ? Code::kInvalidArgument : Code::kResourceExhausted,
                "artifact.size: got " + std::to_string(ref.size) + " bytes; allowed: 1 to " +
                    std::to_string(max_bytes_) + ", the worker's --cache-mib");
  }
  while (true) {
    if (std::optional<CachedFile> file = OpenVerified(ref)) return std::move(*file);
    if (!keep_going()) throw Stopped(ref.sha256);
    PartFile part(dir_ + "/" + ref.sha256, keep_going);
    if (!part.ours()) continue;
    // Between our look and our lock another worker may have brought it.
    if (std::optional<CachedFile> file = OpenVerified(ref)) {
      ::unlink((dir_ + "/" + ref.sha256 + std::string(kPartSuffix)).c_str());
      return std::move(*file);
    }
    Download(ref, source, part, keep_going);
  }
}

void ArtifactCache::Download(const artifacts::ArtifactRef& ref, ArtifactSource& source,
                             PartFile& part, const std::function<bool()>& keep_going) {
  const auto began = std::chrono::steady_clock::now();
  if (part.size() > ref.size) part.Clear();
  MakeRoom(ref.size - part.size());
  std::uint64_t offset = part.size();
  if (offset > 0) spdlog::info("artifact {}: continuing at byte {}", ref.sha256, offset);
  Sha256 hash;
  part.UpdateWithContent(hash);

  int damaged = 0, mismatches = 0;
  double retry = kFirstRetrySeconds;
  while (true) {
    try {
      if (offset < ref.size) {
        source.Read(ref.sha256, offset, [&](std::string_view piece) {
          if (piece.size() > ref.size - offset) {
            throw Error(Code::kDataLoss, "artifact " + ref.sha256 + ": more bytes than its size, " +
                                             std::to_string(ref.size));
          }
          part.Append(piece);
          hash.Update(piece);
          offset += piece.size();
          retry = kFirstRetrySeconds;
          if (mismatches == 0) damaged = 0;
          return keep_going();
        });
      }
      if (!keep_going()) throw Stopped(ref.sha256);
      if (offset < ref.size) {
        throw Error(Code::kDataLoss, "artifact " + ref.sha256 + ": the stream ended at byte " +
                                         std::to_string(offset) + " of " +
                                         std::to_string(ref.size));
      }
      const std::string got = std::exchange(hash, Sha256()).HexDigest();
      if (got == ref.sha256) break;
      part.Clear();
      offset = 0;
      // The part of an earlier run may be what was damaged; a second time it is the source.
      if (++mismatches > 1) damaged = kMaxDamaged;
      throw Error(Code::kDataLoss,
                  "artifact " + ref.sha256 + ": the bytes received have sha256 " + got);
    } catch (const Error& error) {
      if (!keep_going()) throw Stopped(ref.sha256);
      // A server that is going down cancels its calls.
      const bool unreachable = error.code() == Code::kUnavailable ||
                               error.code() == Code::kDeadlineExceeded ||
                               error.code() == Code::kCancelled;
      const bool transient = error.code() == Code::kDataLoss || error.code() == Code::kAborted ||
                             error.code() == Code::kInternal;
      if (!unreachable && !(transient && ++damaged < kMaxDamaged)) throw;
      spdlog::warn("artifact {}: {}; trying again in {:.1f} s", ref.sha256.substr(0, 12),
                   error.what(), retry);
      if (!SleepUnlessStopped(retry, keep_going)) throw Stopped(ref.sha256);
      retry = std::min(2 * retry, kLastRetrySeconds);
    }
  }
  part.Finish();
  {
    const std::lock_guard lock(mutex_);
    verified_[ref.sha256] = part.Stamp();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  spdlog::info("artifact {}: {} bytes fetched in {:.1f} s", ref.sha256, ref.size, took.count());
}

void ArtifactCache::MakeRoom(std::uint64_t bytes) {
  struct Entry {
    timespec used;
    std::uint64_t size;
    std::string path;
  };
  std::vector<Entry> entries;
  std::uint64_t total = bytes;
  std::error_code failed;
  for (const fs::directory_entry& item : fs::directory_iterator(dir_, failed)) {
    // Only what is ours: the folder may be one that people keep other things in.
    std::string name = item.path().filename().string();
    if (name.ends_with(kPartSuffix)) name.resize(name.size() - kPartSuffix.size());
    struct stat info {};
    if (!IsSha256Hex(name) || ::stat(item.path().c_str(), &info) != 0) continue;
    entries.push_back(
        {info.st_atim, static_cast<std::uint64_t>(info.st_size), item.path().string()});
    total += entries.back().size;
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const Entry& entry : entries) {
    if (total <= max_bytes_) return;
    const int fd = ::open(entry.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0 && ::unlink(entry.path.c_str()) == 0) {
      spdlog::info("cache: deleted {} to make room", entry.path);
      total -= entry.size;
    }
    ::close(fd);
  }
}

}  // namespace oqat::workers
