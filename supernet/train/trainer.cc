#include "supernet/train/trainer.h"

#include <ATen/Parallel.h>

#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/progress.h"
#include "supernet/evaluate_net.h"
#include "supernet/extract.h"
#include "supernet/separate_steps.h"
#include "supernet/train/device.h"
#include "supernet/train/run_context.h"

namespace oqat::supernet {
namespace {

/// One training from start to end.
class Run {
 public:
  explicit Run(const TrainRequest& request) : run_(request) {}

  TrainReport Do();

 private:
  void Prepare();
  void OpenFolder();
  Json Identity() const;
  void PlanTime();
  ElasticNet NewNet(int bits) const;
  ElasticNet NetOf(const artifacts::Checkpoint& checkpoint) const;
  ElasticNet NetOfStage();
  artifacts::Checkpoint FloatCheckpoint() const;
  FloatTeacher Teacher() const;
  void FinishStage(const ElasticNet& net);
  TrainReport Report();

  const Recipe& recipe() const { return run_.recipe; }
  bool deployable(int bits) const {
    return bits == 32 || recipe().step_sizes == StepSizes::kShared;
  }

  RunContext run_;
  std::optional<artifacts::Checkpoint> initial_;
  std::string initial_sha256_, evaluation_set_sha256_;
  std::vector<StageReport> finished_;
};

void Run::Prepare() {
  run_.space = SpaceOfRecipe(recipe());
  if (!recipe().only.empty()) {
    try {
      space::FromKey(run_.space, recipe().only);
    } catch (const Error& error) {
      throw WithContext("recipe.only", error);
    }
  }
  if (!recipe().initial_checkpoint.empty()) {
    initial_ = artifacts::ReadCheckpoint(recipe().initial_checkpoint);
    initial_sha256_ = Sha256HexOfFile(recipe().initial_checkpoint);
    if (!(initial_->space == run_.space)) {
      throw InvalidField("recipe.initial_checkpoint", "space " + initial_->space.name,
                         "a checkpoint of the recipe's space " + run_.space.name);
    }
    // Float weights have no such range.
    if (initial_->bits < 32 && initial_->activation_range != recipe().activation_range) {
      throw InvalidField(
          "recipe.activation_range", artifacts::ActivationRangeName(recipe().activation_range),
          "the initial checkpoint's " +
              std::string(artifacts::ActivationRangeName(initial_->activation_range)));
    }
  }
  CheckStages(recipe(), run_.space, initial_ ? initial_->bits : 0);
  const bool has_float = recipe().stages[0].bits == 32 || (initial_ && initial_->bits == 32);
  if (recipe().distillation == Distillation::kFloat && !has_float) {
    throw InvalidField("recipe.distillation", "float", "in_place or none without a float stage");
  }
  if (run_.recipe.image_size == 0) run_.recipe.image_size = run_.space.max_resolution();
  run_.data = LoadTrainData(recipe(), run_.space, run_.request.progress);
  run_.normalization = initial_ ? initial_->normalization : run_.data.normalization;
}

Json Run::Identity() const {
  Json recipe_json = RecipeToJson(recipe());
  // Files may move: what was in them counts.
  recipe_json.erase("data");
  recipe_json.erase("space");
  recipe_json.erase("initial_checkpoint");
  return {{"recipe", std::move(recipe_json)},
          {"space", space::SpaceToJson(run_.space)},
          {"data_sha256", run_.data.sha256},
          {"initial_checkpoint_sha256", initial_sha256_},
          {"seed", run_.request.seed}};
}

void Run::OpenFolder() {
  const std::string& path = run_.request.out_folder;
  const Json identity = Identity();
  std::optional<TrainState> state = RunFolder::StateIn(path);
  if (state) {
    const std::string differences = DifferencesOf(state->identity, identity);
    if (!differences.empty()) {
      throw Error(Code::kAlreadyExists, "out: folder '" + path +
                                            "' holds another training: " + differences +
                                            "; give the same request to go on, or a new folder");
    }
    run_.state = std::move(*state);
    for (std::size_t i = 0; i < run_.state.finished.size(); ++i) {
      finished_.push_back(StageReportFromJson(run_.space, run_.state.finished[i],
                                              RunFolder::kState + std::string(".finished")));
    }
  }
  run_.state.identity = identity;
  run_.seconds_before = run_.state.seconds;
  run_.folder.emplace(path, run_.state.metrics_bytes);
  evaluation_set_sha256_ = artifacts::WriteEvaluationSet(
      run_.folder->PathOf(RunFolder::kEvaluationSet), run_.data.evaluation_set);
  if (!state) {
    run_.Save(initial_ ? initial_->tensors : decltype(initial_->tensors)(), {});
  } else if (run_.state.stage < recipe().stages.size()) {
    run_.Say(Format("going on in the %s stage after step %lld, %s of training so far",
                    StageName(recipe().stages[run_.state.stage].bits).c_str(),
                    static_cast<long long>(run_.state.steps),
                    FormatDuration(run_.state.seconds).c_str()));
  }
}

void Run::PlanTime() {
  const double subnets = (recipe().largest_subnet ? 1 : 0) + (recipe().smallest_subnet ? 1 : 0) +
                         recipe().random_subnets;
  std::vector<TimePlan::Stage> stages;
  for (const RecipeStage& stage : recipe().stages) {
    const double evaluations =
        recipe().evaluation_every > 0 ? stage.epochs / recipe().evaluation_every : 0;
    stages.push_back({stage.bits < 32, run_.StepsOf(stage), stage.batch_size * subnets,
                      ImagesScored(run_, true), evaluations * ImagesScored(run_, false)});
  }
  run_.plan.emplace(std::move(stages), run_.request.max_minutes * 60);
  for (std::size_t i = 0; i < run_.state.stage; ++i) run_.plan->StageOver(i);
}

ElasticNet Run::NewNet(int bits) const {
  return ElasticNet(run_.space, bits, recipe().activation_range, run_.request.seed,
                    StepOptions{recipe().step_initialization, recipe().step_sizes});
}

ElasticNet Run::NetOf(const artifacts::Checkpoint& checkpoint) const {
  ElasticNet net = NewNet(checkpoint.bits);
  if (recipe().step_sizes == StepSizes::kShared) {
    net->FromTensors(checkpoint.tensors, "initial checkpoint");
  } else {
    net->FromTensors(WithSeparateSteps(run_.space, checkpoint.tensors), "initial checkpoint");
  }
  return net;
}

artifacts::Checkpoint Run::FloatCheckpoint() const {
  if (recipe().stages[0].bits == 32) {
    return artifacts::ReadCheckpoint(run_.folder->PathOf(RunFolder::CheckpointName(32)));
  }
  return *initial_;
}

/// The net at the point of the state.
ElasticNet Run::NetOfStage() {
  const std::size_t index = run_.state.stage;
  const RecipeStage& stage = recipe().stages[index];
  std::map<std::string, artifacts::Tensor> tensors;
  for (const auto& [name, tensor] : run_.state.tensors) {
    if (name.starts_with("net.")) tensors.emplace(name.substr(4), tensor);
  }
  const std::string where = run_.folder->PathOf(RunFolder::kState);
  if (run_.state.steps > 0) {
    ElasticNet net = NewNet(stage.bits);
    net->FromTensors(tensors, where);
    net->SetFreshSteps(run_.state.fresh_steps);
    return net;
  }
  const bool nothing_before = index == 0 && !initial_;
  if (stage.start == StageStart::kScratch || nothing_before) return NewNet(stage.bits);
  ElasticNet net{nullptr};
  if (stage.start == StageStart::kFloat) {
    net = NetOf(FloatCheckpoint());
  } else if (index == 0) {
    net = NetOf(*initial_);
  } else {
    net = NewNet(recipe().stages[index - 1].bits);
    net->FromTensors(tensors, where);
    net->SetFreshSteps(run_.state.fresh_steps);
  }
  net->SetBits(stage.bits);
  return net;
}

/// The largest float subnet, recalibrated for every resolution, where stages after the float one
/// learn from it; else none.
FloatTeacher Run::Teacher() const {
  const bool wanted =
      recipe().distillation == Distillation::kFloat && recipe().stages[run_.state.stage].bits < 32;
  FloatTeacher teacher;
  if (!wanted) return teacher;
  ElasticNet net = NetOf(FloatCheckpoint());
  net->to(run_.device);
  const artifacts::ImageSet& calibration = run_.data.evaluation_set.calibration;
  for (const int resolution : run_.space.resolutions) {
    FixedNet largest(*net, space::Largest(run_.space, run_.space.bits.front()));
    std::vector<at::Tensor> batches =
        InputBatches(calibration, calibration.count(), artifacts::EvaluationProtocol().batch_size,
                     resolution, run_.normalization);
    for (at::Tensor& batch : batches) batch = batch.to(run_.device);
    largest.Recalibrate(batches);
    teacher.emplace(resolution, std::move(largest));
  }
  return teacher;
}

void Run::FinishStage(const ElasticNet& net) {
  TrainState& state = run_.state;
  const RecipeStage& stage = recipe().stages[state.stage];
  StageReport report;
  report.bits = stage.bits;
  report.steps = state.steps;
  report.seconds = state.stage_seconds;
  report.epochs = stage.epochs;
  if (static_cast<double>(report.steps) != run_.StepsOf(stage)) {
    report.epochs = static_cast<double>(report.steps * stage.batch_size) /
                    static_cast<double>(run_.data.split.train.size());
  }
  if (deployable(stage.bits)) {
    artifacts::Checkpoint checkpoint;
    checkpoint.space = run_.space;
    checkpoint.bits = stage.bits;
    checkpoint.activation_range = recipe().activation_range;
    checkpoint.normalization = run_.normalization;
    checkpoint.lineage.seed = run_.request.seed;
    const bool scratch = stage.start == StageStart::kScratch;
    if (!scratch) {
      checkpoint.lineage.parent_sha256 = initial_sha256_;
      if (state.stage > 0) {
        const bool of_float = stage.start == StageStart::kFloat;
        checkpoint.lineage.parent_sha256 = finished_.back().sha256;
        if (of_float && recipe().stages[0].bits == 32) {
          checkpoint.lineage.parent_sha256 = finished_.front().sha256;
        } else if (of_float) {
          checkpoint.lineage.parent_sha256 = initial_sha256_;
        }
      }
    }
    Recipe as_run = recipe();
    for (std::size_t i = 0; i < finished_.size(); ++i)
      as_run.stages[i].epochs = finished_[i].epochs;
    as_run.stages[state.stage].epochs = report.epochs;
    checkpoint.lineage.recipe = RecipeToJson(as_run);
    checkpoint.tensors = net->ToTensors();
    if (recipe().step_sizes == StepSizes::kSeparate) {
      RemoveSeparateSteps(run_.space, checkpoint.tensors);  // a float supernet has no use for them
    }
    report.file = run_.folder->PathOf(RunFolder::CheckpointName(stage.bits));
    report.sha256 = artifacts::WriteCheckpoint(report.file, checkpoint);
  }
  run_.Say(Format("%s: %lld steps in %s (%.2f steps/s)%s", StageName(stage.bits).c_str(),
                  static_cast<long long>(report.steps), FormatDuration(report.seconds).c_str(),
                  static_cast<double>(report.steps) / report.seconds,
                  report.file.empty()
                      ? "; separate step sizes: no checkpoint"
                      : (", written to " + RunFolder::CheckpointName(stage.bits)).c_str()));
  run_.folder->Log({{"kind", "stage"},
                    {"bits", stage.bits},
                    {"steps", report.steps},
                    {"epochs", report.epochs},
                    {"seconds", report.seconds},
                    {"sha256", report.sha256}});
  report.scores = ScoreSubnets(run_, net, std::nullopt);
  for (const SubnetScore& score : report.scores) {
    run_.Say(Format("  %-10s top1 %5.2f %%  loss %.3f  test top1 %5.2f %%", score.name.c_str(),
                    100 * score.top1, score.loss, 100 * score.test_top1));
  }
  run_.plan->StageOver(state.stage);
  state.finished.push_back(StageReportToJson(report));
  finished_.push_back(std::move(report));
  ++state.stage;
  state.steps = 0;
  state.progress = state.stage_seconds = 0;
  state.running = Json::object();
  state.fresh_steps = net->FreshSteps();
  run_.Save(net->ToTensors(), {});
}

TrainReport Run::Report() {
  std::vector<int> quantized;
  for (const StageReport& report : finished_) {
    if (report.bits < 32 && !report.file.empty()) quantized.push_back(report.bits);
  }
  if (!quantized.empty()) run_.folder->WriteModel(run_.space, quantized);
  return {std::move(finished_), std::move(evaluation_set_sha256_)};
}

TrainReport Run::Do() {
  run_.device = ParseDevice(run_.request.device);
  ConfigureDevice(run_.device);
  at::set_num_threads(run_.request.threads);
  Prepare();
  OpenFolder();
  run_.Say(Format("%zu training images of %d px, %lld for search, %lld for test",
                  run_.data.split.train.size(), recipe().image_size,
                  static_cast<long long>(run_.data.evaluation_set.search.count()),
                  static_cast<long long>(run_.data.evaluation_set.test.count())));
  PlanTime();
  if (!run_.device.is_cpu()) {
    run_.device_images = CopyToDevice(run_.data.data.train, run_.device);
  }
  while (run_.state.stage < recipe().stages.size()) {
    ElasticNet net = NetOfStage();
    net->to(run_.device);
    FloatTeacher teacher = Teacher();
    TrainStage(run_, net, teacher);
    FinishStage(net);
  }
  run_.Say("done after " + FormatDuration(run_.Elapsed()) +
           " of training: " + run_.request.out_folder);
  return Report();
}

}  // namespace

TrainReport Train(const TrainRequest& request) { return Run(request).Do(); }

}  // namespace oqat::supernet
