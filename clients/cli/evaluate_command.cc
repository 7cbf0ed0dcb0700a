#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "clients/cli/cli.h"

namespace oqat::clients {
namespace {

namespace fs = std::filesystem;

constexpr char kWorker[] = "oqat-worker";

// Beside this binary, else wherever PATH finds it.
std::string WorkerBinary(const std::string& self) {
  std::error_code ignored;
  const fs::path beside = fs::path(self).parent_path() / kWorker;
  return fs::exists(beside, ignored) ? beside.string() : kWorker;
}

// `--model DIR` is this program's word for the worker's `--model-dir DIR`.
std::string Translated(const std::string& argument) {
  if (argument == "--model") return "--model-dir";
  if (argument.starts_with("--model=")) return "--model-dir=" + argument.substr(8);
  return argument;
}

int HandOver(const std::string& self, const char* command,
             const std::vector<std::string>& arguments) {
  const std::string binary = WorkerBinary(self);
  std::vector<std::string> words{binary, command};
  for (const std::string& argument : arguments) words.push_back(Translated(argument));
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execvp(binary.c_str(), pointers.data());
  throw Error(errno == ENOENT ? Code::kNotFound : Code::kInternal,
              std::string(kWorker) + ": " + std::strerror(errno) + " (looked beside " + self +
                  " and in PATH); install or build it, it does the evaluating");
}

// Every argument, --help among them, belongs to the worker.
void HandOverAll(CLI::App& own, const char* command, Cli& cli) {
  own.set_help_flag();
  own.prefix_command();
  own.fallthrough(false);
  own.callback([&own, command, &cli] {
    const std::vector<std::string> arguments = own.remaining();
    cli.run = [arguments, command, &cli] { return HandOver(cli.self, command, arguments); };
  });
}

}  // namespace

void AddEvaluateCommand(CLI::App& app, Cli& cli) {
  HandOverAll(*app.add_subcommand(
                  "evaluate",
                  "Measure architectures here, by oqat-worker: --model DIR --arch FILE "
                  "[--split search|test] [--evaluation-set FILE] [--json]; --help lists all"),
              "evaluate", cli);
  CLI::App* bench = app.add_subcommand("bench", "How fast this machine is");
  bench->require_subcommand(1);
  HandOverAll(
      *bench->add_subcommand("evaluate",
                             "Speed of evaluations, by oqat-worker: --space NAME|FILE --arch FILE "
                             "[--threads N] [--images N] [--json]; --help lists all"),
      "bench", cli);
}

}  // namespace oqat::clients
