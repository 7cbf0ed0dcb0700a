#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace oqat {
namespace {

Error FileError(const std::string& path, const char* action) {
  const int reason = errno;
  const Code code = (reason == ENOSPC || reason == EDQUOT)    ? Code::kResourceExhausted
                    : (reason == ENOENT || reason == ENOTDIR) ? Code::kNotFound
                    : (reason == EACCES || reason == EPERM)   ? Code::kPermissionDenied
                                                              : Code::kInternal;
  return Error(code, path + ": cannot " + action + ": " + std::strerror(reason));
}

}  // namespace

std::string ReadFile(const std::string& path, std::uint64_t max_bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw FileError(path, "be opened");
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    throw Error(Code::kInvalidArgument, path + ": is not a regular file");
  }
  std::string bytes;
  if (static_cast<std::uint64_t>(info.st_size) > max_bytes) {
    ::close(fd);
    throw Error(Code::kResourceExhausted, path + ": has " + std::to_string(info.st_size) +
                                              " bytes; at most " + std::to_string(max_bytes) +
                                              " are read");
  }
  bytes.resize(static_cast<std::size_t>(info.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      Error error = FileError(path, "be read");
      ::close(fd);
      throw error;
    }
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  bytes.resize(done);
  ::close(fd);
  return bytes;
}

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  static std::atomic<int> counter{0};
  // A killed process may have had our number and left its file: in a container they come again.
  do {
    temporary_ =
        path + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(counter.fetch_add(1));
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  } while (fd_ < 0 && errno == EEXIST);
  if (fd_ < 0) throw FileError(temporary_, "be created");
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::Append(const void* data, std::size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(fd_, bytes, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw FileError(path_, "be written");
    bytes += n;
    size -= static_cast<std::size_t>(n);
  }
}

void AtomicFile::Commit() {
  if (::fsync(fd_) != 0) throw FileError(path_, "be flushed to disk");
  ::close(fd_);
  fd_ = -1;
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw FileError(path_, "be renamed to");
  temporary_.clear();
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  const int dir = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir >= 0) {
    ::fsync(dir);
    ::close(dir);
  }
}

void WriteFileAtomically(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.Append(bytes);
  file.Commit();
}

}  // namespace oqat
