// The inner search: how long 50,000 different candidates take, predicted by a Gaussian process of
// so many samples, with exact costs, on one core. What is searched is a made-up accuracy.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "base/processor_time.h"
#include "predictor/adapted.h"
#include "predictor/gaussian_process.h"
#include "search/predicted_search.h"
#include "space/metric.h"

namespace {

using namespace oqat;

search::History HistoryOf(const space::SearchSpace& space, int samples) {
  RandomStream random(1, "bench.inner_search");
  search::History history;
  for (int i = 0; i < samples; ++i) {
    search::Measured m;
    m.index = i;
    m.architecture = space::SampleUniform(space, random);
    m.metrics = space::CostMetrics(space, m.architecture);
    const double size = std::log(m.metrics.at(space::Metric::kMacs));
    m.metrics[space::Metric::kTop1] = 1 - 4 / size - 0.1 / m.architecture.bits;
    m.metrics[space::Metric::kTop1] += 0.005 * random.Normal();
    history.measured.push_back(std::move(m));
  }
  return history;
}

void Measure(const std::string& name, int samples, std::size_t budget, int repeats) {
  const space::SearchSpace space = space::LoadSpace(name);
  const search::History history = HistoryOf(space, samples);
  search::SearchRequest request;
  request.evaluations = 1;
  const search::GeneSpace genes(space, space.bits);
  std::vector<search::MetricModel> models;
  double fit = 0;
  std::vector<double> seconds;
  std::size_t found = 0;
  for (int i = 0; i < repeats; ++i) {
    RandomStream random(static_cast<std::uint64_t>(i), "bench.inner_search");
    const double begin = ProcessorSecondsOfProcess();
    models = search::FitModels(
        request,
        [&] {
          return std::make_unique<
              predictor::Adapted<search::Predictor, predictor::GaussianProcess>>(space);
        },
        history.measured, 1, random);
    const double fitted = ProcessorSecondsOfProcess();
    search::Candidates candidates(genes, request, history);
    found =
        search::SearchPredicted(genes, request, models, history, candidates, budget, 400, random)
            .size();
    fit += (fitted - begin) / repeats;
    seconds.push_back(ProcessorSecondsOfProcess() - fitted);
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("%-14s %8d %10zu %9.0f %13.0f %10.0f %12.0f\n", name.c_str(), samples, budget,
              1e3 * fit, 1e3 * seconds[seconds.size() / 2], 1e3 * seconds.front(),
              static_cast<double>(budget) / seconds.front());
  if (found == 0) std::printf("nothing was found\n");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The inner search over predictions, by processor time.");
  std::vector<std::string> spaces{"cifar10-mbv3", "oqa-mbv3-w1.0"};
  std::vector<int> samples{100, 300, 1000};
  std::size_t budget = 50'000;
  int repeats = 5;
  app.add_option("--spaces", spaces)->capture_default_str();
  app.add_option("--samples", samples, "measured architectures")->capture_default_str();
  app.add_option("--candidates", budget)->capture_default_str();
  app.add_option("--repeats", repeats)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    std::printf("%-14s %8s %10s %9s %13s %10s %12s\n", "space", "samples", "candidates", "fit ms",
                "search ms", "best ms", "candidates/s");
    for (const std::string& space : spaces) {
      for (const int n : samples) Measure(space, n, budget, repeats);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_inner_search: error: %s\n", error.what());
    return 1;
  }
}
