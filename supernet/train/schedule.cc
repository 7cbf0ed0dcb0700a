#include "supernet/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace oqat::supernet {
namespace {

// Until a stage is measured it is guessed from one that is.
constexpr double kQuantizedOverFloat = 1.5;
constexpr double kTrainingOverInference = 3.0;
constexpr std::int64_t kStepsIgnored = 2;  // the first steps allocate
constexpr double kMinScale = 0.001;

}  // namespace

double LearningRateAt(double peak, double warmup, double progress) {
  if (progress < warmup) return peak * progress / warmup;
  const double after = std::min(1.0, (progress - warmup) / (1.0 - warmup));
  return peak * 0.5 * (1.0 + std::cos(std::numbers::pi * after));
}

TimePlan::TimePlan(std::vector<Stage> stages, double max_seconds)
    : stages_(std::move(stages)), known_(stages_.size()), max_seconds_(max_seconds) {}

void TimePlan::StepTook(std::size_t stage, double seconds) {
  Known& known = known_[stage];
  if (++known.steps_seen <= kStepsIgnored) return;
  // A running mean that forgets: the machine is shared, and its other work comes and goes.
  const double weight = std::max(0.02, 1.0 / static_cast<double>(known.steps_seen - kStepsIgnored));
  known.step_seconds += weight * (seconds - known.step_seconds);
}

void TimePlan::EvaluationTook(std::size_t stage, double seconds) {
  known_[stage].over = true;
  known_[stage].progress = 1;
  if (stages_[stage].evaluation_images > 0) {
    seconds_per_evaluated_image_ = seconds / stages_[stage].evaluation_images;
  }
}

void TimePlan::SetProgress(std::size_t stage, double progress) {
  known_[stage].progress = std::clamp(progress, 0.0, 1.0);
}

double TimePlan::StepSeconds(std::size_t stage) const {
  for (std::size_t back = stage + 1; back-- > 0;) {
    if (known_[back].step_seconds <= 0) continue;
    const double size = stages_[stage].images_per_step / stages_[back].images_per_step;
    const bool grows = stages_[stage].quantized && !stages_[back].quantized;
    return known_[back].step_seconds * size * (grows ? kQuantizedOverFloat : 1.0);
  }
  return 0;
}

double TimePlan::EvaluationSeconds(std::size_t stage) const {
  const Stage& s = stages_[stage];
  if (seconds_per_evaluated_image_ > 0) return seconds_per_evaluated_image_ * s.evaluation_images;
  return StepSeconds(stage) / s.images_per_step / kTrainingOverInference * s.evaluation_images;
}

double TimePlan::TrainingSecondsLeft() const {
  double seconds = 0;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (!known_[i].over) seconds += (1 - known_[i].progress) * stages_[i].steps * StepSeconds(i);
  }
  return seconds;
}

double TimePlan::EvaluationSecondsLeft() const {
  double seconds = 0;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (!known_[i].over) seconds += EvaluationSeconds(i);
  }
  return seconds;
}

double TimePlan::Scale(double elapsed_seconds) const {
  const double training = TrainingSecondsLeft();
  if (max_seconds_ <= 0 || training <= 0) return 1;
  const double available = max_seconds_ - elapsed_seconds - EvaluationSecondsLeft();
  return std::clamp(available / training, kMinScale, 1.0);
}

double TimePlan::SecondsLeft(double scale) const {
  return scale * TrainingSecondsLeft() + EvaluationSecondsLeft();
}

}  // namespace oqat::supernet
