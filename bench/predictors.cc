// Which predictor ranks unseen architectures best after few measurements, on a table of truth:
// Kendall's tau over the rest of the table and over its best fifth, error, and how long fitting and
// predicting take. Mean and spread over seeds.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "artifacts/evaluation_table.h"
#include "base/random.h"
#include "bench/predictor_kinds.h"
#include "bench/statistics.h"
#include "search/kendall.h"

namespace {

using namespace oqat;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int Run(const std::string& path, const std::vector<int>& samples, int seeds) {
  const artifacts::EvaluationTable table = artifacts::ReadEvaluationTable(path);
  std::vector<space::Architecture> all;
  std::vector<double> truth;
  for (const auto& row : table.rows) {
    all.push_back(space::FromKey(table.space, row.key));
    truth.push_back(row.search_top1);
  }
  std::printf("%s: %zu architectures, %d seeds; test split against search split: tau %.3f\n",
              path.c_str(), all.size(), seeds, [&] {
                std::vector<double> test;
                for (const auto& row : table.rows) test.push_back(row.test_top1);
                return search::KendallTau(truth, test);
              }());
  std::printf("%-16s %7s  %-15s %-15s %8s %9s %9s %12s\n", "predictor", "samples", "tau",
              "tau, best 20 %", "rmse", "z rms", "fit ms", "predict/s");
  for (const int n : samples) {
    for (const bench::PredictorKind& kind : bench::PredictorKinds(table.space)) {
      std::vector<double> tau, best, rmse, calibration, fit, rate;
      for (int seed = 0; seed < seeds; ++seed) {
        RandomStream random(seed, "bench.predictors");
        std::vector<std::size_t> order(all.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        random.Shuffle(std::span(order));
        std::vector<space::Architecture> seen, unseen;
        std::vector<double> seen_truth, unseen_truth;
        for (std::size_t i = 0; i < order.size(); ++i) {
          (static_cast<int>(i) < n ? seen : unseen).push_back(all[order[i]]);
          (static_cast<int>(i) < n ? seen_truth : unseen_truth).push_back(truth[order[i]]);
        }
        const auto predictor = kind.make();
        const double begin = Seconds();
        predictor->Fit(seen, seen_truth, random);
        const double fitted = Seconds();
        std::vector<double> mean(unseen.size()), stddev(unseen.size());
        predictor->Predict(unseen, mean, {});
        const double predicted = Seconds();
        predictor->Predict(unseen, mean, stddev);
        fit.push_back(1e3 * (fitted - begin));
        rate.push_back(static_cast<double>(unseen.size()) / (predicted - fitted));
        tau.push_back(search::KendallTau(mean, unseen_truth));
        std::vector<double> sorted = unseen_truth;
        std::nth_element(sorted.begin(), sorted.end() - sorted.size() / 5, sorted.end());
        const double bound = *(sorted.end() - sorted.size() / 5);
        std::vector<double> top_mean, top_truth;
        double error = 0, z = 0;
        for (std::size_t i = 0; i < unseen.size(); ++i) {
          const double off = mean[i] - unseen_truth[i];
          error += off * off;
          z += off * off / (stddev[i] * stddev[i]);
          if (unseen_truth[i] < bound) continue;
          top_mean.push_back(mean[i]);
          top_truth.push_back(unseen_truth[i]);
        }
        best.push_back(search::KendallTau(top_mean, top_truth));
        rmse.push_back(std::sqrt(error / static_cast<double>(unseen.size())));
        calibration.push_back(std::sqrt(z / static_cast<double>(unseen.size())));
      }
      std::printf("%-16s %7d  %.3f +- %.3f  %.3f +- %.3f  %.5f %9.2f %9.1f %12.0f\n",
                  kind.name.c_str(), n, bench::Mean(tau), bench::Deviation(tau), bench::Mean(best),
                  bench::Deviation(best), bench::Mean(rmse), bench::Mean(calibration),
                  bench::Mean(fit), bench::Mean(rate));
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Predictors on a table of truth.");
  std::string table = OQAT_SOURCE_DIR "/bench/tables/cifar10.csv.gz";
  std::vector<int> samples{50, 100, 200, 500, 1000};
  int seeds = 10;
  app.add_option("--table", table, "of bench_tabular")->capture_default_str();
  app.add_option("--samples", samples, "numbers of measured architectures");
  app.add_option("--seeds", seeds)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return Run(table, samples, seeds);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_predictors: error: %s\n", error.what());
    return 1;
  }
}
