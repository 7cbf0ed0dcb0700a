#include "supernet/train/pack_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "artifacts/packed_dataset.h"
#include "base/progress.h"

namespace oqat::supernet {
namespace {

struct PackArguments {
  std::string data, out;
  int image_size = 0;
  bool quiet = false;
};

void RunPack(const PackArguments& arguments) {
  ProgressBar bar("data");
  artifacts::DatasetOptions options;
  options.image_size = arguments.image_size;
  if (!arguments.quiet) {
    options.progress = [&bar](std::int64_t done, std::int64_t total) {
      bar.Update(static_cast<double>(done), static_cast<double>(total));
    };
  }
  const artifacts::Dataset dataset = artifacts::LoadDataset(arguments.data, options);
  bar.Finish();
  const std::string sha256 = artifacts::WritePackedDataset(arguments.out, dataset);
  std::printf("%s: %lld training and %lld test images of %d px, %zu classes, sha256 %s\n",
              arguments.out.c_str(), static_cast<long long>(dataset.train.count()),
              static_cast<long long>(dataset.test.count()), dataset.train.size,
              dataset.class_names.size(), sha256.c_str());
}

}  // namespace

void AddPackCommand(CLI::App& app) {
  const auto arguments = std::make_shared<PackArguments>();
  CLI::App* pack = app.add_subcommand(
      "pack", "Decode a data set into one file, for machines without image libraries");
  pack->add_option("--data", arguments->data, "As of `run`")->required();
  pack->add_option("--image-size", arguments->image_size,
                   "Pixels at which images are kept; the recipe's image_size, or the space's "
                   "largest resolution")
      ->required()
      ->check(CLI::Range(1, 4096));
  pack->add_option("--out", arguments->out, "File to write; use it as --data packed:FILE")
      ->required();
  pack->add_flag("--quiet", arguments->quiet, "No progress bar");
  pack->callback([arguments] { RunPack(*arguments); });
}

}  // namespace oqat::supernet
