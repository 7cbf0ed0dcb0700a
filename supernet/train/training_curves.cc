#include "supernet/train/training_curves.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace oqat::supernet {
namespace {

using Curve = TrainingCurves::Curve;
using Dash = ChartSeries::Dash;

struct Subnet {
  const char* name;
  Dash dash;  ///< where the colour tells the training
};
constexpr std::array<Subnet, 3> kSubnets = {
    {{"largest", Dash::kSolid}, {"median", Dash::kDashed}, {"smallest", Dash::kDotted}}};

std::string StageLabel(int bits) { return bits == 32 ? "float" : std::to_string(bits) + " bit"; }

bool IsKind(const Json& line, const char* kind) { return line["kind"] == kind; }

/// A measurement that may be missing or null.
double Number(const Json& line, const char* field) {
  const auto found = line.find(field);
  return found == line.end() || !found->is_number() ? NAN : found->get<double>();
}

/// Lines of one bit width, in order.
struct StageLines {
  int bits = 0;
  std::vector<const Json*> lines;

  double Steps() const {
    double steps = 0;
    for (const Json* line : lines) {
      steps = std::max({steps, line->value("step", 0.0), line->value("steps", 0.0)});
    }
    return steps;
  }

  /// 0 if no line tells. Lines of kind train come first; their epochs are fractions, and exact.
  double StepsPerEpoch() const {
    for (const Json* line : lines) {
      const double epoch = line->value("epoch", 0.0), step = line->value("step", 0.0);
      if ((IsKind(*line, "train") || IsKind(*line, "epoch")) && epoch > 0 && step > 0) {
        return step / epoch;
      }
    }
    return 0;
  }

  std::vector<const Json*> OfKind(const char* kind) const {
    std::vector<const Json*> chosen;
    for (const Json* line : lines) {
      if (IsKind(*line, kind)) chosen.push_back(line);
    }
    return chosen;
  }
};

std::vector<StageLines> StagesOf(const std::vector<Json>& metrics) {
  std::vector<StageLines> stages;
  for (const Json& line : metrics) {
    if (!line.contains("bits")) continue;
    const int bits = line["bits"];
    if (stages.empty() || stages.back().bits != bits) stages.push_back({bits, {}});
    stages.back().lines.push_back(&line);
  }
  return stages;
}

/// Two values at one place: the later one, which was measured more thoroughly (the evaluation at
/// the end of a stage repeats that of its last epoch on more images).
void Add(Curve& curve, double x, double y) {
  if (!curve.x.empty() && curve.x.back() == x && !std::isnan(curve.y.back())) {
    curve.y.back() = y;
    return;
  }
  curve.x.push_back(x);
  curve.y.push_back(y);
}

/// Curves do not run on from one stage into the next.
void Break(Curve& curve, double x) {
  if (curve.x.empty()) return;
  curve.x.push_back(x);
  curve.y.push_back(NAN);
}

/// Appends one stage that begins at `begin`, with `steps_per_x` steps to a unit of x. Returns its
/// end.
double AddStage(const StageLines& stage, double begin, double steps_per_x, TrainingCurves& curves) {
  const double end = begin + stage.Steps() / steps_per_x;
  curves.stages.push_back({stage.bits, begin, end});
  Break(curves.loss, begin);
  Break(curves.learning_rate, begin);
  for (auto& [name, curve] : curves.top1) Break(curve, begin);

  const auto fine = stage.OfKind("train"), coarse = stage.OfKind("epoch");
  for (const Json* line : fine.size() > coarse.size() ? fine : coarse) {
    const double x = begin + line->value("step", 0.0) / steps_per_x;
    Add(curves.loss, x, Number(*line, "loss"));
    Add(curves.learning_rate, x, Number(*line, "learning_rate"));
  }
  const double steps_per_epoch = stage.StepsPerEpoch();
  for (const Json* line : stage.OfKind("evaluation")) {
    double x = end;  // that of a finished stage names neither step nor epoch
    if (line->contains("step")) {
      x = begin + (*line)["step"].get<double>() / steps_per_x;
    } else if (line->contains("epoch") && steps_per_epoch > 0) {
      x = begin + (*line)["epoch"].get<double>() * steps_per_epoch / steps_per_x;
    }
    Add(curves.top1[line->value("subnet", "")], std::min(x, end), 100 * Number(*line, "top1"));
  }
  return end;
}

/// Where the stages begin: grey if that is the same in all trainings, else in their colours.
std::vector<ChartMark> MarksOf(const std::vector<TrainingCurves>& trainings) {
  std::vector<std::vector<ChartMark>> all;
  for (const TrainingCurves& training : trainings) {
    std::vector<ChartMark> marks;
    for (const auto& stage : training.stages) {
      marks.push_back({stage.begin, StageLabel(stage.bits), static_cast<int>(all.size())});
    }
    all.push_back(std::move(marks));
  }
  const auto same = [&](const std::vector<ChartMark>& marks) {
    return std::equal(
        marks.begin(), marks.end(), all[0].begin(), all[0].end(),
        [](const ChartMark& a, const ChartMark& b) { return a.x == b.x && a.label == b.label; });
  };
  if (std::all_of(all.begin(), all.end(), same)) {
    for (ChartMark& mark : all[0]) mark.color = -1;
    return all[0];
  }
  std::vector<ChartMark> marks;
  for (const auto& more : all) marks.insert(marks.end(), more.begin(), more.end());
  return marks;
}

ChartSeries SeriesOf(const std::string& name, const Curve& curve, int color, Dash dash) {
  ChartSeries series;
  series.name = name;
  series.x = curve.x;
  series.y = curve.y;
  series.color = color;
  series.dash = dash;
  return series;
}

}  // namespace

