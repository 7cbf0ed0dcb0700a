#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "workers/evaluator.h"
#include "workers/worker.h"

// What every worker program has in common, whatever its engine.
namespace oqat::workers {

struct ProgramOptions {
  WorkerOptions worker;
  int threads = 1;
  std::string log_level = "info";
  double cache_mib = 8192;
};

/// Declares --coordinator, --id, --cache, --cache-mib, --threads, --log-level on `app`.
void AddProgramOptions(CLI::App& app, ProgramOptions& options);

/// Runs a worker with `threads` evaluators until SIGTERM or SIGINT; then shuts it down in good
/// order, unless a second signal comes: that one ends the process at once. Returns the exit code.
/// Throws Error for options that cannot be. Call from main's thread before others are started: it
/// blocks the two signals for all of them.
int RunProgram(ProgramOptions options,
               const std::function<std::unique_ptr<Evaluator>()>& make_evaluator);

/// The one place where an error becomes an exit code and a line on stderr: "PROGRAM: error: ...".
/// 2 bad usage or invalid argument, 3 not found, 4 corrupt data, 1 anything else. Call in a catch
/// block.
int ReportCurrentException(const char* program);

}  // namespace oqat::workers
