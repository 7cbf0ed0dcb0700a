#include "bench/predictor_kinds.h"

#include "bench/ranking_mlp.h"
#include "bench/ridge_ensemble.h"
#include "predictor/gaussian_process.h"

namespace oqat::bench {

std::vector<PredictorKind> PredictorKinds(const space::SearchSpace& space) {
  return {
      {"ridge", [&] { return std::make_unique<RidgeEnsemble>(space); }},
      {"mlp", [&] { return std::make_unique<RankingMlp>(space); }},
      {"gp", [&] { return std::make_unique<predictor::GaussianProcess>(space); }},
  };
}

}  // namespace oqat::bench
