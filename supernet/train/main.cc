#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "base/error.h"
#include "supernet/memory.h"
#include "supernet/train/commands.h"
#include "supernet/train/pack_command.h"

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 success; 2 a wrong argument, recipe or space; 3 something named was not found; "
    "4 a damaged file; 130 stopped by Ctrl-C or SIGTERM, saved; 1 anything else.";

int ExitCode(oqat::Code code) {
  switch (code) {
    case oqat::Code::kInvalidArgument:
    case oqat::Code::kOutOfRange:
    case oqat::Code::kAlreadyExists: return 2;
    case oqat::Code::kNotFound: return 3;
    case oqat::Code::kDataLoss: return 4;
    case oqat::Code::kCancelled: return 130;
    default: return 1;
  }
}

int Fail(const std::string& message, int exit_code) {
  // LibTorch's messages carry a stack trace after the first line.
  std::fprintf(stderr, "oqat-train: error: %s\n", message.substr(0, message.find('\n')).c_str());
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  oqat::supernet::KeepFreedMemory();
  CLI::App app("oqat-train: trains and imports the supernets that oqat searches", "oqat-train");
  app.footer(kFooter);
  app.require_subcommand(1);
  oqat::supernet::AddRunCommand(app);
  oqat::supernet::AddImportCommand(app);
  oqat::supernet::AddDescribeCommand(app);
  oqat::supernet::AddPlotCommand(app);
  oqat::supernet::AddPackCommand(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    return Fail(error.what(), 2);
  } catch (const oqat::Error& error) {
    return Fail(error.what(), ExitCode(error.code()));
  } catch (const std::exception& error) {  // c10::Error is one
    return Fail(error.what(), 1);
  }
}
