#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/svg_chart.h"

namespace oqat::supernet {

/// What one training's metrics say over its whole length: stages follow each other along x.
struct TrainingCurves {
  struct Stage {
    int bits = 32;
    double begin = 0, end = 0;  ///< on the x axis
  };
  struct Curve {
    std::vector<double> x, y;  ///< not-a-number between stages
  };

  std::string name;
  std::vector<Stage> stages;
  Curve loss;
  Curve learning_rate;
  std::map<std::string, Curve> top1;  ///< percent, by subnet
};

enum class TrainingUnit { kEpochs, kSteps };

/// True if lines of the first stage tell their epoch, so that x can count epochs. (A later stage
/// whose lines do not tell yet counts like the one before.)
bool KnowsEpochs(const std::vector<Json>& metrics);

/// `metrics` as ReadMetrics returns them. With `bits`, only that stage, which then begins at 0.
/// Throws Error NOT_FOUND if there is no such stage, or none at all.
TrainingCurves CurvesOf(const std::string& name, const std::vector<Json>& metrics,
                        TrainingUnit unit, std::optional<int> bits);

enum class TrainingPanel { kLoss, kTop1, kLearningRate };

/// The curves of one training, or of several to compare, as charts below each other. One training:
/// a colour per subnet. Several: a colour per training, a line pattern per subnet. Stages begin at
/// dashed lines.
std::vector<Chart> TrainingCharts(const std::vector<TrainingCurves>& trainings, TrainingUnit unit,
                                  const std::vector<TrainingPanel>& panels);

}  // namespace oqat::supernet
