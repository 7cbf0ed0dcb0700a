#include "predictor/gaussian_process.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace oqat::predictor {
namespace {

enum Kind : std::uint8_t { kResolution, kBits, kDepth, kKernel, kExpand };

constexpr std::size_t kTuningSamples = 160;
constexpr int kSweeps = 3;
constexpr double kLeast = 1e-6, kMost = 1e4;  // of variances and inverse scales

std::uint8_t ValueOf(const std::vector<int>& choices, int value) {
  return static_cast<std::uint8_t>(std::find(choices.begin(), choices.end(), value) -
                                   choices.begin());
}

}  // namespace

/// What the covariance of each pair of samples, j <= i, is made of, whatever the hyperparameters.
struct GaussianProcess::Pairs {
  std::size_t n = 0;
  std::vector<double> linear;                         // [n (n + 1) / 2]
  std::array<std::vector<double>, kKinds> distances;  // squared, by kind of gene

  Pairs(const std::vector<double>& features, const std::vector<double>& places,
        const std::vector<std::uint8_t>& kind, std::size_t samples)
      : n(samples) {
    const std::size_t p = features.size() / n, g = kind.size();
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        linear.push_back(Dot(&features[i * p], &features[j * p], p) / static_cast<double>(p));
        std::array<double, kKinds> sums{};
        for (std::size_t k = 0; k < g; ++k) {
          const double d = places[i * g + k] - places[j * g + k];
          sums[kind[k]] += d * d;
        }
        for (std::size_t k = 0; k < kKinds; ++k) distances[k].push_back(sums[k]);
      }
    }
  }

  /// [n, n], its lower triangle.
  std::vector<double> Covariance(const Hyper& hyper) const {
    std::vector<double> matrix(n * n);
    std::size_t pair = 0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j <= i; ++j, ++pair) {
        double distance = 0;
        for (std::size_t k = 0; k < kKinds; ++k) {
          distance += hyper.inverse_scale[k] * distances[k][pair];
        }
        matrix[i * n + j] = hyper.linear * linear[pair] + hyper.local * std::exp(-distance);
      }
      matrix[i * n + i] += hyper.noise;
    }
    return matrix;
  }

  /// The marginal likelihood's logarithm up to a constant (Rasmussen and Williams, eq. 5.8).
  double LogLikelihood(const Hyper& hyper, const std::vector<double>& targets) const {
    const Cholesky factor(Covariance(hyper), n);
    std::vector<double> half = targets;
    factor.SolveLower(half);
    return -(factor.LogDeterminant() + Dot(half.data(), half.data(), n)) / 2;
  }
};

GaussianProcess::GaussianProcess(const space::SearchSpace& space) : space_(space), encoder_(space) {
  const auto add = [this](Kind kind, const std::vector<int>& choices, bool may_be_skipped) {
    kind_.push_back(kind);
    std::vector<double>& places = places_.emplace_back();
    for (std::size_t i = 0; i < choices.size(); ++i) {
      places.push_back(choices.size() < 2
                           ? 0.5
                           : static_cast<double>(i) / static_cast<double>(choices.size() - 1));
    }
    // A skipped block is in the middle: that it is skipped is what the depth says.
    if (may_be_skipped && choices.size() > 1) places.push_back(0.5);
  };
  add(kResolution, space_.resolutions, false);
  add(kBits, space_.bits, false);
  for (int stage = 0; stage < space_.num_stages(); ++stage) add(kDepth, space_.depths, false);
  for (int i = 0; i < space_.num_blocks(); ++i) {
    add(kKernel, space_.kernels, true);
    add(kExpand, space_.expands, true);
  }
}

void GaussianProcess::ValuesOf(const space::Architecture& a, std::uint8_t* values) const {
  std::size_t gene = 0;
  const auto add = [&](const std::vector<int>& choices, int value) {
    // A skipped block's value is behind the choices; of a gene with one choice there is no such
    // place.
    values[gene] = static_cast<std::uint8_t>(
        std::min<std::size_t>(ValueOf(choices, value), places_[gene].size() - 1));
    ++gene;
  };
  add(space_.resolutions, a.resolution);
  add(space_.bits, a.bits);
  for (const int depth : a.depths) add(space_.depths, depth);
  for (int i = 0; i < space_.num_blocks(); ++i) {
    add(space_.kernels, a.kernels[i]);
    add(space_.expands, a.expands[i]);
  }
}

// Coordinate ascent on logarithms: each number is multiplied or divided as long as that helps, by
// smaller factors from sweep to sweep.
GaussianProcess::Hyper GaussianProcess::Choose(const Pairs& pairs,
                                               const std::vector<double>& targets) {
  Hyper hyper;
  double best = pairs.LogLikelihood(hyper, targets);
  std::vector<double*> numbers{&hyper.linear, &hyper.local, &hyper.noise};
  for (double& scale : hyper.inverse_scale) numbers.push_back(&scale);
  double step = 4;
  for (int sweep = 0; sweep < kSweeps; ++sweep, step = std::sqrt(step)) {
    for (double* number : numbers) {
      for (const double factor : {step, 1 / step}) {
        bool moved = false;
        while (*number * factor >= kLeast && *number * factor <= kMost) {
          const double before = *number;
          *number *= factor;
          const double now = pairs.LogLikelihood(hyper, targets);
          // Written so that what is not a number loses.
          if (!(now > best)) {
            *number = before;
            break;
          }
          best = now;
          moved = true;
        }
        if (moved) break;
      }
    }
  }
  return hyper;
}

