#include "artifacts/evaluation_protocol.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "base/random.h"

namespace oqat::artifacts {
namespace {

TEST(Top1Bound, IsExactAtTheEndAndNeverMoreThanTheRestCanAdd) {
  EXPECT_EQ(Top1Bound(600, 1000, 1000, 10), 0.6);
  EXPECT_EQ(Top1Bound(950, 999, 1000, 10), 0.951);
  EXPECT_EQ(Top1Bound(1, 1, 1000, 10), 1.0);
  double last = 1;
  for (int done = 100; done <= 2000; done += 100) {
    const double bound = Top1Bound(done / 2, done, 2000, 20);
    EXPECT_LE(bound, last);
    EXPECT_GE(bound, 0.5);
    last = bound;
  }
}

// The share of evaluations in which any look would have stopped one that reaches its bound.
TEST(Top1Bound, IsWrongInAtMostOneOfTwoHundredEvaluations) {
  constexpr int kImages = 1000, kBatch = 50, kTrials = 4000;
  for (const int right : {100, 500, 900}) {
    RandomStream random(7, "test", {static_cast<std::uint64_t>(right)});
    int wrong = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      std::vector<int> hit(kImages, 0);
      std::fill(hit.begin(), hit.begin() + right, 1);
      random.Shuffle(std::span(hit));
      int hits = 0;
      bool stopped = false;
      for (int done = 0; done < kImages && !stopped; done += kBatch) {
        hits += std::accumulate(hit.begin() + done, hit.begin() + done + kBatch, 0);
        stopped = Top1Bound(hits, done + kBatch, kImages, kImages / kBatch) <
                  static_cast<double>(right) / kImages;
      }
      wrong += stopped ? 1 : 0;
    }
    EXPECT_LE(wrong, kTrials / 200) << right;
  }
}

TEST(Score, SaysWhatIsHopelessOnlyWhereItMayStop) {
  Score score;
  const std::vector<float> logits = {0, 1};
  const std::int32_t label = 0;  // never right
  EvaluationProtocol protocol;
  protocol.batch_size = 10;
  for (int i = 0; i < 100; ++i) score.Add(logits.data(), &label, 1, 2);
  EXPECT_FALSE(score.Hopeless(protocol, 200));
  protocol.stop_below = 0.9;
  EXPECT_TRUE(score.Hopeless(protocol, 200));
  EXPECT_FALSE(score.Hopeless(protocol, 100));  // nothing is left to save
  protocol.stop_below = 0;
  EXPECT_FALSE(score.Hopeless(protocol, 200));
}

}  // namespace
}  // namespace oqat::artifacts
