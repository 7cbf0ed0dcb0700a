#include "tests/e2e/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "base/files.h"

namespace oqat::testing {
namespace {

std::string Program(const std::string& name) {
  return name.find('/') == std::string::npos ? std::string(OQAT_BIN_DIR) + "/" + name : name;
}

pid_t Spawn(const std::vector<std::string>& argv, const std::string& out, const std::string& err,
            const std::map<std::string, std::string>& environment) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a crashed test leaves nothing running
  const int out_fd = ::open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  const int err_fd = out == err ? out_fd : ::open(err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(out_fd, 1);
  ::dup2(err_fd, 2);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, 0);
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<std::string> copy = argv;
  copy[0] = Program(copy[0]);
  std::vector<char*> pointers;
  for (std::string& argument : copy) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(pointers[0], pointers.data());
  ::_exit(127);
}

}  // namespace

Process::Process(std::vector<std::string> argv, const std::string& log,
                 const std::map<std::string, std::string>& environment)
    : pid_(Spawn(argv, log, log, environment)) {}

Process::~Process() {
  if (Running()) Signal(SIGKILL);
}

Process::Process(Process&& other) noexcept : pid_(other.pid_), status_(other.status_) {
  other.pid_ = -1;
}

Process& Process::operator=(Process&& other) noexcept {
  if (Running()) Signal(SIGKILL);
  pid_ = other.pid_;
  status_ = other.status_;
  other.pid_ = -1;
  return *this;
}

bool Process::Running() { return pid_ > 0 && Wait(0) == -1; }

void Process::Signal(int signal) {
  if (pid_ <= 0) return;
  ::kill(pid_, signal);
  if (signal == SIGKILL) Wait(30);
}

int Process::Wait(double seconds) {
  if (pid_ <= 0) return status_;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  do {
    int raw = 0;
    if (::waitpid(pid_, &raw, WNOHANG) == pid_) {
      status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
      pid_ = -1;
      return status_;
    }
    if (seconds > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  } while (std::chrono::steady_clock::now() < end);
  return -1;
}

Outcome Run(const std::vector<std::string>& argv,
            const std::map<std::string, std::string>& environment, double seconds) {
  ScratchFolder scratch;
  const std::string out = scratch / "out", err = scratch / "err";
  Outcome outcome;
  const pid_t pid = Spawn(argv, out, err, environment);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  int raw = 0;
  while (::waitpid(pid, &raw, WNOHANG) != pid) {
    if (std::chrono::steady_clock::now() > end) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &raw, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  outcome.status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
  outcome.out = std::filesystem::exists(out) ? ReadFile(out) : "";
  outcome.err = std::filesystem::exists(err) ? ReadFile(err) : "";
  return outcome;
}

ScratchFolder::ScratchFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "oqat_e2e_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace oqat::testing
