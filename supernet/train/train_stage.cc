#include <algorithm>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "base/progress.h"
#include "supernet/tensors.h"
#include "supernet/train/batch_loader.h"
#include "supernet/train/device_batches.h"
#include "supernet/train/run_context.h"
#include "supernet/train/stage_trainer.h"

namespace oqat::supernet {
namespace {

constexpr int kReplanEverySteps = 20;
constexpr int kFirstPlanAfterSteps = 6;
constexpr int kLogsPerEpoch = 4;

/// Copies the values of `tensors` into `targets` of the same names.
void RestoreTensors(const std::map<std::string, artifacts::Tensor>& tensors,
                    std::map<std::string, at::Tensor> targets, const std::string& where) {
  for (auto& [name, target] : targets) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.shape != target.sizes().vec()) {
      throw Error(Code::kDataLoss, where + ": " + name + ": missing or of another shape");
    }
    target.copy_(FromArtifact(found->second));
  }
}

/// The stage's batches from the state's step on, made where the net is.
std::unique_ptr<BatchSource> MakeBatches(const RunContext& run, const RecipeStage& stage) {
  const BatchPlan plan{run.recipe,
                       stage,
                       run.space,
                       run.data.data.train,
                       run.data.split.train,
                       run.normalization,
                       run.request.seed,
                       run.state.steps};
  if (run.device_images) return std::make_unique<DeviceBatches>(plan, *run.device_images);
  return std::make_unique<BatchLoader>(plan);
}

/// One stage, from where the state says to its end.
class Stage {
 public:
  Stage(RunContext& run, ElasticNet& net, FloatTeacher& teacher)
      : run_(run),
        net_(net),
        index_(run.state.stage),
        stage_(run.recipe.stages[index_]),
        steps_(run.StepsOf(stage_)),
        images_(static_cast<double>(run.data.split.train.size())),
        log_every_(std::max<std::int64_t>(
            1, static_cast<std::int64_t>(images_) / stage_.batch_size / kLogsPerEpoch)),
        batches_(MakeBatches(run, stage_)),
        trainer_(net, run.recipe, stage_, *batches_, teacher, run.request.seed, run.state.steps),
        bar_(StageName(stage_.bits)),
        saved_at_(run.Elapsed()) {}

  void Run();

 private:
  double Epoch() const {
    return static_cast<double>(run_.state.steps * stage_.batch_size) / images_;
  }
  std::int64_t EpochsDone(std::int64_t steps) const {
    return steps * stage_.batch_size / static_cast<std::int64_t>(images_);
  }
  void Restore();
  void AfterStep(double loss, double rate);
  void Replan();
  void AfterEpoch(double rate);
  void Save();
  /// Adds to one of the sums that survive an interruption.
  double& Running(const std::string& name) {
    return run_.state.running.emplace(name, 0.0).first->get_ref<double&>();
  }

  RunContext& run_;
  ElasticNet& net_;
  const std::size_t index_;
  const RecipeStage& stage_;
  const double steps_, images_;
  const std::int64_t log_every_;
  std::unique_ptr<BatchSource> batches_;
  StageTrainer trainer_;
  ProgressBar bar_;
  double saved_at_;
  double timed_steps_ = 0, step_seconds_ = 0;  ///< since the last line of the log
  double scale_ = 1, scale_said_ = 1;
};

void Stage::Restore() {
  RestoreTensors(run_.state.tensors, trainer_.OptimizerTensors(),
                 run_.folder->PathOf(RunFolder::kState));
  run_.plan->SetProgress(index_, run_.state.progress);
}

void Stage::Run() {
  if (run_.state.steps > 0) Restore();
  TrainState& state = run_.state;
  double before = run_.Elapsed();
  const double seconds_of_state = state.stage_seconds;
  const double begin = before;
  // Progress, not the step number, drives the schedule: when the time limit shortens the stage,
  // steps get longer in schedule time and the rate still ends at zero.
  for (double share = 1 / steps_; state.progress < 1 - 0.5 * share;
       share = 1 / std::max(1.0, steps_ * scale_)) {
    const double middle = std::min(1.0, state.progress + 0.5 * share);
    const double rate =
        LearningRateAt(run_.recipe.schedule, stage_.learning_rate, stage_.warmup, middle);
    const double loss = trainer_.Step(rate, state.progress);
    state.progress += share;
    state.steps = trainer_.steps();

    const double now = run_.Elapsed();
    run_.plan->StepTook(index_, now - before);
    run_.plan->SetProgress(index_, state.progress);
    Replan();
    step_seconds_ += now - before;
    ++timed_steps_;
    AfterStep(loss, rate);
    state.stage_seconds = seconds_of_state + run_.Elapsed() - begin;
    const bool stopping = run_.request.stop != nullptr && run_.request.stop->load();
    if (stopping || run_.Elapsed() - saved_at_ >= 60 * run_.request.save_minutes) Save();
    if (stopping) {
      bar_.Finish();
      throw Error(Code::kCancelled,
                  Format("stopped in the %s stage after step %lld, saved; the same command goes on",
                         StageName(stage_.bits).c_str(), static_cast<long long>(state.steps)));
    }
    before = run_.Elapsed();
  }
  bar_.Finish();
  Save();  // what follows takes a while, too
}

