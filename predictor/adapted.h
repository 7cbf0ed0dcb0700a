#pragma once

#include <span>

#include "base/random.h"
#include "space/architecture.h"
#include "space/search_space.h"

namespace oqat::predictor {

/// A regressor behind another room's interface of the same two functions: `search/` and
/// `predictor/` are siblings and do not know each other; who is above both joins them, for example
/// with Adapted<search::Predictor, GaussianProcess>.
template <typename Interface, typename Regressor>
class Adapted final : public Interface {
 public:
  explicit Adapted(const space::SearchSpace& space) : regressor_(space) {}

  void Fit(std::span<const space::Architecture> architectures, std::span<const double> targets,
           RandomStream& random) override {
    regressor_.Fit(architectures, targets, random);
  }
  void Predict(std::span<const space::Architecture> architectures, std::span<double> mean,
               std::span<double> stddev) const override {
    regressor_.Predict(architectures, mean, stddev);
  }

 private:
  Regressor regressor_;
};

}  // namespace oqat::predictor
