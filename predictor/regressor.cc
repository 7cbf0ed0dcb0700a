#include "predictor/regressor.h"

#include <cmath>
#include <string>

#include "base/error.h"

namespace oqat::predictor {
namespace {

void CheckLength(std::string_view what, std::size_t got, std::size_t expected) {
  if (got != expected) {
    throw InvalidField(what, std::to_string(got) + " values", std::to_string(expected));
  }
}

}  // namespace

void CheckSamples(std::span<const space::Architecture> architectures,
                  std::span<const double> targets) {
  if (architectures.empty()) throw InvalidField("architectures", "0 samples", "at least one");
  CheckLength("targets", targets.size(), architectures.size());
  for (const double target : targets) {
    if (!std::isfinite(target)) throw InvalidField("targets", std::to_string(target), "finite");
  }
}

void CheckOutputs(std::span<const space::Architecture> architectures, std::span<const double> mean,
                  std::span<const double> stddev) {
  CheckLength("mean", mean.size(), architectures.size());
  if (!stddev.empty()) CheckLength("stddev", stddev.size(), architectures.size());
}

}  // namespace oqat::predictor
