#pragma once

#include <functional>
#include <memory>
#include <span>

#include "base/random.h"
#include "space/architecture.h"

namespace oqat::search {

/// Learns one measured metric from evaluated architectures. The coordinator adapts
/// predictor::GaussianProcess to it; tests use fakes. Must be deterministic: equal arguments give
/// bit-identical predictions.
class Predictor {
 public:
  virtual ~Predictor() = default;

  /// Forgets what it knew and learns from `architectures` (canonical, at least one) and their
  /// `targets` (as many, finite).
  virtual void Fit(std::span<const space::Architecture> architectures,
                   std::span<const double> targets, RandomStream& random) = 0;

  /// Writes a mean and a standard deviation (>= 0) for each architecture; an empty `stddev` is
  /// not wanted. Called after Fit.
  virtual void Predict(std::span<const space::Architecture> architectures, std::span<double> mean,
                       std::span<double> stddev) const = 0;
};

/// Makes an unfitted predictor; one is made for each measured metric and round.
using PredictorFactory = std::function<std::unique_ptr<Predictor>()>;

}  // namespace oqat::search
