#pragma once

#include <cstdint>
#include <vector>

#include "supernet/train/recipe.h"

namespace oqat::supernet {

/// Learning rate at `progress` in [0, 1] of a stage: rises linearly to `peak` over the share
/// `warmup`, then falls to 0 along half a cosine (Loshchilov and Hutter 2017, eq. 5) or a line, or
/// stays.
double LearningRateAt(Schedule schedule, double peak, double warmup, double progress);

/// How long a training will take, and by how much its stages must be cut to end in time. Pure: it
/// is told what was measured, it reads no clock.
class TimePlan {
 public:
  struct Stage {
    bool quantized = false;
    double steps = 0;              ///< by the recipe
    double images_per_step = 0;    ///< batch size x subnets, forward and backward
    double evaluation_images = 0;  ///< after the stage: subnets x images, forward only
    double images_on_the_way = 0;  ///< the same for all evaluations within the stage
  };

  /// `max_seconds` 0: no limit.
  TimePlan(std::vector<Stage> stages, double max_seconds);

  void StepTook(std::size_t stage, double seconds);
  void EvaluationTook(double images, double seconds);

  /// The stage and its evaluation are over.
  void StageOver(std::size_t stage);

  /// The share of a stage that is done, 0 to 1.
  void SetProgress(std::size_t stage, double progress);

  /// The share of its epochs that every stage keeps from now on so that the whole ends within the
  /// limit, in (0, 1]; 1 without a limit or before anything was measured.
  double Scale(double elapsed_seconds) const;

  /// Time left at `scale`; 0 before anything was measured.
  double SecondsLeft(double scale) const;

 private:
  struct Known {
    double step_seconds = 0;  ///< smoothed; 0: not measured
    std::int64_t steps_seen = 0;
    double progress = 0;
    bool over = false;
  };
  double StepSeconds(std::size_t stage) const;
  double SecondsPerEvaluatedImage(std::size_t stage) const;
  double TrainingSecondsLeft() const;
  double EvaluationSecondsLeft() const;

  std::vector<Stage> stages_;
  std::vector<Known> known_;
  double max_seconds_;
  double seconds_per_evaluated_image_ = 0;  ///< of the last evaluation; 0: none yet
};

}  // namespace oqat::supernet
