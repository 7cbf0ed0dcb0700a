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

int HandOver(const std::string& self, const std::vector<std::string>& arguments) {
  const std::string binary = WorkerBinary(self);
  std::vector<std::string> words{binary, "evaluate"};
  for (const std::string& argument : arguments) words.push_back(Translated(argument));
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execvp(binary.c_str(), pointers.data());
  throw Error(errno == ENOENT ? Code::kNotFound : Code::kInternal,
              std::string(kWorker) + ": " + std::strerror(errno) + " (looked beside " + self +
                  " and in PATH); install or build it, it does the evaluating");
}

}  // namespace

void AddEvaluateCommand(CLI::App& app, Cli& cli) {
  CLI::App* evaluate = app.add_subcommand(
      "evaluate",
      "Measure architectures here, by oqat-worker: --model DIR --arch FILE "
      "[--split search|test] [--evaluation-set FILE] [--json]; --help lists all");
  // Every argument, --help among them, belongs to the worker.
  evaluate->set_help_flag();
  evaluate->prefix_command();
  evaluate->fallthrough(false);
  evaluate->callback([evaluate, &cli] {
    const std::vector<std::string> arguments = evaluate->remaining();
    cli.run = [arguments, &cli] { return HandOver(cli.self, arguments); };
  });
}

}  // namespace oqat::clients
