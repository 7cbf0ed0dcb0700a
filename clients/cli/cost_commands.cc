#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "clients/cli/cli.h"
#include "clients/cli/cost_stream.h"
#include "clients/cli/text.h"
#include "space/architecture.h"
#include "space/cost.h"
#include "space/search_space.h"

namespace oqat::clients {
namespace {

constexpr std::size_t kFlushBytes = 1 << 20;

// Writes a JSON array of `count` elements in pieces; append(out, i) adds element i.
template <typename Append>
void PrintArray(std::size_t count, Append&& append) {
  std::string out = "[";
  for (std::size_t i = 0; i < count; ++i) {
    out += i == 0 ? "\n" : ",\n";
    append(out, i);
    if (out.size() > kFlushBytes) {
      Print(out);
      out.clear();
    }
  }
  Print(out += count == 0 ? "]\n" : "\n]\n");
}

std::string CostTable(const std::vector<space::Costs>& all) {
  Table table({{"#"},
               {"MACs"},
               {"quantized"},
               {"float"},
               {"params"},
               {"BitOPs"},
               {"weighted MACs"},
               {"weights"}});
  for (std::size_t i = 0; i < all.size(); ++i) {
    const space::Costs& c = all[i];
    const auto si = [](std::int64_t value) { return FormatSi(static_cast<double>(value)); };
    table.AddRow({std::to_string(i), si(c.macs), si(c.macs_quantized), si(c.macs_float),
                  si(c.params), si(c.bitops), FormatSi(c.weighted_macs),
                  FormatBytes(static_cast<std::uint64_t>(c.weight_bytes()))});
  }
  return table.Render();
}

std::string Joined(const std::vector<int>& values) {
  std::string text;
  for (int value : values) text += (text.empty() ? "" : " ") + std::to_string(value);
  return text;
}

std::string SpaceText(const space::SearchSpace& space) {
  const auto cost = [&](const space::Architecture& a) {
    const space::Costs c = space::CostsOf(space, a);
    return FormatSi(static_cast<double>(c.macs)) + " MACs, " +
           FormatSi(static_cast<double>(c.bitops)) + " BitOPs, " +
           FormatBytes(static_cast<std::uint64_t>(c.weight_bytes()));
  };
  const int least = *std::min_element(space.bits.begin(), space.bits.end());
  const int most = *std::max_element(space.bits.begin(), space.bits.end());
  std::string text = "space        " + space.name + "\nclasses      " +
                     std::to_string(space.num_classes) + "\nresolutions  " +
                     Joined(space.resolutions) + "\nbits         " + Joined(space.bits) +
                     "\nkernels      " + Joined(space.kernels) + "\nexpands      " +
                     Joined(space.expands) + "\ndepths       " + Joined(space.depths) +
                     "\nsmallest     " + cost(space::Smallest(space, least)) + "\nlargest      " +
                     cost(space::Largest(space, most)) + "\n\n";
  Table stages({{"stage"},
                {"width"},
                {"stride"},
                {"activation", Table::Align::kLeft},
                {"SE", Table::Align::kLeft}});
  for (std::size_t i = 0; i < space.stages.size(); ++i) {
    const space::Stage& stage = space.stages[i];
    stages.AddRow({std::to_string(i), std::to_string(stage.width), std::to_string(stage.stride),
                   stage.activation == space::Activation::kRelu ? "relu" : "h_swish",
                   stage.squeeze_excite ? "yes" : "no"});
  }
  return text + stages.Render();
}

int ListSpaces(bool json) {
  if (json) {
    Print(Json(space::PresetNames()).dump() + "\n");
    return kExitOk;
  }
  Table table({{"space", Table::Align::kLeft},
               {"stages"},
               {"classes"},
               {"resolution", Table::Align::kLeft},
               {"bits", Table::Align::kLeft},
               {"largest MACs"}});
  for (const std::string& name : space::PresetNames()) {
    const space::SearchSpace& space = space::Preset(name);
    table.AddRow(
        {name, std::to_string(space.num_stages()), std::to_string(space.num_classes),
         std::to_string(space.resolutions.front()) + ".." + std::to_string(space.max_resolution()),
         Joined(space.bits),
         FormatSi(static_cast<double>(
             space::CostsOf(space, space::Largest(space, space.bits.front())).macs))});
  }
  Print(table.Render());
  return kExitOk;
}

struct SampleOptions {
  std::string space;
  std::int64_t count = 1;
  std::uint64_t seed = 1;
};

int Sample(const SampleOptions& options) {
  if (options.count < 0 || options.count > 100'000'000) {
    throw InvalidField("count", std::to_string(options.count), "0 to 100000000");
  }
  const space::SearchSpace space = space::LoadSpace(options.space);
  RandomStream random(options.seed, "cli.space.sample");
  PrintArray(static_cast<std::size_t>(options.count), [&](std::string& out, std::size_t) {
    out += space::ArchitectureToJson(space::SampleUniform(space, random)).dump();
  });
  return kExitOk;
}

}  // namespace

void AddCostCommand(CLI::App& app, Cli& cli) {
  struct Options {
    std::string space, arch;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* cost = app.add_subcommand("cost", "Exact costs of architectures, without a server");
  cost->add_option("--space", options->space, "Name of a preset or a JSON file")->required();
  cost->add_option("--arch", options->arch,
                   "JSON file with one architecture or an array of them; - reads standard input")
      ->required();
  cost->add_flag("--json", options->json, "A JSON array in the same order instead of a table");
  cost->callback([options, &cli] {
    cli.run = [options] {
      const space::SearchSpace space = space::LoadSpace(options->space);
      const std::vector<space::Costs> costs =
          CostsFromJsonText(space, ReadFileOrStdin(options->arch),
                            options->arch == "-" ? "standard input" : options->arch);
      if (options->json) {
        PrintArray(costs.size(),
                   [&](std::string& out, std::size_t i) { AppendCostsJson(out, costs[i]); });
      } else {
        Print(CostTable(costs));
      }
      return kExitOk;
    };
  });
}

void AddSpaceCommands(CLI::App& app, Cli& cli) {
  struct Options {
    std::string space;
    bool json = false;
    SampleOptions sample;
  };
  auto options = std::make_shared<Options>();
  CLI::App* group = app.add_subcommand("space", "Search spaces");
  group->require_subcommand(1);

  CLI::App* list = group->add_subcommand("list", "The built-in spaces");
  list->add_flag("--json", options->json, "A JSON array of names");
  list->callback([options, &cli] { cli.run = [options] { return ListSpaces(options->json); }; });

  CLI::App* show = group->add_subcommand("show", "What a space fixes and what may vary");
  show->add_option("space", options->space, "Name of a preset or a JSON file")->required();
  show->add_flag("--json", options->json, "The space as JSON, as --space FILE reads it");
  show->callback([options, &cli] {
    cli.run = [options] {
      const space::SearchSpace space = space::LoadSpace(options->space);
      Print(options->json ? space::SpaceToJson(space).dump(2) + "\n" : SpaceText(space));
      return kExitOk;
    };
  });

  CLI::App* sample = group->add_subcommand("sample", "Random architectures as a JSON array");
  sample->add_option("--space", options->sample.space, "Name of a preset or a JSON file")
      ->required();
  sample->add_option("--count", options->sample.count, "How many")->capture_default_str();
  sample->add_option("--seed", options->sample.seed, "Equal seeds give equal architectures")
      ->check(SeedValidator())
      ->capture_default_str();
  sample->callback([options, &cli] { cli.run = [options] { return Sample(options->sample); }; });
}

}  // namespace oqat::clients
