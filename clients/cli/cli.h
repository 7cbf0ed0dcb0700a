#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>

namespace oqat::clients {

/// Exit codes of `oqat` (docs/CLI.md). The translation from Error is in main.cc, nowhere else.
enum ExitCode : int {
  kExitOk = 0,
  kExitOther = 1,
  kExitUsage = 2,
  kExitNotFound = 3,
  kExitCorrupt = 4,
  kExitUnreachable = 5,
  kExitSearchEnded = 6,  ///< the search that was waited for failed or was cancelled
  kExitInterrupted = 130,
};

/// What the commands share. Each Add...() declares commands below `app`; the one that the user
/// chose puts its work into `run`, which main calls after parsing. `run` returns an exit code or
/// throws Error.
struct Cli {
  std::string server;  ///< HOST:PORT of the coordinator
  std::string self;    ///< path of this binary
  std::function<int()> run;
};

void AddCostCommand(CLI::App& app, Cli& cli);
void AddSpaceCommands(CLI::App& app, Cli& cli);
void AddEvalsetCommands(CLI::App& app, Cli& cli);
void AddEvaluateCommand(CLI::App& app, Cli& cli);
void AddModelCommands(CLI::App& app, Cli& cli);
void AddSearchCommands(CLI::App& app, Cli& cli);
void AddFrontCommand(CLI::App& app, Cli& cli);

/// For unsigned 64-bit options.
CLI::Validator SeedValidator();

/// Writes `text` to standard output at once. Throws Error if it cannot be written.
void Print(std::string_view text);

}  // namespace oqat::clients