void Stage::Save() {
  run_.state.fresh_steps = net_->FreshSteps();
  run_.Save(net_->ToTensors(), trainer_.OptimizerTensors());
  saved_at_ = run_.Elapsed();
}

void Stage::AfterStep(double loss, double rate) {
  const TrainState& state = run_.state;
  double& smooth = Running("smooth_loss");
  smooth = state.steps == 1 ? loss : 0.95 * smooth + 0.05 * loss;
  const double now = run_.Elapsed();
  if (run_.request.progress) {
    bar_.Update(now, now + run_.plan->SecondsLeft(scale_),
                Format("epoch %.1f of %.3g, loss %.3f", Epoch(), stage_.epochs * scale_, smooth));
  }
  Running("loss") += loss;
  Running("epoch_loss") += loss;
  Running("epoch_steps") += 1;
  if (state.steps % log_every_ == 0) {
    run_.folder->Log({{"kind", "train"},
                      {"bits", stage_.bits},
                      {"step", state.steps},
                      {"epoch", Epoch()},
                      {"progress", state.progress},
                      {"learning_rate", rate},
                      {"loss", Running("loss") / static_cast<double>(log_every_)},
                      {"steps_per_second", timed_steps_ / std::max(1e-9, step_seconds_)},
                      {"seconds", now}});
    Running("loss") = 0;
    timed_steps_ = step_seconds_ = 0;
  }
  if (EpochsDone(state.steps) > EpochsDone(state.steps - 1)) AfterEpoch(rate);
}

void Stage::AfterEpoch(double rate) {
  TrainState& state = run_.state;
  const auto epoch = static_cast<double>(EpochsDone(state.steps));
  const double loss = Running("epoch_loss") / std::max(1.0, Running("epoch_steps"));
  Running("epoch_loss") = Running("epoch_steps") = 0;
  run_.folder->Log({{"kind", "epoch"},
                    {"bits", stage_.bits},
                    {"epoch", epoch},
                    {"epochs", stage_.epochs * scale_},
                    {"step", state.steps},
                    {"progress", state.progress},
                    {"loss", loss},
                    {"learning_rate", rate},
                    {"seconds", run_.Elapsed()}});
  const double every = run_.recipe.evaluation_every;
  std::string line = Format("%s, epoch %.0f of %.3g: loss %.3f", StageName(stage_.bits).c_str(),
                            epoch, stage_.epochs * scale_, loss);
  // The end of the stage is measured more thoroughly anyway.
  const bool last = state.progress >= 1 - 0.5 / steps_;
  if (every > 0 && !last && std::floor(epoch / every) > std::floor((epoch - 1) / every)) {
    for (const SubnetScore& score : ScoreSubnets(run_, net_, epoch)) {
      line += Format(", %s %.1f %%", score.name.c_str(), 100 * score.top1);
    }
  }
  run_.Say(line);
}

void Stage::Replan() {
  const std::int64_t steps = run_.state.steps;
  if (steps != kFirstPlanAfterSteps && steps % kReplanEverySteps != 0) return;
  scale_ = run_.plan->Scale(run_.Elapsed());
  if (scale_ >= 0.85 * scale_said_ && scale_ <= 1.3 * scale_said_) return;
  run_.Say(Format(
      "%s, step %lld: the recipe needs %.1f more minutes, the limit leaves %.1f; the epochs "
      "still to come are cut to %.0f %%",
      StageName(stage_.bits).c_str(), static_cast<long long>(steps), run_.plan->SecondsLeft(1) / 60,
      std::max(0.0, run_.request.max_minutes - run_.Elapsed() / 60), 100 * scale_));
  run_.folder->Log({{"kind", "cut"}, {"bits", stage_.bits}, {"step", steps}, {"scale", scale_}});
  scale_said_ = scale_;
}

}  // namespace

void TrainStage(RunContext& run, ElasticNet& net, FloatTeacher& teacher) {
  Stage(run, net, teacher).Run();
}

}  // namespace oqat::supernet
