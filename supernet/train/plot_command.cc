#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "supernet/train/commands.h"
#include "supernet/train/metrics_log.h"
#include "supernet/train/training_curves.h"

namespace oqat::supernet {
namespace {

const std::map<std::string, TrainingPanel> kPanels = {
    {"loss", TrainingPanel::kLoss},
    {"top1", TrainingPanel::kTop1},
    {"learning_rate", TrainingPanel::kLearningRate}};

struct PlotArguments {
  std::vector<std::string> folders;
  std::string out;
  int bits = 0;  ///< 0: all stages
  std::vector<TrainingPanel> panels{TrainingPanel::kLoss, TrainingPanel::kTop1,
                                    TrainingPanel::kLearningRate};
};

/// The folders' own names where these differ, else the paths as they were given.
std::vector<std::string> NamesOf(const std::vector<std::string>& folders) {
  std::vector<std::string> names;
  for (const std::string& folder : folders) {
    auto path = std::filesystem::absolute(folder).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();  // "run/"
    names.push_back(path.filename().string());
  }
  std::vector<std::string> sorted = names;
  std::sort(sorted.begin(), sorted.end());
  const bool differ = std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
  return differ ? names : folders;
}

void RunPlot(const PlotArguments& arguments) {
  if (arguments.folders.size() > 1 && arguments.out.empty()) {
    throw InvalidField("out", "nothing", "a file to write, where trainings are compared");
  }
  std::vector<std::vector<Json>> metrics;
  TrainingUnit unit = TrainingUnit::kEpochs;
  for (const std::string& folder : arguments.folders) {
    metrics.push_back(ReadMetrics(folder));
    if (!KnowsEpochs(metrics.back())) unit = TrainingUnit::kSteps;
  }
  const std::vector<std::string> names = NamesOf(arguments.folders);
  const auto bits = arguments.bits == 0 ? std::nullopt : std::optional<int>(arguments.bits);
  std::vector<TrainingCurves> trainings;
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    trainings.push_back(CurvesOf(names[i], metrics[i], unit, bits));
  }
  const std::string out =
      arguments.out.empty() ? (std::filesystem::path(arguments.folders[0]) / "curves.svg").string()
                            : arguments.out;
  WriteFileAtomically(out, RenderSvg(TrainingCharts(trainings, unit, arguments.panels)));
  std::printf("%s\n", out.c_str());
}

}  // namespace

void AddPlotCommand(CLI::App& app) {
  const auto arguments = std::make_shared<PlotArguments>();
  CLI::App* plot = app.add_subcommand("plot", "Draw the curves of trainings as SVG");
  plot->add_option("DIR", arguments->folders, "Folders of trainings; several are compared")
      ->required();
  plot->add_option("--out", arguments->out, "SVG to write; default for one DIR: DIR/curves.svg");
  plot->add_option("--bits", arguments->bits,
                   "Only the stage of this width, from its beginning; "
                   "32: float")
      ->check(CLI::Range(1, 32));
  plot->add_option("--panels", arguments->panels, "loss,top1,learning_rate: some of them")
      ->delimiter(',')
      ->transform(CLI::CheckedTransformer(kPanels));
  plot->callback([arguments] { RunPlot(*arguments); });
}

}  // namespace oqat::supernet
