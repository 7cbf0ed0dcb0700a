// Every strategy on a table of truth: the share of the true front's hypervolume after so many
// evaluations, mean and spread over seeds; how many evaluations reach a share; Kendall's tau.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "artifacts/evaluation_table.h"
#include "base/files.h"
#include "base/json.h"
#include "base/svg_chart.h"
#include "bench/ridge_ensemble.h"
#include "bench/statistics.h"
#include "bench/table_search.h"
#include "predictor/adapted.h"
#include "predictor/gaussian_process.h"

namespace {

using namespace oqat;
using bench::Deviation;
using bench::Mean;

struct Options {
  std::string table = OQAT_SOURCE_DIR "/bench/tables/cifar10.csv.gz", out, predictor = "gp";
  std::vector<std::string> strategies{"random", "nsga2", "predictor_nsga2"};
  int seeds = 20, evaluations = 600, step = 20;
  search::SearchRequest request;
};

search::PredictorFactory FactoryOf(const std::string& name, const space::SearchSpace& space) {
  if (name == "ridge") {
    return [space] {
      return std::make_unique<predictor::Adapted<search::Predictor, bench::RidgeEnsemble>>(space);
    };
  }
  return [space] {
    return std::make_unique<predictor::Adapted<search::Predictor, predictor::GaussianProcess>>(
        space);
  };
}

/// Where the mean curve first reaches `share`; 0 if it never does.
double Reached(const std::vector<double>& x, const std::vector<std::vector<double>>& runs,
               double share) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::vector<double> values;
    for (const auto& run : runs) values.push_back(run[i]);
    if (Mean(values) >= share) return x[i];
  }
  return 0;
}

int Run(const Options& options) {
  artifacts::EvaluationTable table = artifacts::ReadEvaluationTable(options.table);
  const search::PredictorFactory factory = FactoryOf(options.predictor, table.space);
  const bench::TableSearch searches(std::move(table), factory);
  std::printf("%s: %zu architectures, %zu on the true front; %d seeds\n", options.table.c_str(),
              searches.size(), searches.TrueFront(options.request).size(), options.seeds);

  std::vector<double> x;
  for (int n = options.step; n <= options.evaluations; n += options.step) x.push_back(n);
  Json json = {{"table", options.table}, {"seeds", options.seeds}, {"evaluations", x}};
  std::vector<Chart> charts(2);
  const char* const scales[] = {"strict", "reported"};
  for (std::size_t s = 0; s < 2; ++s) {
    charts[s].title = std::string("Share of the true hypervolume, ") + scales[s] + " scale";
    charts[s].x = {"evaluations", false, 0.0, static_cast<double>(options.evaluations)};
    charts[s].y = {"share of the true front's hypervolume", false, {}, 1.0};
  }
  std::printf("%-18s %11s %21s %21s %21s   %s\n", "strategy", "s/search", "100 evaluations", "200",
              "300", "evaluations to 95 %, 99 %, strict; 99 %, reported");
  for (const std::string& strategy : options.strategies) {
    std::vector<std::vector<double>> strict, reported;
    double seconds = 0;
    for (int seed = 0; seed < options.seeds; ++seed) {
      search::SearchRequest request = options.request;
      request.strategy = strategy;
      request.seed = static_cast<std::uint64_t>(seed);
      request.evaluations = options.evaluations;
      const auto begin = std::chrono::steady_clock::now();
      const auto measured = searches.Run(request);
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      strict.emplace_back();
      reported.emplace_back();
      for (const double n : x) {
        const auto seen = std::min(measured.size(), static_cast<std::size_t>(n));
        const auto share = searches.ShareOf(request, std::span(measured).first(seen));
        strict.back().push_back(share.strict);
        reported.back().push_back(share.reported);
      }
    }
    std::printf("%-18s %11.2f", strategy.c_str(), seconds / options.seeds);
    for (const double n : {100.0, 200.0, 300.0}) {
      const auto at = std::find(x.begin(), x.end(), n) - x.begin();
      if (static_cast<std::size_t>(at) == x.size()) continue;
      std::vector<double> values;
      for (const auto& run : strict) values.push_back(run[static_cast<std::size_t>(at)]);
      std::printf("      %.4f +- %.4f", Mean(values), Deviation(values));
    }
    const double to95 = Reached(x, strict, 0.95), to99 = Reached(x, strict, 0.99);
    const double reported99 = Reached(x, reported, 0.99);
    std::printf("   %.0f, %.0f; %.0f\n", to95, to99, reported99);
    std::fflush(stdout);
    json["strategies"][strategy] = {{"strict", strict},
                                    {"reported", reported},
                                    {"evaluations_to_0.95_strict", to95},
                                    {"evaluations_to_0.99_strict", to99},
                                    {"evaluations_to_0.99_reported", reported99},
                                    {"seconds", seconds / options.seeds}};
    charts[0].series.push_back(MeanOfRuns(strategy, x, strict, Spread::kStandardDeviation));
    charts[1].series.push_back(MeanOfRuns(strategy, x, reported, Spread::kStandardDeviation));
  }
  if (!options.out.empty()) {
    WriteFileAtomically(options.out + ".json", json.dump(1) + "\n");
    WriteFileAtomically(options.out + ".svg", RenderSvg(charts));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Search strategies on a table of truth.");
  Options options;
  app.add_option("--table", options.table, "of bench_tabular")->capture_default_str();
  app.add_option("--strategies", options.strategies)->capture_default_str();
  app.add_option("--predictor", options.predictor, "gp or ridge")->capture_default_str();
  app.add_option("--seeds", options.seeds)->capture_default_str();
  app.add_option("--evaluations", options.evaluations)->capture_default_str();
  app.add_option("--step", options.step, "evaluations between points of the curves")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--round-size", options.request.round_size)->capture_default_str();
  app.add_option("--lag", options.request.lag)->capture_default_str();
  app.add_option("--out", options.out, "writes OUT.json and OUT.svg");
  CLI11_PARSE(app, argc, argv);
  try {
    return Run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_search: error: %s\n", error.what());
    return 1;
  }
}
