#include "search/kendall.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace oqat::search {
namespace {

double TauByPairs(const std::vector<double>& a, const std::vector<double>& b) {
  double score = 0, untied_a = 0, untied_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const int order_a = (a[i] > a[j]) - (a[i] < a[j]);
      const int order_b = (b[i] > b[j]) - (b[i] < b[j]);
      score += order_a * order_b;
      untied_a += order_a != 0;
      untied_b += order_b != 0;
    }
  }
  return untied_a == 0 || untied_b == 0 ? 0 : score / std::sqrt(untied_a * untied_b);
}

TEST(KendallTau, OrdersAndTies) {
  const std::vector<double> up = {1, 2, 3, 4}, down = {4, 3, 2, 1}, flat = {5, 5, 5, 5};
  EXPECT_DOUBLE_EQ(KendallTau(up, up), 1);
  EXPECT_DOUBLE_EQ(KendallTau(up, down), -1);
  EXPECT_EQ(KendallTau(up, flat), 0);
  EXPECT_EQ(KendallTau(flat, flat), 0);
  EXPECT_EQ(KendallTau({}, {}), 0);
  EXPECT_EQ(KendallTau(std::vector<double>{1}, std::vector<double>{2}), 0);
  // The worked example of scipy.stats.kendalltau.
  EXPECT_NEAR(KendallTau(std::vector<double>{12, 2, 1, 12, 2}, std::vector<double>{1, 4, 7, 1, 0}),
              -0.47140452079103173, 1e-15);
}

TEST(KendallTau, EqualsCountingAllPairs) {
  RandomStream random(3);
  for (int trial = 0; trial < 200; ++trial) {
    const std::size_t n = 2 + random.Below(40);
    std::vector<double> a(n), b(n);
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = static_cast<double>(random.Below(1 + trial));
      b[i] = static_cast<double>(random.Below(12));
    }
    EXPECT_NEAR(KendallTau(a, b), TauByPairs(a, b), 1e-12);
  }
}

TEST(KendallTau, RefusesUnequalLengthsAndNaN) {
  const std::vector<double> two = {1, 2}, three = {1, 2, 3};
  const std::vector<double> nan = {1, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_THROW(KendallTau(two, three), Error);
  EXPECT_THROW(KendallTau(two, nan), Error);
  EXPECT_THROW(KendallTau(nan, two), Error);
}

TEST(KendallTauOfBest, LooksAtTheBestFifthAlone) {
  std::vector<double> measured, predicted;
  for (int i = 0; i < 30; ++i) {
    measured.push_back(i);
    predicted.push_back(i < 24 ? i : 60 - i);  // the best six the wrong way round
  }
  EXPECT_DOUBLE_EQ(KendallTauOfBest(predicted, measured, true).value(), -1);
  EXPECT_DOUBLE_EQ(KendallTauOfBest(predicted, measured, false).value(), 1);
  // At least four, where there are so many.
  const std::vector<double> four{1, 2, 3, 4}, reversed{4, 3, 2, 1};
  EXPECT_DOUBLE_EQ(KendallTauOfBest(reversed, four, true).value(), -1);
  EXPECT_FALSE(KendallTauOfBest(std::vector<double>{1, 2, 3}, std::vector<double>{1, 2, 3}, true));
}

}  // namespace
}  // namespace oqat::search
