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
constexpr std::int64_t kStepsTrusted = 12;
constexpr double kOutlier = 3.0;
constexpr double kMinScale = 0.001;

}  // namespace

double LearningRateAt(Schedule schedule, double peak, double warmup, double progress) {
  if (progress < warmup) return peak * progress / warmup;
  const double after = std::min(1.0, (progress - warmup) / (1.0 - warmup));
  switch (schedule) {
    case Schedule::kConstant: return peak;
    case Schedule::kLinear: return peak * (1.0 - after);
    case Schedule::kCosine: break;
  }
  return peak * 0.5 * (1.0 + std::cos(std::numbers::pi * after));
}

TimePlan::TimePlan(std::vector<Stage> stages, double max_seconds)
    : stages_(std::move(stages)), known_(stages_.size()), max_seconds_(max_seconds) {}

void TimePlan::StepTook(std::size_t stage, double seconds) {
  Known& known = known_[stage];
  if (++known.steps_seen <= kStepsIgnored) return;
  // A running mean that forgets: the machine is shared, and its other work comes and goes.
  const double weight = std::max(0.02, 1.0 / static_cast<double>(known.steps_seen - kStepsIgnored));
  // One step that hung (a suspended machine, a full disk) says little about those to come.
  if (known.steps_seen > kStepsTrusted) {
    seconds = std::min(seconds, kOutlier * known.step_seconds);
  }
  known.step_seconds += weight * (seconds - known.step_seconds);
}

void TimePlan::EvaluationTook(double images, double seconds) {
  if (images > 0) seconds_per_evaluated_image_ = seconds / images;
}

void TimePlan::StageOver(std::size_t stage) {
  known_[stage].over = true;
  known_[stage].progress = 1;
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

double TimePlan::SecondsPerEvaluatedImage(std::size_t stage) const {
  if (seconds_per_evaluated_image_ > 0) return seconds_per_evaluated_image_;
  return StepSeconds(stage) / stages_[stage].images_per_step / kTrainingOverInference;
}

double TimePlan::TrainingSecondsLeft() const {
  double seconds = 0;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (known_[i].over) continue;
    seconds +=
        (1 - known_[i].progress) * (stages_[i].steps * StepSeconds(i) +
                                    stages_[i].images_on_the_way * SecondsPerEvaluatedImage(i));
  }
  return seconds;
}

double TimePlan::EvaluationSecondsLeft() const {
  double seconds = 0;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (known_[i].over) continue;
    seconds += stages_[i].evaluation_images * SecondsPerEvaluatedImage(i);
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