void GaussianProcess::Fit(std::span<const space::Architecture> architectures,
                          std::span<const double> targets, RandomStream& random) {
  CheckSamples(architectures, targets);
  if (targets.size() > kMostSamples) {
    architectures = architectures.last(kMostSamples);
    targets = targets.last(kMostSamples);
  }
  const std::size_t n = targets.size(), p = static_cast<std::size_t>(encoder_.size());
  const std::size_t g = genes();
  const auto count = static_cast<double>(n);
  features_.assign(n * p, 0);
  samples_.assign(n * g, 0);
  std::vector<std::uint8_t> values(g);
  for (std::size_t i = 0; i < n; ++i) {
    encoder_.Encode(architectures[i], std::span(features_).subspan(i * p, p));
    ValuesOf(architectures[i], values.data());
    for (std::size_t k = 0; k < g; ++k) {
      samples_[i * g + k] = places_[k][values[k]];
    }
  }
  Standardize(features_, n, feature_center_, feature_scale_);
  center_ = 0;
  for (const double y : targets) center_ += y / count;
  double variance = 0;
  for (const double y : targets) variance += (y - center_) * (y - center_) / count;
  scale_ = variance > 0 ? std::sqrt(variance) : 1;
  std::vector<double> y(n);
  for (std::size_t i = 0; i < n; ++i) y[i] = (targets[i] - center_) / scale_;

  // Scales from a part of the samples: factoring all for every guess would take seconds.
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  random.Shuffle(std::span(order));
  order.resize(std::min(n, kTuningSamples));
  std::vector<double> some_features, some_samples, some_y;
  for (const std::size_t i : order) {
    const auto append = [i](std::vector<double>& to, const std::vector<double>& from,
                            std::size_t width) {
      const auto first = from.begin() + static_cast<std::ptrdiff_t>(i * width);
      to.insert(to.end(), first, first + static_cast<std::ptrdiff_t>(width));
    };
    append(some_features, features_, p);
    append(some_samples, samples_, g);
    some_y.push_back(y[i]);
  }
  hyper_ = Choose(Pairs(some_features, some_samples, kind_, order.size()), some_y);

  factor_ = std::make_unique<Cholesky>(Pairs(features_, samples_, kind_, n).Covariance(hyper_), n);
  std::vector<double> alpha = factor_->Solve(y);
  weights_.assign(p, 0);
  for (std::size_t i = 0; i < n; ++i) {
    const double weight = hyper_.linear / static_cast<double>(p) * alpha[i];
    for (std::size_t j = 0; j < p; ++j) weights_[j] += weight * features_[i * p + j];
  }
  // So that they take features as they are, not standardised.
  intercept_ = 0;
  for (std::size_t j = 0; j < p; ++j) {
    weights_[j] *= feature_scale_[j];
    intercept_ -= weights_[j] * feature_center_[j];
  }
  std::vector<double> inverse_scale(g);
  for (std::size_t k = 0; k < g; ++k) inverse_scale[k] = hyper_.inverse_scale[kind_[k]];
  for (double& a : alpha) a *= hyper_.local;
  sums_ = std::make_unique<CovarianceSums>(places_, samples_, inverse_scale, alpha);
}

void GaussianProcess::Predict(std::span<const space::Architecture> architectures,
                              std::span<double> mean, std::span<double> stddev) const {
  if (!factor_) {
    throw Error(Code::kFailedPrecondition, "predictor: is not fitted; call Fit before Predict");
  }
  CheckOutputs(architectures, mean, stddev);
  const std::size_t p = weights_.size(), g = genes(), n = samples_.size() / g;
  const auto features = static_cast<double>(p);
  std::vector<double> row(p), covariance(n);
  std::vector<std::uint8_t> values(g);
  std::vector<const float*> rows;
  for (std::size_t a = 0; a < architectures.size(); ++a) {
    ValuesOf(architectures[a], values.data());
    mean[a] = center_ + scale_ * (intercept_ + encoder_.WeightedSum(architectures[a], weights_) +
                                  sums_->Sum(values.data(), rows));
    if (stddev.empty()) continue;
    encoder_.Encode(architectures[a], row);
    for (std::size_t j = 0; j < p; ++j) row[j] = (row[j] - feature_center_[j]) * feature_scale_[j];
    // Rasmussen and Williams, eq. 2.26, and the noise of a measurement.
    for (std::size_t i = 0; i < n; ++i) {
      double distance = 0;
      for (std::size_t k = 0; k < g; ++k) {
        const double place = places_[k][values[k]];
        const double d = samples_[i * g + k] - place;
        distance += hyper_.inverse_scale[kind_[k]] * d * d;
      }
      covariance[i] = hyper_.linear * Dot(&features_[i * p], row.data(), p) / features +
                      hyper_.local * std::exp(-distance);
    }
    factor_->SolveLower(covariance);
    const double variance = hyper_.linear * Dot(row.data(), row.data(), p) / features +
                            hyper_.local + hyper_.noise -
                            Dot(covariance.data(), covariance.data(), n);
    stddev[a] = scale_ * std::sqrt(std::max(variance, hyper_.noise));
  }
}

}  // namespace oqat::predictor
