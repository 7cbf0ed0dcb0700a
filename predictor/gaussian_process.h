#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "predictor/cholesky.h"
#include "predictor/covariance_sums.h"
#include "predictor/features.h"
#include "predictor/regressor.h"
#include "space/search_space.h"

namespace oqat::predictor {

/// A Gaussian process over genes (Rasmussen and Williams 2006, chapters 2 and 5). Its covariance is
/// the sum of a linear kernel on FeatureEncoder's features, which carries the trend, of a squared
/// exponential kernel on the genes, which carries what genes do together, and of noise. Each kind
/// of gene has its own length scale; scales and variances maximise the marginal likelihood of (at
/// most 160 of) the samples.
class GaussianProcess final : public Regressor {
 public:
  /// Samples that a fit uses: of more, the last ones.
  static constexpr std::size_t kMostSamples = 1000;

  explicit GaussianProcess(const space::SearchSpace& space);

  /// At most a second.
  void Fit(std::span<const space::Architecture> architectures, std::span<const double> targets,
           RandomStream& random) override;
  /// A mean takes a microsecond or two, a standard deviation up to a millisecond.
  void Predict(std::span<const space::Architecture> architectures, std::span<double> mean,
               std::span<double> stddev) const override;

 private:
  static constexpr std::size_t kKinds = 5;  // of genes: resolution, bits, depth, kernel, expand
  /// Variances in units of the targets' variance; inverse squared length scales by kind of gene.
  struct Hyper {
    double linear = 1, local = 0.3, noise = 0.1;
    std::array<double, kKinds> inverse_scale{1, 1, 0.5, 0.5, 0.5};
  };
  struct Pairs;

  std::size_t genes() const { return kind_.size(); }
  void ValuesOf(const space::Architecture& architecture, std::uint8_t* values) const;
  static Hyper Choose(const Pairs& pairs, const std::vector<double>& targets);

  space::SearchSpace space_;
  FeatureEncoder encoder_;
  std::vector<std::uint8_t> kind_;           // of each gene
  std::vector<std::vector<double>> places_;  // of each gene's values, 0 to 1; the last: skipped
  Hyper hyper_;
  double center_ = 0, scale_ = 1;  // of the targets
  std::vector<double> feature_center_, feature_scale_;
  // The linear part of the mean, of features as they are.
  std::vector<double> weights_;
  double intercept_ = 0;
  std::vector<double> features_, samples_;  // [n, features], [n, genes]
  std::unique_ptr<Cholesky> factor_;
  std::unique_ptr<CovarianceSums> sums_;
};

}  // namespace oqat::predictor
