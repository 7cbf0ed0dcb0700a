#include <memory>

#include "artifacts/dataset.h"
#include "artifacts/evaluation_set.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/progress.h"
#include "clients/cli/cli.h"
#include "clients/cli/text.h"

namespace oqat::clients {
namespace {

struct BuildOptions {
  std::string data, out;
  artifacts::DatasetOptions dataset;
  artifacts::SplitOptions split;
  bool json = false;
};

nlohmann::ordered_json Described(const artifacts::EvaluationSet& set, const std::string& path,
                                 const std::string& sha256) {
  return {{"file", path},
          {"sha256", sha256},
          {"source", set.source},
          {"image_size", set.image_size},
          {"classes", set.class_names},
          {"calibration", set.calibration.count()},
          {"search", set.search.count()},
          {"test", set.test.count()}};
}

void PrintDescription(const nlohmann::ordered_json& set, bool json) {
  if (json) {
    Print(set.dump(2) + "\n");
    return;
  }
  std::string classes;
  for (const auto& name : set.at("classes")) {
    classes += (classes.empty() ? "" : ", ") + name.get<std::string>();
  }
  Print("file         " + set.at("file").get<std::string>() + "\nsha256       " +
        set.at("sha256").get<std::string>() + "\nsource       " +
        set.at("source").get<std::string>() + "\nimage size   " + set.at("image_size").dump() +
        " px" + "\nclasses      " + std::to_string(set.at("classes").size()) + ": " + classes +
        "\ncalibration  " + set.at("calibration").dump() + " images" + "\nsearch       " +
        set.at("search").dump() + " images" + "\ntest         " + set.at("test").dump() +
        " images\n");
}

int Build(BuildOptions options) {
  if (options.dataset.image_size < 1 || options.dataset.image_size > 4096) {
    throw InvalidField("image-size", std::to_string(options.dataset.image_size), "1 to 4096");
  }
  for (const auto& [name, value, least] :
       {std::tuple{"calibration", options.split.calibration, std::int64_t{1}},
        std::tuple{"search", options.split.search, std::int64_t{1}},
        std::tuple{"test", options.split.test, std::int64_t{0}}}) {
    if (value < least) {
      throw InvalidField(name, std::to_string(value), "at least " + std::to_string(least));
    }
  }
  artifacts::Dataset dataset;
  {
    ProgressBar bar("reading images");
    options.dataset.progress = [&bar](std::int64_t done, std::int64_t total) {
      bar.Update(static_cast<double>(done), static_cast<double>(total));
    };
    dataset = artifacts::LoadDataset(options.data, options.dataset);
  }
  const artifacts::EvaluationSet set = artifacts::BuildEvaluationSet(dataset, options.split);
  const std::string sha256 = artifacts::WriteEvaluationSet(options.out, set);
  PrintDescription(Described(set, options.out, sha256), options.json);
  return kExitOk;
}

}  // namespace

void AddEvalsetCommands(CLI::App& app, Cli& cli) {
  CLI::App* group = app.add_subcommand("evalset", "Evaluation sets: the images that measure");
  group->require_subcommand(1);

  auto options = std::make_shared<BuildOptions>();
  CLI::App* build = group->add_subcommand("build",
                                          "Make one from a data set; the same options "
                                          "give the same bytes");
  build
      ->add_option(
          "--data", options->data,
          "imagefolder:DIR, cifar10:DIR, mnist:DIR, packed:FILE or synthetic[:train=N,test=N]")
      ->required();
  build->add_option("--out", options->out, "File to write")->required();
  build->add_option("--image-size", options->dataset.image_size, "Pixels, height = width")
      ->capture_default_str();
  build
      ->add_option("--calibration", options->split.calibration,
                   "Training images for BatchNorm recalibration")
      ->capture_default_str();
  build->add_option("--search", options->split.search, "Images held out of the training data")
      ->capture_default_str();
  build->add_option("--test", options->split.test, "Test images; 0: all")->capture_default_str();
  build->add_option("--seed", options->split.seed, "Of the split; the one that training used")
      ->check(SeedValidator())
      ->capture_default_str();
  build->add_option("--data-seed", options->dataset.seed, "Of synthetic data")
      ->check(SeedValidator())
      ->capture_default_str();
  build->add_flag("--json", options->json, "Describe the result as JSON");
  build->callback([options, &cli] { cli.run = [options] { return Build(*options); }; });

  struct ShowOptions {
    std::string file;
    bool json = false;
  };
  auto shown = std::make_shared<ShowOptions>();
  CLI::App* show = group->add_subcommand("show", "What an evaluation set holds; checks all of it");
  show->add_option("file", shown->file, "Evaluation set")->required();
  show->add_flag("--json", shown->json, "As JSON");
  show->callback([shown, &cli] {
    cli.run = [shown] {
      const artifacts::EvaluationSet set = artifacts::ReadEvaluationSet(shown->file);
      PrintDescription(Described(set, shown->file, Sha256HexOfFile(shown->file)), shown->json);
      return kExitOk;
    };
  });
}

}  // namespace oqat::clients
