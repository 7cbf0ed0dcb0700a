#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "workers/evaluator.h"

namespace oqat::workers {

/// One of the worker programs: they differ in their engine and in what they link.
struct WorkerProgram {
  std::string name;           ///< of the binary
  std::string engine;         ///< its own
  std::string other_program;  ///< the binary of the other engine, started for `--engine OTHER`
  std::function<std::unique_ptr<Evaluator>()> make_evaluator;
  /// May add commands; one that was asked for sets `run`.
  std::function<void(CLI::App& app, std::function<int()>& run)> add_commands;
};

/// main of a worker program: the command line, the worker or `evaluate`, the exit code.
int WorkerMain(int argc, char** argv, const WorkerProgram& program);

}  // namespace oqat::workers
