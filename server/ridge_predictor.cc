// SPDX-License-Identifier: Apache-2.0
#include "server/ridge_predictor.h"

#include <memory>

#include "predictor/ridge_ensemble.h"

namespace oqat::server {
namespace {

class RidgePredictor : public search::Predictor {
 public:
  explicit RidgePredictor(const space::SearchSpace& space) : ensemble_(space) {}

  void Fit(std::span<const space::Architecture> architectures, std::span<const double> targets,
           RandomStream& random) override {
    ensemble_.Fit(architectures, targets, random);
  }

  void Predict(std::span<const space::Architecture> architectures, std::span<double> mean,
               std::span<double> stddev) const override {
    ensemble_.Predict(architectures, mean, stddev);
  }

 private:
  predictor::RidgeEnsemble ensemble_;
};

}  // namespace

search::PredictorFactory RidgePredictorFactory(const space::SearchSpace& space) {
  return [space] { return std::make_unique<RidgePredictor>(space); };
}

}  // namespace oqat::server
