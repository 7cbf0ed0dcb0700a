#include "predictor/gaussian_process.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "predictor/cholesky.h"
#include "predictor/covariance_sums.h"

namespace oqat::predictor {
namespace {

using space::Architecture;

const space::SearchSpace& Space() { return space::Preset("tiny-mbv3"); }

double Target(const Architecture& a) {
  double quality = 0.4 * a.resolution / 24 + 0.25 * (a.bits - 2);
  for (std::size_t i = 0; i < a.kernels.size(); ++i) {
    quality += (0.1 + 0.02 * static_cast<double>(i)) * a.expands[i] / 4 + 0.05 * a.kernels[i] / 5;
  }
  return 1 - std::exp(-quality);
}

struct Sample {
  std::vector<Architecture> architectures;
  std::vector<double> targets;
};

Sample Draw(int n, std::uint64_t seed, double noise = 0) {
  RandomStream random(seed);
  Sample sample;
  for (int i = 0; i < n; ++i) {
    sample.architectures.push_back(space::SampleUniform(Space(), random));
    sample.targets.push_back(Target(sample.architectures.back()) + noise * random.Normal());
  }
  return sample;
}

struct Output {
  std::vector<double> mean, stddev;
};

Output PredictAll(const GaussianProcess& model, const std::vector<Architecture>& architectures) {
  Output output{std::vector<double>(architectures.size()),
                std::vector<double>(architectures.size())};
  model.Predict(architectures, output.mean, output.stddev);
  return output;
}

// Kendall's tau by counting pairs.
double Tau(const std::vector<double>& a, const std::vector<double>& b) {
  double score = 0, pairs = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j, ++pairs) {
      const double product = (a[i] - a[j]) * (b[i] - b[j]);
      score += product > 0 ? 1 : product < 0 ? -1 : 0;
    }
  }
  return score / pairs;
}

TEST(FeatureEncoder, IsZeroWhereBlocksAreSkipped) {
  const FeatureEncoder encoder(Space());
  std::vector<double> smallest(encoder.size()), largest(encoder.size());
  encoder.Encode(space::Smallest(Space(), 2), smallest);
  encoder.Encode(space::Largest(Space(), 4), largest);
  // resolutions 3, bits 3, then 6 blocks of 2 kernels and 3 expands; every other one is skipped.
  const auto block_sum = [](const std::vector<double>& features, int block) {
    const auto first = features.begin() + 6 + 5 * block;
    return std::accumulate(first, first + 5, 0.0);
  };
  for (int block = 0; block < 6; ++block) {
    EXPECT_EQ(block_sum(smallest, block), block % 2 == 0 ? 2 : 0);
    EXPECT_EQ(block_sum(largest, block), 2);
  }
  EXPECT_NE(smallest, largest);
}

TEST(GaussianProcess, RanksWhatItHasNotSeen) {
  GaussianProcess model(Space());
  const Sample train = Draw(200, 1, 0.005), test = Draw(200, 2);
  RandomStream random(3);
  model.Fit(train.architectures, train.targets, random);
  const Output output = PredictAll(model, test.architectures);
  EXPECT_GT(Tau(output.mean, test.targets), 0.9);
  int within = 0;
  for (std::size_t i = 0; i < test.targets.size(); ++i) {
    EXPECT_GT(output.stddev[i], 0);
    within += std::fabs(output.mean[i] - test.targets[i]) < 2 * output.stddev[i];
  }
  EXPECT_GT(within, 180);
}

TEST(GaussianProcess, LearnsFromFewMoreThanTheMean) {
  GaussianProcess model(Space());
  const Sample train = Draw(16, 4), test = Draw(200, 5);
  RandomStream random(6);
  model.Fit(train.architectures, train.targets, random);
  EXPECT_GT(Tau(PredictAll(model, test.architectures).mean, test.targets), 0.5);
}

