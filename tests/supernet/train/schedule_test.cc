#include "supernet/train/schedule.h"

#include <gtest/gtest.h>

namespace oqat::supernet {
namespace {

TEST(LearningRate, RisesLinearlyThenFallsAlongACosine) {
  EXPECT_DOUBLE_EQ(LearningRateAt(Schedule::kCosine, 0.4, 0.1, 0.05), 0.2);
  EXPECT_DOUBLE_EQ(LearningRateAt(Schedule::kCosine, 0.4, 0.1, 0.1), 0.4);
  EXPECT_NEAR(LearningRateAt(Schedule::kCosine, 0.4, 0.1, 0.55), 0.2, 1e-12);
  EXPECT_NEAR(LearningRateAt(Schedule::kCosine, 0.4, 0.1, 1.0), 0.0, 1e-12);
  EXPECT_DOUBLE_EQ(LearningRateAt(Schedule::kCosine, 0.4, 0.0, 0.0), 0.4);
}

TEST(LearningRate, FallsAlongALineOrStays) {
  EXPECT_DOUBLE_EQ(LearningRateAt(Schedule::kLinear, 0.4, 0.2, 0.1), 0.2);
  EXPECT_DOUBLE_EQ(LearningRateAt(Schedule::kLinear, 0.4, 0.2, 0.4), 0.3);
  EXPECT_DOUBLE_EQ(LearningRateAt(Schedule::kLinear, 0.4, 0.2, 1.0), 0.0);
  EXPECT_DOUBLE_EQ(LearningRateAt(Schedule::kConstant, 0.4, 0.2, 0.9), 0.4);
}

TimePlan TwoStages(double max_seconds) {
  return TimePlan({{false, 100, 30, 0, 0}, {true, 100, 30, 0, 0}}, max_seconds);
}

void Steps(TimePlan& plan, std::size_t stage, int steps, double seconds) {
  for (int i = 0; i < steps; ++i) plan.StepTook(stage, seconds);
}

TEST(TimePlan, CutsNothingWithoutALimitOrAMeasurement) {
  TimePlan free = TwoStages(0);
  Steps(free, 0, 10, 100);
  EXPECT_EQ(free.Scale(1e6), 1);
  EXPECT_EQ(TwoStages(10).Scale(5), 1);
}

TEST(TimePlan, GuessesQuantizedStagesFromTheFloatOne) {
  TimePlan plan = TwoStages(0);
  Steps(plan, 0, 10, 1.0);
  plan.SetProgress(0, 0.1);
  EXPECT_NEAR(plan.SecondsLeft(1), 90 + 150, 1e-9);
}

TEST(TimePlan, IgnoresTheFirstStepsWhichAllocate) {
  TimePlan plan = TwoStages(0);
  Steps(plan, 0, 2, 50);
  Steps(plan, 0, 5, 1);
  EXPECT_NEAR(plan.SecondsLeft(1), 100 + 150, 1e-9);
}

TEST(TimePlan, OneStepThatHungCutsLittle) {
  TimePlan plan = TwoStages(1e6);
  Steps(plan, 0, 52, 1.0);
  plan.StepTook(0, 1000);
  EXPECT_NEAR(plan.SecondsLeft(1), 250, 12);
  Steps(plan, 0, 500, 2.0);  // slower for good
  EXPECT_NEAR(plan.SecondsLeft(1), 500, 5);
}

TEST(TimePlan, CutsWhatIsLeftByOneFactor) {
  TimePlan plan = TwoStages(130);
  Steps(plan, 0, 10, 1.0);
  plan.SetProgress(0, 0.1);
  EXPECT_NEAR(plan.Scale(10), 120.0 / 240, 1e-9);
  EXPECT_NEAR(plan.SecondsLeft(plan.Scale(10)), 120, 1e-9);
}

TEST(TimePlan, NeverLengthensAndNeverReachesZero) {
  TimePlan plan = TwoStages(1e6);
  Steps(plan, 0, 10, 1.0);
  EXPECT_EQ(plan.Scale(0), 1);
  EXPECT_GT(plan.Scale(2e6), 0);
}

TEST(TimePlan, ReservesTimeForEvaluations) {
  TimePlan plan({{false, 100, 30, 90, 0}, {false, 100, 30, 90, 0}}, 0);
  Steps(plan, 0, 10, 1.0);
  EXPECT_NEAR(plan.SecondsLeft(1), 202,
              1e-9);  // an image forward costs a third of a training image
  plan.EvaluationTook(90, 9);
  plan.StageOver(0);
  EXPECT_NEAR(plan.SecondsLeft(1), 100 + 9, 1e-9);
}

TEST(TimePlan, EvaluationsOnTheWayAreCutWithTheSteps) {
  TimePlan plan({{false, 100, 30, 0, 300}}, 65);
  Steps(plan, 0, 10, 1.0);
  plan.EvaluationTook(30, 3);
  EXPECT_NEAR(plan.SecondsLeft(1), 130, 1e-9);
  EXPECT_NEAR(plan.Scale(0), 0.5, 1e-9);
  plan.SetProgress(0, 0.5);
  EXPECT_NEAR(plan.SecondsLeft(1), 65, 1e-9);
}

}  // namespace
}  // namespace oqat::supernet
