#include "supernet/train/training_curves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace oqat::supernet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsNan;
using testing::Not;

Json Train(int bits, int step, double loss, double rate) {
  return {
      {"kind", "train"}, {"bits", bits}, {"step", step}, {"loss", loss}, {"learning_rate", rate}};
}
Json Epoch(int bits, double epoch, double epochs, int step, double loss) {
  return {{"kind", "epoch"},  {"bits", bits}, {"epoch", epoch},
          {"epochs", epochs}, {"step", step}, {"loss", loss}};
}
Json Evaluation(int bits, const char* subnet, double top1) {
  return {{"kind", "evaluation"}, {"bits", bits}, {"subnet", subnet}, {"top1", top1}};
}
Json Evaluation(int bits, int epoch, const char* subnet, double top1) {
  Json line = Evaluation(bits, subnet, top1);
  line["epoch"] = epoch;
  return line;
}

Json AtStep(Json line, int step) {
  line["step"] = step;
  return line;
}

/// Two float epochs of 10 steps, then one and a half of 20 steps at 4 bit.
std::vector<Json> TwoStages() {
  return {Train(32, 5, 5, 0.1),
          Train(32, 10, 4, 0.2),
          Epoch(32, 1, 2, 10, 4.5),
          Evaluation(32, 1, "largest", 0.5),
          Evaluation(32, 1, "smallest", 0.25),
          Train(32, 15, 3, 0.3),
          Epoch(32, 2, 2, 20, 3),
          AtStep(Evaluation(32, "largest", 0.6), 20),
          Json{{"kind", "stage"}, {"bits", 32}, {"steps", 20}},
          Evaluation(32, "largest", 0.625),
          Evaluation(32, "random-1", 0.4),
          Json{{"kind", "note"}},
          Epoch(4, 1, 1.5, 20, 2),
          Evaluation(4, 1, "largest", 0.5),
          Epoch(4, 2, 1.5, 30, 1),
          Evaluation(4, 2, "largest", 0.75)};  // at the end: an epoch beyond it is cut
}

TEST(TrainingCurves, StagesFollowEachOtherInEpochs) {
  const auto metrics = TwoStages();
  EXPECT_TRUE(KnowsEpochs(metrics));
  const TrainingCurves curves = CurvesOf("run", metrics, TrainingUnit::kEpochs, {});
  ASSERT_EQ(curves.stages.size(), 2u);
  EXPECT_EQ(curves.stages[0].bits, 32);
  EXPECT_EQ(curves.stages[0].end, 2);
  EXPECT_EQ(curves.stages[1].bits, 4);
  EXPECT_EQ(curves.stages[1].begin, 2);
  EXPECT_EQ(curves.stages[1].end, 3.5);
  // The float stage from its finer lines, the other from its epochs; a gap between them.
  EXPECT_THAT(curves.loss.x, ElementsAre(0.5, 1, 1.5, 2, 3, 3.5));
  EXPECT_THAT(curves.loss.y, ElementsAre(5, 4, 3, IsNan(), 2, 1));
  EXPECT_THAT(curves.learning_rate.y, ElementsAre(0.1, 0.2, 0.3, IsNan(), IsNan(), IsNan()));
  // The evaluation at the end of the stage replaces that of its last epoch.
  const auto& largest = curves.top1.at("largest");
  EXPECT_THAT(largest.x, ElementsAre(1, 2, 2, 3, 3.5));
  EXPECT_THAT(largest.y, ElementsAre(50, 62.5, IsNan(), 50, 75));
  EXPECT_THAT(curves.top1.at("smallest").y, ElementsAre(25, IsNan()));
}

TEST(TrainingCurves, StepsWhereEpochsAreNotKnown) {
  const std::vector<Json> metrics = {Train(32, 5, 5, 0.1), Train(32, 10, 4, 0.2),
                                     Evaluation(32, "largest", 0.5), Train(4, 3, 4, 0.2),
                                     Evaluation(4, "largest", 0.25)};
  EXPECT_FALSE(KnowsEpochs(metrics));
  EXPECT_FALSE(KnowsEpochs({}));
  const TrainingCurves curves = CurvesOf("run", metrics, TrainingUnit::kSteps, {});
  EXPECT_THAT(curves.loss.x, ElementsAre(5, 10, 10, 13));
  EXPECT_THAT(curves.top1.at("largest").x, ElementsAre(10, 10, 13));
}

