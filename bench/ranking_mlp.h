#pragma once

#include <vector>

#include "predictor/features.h"
#include "predictor/regressor.h"
#include "space/search_space.h"

namespace oqat::bench {

/// Only to be compared with (bench/predictors.cc): four small networks, one hidden layer each,
/// trained by Adam on squared errors and a pairwise logistic ranking loss (RankNet, Burges et al.
/// 2005). Their mean, and as uncertainty their spread and what is left on the samples.
class RankingMlp final : public predictor::Regressor {
 public:
  explicit RankingMlp(const space::SearchSpace& space) : encoder_(space) {}

  void Fit(std::span<const space::Architecture> architectures, std::span<const double> targets,
           RandomStream& random) override;
  void Predict(std::span<const space::Architecture> architectures, std::span<double> mean,
               std::span<double> stddev) const override;

 private:
  /// [hidden, features + 1], then [hidden + 1]: rows end with the bias.
  using Weights = std::vector<double>;

  double Forward(const Weights& weights, const double* features, double* hidden) const;
  Weights Train(const std::vector<double>& features, const std::vector<double>& targets,
                RandomStream& random) const;

  predictor::FeatureEncoder encoder_;
  std::vector<double> center_, scale_;
  double target_center_ = 0, target_scale_ = 1, residual_ = 0;
  std::vector<Weights> members_;
};

}  // namespace oqat::bench
