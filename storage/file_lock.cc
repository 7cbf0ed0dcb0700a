#include "storage/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace oqat::storage {
namespace {

Error SystemError(const std::string& path, int number) {
  Code code = Code::kInternal;
  if (number == ENOENT || number == ENOTDIR) code = Code::kNotFound;
  if (number == EACCES || number == EPERM || number == EROFS) code = Code::kPermissionDenied;
  if (number == ENOSPC || number == EDQUOT || number == EFBIG) code = Code::kResourceExhausted;
  return Error(code, "lock file " + path + ": " + std::generic_category().message(number));
}

/// The process id that the owner wrote into the lock file, for the message only.
std::string OwnerOf(int fd) {
  char text[32];
  const ssize_t size = pread(fd, text, sizeof text, 0);
  std::string digits;
  for (ssize_t i = 0; i < size && text[i] >= '0' && text[i] <= '9'; ++i) digits += text[i];
  return digits.empty() ? "unknown" : digits;
}

}  // namespace

FileLock::FileLock(const std::string& path) {
  // Close on exec: a program started by the owner must not keep the lock when the owner is gone.
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) throw SystemError(path, errno);
  int locked;
  do {
    locked = flock(fd_, LOCK_EX | LOCK_NB);
  } while (locked != 0 && errno == EINTR);
  if (locked != 0) {
    const int number = errno;
    const std::string owner = OwnerOf(fd_);
    close(fd_);
    if (number != EWOULDBLOCK) throw SystemError(path, number);
    const auto folder = std::filesystem::absolute(path).parent_path();
    throw Error(Code::kFailedPrecondition,
                "data directory " + folder.string() + " is in use by process " + owner);
  }
  const std::string text = std::to_string(getpid()) + "\n";
  if (ftruncate(fd_, 0) != 0 || pwrite(fd_, text.data(), text.size(), 0) < 0) {
    const int number = errno;
    close(fd_);
    throw SystemError(path, number);
  }
}

FileLock::~FileLock() { close(fd_); }

}  // namespace oqat::storage