TEST(TrainingCurves, AStageInItsFirstEpochCountsLikeTheOneBefore) {
  std::vector<Json> metrics = TwoStages();
  metrics.push_back(Train(3, 10, 7, 0.1));
  EXPECT_TRUE(KnowsEpochs(metrics));
  const TrainingCurves curves = CurvesOf("run", metrics, TrainingUnit::kEpochs, {});
  EXPECT_EQ(curves.stages.at(2).end, 4);  // 10 of 20 steps
}

TEST(TrainingCurves, FractionsOfEpochsAndOneStage) {
  Json train = Train(32, 6, 1, 0.1);
  train["epoch"] = 0.25;
  const std::vector<Json> metrics = {train, Epoch(2, 1, 2, 40, 3), Epoch(2, 2, 2, 80, 2)};
  EXPECT_TRUE(KnowsEpochs(metrics));
  EXPECT_EQ(CurvesOf("run", metrics, TrainingUnit::kEpochs, {}).stages[0].end, 0.25);
  const TrainingCurves curves = CurvesOf("run", metrics, TrainingUnit::kEpochs, 2);
  ASSERT_EQ(curves.stages.size(), 1u);
  EXPECT_EQ(curves.stages[0].begin, 0);
  EXPECT_THAT(curves.loss.x, ElementsAre(1, 2));
}

TEST(TrainingCurves, WhatIsNotThereIsNotFound) {
  const auto fault = [](const std::vector<Json>& metrics, std::optional<int> bits) -> std::string {
    try {
      CurvesOf("run", metrics, TrainingUnit::kSteps, bits);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kNotFound);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(fault(TwoStages(), 3),
            "'run' has no 3 bit stage in its metrics.jsonl; there are: float, 4 bit");
  EXPECT_EQ(fault({}, {}), "'run' has no stage in its metrics.jsonl; there are: none");
}

TEST(TrainingCharts, OneTrainingHasAColourPerSubnet) {
  const auto curves = CurvesOf("run", TwoStages(), TrainingUnit::kEpochs, {});
  const auto charts =
      TrainingCharts({curves}, TrainingUnit::kEpochs, {TrainingPanel::kLoss, TrainingPanel::kTop1});
  ASSERT_EQ(charts.size(), 2u);
  EXPECT_EQ(charts[0].title, "Training loss of run");
  ASSERT_EQ(charts[0].marks.size(), 2u);
  EXPECT_EQ(charts[0].marks[1].label, "4 bit");
  EXPECT_EQ(charts[0].marks[1].x, 2);
  EXPECT_EQ(charts[0].marks[1].color, -1);
  ASSERT_EQ(charts[1].series.size(), 2u);  // random subnets are not drawn
  EXPECT_EQ(charts[1].series[0].name, "largest");
  EXPECT_EQ(charts[1].series[1].name, "smallest");
  EXPECT_THAT(RenderSvg(charts), HasSubstr(">4 bit<"));
}

TEST(TrainingCharts, SeveralHaveAColourEach) {
  const auto one = CurvesOf("one", TwoStages(), TrainingUnit::kEpochs, {});
  auto two = CurvesOf("two", TwoStages(), TrainingUnit::kEpochs, {});
  const auto same = TrainingCharts({one, two}, TrainingUnit::kEpochs, {TrainingPanel::kTop1});
  EXPECT_EQ(same[0].marks.size(), 2u);
  ASSERT_EQ(same[0].series.size(), 4u);
  EXPECT_EQ(same[0].series[1].name, "one, smallest");
  EXPECT_EQ(same[0].series[1].dash, ChartSeries::Dash::kDotted);
  EXPECT_EQ(same[0].series[1].color, 0);
  EXPECT_EQ(same[0].series[2].name, "two, largest");
  EXPECT_EQ(same[0].series[2].color, 1);

  two = CurvesOf("two", TwoStages(), TrainingUnit::kEpochs, 4);
  const auto different = TrainingCharts({one, two}, TrainingUnit::kEpochs, {TrainingPanel::kLoss});
  ASSERT_EQ(different[0].marks.size(), 3u);
  EXPECT_EQ(different[0].marks[2].color, 1);
}

}  // namespace
}  // namespace oqat::supernet
