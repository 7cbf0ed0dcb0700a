// Costs of architectures, one thread. items_per_second is architectures per second.

#include <benchmark/benchmark.h>

#include <vector>

#include "base/random.h"
#include "clients/cli/cost_stream.h"
#include "space/architecture.h"
#include "space/cost.h"

namespace oqat {
namespace {

constexpr int kArchitectures = 1000;

const space::SearchSpace& SpaceOf(const benchmark::State& state) {
  return space::Preset(space::PresetNames().at(static_cast<std::size_t>(state.range(0))));
}

std::vector<space::Architecture> Sampled(const space::SearchSpace& space) {
  RandomStream random(1, "bench.cost");
  std::vector<space::Architecture> all;
  for (int i = 0; i < kArchitectures; ++i) all.push_back(space::SampleUniform(space, random));
  return all;
}

void BM_CostsOf(benchmark::State& state) {
  const space::SearchSpace& space = SpaceOf(state);
  const std::vector<space::Architecture> all = Sampled(space);
  for (auto _ : state) {
    for (const space::Architecture& a : all) benchmark::DoNotOptimize(space::CostsOf(space, a));
  }
  state.SetItemsProcessed(state.iterations() * kArchitectures);
  state.SetLabel(space.name);
}
BENCHMARK(BM_CostsOf)->DenseRange(0, 2);

// What `oqat cost --json` does between reading the file and writing to standard output.
void BM_JsonToCostsToJson(benchmark::State& state) {
  const space::SearchSpace& space = SpaceOf(state);
  Json array = Json::array();
  for (const space::Architecture& a : Sampled(space)) {
    array.push_back(space::ArchitectureToJson(a));
  }
  const std::string text = array.dump();
  std::string out;
  for (auto _ : state) {
    out.clear();
    for (const space::Costs& costs : clients::CostsFromJsonText(space, text, "bench")) {
      clients::AppendCostsJson(out, costs);
    }
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * kArchitectures);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.SetLabel(space.name);
}
BENCHMARK(BM_JsonToCostsToJson)->DenseRange(0, 2);

}  // namespace
}  // namespace oqat

BENCHMARK_MAIN();
