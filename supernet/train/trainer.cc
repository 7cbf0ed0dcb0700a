#include "supernet/train/trainer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <optional>

#include "base/error.h"
#include "base/progress.h"
#include "supernet/elastic_net.h"
#include "supernet/subnet_evaluator.h"
#include "supernet/train/run_folder.h"
#include "supernet/train/schedule.h"
#include "supernet/train/stage_trainer.h"

namespace oqat::supernet {
namespace {

constexpr int kReplanEverySteps = 20;
constexpr int kFirstPlanAfterSteps = 6;

std::string StageName(int bits) { return bits == 32 ? "float" : std::to_string(bits) + " bit"; }

template <typename... Values>
std::string Format(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

/// One training from start to end; members in the order in which they come to be.
class Run {
 public:
  explicit Run(const TrainRequest& request)
      : request_(request),
        recipe_(request.recipe),
        space_(SpaceOfRecipe(recipe_)),
        start_(std::chrono::steady_clock::now()) {
    CheckStages(recipe_, space_);
    if (recipe_.data.empty()) throw InvalidField("data", "", "a data set, for example synthetic");
    if (recipe_.image_size == 0) recipe_.image_size = space_.max_resolution();
  }

  TrainReport Do();

 private:
  double Elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  void Say(const std::string& line) const {
    if (request_.say) request_.say(line);
  }
  double StepsOf(const RecipeStage& stage) const {
    const double steps = std::round(stage.epochs * static_cast<double>(split_.train.size()) /
                                    static_cast<double>(stage.batch_size));
    return std::max(1.0, steps);
  }
  std::int64_t EvaluationImages() const {
    const std::int64_t all = evaluation_set_.search.count();
    return recipe_.evaluation_images == 0 ? all : std::min(all, recipe_.evaluation_images);
  }
  void LoadData();
  void PlanTime();
  void TrainStage(std::size_t stage, StageReport& report);
  void Replan(std::size_t stage, const StageReport& report);
  void SaveCheckpoint(std::size_t stage, StageReport& report);
  void Evaluate(std::size_t stage, StageReport& report);

  const TrainRequest& request_;
  Recipe recipe_;  ///< epochs become those that were run
  const space::SearchSpace space_;
  const std::chrono::steady_clock::time_point start_;
  std::optional<RunFolder> folder_;
  artifacts::Dataset data_;
  artifacts::TrainSplit split_;
  artifacts::EvaluationSet evaluation_set_;
  artifacts::Normalization normalization_;
  std::optional<TimePlan> plan_;
  double scale_ = 1, scale_said_ = 1;
  ElasticNet net_{nullptr};
  artifacts::Checkpoint checkpoint_;  ///< of the last finished stage
  TrainReport report_;
};

void Run::LoadData() {
  ProgressBar bar("data");
  artifacts::DatasetOptions options;
  options.image_size = recipe_.image_size;
  if (request_.progress) {
    options.progress = [&bar](std::int64_t done, std::int64_t total) {
      bar.Update(static_cast<double>(done), static_cast<double>(total));
    };
  }
  data_ = artifacts::LoadDataset(recipe_.data, options);
  bar.Finish();
  if (static_cast<int>(data_.class_names.size()) != space_.num_classes) {
    throw InvalidField(
        "data", recipe_.data + " with " + std::to_string(data_.class_names.size()) + " classes",
        std::to_string(space_.num_classes) + " classes (space " + space_.name + ")");
  }
  split_ = artifacts::SplitTrainImages(data_.train.count(), recipe_.split);
  evaluation_set_ = artifacts::BuildEvaluationSet(data_, recipe_.split);
  normalization_ = MeasureNormalization(data_.train, split_.train);
  for (const RecipeStage& stage : recipe_.stages) {
    if (stage.batch_size > static_cast<std::int64_t>(split_.train.size())) {
      throw InvalidField("recipe.stages.batch_size", std::to_string(stage.batch_size),
                         "at most the " + std::to_string(split_.train.size()) + " training images");
    }
  }
}

void Run::PlanTime() {
  std::vector<TimePlan::Stage> stages;
  for (const RecipeStage& stage : recipe_.stages) {
    stages.push_back({stage.bits < 32, StepsOf(stage),
                      static_cast<double>(stage.batch_size) * (2 + recipe_.random_subnets),
                      static_cast<double>((EvaluationImages() + recipe_.split.calibration) *
                                          (2 + recipe_.evaluation_random_subnets))});
  }
  plan_.emplace(std::move(stages), request_.max_minutes * 60);
}

void Run::Replan(std::size_t stage, const StageReport& report) {
  if (report.steps != kFirstPlanAfterSteps && report.steps % kReplanEverySteps != 0) return;
  scale_ = plan_->Scale(Elapsed());
  const bool moved = scale_ < 0.85 * scale_said_ || scale_ > 1.3 * scale_said_;
  if (!moved) return;
  Say(
      Format("%s, step %lld: the recipe needs %.1f more minutes, the limit leaves %.1f; the epochs "
             "still to come are cut to %.0f %%",
             StageName(recipe_.stages[stage].bits).c_str(), static_cast<long long>(report.steps),
             plan_->SecondsLeft(1) / 60, std::max(0.0, request_.max_minutes - Elapsed() / 60),
             100 * scale_));
  folder_->Log({{"kind", "cut"},
                {"bits", recipe_.stages[stage].bits},
                {"step", report.steps},
                {"scale", scale_}});
  scale_said_ = scale_;
}

void Run::TrainStage(std::size_t index, StageReport& report) {
  const RecipeStage& stage = recipe_.stages[index];
  const double steps = StepsOf(stage);
  StageTrainer trainer(net_, recipe_, stage, data_.train, split_.train, normalization_,
                       request_.seed);
  ProgressBar bar(StageName(stage.bits));
  const std::int64_t log_every = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(split_.train.size()) / stage.batch_size / 4);
  const double begin = Elapsed();
  double before = begin, smooth_loss = 0, logged_loss = 0;
  std::int64_t logged_steps = 0;
  double progress = 0;
  // Progress, not the step number, drives the schedule: when the time limit shortens the stage,
  // steps get longer in schedule time and the rate still ends at zero.
  for (double step_share = 1 / steps; progress < 1 - 0.5 * step_share;
       step_share = 1 / std::max(1.0, steps * scale_)) {
    const double rate = LearningRateAt(stage.learning_rate, stage.warmup,
                                       std::min(1.0, progress + 0.5 * step_share));
    const double loss = trainer.Step(rate);
    progress += step_share;
    report.steps = trainer.steps();

    const double now = Elapsed();
    plan_->StepTook(index, now - before);
    plan_->SetProgress(index, progress);
    before = now;
    Replan(index, report);
    smooth_loss = report.steps == 1 ? loss : 0.95 * smooth_loss + 0.05 * loss;
    if (request_.progress) {
      bar.Update(now, now + plan_->SecondsLeft(scale_),
                 Format("loss %.3f, %.1f steps/s", smooth_loss,
                        static_cast<double>(report.steps) / std::max(1e-9, now - begin)));
    }
    logged_loss += loss;
    if (++logged_steps == log_every) {
      folder_->Log({{"kind", "train"},
                    {"bits", stage.bits},
                    {"step", report.steps},
                    {"progress", progress},
                    {"learning_rate", rate},
                    {"loss", logged_loss / static_cast<double>(logged_steps)},
                    {"seconds", now}});
      logged_loss = 0;
      logged_steps = 0;
    }
  }
  report.seconds = Elapsed() - begin;
}

void Run::SaveCheckpoint(std::size_t index, StageReport& report) {
  RecipeStage& stage = recipe_.stages[index];
  if (static_cast<double>(report.steps) != StepsOf(stage)) {
    stage.epochs = static_cast<double>(report.steps * stage.batch_size) /
                   static_cast<double>(split_.train.size());
  }
  checkpoint_.bits = stage.bits;
  checkpoint_.lineage.parent_sha256 = index == 0 ? "" : report_.stages[index - 1].sha256;
  checkpoint_.lineage.recipe = RecipeToJson(recipe_);
  checkpoint_.tensors = net_->ToTensors();
  report.file = folder_->PathOf(RunFolder::CheckpointName(stage.bits));
  report.sha256 = artifacts::WriteCheckpoint(report.file, checkpoint_);
}

void Run::Evaluate(std::size_t index, StageReport& report) {
  const double begin = Elapsed();
  const int bits = report.bits;
  // A float supernet takes architectures of any width.
  const int gene = bits == 32 ? space_.bits.front() : bits;
  report.scores.push_back({"smallest", space::Smallest(space_, gene), 0, 0});
  RandomStream random(request_.seed, "train.evaluation");  // the same subnets at every bit width
  for (int i = 1; i <= recipe_.evaluation_random_subnets; ++i) {
    space::Architecture architecture = space::SampleUniform(space_, random);
    architecture.bits = gene;
    report.scores.push_back({"random-" + std::to_string(i), std::move(architecture), 0, 0});
  }
  report.scores.push_back({"largest", space::Largest(space_, gene), 0, 0});

  SubnetEvaluator evaluator(checkpoint_);
  artifacts::EvaluationProtocol protocol;
  protocol.images = EvaluationImages();
  for (SubnetScore& score : report.scores) {
    const auto result = evaluator.Evaluate(score.architecture, evaluation_set_, protocol);
    score.top1 = result.top1;
    score.loss = result.loss;
    Say(Format("  %-10s top1 %5.2f %%  loss %.3f", score.name.c_str(), 100 * score.top1,
               score.loss));
    folder_->Log({{"kind", "evaluation"},
                  {"bits", bits},
                  {"subnet", score.name},
                  {"architecture", space::ArchitectureToJson(score.architecture)},
                  {"top1", score.top1},
                  {"loss", score.loss},
                  {"images", result.images}});
  }
  at::set_num_threads(request_.threads);  // the evaluator works with one
  plan_->EvaluationTook(index, Elapsed() - begin);
}

TrainReport Run::Do() {
  RunFolder::CheckUnused(request_.out_folder);
  at::set_num_threads(request_.threads);
  LoadData();
  folder_.emplace(request_.out_folder);
  report_.evaluation_set_sha256 =
      artifacts::WriteEvaluationSet(folder_->PathOf(RunFolder::kEvaluationSet), evaluation_set_);
  Say(Format("%zu training images of %d px, %lld for search, %lld for test", split_.train.size(),
             recipe_.image_size, static_cast<long long>(evaluation_set_.search.count()),
             static_cast<long long>(evaluation_set_.test.count())));
  PlanTime();

  checkpoint_.space = space_;
  checkpoint_.activation_range = recipe_.activation_range;
  checkpoint_.normalization = normalization_;
  checkpoint_.lineage.seed = request_.seed;
  net_ = ElasticNet(space_, recipe_.stages[0].bits, recipe_.activation_range, request_.seed);
  std::vector<int> quantized;
  for (std::size_t i = 0; i < recipe_.stages.size(); ++i) {
    const int bits = recipe_.stages[i].bits;
    if (i > 0) net_->SetBits(bits);
    StageReport report;
    report.bits = bits;
    TrainStage(i, report);
    SaveCheckpoint(i, report);
    Say(Format("%s: %lld steps in %s (%.2f steps/s), written to %s", StageName(bits).c_str(),
               static_cast<long long>(report.steps), FormatDuration(report.seconds).c_str(),
               static_cast<double>(report.steps) / report.seconds,
               RunFolder::CheckpointName(bits).c_str()));
    folder_->Log({{"kind", "stage"},
                  {"bits", bits},
                  {"steps", report.steps},
                  {"seconds", report.seconds},
                  {"sha256", report.sha256}});
    Evaluate(i, report);
    report_.stages.push_back(std::move(report));
    if (bits < 32) quantized.push_back(bits);
  }
  folder_->WriteModel(space_, quantized);
  Say("done in " + FormatDuration(Elapsed()) + ": " + request_.out_folder);
  return std::move(report_);
}

}  // namespace

TrainReport Train(const TrainRequest& request) { return Run(request).Do(); }

}  // namespace oqat::supernet
