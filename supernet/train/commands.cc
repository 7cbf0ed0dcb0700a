#include "supernet/train/commands.h"

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "artifacts/checkpoint.h"
#include "base/error.h"
#include "base/hash.h"
#include "supernet/import_oqa.h"
#include "supernet/train/recipe.h"
#include "supernet/train/trainer.h"

namespace oqat::supernet {
namespace {

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// Set by the first Ctrl-C or SIGTERM; the second one ends the program at once.
std::atomic<bool> stop_wanted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void WantStop(int signal) {
  stop_wanted.store(true);
  std::signal(signal, SIG_DFL);
}

struct RunArguments {
  std::string recipe, data, out, space, device = "cpu";
  std::vector<std::string> set;
  std::vector<int> from_scratch;
  std::uint64_t seed = 1;
  int threads = 1;
  double max_minutes = 0, save_minutes = 5;
  bool quiet = false;
};

void RunTraining(const RunArguments& arguments) {
  Json json = LoadRecipeJson(arguments.recipe);
  if (!json.is_object()) throw InvalidField("recipe", json.type_name(), "a JSON object");
  if (!arguments.space.empty()) json["space"] = arguments.space;
  if (!arguments.data.empty()) json["data"] = arguments.data;
  for (const std::string& assignment : arguments.set) SetRecipeField(json, assignment);
  StartFromScratch(json, arguments.from_scratch);

  TrainRequest request;
  request.recipe = RecipeFromJson(json);
  request.out_folder = arguments.out;
  request.seed = arguments.seed;
  request.device = arguments.device;
  request.threads = arguments.threads;
  request.max_minutes = arguments.max_minutes;
  request.save_minutes = arguments.save_minutes;
  request.progress = !arguments.quiet;
  request.say = [](const std::string& line) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  };
  request.stop = &stop_wanted;
  std::signal(SIGINT, WantStop);
  std::signal(SIGTERM, WantStop);
  Train(request);
}

struct ImportArguments {
  std::string format = "oqa", in, space, out, activation_range = "unsigned";
  int bits = 0;
  std::vector<double> mean{0.485, 0.456, 0.406}, std{0.229, 0.224, 0.225};
};

void RunImport(const ImportArguments& arguments) {
  const space::SearchSpace space = space::LoadSpace(arguments.space);
  artifacts::Checkpoint checkpoint = ImportOqa(arguments.in, space, arguments.bits);
  checkpoint.activation_range =
      artifacts::ActivationRangeFromName(arguments.activation_range, "activation-range");
  for (std::size_t c = 0; c < 3; ++c) {
    checkpoint.normalization.mean[c] = arguments.mean[c];
    checkpoint.normalization.std[c] = arguments.std[c];
    if (!(arguments.std[c] > 0)) {
      throw InvalidField("std", std::to_string(arguments.std[c]), "a positive number");
    }
  }
  const std::string sha256 = artifacts::WriteCheckpoint(arguments.out, checkpoint);
  std::printf("%s: %zu tensors, %d bit, sha256 %s\n", arguments.out.c_str(),
              checkpoint.tensors.size(), checkpoint.bits, sha256.c_str());
}

void RunDescribe(const std::string& file) {
  const artifacts::Checkpoint checkpoint = artifacts::ReadCheckpoint(file);
  std::int64_t numbers = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) numbers += tensor.numel();
  const Json description = {
      {"file", file},
      {"sha256", Sha256HexOfFile(file)},
      {"space", space::SpaceToJson(checkpoint.space)},
      {"bits", checkpoint.bits},
      {"activation_range", artifacts::ActivationRangeName(checkpoint.activation_range)},
      {"normalization",
       {{"mean", checkpoint.normalization.mean}, {"std", checkpoint.normalization.std}}},
      {"lineage",
       {{"parent_sha256", checkpoint.lineage.parent_sha256},
        {"recipe", checkpoint.lineage.recipe},
        {"seed", checkpoint.lineage.seed}}},
      {"tensors", checkpoint.tensors.size()},
      {"numbers", numbers}};
  std::printf("%s\n", description.dump(2).c_str());
}

}  // namespace

void AddRunCommand(CLI::App& app) {
  const auto arguments = std::make_shared<RunArguments>();
  CLI::App* run = app.add_subcommand("run", "Train a supernet: float, then 4, 3 and 2 bit");
  run->add_option("--recipe", arguments->recipe,
                  "A preset (" + Joined(RecipePresetNames()) + ") or a JSON file")
      ->required();
  run->add_option(
      "--data", arguments->data,
      "imagefolder:DIR, cifar10:DIR, mnist:DIR, packed:FILE or synthetic[:train=N,test=N]; "
      "default: the recipe's");
  run->add_option("--out", arguments->out,
                  "Folder to write; an interrupted training in it goes on where it was saved")
      ->required();
  run->add_option("--space", arguments->space,
                  "A preset (" + Joined(space::PresetNames()) +
                      ") or a JSON file; default: the "
                      "recipe's");
  run->add_option("--seed", arguments->seed, "Everything random comes from it")
      ->capture_default_str();
  run->add_option("--device", arguments->device, "cpu, cuda or cuda:N")->capture_default_str();
  run->add_option("--threads", arguments->threads, "CPU threads; 1 reproduces bit by bit")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  run->add_option("--max-minutes", arguments->max_minutes,
                  "Cut the epochs of every stage so that the run ends in time; 0: no limit")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
  run->add_option("--save-minutes", arguments->save_minutes, "Minutes between saved states")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
  run->add_option("--from-scratch", arguments->from_scratch,
                  "Bits of a stage that starts from random weights, for comparison")
      ->take_all();
  run->add_option("--set", arguments->set,
                  "Change a field of the recipe: field=value, dotted (stages.1.epochs=3)")
      ->take_all();
  run->add_flag("--quiet", arguments->quiet, "No progress bars");
  run->callback([arguments] { RunTraining(*arguments); });
}

void AddImportCommand(CLI::App& app) {
  const auto arguments = std::make_shared<ImportArguments>();
  CLI::App* import =
      app.add_subcommand("import", "Turn weights of other programs into a checkpoint");
  import->add_option("--format", arguments->format, "oqa: the released OQA code's key names")
      ->capture_default_str()
      ->check(CLI::IsMember({"oqa"}));
  import->add_option("--in", arguments->in, "safetensors file with the state dict")->required();
  import->add_option("--space", arguments->space, "A preset or a JSON file")->required();
  import->add_option("--bits", arguments->bits, "Bit width of the weights")
      ->required()
      ->check(CLI::Range(1, 32));
  import->add_option("--out", arguments->out, "Checkpoint to write")->required();
  import->add_option("--activation-range", arguments->activation_range, "unsigned or auto")
      ->capture_default_str();
  import->add_option("--mean", arguments->mean, "Input mean, R G B, of byte / 255")
      ->expected(3)
      ->delimiter(',')
      ->capture_default_str();
  import->add_option("--std", arguments->std, "Input standard deviation, R G B")
      ->expected(3)
      ->delimiter(',')
      ->capture_default_str();
  import->callback([arguments] { RunImport(*arguments);
});
}  // namespace oqat::supernet

void AddDescribeCommand(CLI::App& app) {
  const auto file = std::make_shared<std::string>();
  CLI::App* describe = app.add_subcommand("describe", "Print a checkpoint's header as JSON");
  describe->add_option("FILE", *file, "Checkpoint")->required();
  describe->callback([file] { RunDescribe(*file); });
}

}  // namespace oqat::supernet