TEST(GaussianProcess, NoiseRaisesUncertainty) {
  GaussianProcess clean(Space()), noisy(Space());
  const Sample a = Draw(100, 7), b = Draw(100, 7, 0.2);
  RandomStream random_a(8), random_b(8);
  clean.Fit(a.architectures, a.targets, random_a);
  noisy.Fit(b.architectures, b.targets, random_b);
  EXPECT_GT(PredictAll(noisy, a.architectures).stddev[0],
            2 * PredictAll(clean, a.architectures).stddev[0]);
}

TEST(GaussianProcess, IsSurestWhereItHasMeasured) {
  GaussianProcess model(Space());
  const Sample train = Draw(60, 20), test = Draw(200, 21);
  RandomStream random(22);
  model.Fit(train.architectures, train.targets, random);
  const auto mean_of = [](const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  };
  EXPECT_LT(mean_of(PredictAll(model, train.architectures).stddev),
            mean_of(PredictAll(model, test.architectures).stddev));
}

TEST(GaussianProcess, MeansAloneAreTheSame) {
  GaussianProcess model(Space());
  const Sample train = Draw(60, 23), test = Draw(50, 24);
  RandomStream random(25);
  model.Fit(train.architectures, train.targets, random);
  std::vector<double> mean(50);
  model.Predict(test.architectures, mean, {});
  EXPECT_EQ(mean, PredictAll(model, test.architectures).mean);
}

TEST(GaussianProcess, KnowsGenesWithOneChoice) {
  // Blocks are skipped here whose only kernel has no place of its own for that.
  space::SearchSpace space = Space();
  space.kernels = {5};
  RandomStream random(29);
  Sample train;
  for (int i = 0; i < 40; ++i) {
    train.architectures.push_back(space::SampleUniform(space, random));
    train.targets.push_back(Target(train.architectures.back()));
  }
  GaussianProcess model(space);
  model.Fit(train.architectures, train.targets, random);
  const Output output = PredictAll(model, train.architectures);
  for (std::size_t i = 0; i < train.targets.size(); ++i) {
    EXPECT_NEAR(output.mean[i], train.targets[i], 0.05);
  }
}

TEST(GaussianProcess, UsesTheLastThousand) {
  GaussianProcess all(Space()), last(Space());
  Sample train = Draw(1100, 26);
  RandomStream a(27), b(27);
  all.Fit(train.architectures, train.targets, a);
  train.architectures.erase(train.architectures.begin(), train.architectures.begin() + 100);
  train.targets.erase(train.targets.begin(), train.targets.begin() + 100);
  last.Fit(train.architectures, train.targets, b);
  const Sample test = Draw(20, 28);
  EXPECT_EQ(PredictAll(all, test.architectures).mean, PredictAll(last, test.architectures).mean);
}

TEST(GaussianProcess, IsBitIdenticalFromRunToRun) {
  const Sample train = Draw(120, 9, 0.01), test = Draw(50, 10);
  GaussianProcess first(Space()), second(Space());
  RandomStream a(11), b(11);
  first.Fit(train.architectures, train.targets, a);
  // Refitting forgets what came before.
  const Sample other = Draw(30, 12);
  RandomStream c(1);
  second.Fit(other.architectures, other.targets, c);
  second.Fit(train.architectures, train.targets, b);
  EXPECT_EQ(PredictAll(first, test.architectures).mean,
            PredictAll(second, test.architectures).mean);
  EXPECT_EQ(PredictAll(first, test.architectures).stddev,
            PredictAll(second, test.architectures).stddev);
}