bool KnowsEpochs(const std::vector<Json>& metrics) {
  const auto stages = StagesOf(metrics);
  return !stages.empty() && stages[0].StepsPerEpoch() > 0;
}

TrainingCurves CurvesOf(const std::string& name, const std::vector<Json>& metrics,
                        TrainingUnit unit, std::optional<int> bits) {
  TrainingCurves curves;
  curves.name = name;
  double at = 0, steps_per_x = 1;
  std::string there;
  for (const StageLines& stage : StagesOf(metrics)) {
    there += (there.empty() ? "" : ", ") + StageLabel(stage.bits);
    if (unit == TrainingUnit::kEpochs && stage.StepsPerEpoch() > 0) {
      steps_per_x = stage.StepsPerEpoch();
    }
    if (bits && stage.bits != *bits) continue;
    at = AddStage(stage, at, steps_per_x, curves);
  }
  if (curves.stages.empty()) {
    throw Error(Code::kNotFound,
                "'" + name + "' has no " + (bits ? StageLabel(*bits) + " " : "") +
                    "stage in its metrics.jsonl; there are: " + (there.empty() ? "none" : there));
  }
  return curves;
}

std::vector<Chart> TrainingCharts(const std::vector<TrainingCurves>& trainings, TrainingUnit unit,
                                  const std::vector<TrainingPanel>& panels) {
  const bool several = trainings.size() > 1;
  double end = 0;
  for (const TrainingCurves& training : trainings) end = std::max(end, training.stages.back().end);
  std::vector<Chart> charts;
  for (const TrainingPanel panel : panels) {
    Chart chart;
    chart.x.label = unit == TrainingUnit::kEpochs ? "epoch" : "step";
    chart.x.low = 0;
    if (end > 0) chart.x.high = 1.02 * end;
    chart.marks = MarksOf(trainings);
    for (std::size_t t = 0; t < trainings.size(); ++t) {
      const TrainingCurves& training = trainings[t];
      const std::string name = several ? training.name : "";
      const int color = static_cast<int>(t);
      switch (panel) {
        case TrainingPanel::kLoss:
          chart.series.push_back(SeriesOf(name, training.loss, color, Dash::kSolid));
          break;
        case TrainingPanel::kLearningRate:
          chart.series.push_back(SeriesOf(name, training.learning_rate, color, Dash::kSolid));
          break;
        case TrainingPanel::kTop1:
          for (const Subnet& subnet : kSubnets) {
            const auto found = training.top1.find(subnet.name);
            if (found == training.top1.end()) continue;
            chart.series.push_back(SeriesOf(several ? name + ", " + subnet.name : subnet.name,
                                            found->second, several ? color : -1,
                                            several ? subnet.dash : Dash::kSolid));
          }
          break;
      }
    }
    const std::string of = several ? "" : " of " + trainings[0].name;
    switch (panel) {
      case TrainingPanel::kLoss:
        chart.title = "Training loss" + of;
        chart.y.label = "loss (nats)";
        chart.height = 380;
        break;
      case TrainingPanel::kTop1:
        chart.title = "Accuracy on the search images" + (several ? "" : ", " + trainings[0].name);
        chart.y.label = "top1 (%)";
        chart.height = 420;
        break;
      case TrainingPanel::kLearningRate:
        chart.title = "Learning rate" + of;
        chart.y.label = "learning rate";
        chart.y.low = 0;
        chart.height = 260;
        break;
    }
    charts.push_back(std::move(chart));
  }
  return charts;
}

}  // namespace oqat::supernet
