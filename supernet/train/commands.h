#pragma once

namespace CLI {
class App;
}

namespace oqat::supernet {

/// Each adds one subcommand that runs while the arguments are parsed. Errors leave as exceptions:
/// main() is the one place that turns them into a line and an exit code.
void AddRunCommand(CLI::App& app);
void AddImportCommand(CLI::App& app);
void AddDescribeCommand(CLI::App& app);
void AddPlotCommand(CLI::App& app);

}  // namespace oqat::supernet