TEST(GaussianProcess, SurvivesDegenerateSamples) {
  GaussianProcess model(Space());
  RandomStream random(13);
  const Sample test = Draw(20, 14);
  const Architecture smallest = space::Smallest(Space(), 2);
  model.Fit(std::vector<Architecture>{smallest}, std::vector<double>{0.5}, random);
  for (const double mean : PredictAll(model, test.architectures).mean) EXPECT_EQ(mean, 0.5);
  model.Fit(std::vector<Architecture>(5, smallest), std::vector<double>{0, 1, 0, 1, 0.5}, random);
  for (const double mean : PredictAll(model, test.architectures).mean) {
    EXPECT_GE(mean, 0);
    EXPECT_LE(mean, 1);
  }
  model.Fit(test.architectures, std::vector<double>(20, 0.25), random);
  for (const double mean : PredictAll(model, test.architectures).mean)
    EXPECT_NEAR(mean, 0.25, 1e-12);
}

TEST(GaussianProcess, RefusesBadInput) {
  GaussianProcess model(Space());
  RandomStream random(15);
  const Sample train = Draw(10, 16);
  std::vector<double> mean(10), stddev(10), few(9);
  EXPECT_THROW(model.Predict(train.architectures, mean, stddev), Error);
  EXPECT_THROW(model.Fit({}, {}, random), Error);
  EXPECT_THROW(model.Fit(train.architectures, few, random), Error);
  std::vector<double> infinite = train.targets;
  infinite[3] = INFINITY;
  EXPECT_THROW(model.Fit(train.architectures, infinite, random), Error);
  model.Fit(train.architectures, train.targets, random);
  EXPECT_THROW(model.Predict(train.architectures, few, stddev), Error);
  EXPECT_THROW(model.Predict(train.architectures, mean, few), Error);
}

TEST(CovarianceSums, AgreeWithTheFormula) {
  RandomStream random(30);
  const std::vector<std::vector<double>> places{{0, 0.5, 1}, {0.5}, {0, 1, 0.5}, {0, 1}};
  const std::vector<double> inverse_scale{0.3, 2, 1.5, 40};
  constexpr std::size_t kSamples = 75;
  std::vector<double> samples, weights;
  for (std::size_t i = 0; i < kSamples; ++i) {
    for (const auto& choices : places) samples.push_back(random.Choose(choices));
    weights.push_back(random.Normal());
  }
  std::vector<const float*> rows;
  const CovarianceSums sums(places, samples, inverse_scale, weights);
  for (std::uint8_t first = 0; first < 3; ++first) {
    for (std::uint8_t last = 0; last < 2; ++last) {
      const std::uint8_t values[] = {first, 0, 2, last};
      double expected = 0;
      for (std::size_t i = 0; i < kSamples; ++i) {
        double distance = 0;
        for (std::size_t g = 0; g < 4; ++g) {
          const double d = samples[4 * i + g] - places[g][values[g]];
          distance += inverse_scale[g] * d * d;
        }
        expected += weights[i] * std::exp(-distance);
      }
      EXPECT_NEAR(sums.Sum(values, rows), expected, 1e-5);
    }
  }
}

TEST(CholeskyFactor, SolvesRandomSystems) {
  RandomStream random(17);
  for (const std::size_t p : {1u, 2u, 7u, 40u}) {
    std::vector<double> root(p * p), matrix(p * p), expected(p), b(p, 0.0);
    for (double& value : root) value = random.Normal();
    for (double& value : expected) value = random.Normal();
    for (std::size_t i = 0; i < p; ++i) {
      for (std::size_t j = 0; j < p; ++j) {
        for (std::size_t k = 0; k < p; ++k) matrix[i * p + j] += root[i * p + k] * root[j * p + k];
      }
      matrix[i * p + i] += 1;
    }
    for (std::size_t i = 0; i < p; ++i) {
      for (std::size_t j = 0; j < p; ++j) b[i] += matrix[i * p + j] * expected[j];
    }
    const std::vector<double> solved = Cholesky(matrix, p).Solve(b);
    for (std::size_t i = 0; i < p; ++i) EXPECT_NEAR(solved[i], expected[i], 1e-9);
  }
}

}  // namespace
}  // namespace oqat::predictor
