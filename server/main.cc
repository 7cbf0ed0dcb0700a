// SPDX-License-Identifier: Apache-2.0
// oqat-server: the coordinator.
#include <pthread.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "server/coordinator.h"

namespace {

constexpr const char* kProgram = "oqat-server";

struct Options {
  oqat::server::CoordinatorOptions coordinator;
  double lease_seconds = 60;
  double heartbeat_seconds = 5;
  std::string port_file;
  std::string log_level = "info";
};

std::chrono::milliseconds Milliseconds(double seconds, const char* option) {
  if (!(seconds > 0 && seconds <= 1e6)) {
    throw oqat::InvalidField(option, std::to_string(seconds), "a number above 0");
  }
  return std::chrono::milliseconds(std::llround(seconds * 1000));
}

int Serve(Options& options) {
  options.coordinator.lease = Milliseconds(options.lease_seconds, "--lease-seconds");
  options.coordinator.heartbeat = Milliseconds(options.heartbeat_seconds, "--heartbeat-seconds");

  spdlog::set_default_logger(spdlog::stderr_color_mt(kProgram));
  spdlog::set_level(spdlog::level::from_str(options.log_level));

  // A file that hits a size limit is an error that we handle, not the end of the process.
  ::signal(SIGXFSZ, SIG_IGN);
  // Before any thread is made, so that all inherit the mask and only sigwait sees the signals.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const oqat::server::Coordinator coordinator(options.coordinator);
  std::printf("oqat-server listening on %s\n", coordinator.address().c_str());
  std::fflush(stdout);
  if (!options.port_file.empty()) {
    oqat::WriteFileAtomically(options.port_file, std::to_string(coordinator.port()));
  }
  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("{}: shutting down", signal == SIGTERM ? "SIGTERM" : "SIGINT");
  return 0;
}

// The one place where an error becomes an exit code and a line on stderr.
int Report(oqat::Code code, const char* message) {
  std::fprintf(stderr, "%s: error: %s\n", kProgram, message);
  switch (code) {
    case oqat::Code::kInvalidArgument:
    case oqat::Code::kOutOfRange: return 2;
    case oqat::Code::kNotFound: return 3;
    case oqat::Code::kDataLoss: return 4;
    default: return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The coordinator of oqat: serves models, runs searches, hands work to workers.",
               kProgram);
  app.set_version_flag("--version", "oqat-server 0.1.0");
  app.footer(
      "Exit codes: 0 ended by SIGTERM or SIGINT, 2 bad usage or invalid argument, 3 not found,\n"
      "4 corrupt data, 1 anything else. State is in DIR; whatever ends this process, the next one\n"
      "on the same DIR goes on.");
  Options options;
  app.add_option("--listen", options.coordinator.listen, "HOST:PORT; port 0 takes a free one")
      ->capture_default_str();
  app.add_option("--data", options.coordinator.data_dir,
                 "folder of the database and the models, made if it is not there")
      ->required();
  app.add_option("--port-file", options.port_file, "file to write the port number to");
  app.add_option("--lease-seconds", options.lease_seconds,
                 "a worker that is not heard of for so long loses its work to others")
      ->capture_default_str();
  app.add_option("--heartbeat-seconds", options.heartbeat_seconds,
                 "how often workers must be heard of")
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "debug, info, warning, error")
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "%s: error: %s (see %s --help)\n", kProgram, error.what(), kProgram);
    return 2;
  }
  try {
    return Serve(options);
  } catch (const oqat::Error& error) {
    return Report(error.code(), error.what());
  } catch (const std::exception& error) {
    return Report(oqat::Code::kInternal, error.what());
  }
}
