#include <memory>

#include "base/error.h"
#include "clients/cli/cli.h"
#include "clients/cli/connection.h"
#include "clients/cli/front_text.h"
#include "clients/cli/resource_json.h"
#include "clients/cli/text.h"

namespace oqat::clients {
namespace {

struct FrontOptions {
  std::string search;
  bool json = false, csv = false, ascii = false, no_plot = false;
};

int ShowFront(const std::string& server, const FrontOptions& options) {
  Connection connection(server);
  const std::string name = SearchNameOf(options.search);
  const v1::Front front = FetchFront(connection, name);
  if (options.json) {
    Print(FrontJson(front).dump(2) + "\n");
    return kExitOk;
  }
  if (options.csv) {
    Print(FrontCsv(front));
    return kExitOk;
  }
  if (front.evaluations().empty()) {
    Print("no front yet: nothing has been measured; `oqat search watch " + IdOf(name) +
          "` shows what happens\n");
    return kExitOk;
  }
  std::string text = FrontTable(front) + "\n";
  if (!options.no_plot) {
    Terminal terminal = DetectTerminal();
    if (options.ascii) terminal.utf8 = terminal.color = false;
    text += FrontPlot(front, FetchEvaluations(connection, name), terminal) + "\n";
  }
  text += std::to_string(front.evaluations_size()) + " architectures";
  text += front.final() ? "" : "; the search is not finished, test top1 comes at its end";
  Print(text + "\n");
  return kExitOk;
}

}  // namespace

void AddFrontCommand(CLI::App& app, Cli& cli) {
  auto options = std::make_shared<FrontOptions>();
  CLI::App* front = app.add_subcommand("front", "The Pareto front of a search: table and plot");
  front->add_option("search", options->search, "Search")->required();
  CLI::Option* json = front->add_flag("--json", options->json, "As JSON");
  front->add_flag("--csv", options->csv, "As CSV")->excludes(json);
  front->add_flag("--ascii", options->ascii, "Plot in plain ASCII");
  front->add_flag("--no-plot", options->no_plot, "The table alone");
  front->callback(
      [options, &cli] { cli.run = [options, &cli] { return ShowFront(cli.server, *options); }; });
}

}  // namespace oqat::clients
