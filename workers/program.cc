#include "workers/program.h"

#include <pthread.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <thread>
#include <utility>
#include <vector>

#include "artifacts/model_dir.h"
#include "base/error.h"

namespace oqat::workers {
namespace {

constexpr int kMaxThreads = 256;

std::string DefaultId() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {'w', 'o', 'r', 'k', 'e', 'r'};
  // The process id keeps two workers of one host apart.
  return std::string(host.data()) + "-" + std::to_string(::getpid());
}

void CheckTarget(const std::string& target) {
  const std::size_t colon = target.rfind(':');
  bool good = colon != std::string::npos && colon > 0 && colon + 1 < target.size() &&
              target.size() - colon <= 6;
  for (std::size_t i = colon + 1; good && i < target.size(); ++i) {
    good = target[i] >= '0' && target[i] <= '9';
  }
  if (!good || std::stoi(target.substr(colon + 1)) > 65535 ||
      std::stoi(target.substr(colon + 1)) == 0) {
    throw InvalidField("--coordinator", "\"" + target + "\"",
                       "HOST:PORT, for example 127.0.0.1:50051");
  }
}

sigset_t EndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

void AddProgramOptions(CLI::App& app, ProgramOptions& options) {
  app.add_option("--coordinator", options.worker.connection.coordinator,
                 "HOST:PORT of oqat-server; tried again for ever if it cannot be reached");
  app.add_option("--id", options.worker.connection.worker_id,
                 "name of this worker (default: HOST-PID)");
  app.add_option("--cache", options.worker.cache_dir,
                 "folder of downloaded files, may be shared by workers of one machine "
                 "(default: artifacts in the user's oqat cache)");
  app.add_option("--cache-mib", options.cache_mib, "the folder's size limit, MiB")
      ->capture_default_str();
  app.add_option("--threads", options.threads,
                 "evaluations at a time, one thread each: results do not depend on it")
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "debug, info, warning, error")
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
}

int RunProgram(ProgramOptions options,
               const std::function<std::unique_ptr<Evaluator>()>& make_evaluator) {
  WorkerOptions& worker_options = options.worker;
  CheckTarget(worker_options.connection.coordinator);
  if (options.threads < 1 || options.threads > kMaxThreads) {
    throw InvalidField("--threads", std::to_string(options.threads),
                       "1 to " + std::to_string(kMaxThreads));
  }
  if (!(options.cache_mib >= 1 && options.cache_mib <= 1e9)) {
    throw InvalidField("--cache-mib", std::to_string(options.cache_mib), "1 to 1000000000");
  }
  if (worker_options.cache_dir.empty()) {
    worker_options.cache_dir = artifacts::DefaultCacheDir() + "/artifacts";
  }
  worker_options.cache_bytes = static_cast<std::uint64_t>(options.cache_mib * (1 << 20));
  std::string& given_id = worker_options.connection.worker_id;
  if (given_id.empty()) given_id = DefaultId();
  const std::string id = given_id;
  if (id.size() > 200) throw InvalidField("--id", "a longer text", "at most 200 characters");

  spdlog::set_default_logger(spdlog::stderr_color_mt("oqat-worker"));
  spdlog::set_level(spdlog::level::from_str(options.log_level));

  // Before any thread is made, so that all inherit the mask and only sigwait sees the signals.
  const sigset_t signals = EndSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  std::vector<std::unique_ptr<Evaluator>> evaluators;
  for (int i = 0; i < options.threads; ++i) evaluators.push_back(make_evaluator());
  const std::string coordinator = worker_options.connection.coordinator;
  Worker worker(std::move(worker_options), std::move(evaluators));
  worker.Start();
  spdlog::info("worker {} started, coordinator {}", id, coordinator);

  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("{}: shutting down (a second signal ends this at once)",
               signal == SIGTERM ? "SIGTERM" : "SIGINT");
  std::jthread second([&signals](const std::stop_token& stop) {
    const timespec nap{0, 50'000'000};
    while (!stop.stop_requested()) {
      const int again = sigtimedwait(&signals, nullptr, &nap);
      if (again > 0) ::_exit(128 + again);
    }
  });
  worker.Shutdown();
  spdlog::info("bye");
  return 0;
}

int ReportCurrentException(const char* program) {
  try {
    throw;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: error: %s\n", program, error.what());
    switch (error.code()) {
      case Code::kInvalidArgument:
      case Code::kOutOfRange: return 2;
      case Code::kNotFound: return 3;
      case Code::kDataLoss: return 4;
      default: return 1;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: error: %s\n", program, error.what());
    return 1;
  }
}

}  // namespace oqat::workers
