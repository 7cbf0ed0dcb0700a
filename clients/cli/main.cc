// oqat: the command line. Parses, runs one command, and turns what went wrong into one line and an
// exit code: the only place that does.

#include <cstdio>
#include <exception>
#include <filesystem>

#include "base/error.h"
#include "clients/cli/cli.h"

namespace oqat::clients {
namespace {

constexpr char kFooter[] =
    "Exit codes: 0 ok; 1 other error; 2 bad usage or invalid argument; 3 not found; 4 corrupt "
    "data;\n5 server unreachable; 6 the search waited for failed or was cancelled; 130 "
    "interrupted.\nEvery error is one line on standard error. Manual: docs/CLI.md";

int ExitCodeOf(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kFailedPrecondition:
    case Code::kOutOfRange:
    case Code::kAlreadyExists: return kExitUsage;
    case Code::kNotFound: return kExitNotFound;
    case Code::kDataLoss: return kExitCorrupt;
    case Code::kUnavailable:
    case Code::kDeadlineExceeded: return kExitUnreachable;
    case Code::kCancelled: return kExitInterrupted;
    case Code::kPermissionDenied:
    case Code::kResourceExhausted:
    case Code::kAborted:
    case Code::kInternal: return kExitOther;
  }
  return kExitOther;
}

int Fail(int exit_code, std::string message) {
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  std::fprintf(stderr, "oqat: error: %s\n", message.c_str());
  return exit_code;
}

// What a parse error is about. CLI11 reports a mistyped command as a missing one.
std::string Explained(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* deepest = &app;
  while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().back();
  const std::vector<std::string> extras = app.remaining(true);
  const std::vector<const CLI::App*> commands =
      deepest->get_subcommands([](const CLI::App*) { return true; });
  if (extras.empty() || commands.empty() || extras.front().starts_with("-")) return error.what();
  std::string names;
  for (const CLI::App* command : commands) {
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  return InvalidField("command", "\"" + extras.front().substr(0, 80) + "\"", names).what();
}

int Main(int argc, char** argv) {
  Cli cli;
  std::error_code ignored;
  cli.self = std::filesystem::read_symlink("/proc/self/exe", ignored).string();
  cli.server = "127.0.0.1:50051";

  CLI::App app("Finds the best extremely-low-bit networks of a supernet.", "oqat");
  app.footer(kFooter);
  app.set_version_flag("--version", "oqat " OQAT_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--server", cli.server, "HOST:PORT of the coordinator")
      ->envname("OQAT_SERVER")
      ->capture_default_str();
  AddCostCommand(app, cli);
  AddSpaceCommands(app, cli);
  AddModelCommands(app, cli);
  AddSearchCommands(app, cli);
  AddFrontCommand(app, cli);
  AddEvaluateCommand(app, cli);
  AddEvalsetCommands(app, cli);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted);  // help or version
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, Explained(app, error) + "; `oqat --help` shows the usage");
  }
  return cli.run();
}

}  // namespace

}  // namespace oqat::clients

int main(int argc, char** argv) {
  try {
    return oqat::clients::Main(argc, argv);
  } catch (const oqat::Error& error) {
    return oqat::clients::Fail(oqat::clients::ExitCodeOf(error.code()), error.what());
  } catch (const std::exception& error) {
    return oqat::clients::Fail(oqat::clients::kExitOther, error.what());
  }
}
