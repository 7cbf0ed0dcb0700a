#pragma once

#include <span>
#include <vector>

#include "base/random.h"
#include "predictor/features.h"
#include "predictor/regressor.h"
#include "space/architecture.h"
#include "space/search_space.h"

namespace oqat::bench {

struct RidgeOptions {
  int members = 8;  ///< bagged regressions, 1 to 64
};

/// Only to be compared with (bench/predictors.cc). Bagged ridge regressions over the features of an
/// architecture: one number and its uncertainty. Each member fits a bootstrap sample; one lambda
/// for all is chosen by the exact leave-one-out error over the full sample (PRESS, Allen 1974).
/// Deterministic: equal arguments give bit-identical predictions. Const methods may be called from
/// any thread.
class RidgeEnsemble final : public predictor::Regressor {
 public:
  /// Throws Error INVALID_ARGUMENT for options out of range.
  explicit RidgeEnsemble(const space::SearchSpace& space, RidgeOptions options = {});

  /// Forgets what it knew. `architectures`: canonical; `targets`: as many, at least one, finite.
  /// Throws Error INVALID_ARGUMENT. Under a second for 1,000 samples.
  void Fit(std::span<const space::Architecture> architectures, std::span<const double> targets,
           RandomStream& random) override;

  /// The members' mean, and as uncertainty sqrt(their variance + the residual variance left by
  /// cross-validation). All spans of one length. Throws Error FAILED_PRECONDITION before Fit,
  /// INVALID_ARGUMENT for unequal lengths.
  void Predict(std::span<const space::Architecture> architectures, std::span<double> mean,
               std::span<double> stddev) const override;

  /// The chosen ridge penalty, in units of the standardised features; 0 before Fit.
  double lambda() const { return lambda_; }

 private:
  predictor::FeatureEncoder encoder_;
  RidgeOptions options_;
  double lambda_ = 0;
  double residual_variance_ = 0;
  std::vector<double> center_, scale_;        // per feature
  std::vector<std::vector<double>> weights_;  // per member: intercept, then per feature
};

}  // namespace oqat::bench
