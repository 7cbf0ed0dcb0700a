#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace oqat::testing {

/// A child process with its output in a file. Killed when destroyed.
class Process {
 public:
  /// argv[0] is a name in build/.../bin or a path. Both streams go to `log`.
  Process(std::vector<std::string> argv, const std::string& log,
          const std::map<std::string, std::string>& environment = {});
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;

  pid_t pid() const { return pid_; }
  bool Running();

  /// Sends a signal; SIGKILL also waits for the end.
  void Signal(int signal);

  /// Exit status, 128 + signal if one ended it, -1 if it still runs after `seconds`.
  int Wait(double seconds);

 private:
  pid_t pid_ = -1;
  int status_ = -1;
};

struct Outcome {
  int status = -1;  ///< as of Process::Wait
  std::string out, err;
};

/// Runs a program to its end.
Outcome Run(const std::vector<std::string>& argv,
            const std::map<std::string, std::string>& environment = {}, double seconds = 120);

/// A folder that is removed with everything in it.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace oqat::testing
