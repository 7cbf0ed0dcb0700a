#pragma once

#include <span>

#include "base/random.h"
#include "space/architecture.h"

namespace oqat::predictor {

/// Learns one number from architectures. Deterministic: equal arguments give bit-identical
/// predictions. Const methods may be called from any thread.
class Regressor {
 public:
  virtual ~Regressor() = default;

  /// Forgets what it knew. `architectures`: canonical; `targets`: as many, at least one, finite.
  /// Throws Error INVALID_ARGUMENT.
  virtual void Fit(std::span<const space::Architecture> architectures,
                   std::span<const double> targets, RandomStream& random) = 0;

  /// Writes mean and standard deviation of what a measurement would give, for each architecture.
  /// An empty `stddev` is not wanted, and saves its time; else all spans are of one length. Throws
  /// Error FAILED_PRECONDITION before Fit, INVALID_ARGUMENT for unequal lengths.
  virtual void Predict(std::span<const space::Architecture> architectures, std::span<double> mean,
                       std::span<double> stddev) const = 0;
};

/// Throws what Fit and Predict promise for lengths and values.
void CheckSamples(std::span<const space::Architecture> architectures,
                  std::span<const double> targets);
void CheckOutputs(std::span<const space::Architecture> architectures, std::span<const double> mean,
                  std::span<const double> stddev);

}  // namespace oqat::predictor
