#include "artifacts/random_checkpoint.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "artifacts/supernet_tensors.h"
#include "base/random.h"

namespace oqat::artifacts {
namespace {

/// Values of a fan-in's scale: outputs of such a layer have the variance of its inputs.
std::vector<float> Drawn(const TensorSpec& spec, RandomStream& random, double& mean_magnitude) {
  std::int64_t count = 1;
  for (const std::int64_t size : spec.shape) count *= size;
  const double deviation =
      std::sqrt(2.0 / static_cast<double>(std::max<std::int64_t>(1, count / spec.shape[0])));
  std::vector<float> values;
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(deviation * random.Normal()));
    sum += std::fabs(values.back());
  }
  mean_magnitude = sum / static_cast<double>(count);
  return values;
}

std::vector<float> Identity(std::int64_t side) {
  std::vector<float> values(static_cast<std::size_t>(side * side), 0.0F);
  for (std::int64_t i = 0; i < side; ++i) values[static_cast<std::size_t>(i * (side + 1))] = 1;
  return values;
}

}  // namespace

Checkpoint RandomCheckpoint(const space::SearchSpace& space, int bits, std::uint64_t seed) {
  Checkpoint checkpoint;
  checkpoint.space = space;
  checkpoint.bits = bits;
  checkpoint.lineage.seed = seed;
  RandomStream random(seed, "artifacts.random_checkpoint");
  double mean_magnitude = 0;  // of the convolution whose steps come next
  for (const TensorSpec& spec : SupernetTensors(space)) {
    const auto count = static_cast<std::size_t>(spec.shape[0]);
    std::vector<float> values;
    switch (spec.kind) {
      case TensorKind::kConvWeight:
      case TensorKind::kLinearWeight: values = Drawn(spec, random, mean_magnitude); break;
      case TensorKind::kTransform: values = Identity(spec.shape[0]); break;
      case TensorKind::kBias:
      case TensorKind::kBnBias:
      case TensorKind::kRunningMean: values.assign(count, 0.0F); break;
      case TensorKind::kBnWeight:
      case TensorKind::kRunningVar: values.assign(count, 1.0F); break;
      case TensorKind::kStep:
        // Weights: LSQ's own start, 2 E|w| / sqrt(Qp). Activations: three standard deviations.
        values.assign(1, static_cast<float>(spec.name.ends_with(".sw")
                                                ? 2 * mean_magnitude /
                                                      std::sqrt(std::ldexp(1.0, bits - 1) - 1)
                                                : 3 / (std::ldexp(1.0, bits) - 1)));
        break;
    }
    checkpoint.tensors[spec.name] = TensorFromFloats(spec.shape, values.data());
  }
  return checkpoint;
}

}  // namespace oqat::artifacts
