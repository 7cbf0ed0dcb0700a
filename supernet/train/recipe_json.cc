#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "supernet/train/recipe.h"

namespace oqat::supernet {
namespace {

constexpr std::int64_t kMaxImages = 1'000'000'000;

template <typename Enum, std::size_t kCount>
using Names = std::array<std::pair<Enum, std::string_view>, kCount>;

constexpr Names<StageStart, 3> kStarts{{{StageStart::kInherit, "inherit"},
                                        {StageStart::kFloat, "float"},
                                        {StageStart::kScratch, "scratch"}}};
constexpr Names<Distillation, 3> kDistillations{{{Distillation::kInPlace, "in_place"},
                                                 {Distillation::kFloat, "float"},
                                                 {Distillation::kNone, "none"}}};
constexpr Names<Schedule, 3> kSchedules{{{Schedule::kCosine, "cosine"},
                                         {Schedule::kLinear, "linear"},
                                         {Schedule::kConstant, "constant"}}};
constexpr Names<ResolutionSampling, 3> kResolutionSamplings{
    {{ResolutionSampling::kStep, "step"},
     {ResolutionSampling::kSubnet, "subnet"},
     {ResolutionSampling::kLargest, "largest"}}};
constexpr Names<StepInitialization, 2> kStepInitializations{
    {{StepInitialization::kLsq, "lsq"}, {StepInitialization::kMse, "mse"}}};
constexpr Names<StepSizes, 2> kStepSizes{
    {{StepSizes::kShared, "shared"}, {StepSizes::kSeparate, "separate"}}};

template <typename Enum, std::size_t kCount>
std::string NameOf(const Names<Enum, kCount>& names, Enum value) {
  for (const auto& [known, name] : names) {
    if (known == value) return std::string(name);
  }
  return "";
}

/// The value of a field whose default is `otherwise`.
template <typename Enum, std::size_t kCount>
Enum ReadName(JsonReader& reader, const std::string& field, const Names<Enum, kCount>& names,
              Enum otherwise) {
  const std::string text = reader.String(field, NameOf(names, otherwise));
  std::string allowed;
  for (const auto& [value, name] : names) {
    if (name == text) return value;
    allowed += (allowed.empty() ? "" : ", ") + std::string(name);
  }
  throw InvalidField(reader.PathOf(field), text, allowed);
}

RecipeStage StageFromJson(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  RecipeStage stage;
  stage.bits = static_cast<int>(reader.Int("bits", 1, 32));
  stage.epochs = reader.Number("epochs", 1e-6, 1e6);
  stage.learning_rate = reader.Number("learning_rate", 1e-9, 1e3, stage.learning_rate);
  // BatchNorm needs two images to have a variance.
  stage.batch_size = static_cast<int>(reader.Int("batch_size", 2, 65536, stage.batch_size));
  stage.warmup = reader.Number("warmup", 0, 0.9, stage.warmup);
  stage.start = ReadName(reader, "start", kStarts, stage.start);
  reader.Finish();
  if (stage.bits > 8 && stage.bits != 32) {
    throw InvalidField(path + ".bits", std::to_string(stage.bits), "1 to 8, or 32 (float)");
  }
  return stage;
}

artifacts::SplitOptions SplitFromJson(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  artifacts::SplitOptions split;
  split.calibration = reader.Int("calibration", 1, kMaxImages, split.calibration);
  split.search = reader.Int("search", 1, kMaxImages, split.search);
  split.test = reader.Int("test", 0, kMaxImages, split.test);
  split.seed = static_cast<std::uint64_t>(
      reader.Int("seed", 0, INT64_MAX, static_cast<std::int64_t>(split.seed)));
  reader.Finish();
  return split;
}

ElasticFrom ElasticFromJson(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  ElasticFrom from;
  from.kernel = reader.Number("kernel", 0, 1, from.kernel);
  from.depth = reader.Number("depth", 0, 1, from.depth);
  from.expand = reader.Number("expand", 0, 1, from.expand);
  reader.Finish();
  return from;
}

DecayOn DecayFromJson(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  DecayOn on;
  on.weights = reader.Bool("weights", on.weights);
  on.transforms = reader.Bool("transforms", on.transforms);
  on.norms = reader.Bool("norms", on.norms);
  on.biases = reader.Bool("biases", on.biases);
  on.steps = reader.Bool("steps", on.steps);
  reader.Finish();
  return on;
}

void ReadOptimizer(JsonReader& reader, Recipe& r) {
  r.momentum = reader.Number("momentum", 0, 0.9999, r.momentum);
  r.nesterov = reader.Bool("nesterov", r.nesterov);
  r.schedule = ReadName(reader, "schedule", kSchedules, r.schedule);
  r.weight_decay = reader.Number("weight_decay", 0, 1, r.weight_decay);
  if (reader.Has("decay_on")) r.decay_on = DecayFromJson(reader.Get("decay_on"), "recipe.decay_on");
  r.step_learning_rate_factor =
      reader.Number("step_learning_rate_factor", 0, 1e3, r.step_learning_rate_factor);
  r.step_initialization =
      ReadName(reader, "step_initialization", kStepInitializations, r.step_initialization);
  r.step_sizes = ReadName(reader, "step_sizes", kStepSizes, r.step_sizes);
  r.gradient_clip = reader.Number("gradient_clip", 0, 1e9, r.gradient_clip);
  r.label_smoothing = reader.Number("label_smoothing", 0, 0.99, r.label_smoothing);
}

void ReadSandwich(JsonReader& reader, Recipe& r) {
  r.largest_subnet = reader.Bool("largest_subnet", r.largest_subnet);
  r.smallest_subnet = reader.Bool("smallest_subnet", r.smallest_subnet);
  r.random_subnets = static_cast<int>(reader.Int("random_subnets", 0, 64, r.random_subnets));
  r.only = reader.String("only", r.only);
  r.distillation = ReadName(reader, "distillation", kDistillations, r.distillation);
  r.distillation_weight = reader.Number("distillation_weight", 0, 1e3, r.distillation_weight);
  if (reader.Has("elastic_from")) {
    r.elastic_from = ElasticFromJson(reader.Get("elastic_from"), "recipe.elastic_from");
  }
  r.resolution_sampling =
      ReadName(reader, "resolution_sampling", kResolutionSamplings, r.resolution_sampling);
  if (!r.largest_subnet && r.distillation == Distillation::kInPlace) {
    throw InvalidField("recipe.largest_subnet", "false",
                       "true with distillation in_place, which learns from that subnet");
  }
  if (!r.only.empty() && (!r.largest_subnet || r.smallest_subnet || r.random_subnets > 0)) {
    throw InvalidField(
        "recipe.only", r.only,
        "nothing, or an architecture with largest_subnet true, smallest_subnet false "
        "and random_subnets 0");
  }
  if (!r.largest_subnet && !r.smallest_subnet && r.random_subnets == 0) {
    throw InvalidField("recipe.random_subnets", "0", "1 or more without the two other subnets");
  }
}

void ReadAugmentation(JsonReader& reader, Recipe& r) {
  r.crop_padding = static_cast<int>(reader.Int("crop_padding", 0, 64, r.crop_padding));
  r.flip = reader.Bool("flip", r.flip);
  r.erase_probability = reader.Number("erase_probability", 0, 1, r.erase_probability);
  r.erase_max_area = reader.Number("erase_max_area", 0.02, 1, r.erase_max_area);
  r.cutout = static_cast<int>(reader.Int("cutout", 0, 1024, r.cutout));
  r.activation_range = artifacts::ActivationRangeFromName(
      reader.String("activation_range",
                    std::string(artifacts::ActivationRangeName(r.activation_range))),
      "recipe.activation_range");
}

}  // namespace

std::string StageStartName(StageStart start) { return NameOf(kStarts, start); }

Recipe RecipeFromJson(const Json& json) {
  JsonReader reader(json, "recipe");
  Recipe r;
  r.name = reader.String("name", "");
  if (reader.Has("space")) {
    r.space = reader.Get("space");
    if (!r.space.is_string() && !r.space.is_object()) {
      throw InvalidField("recipe.space", r.space.dump(), "a name, a file or a space object");
    }
  }
  r.data = reader.String("data", r.data);
  r.image_size = static_cast<int>(reader.Int("image_size", 0, 1024, r.image_size));
  if (reader.Has("split")) r.split = SplitFromJson(reader.Get("split"), "recipe.split");
  r.train_images = reader.Int("train_images", 0, kMaxImages, r.train_images);
  const Json& stages = reader.Get("stages");
  if (!stages.is_array() || stages.empty()) {
    throw InvalidField("recipe.stages", stages.dump(), "a non-empty array of stages");
  }
  for (std::size_t i = 0; i < stages.size(); ++i) {
    r.stages.push_back(StageFromJson(stages[i], "recipe.stages[" + std::to_string(i) + "]"));
  }
  r.initial_checkpoint = reader.String("initial_checkpoint", r.initial_checkpoint);
  ReadOptimizer(reader, r);
  ReadSandwich(reader, r);
  ReadAugmentation(reader, r);
  r.evaluation_every = reader.Number("evaluation_every", 0, 1e6, r.evaluation_every);
  if (r.evaluation_every > 0 && r.evaluation_every < 1) {
    throw InvalidField("recipe.evaluation_every", std::to_string(r.evaluation_every),
                       "0 (at the end of a stage only) or 1 and more epochs");
  }
  r.evaluation_images = reader.Int("evaluation_images", 0, kMaxImages, r.evaluation_images);
  r.evaluation_random_subnets = static_cast<int>(
      reader.Int("evaluation_random_subnets", 0, 1000, r.evaluation_random_subnets));
  r.test_images = reader.Int("test_images", 0, kMaxImages, r.test_images);
  reader.Finish();
  return r;
}

Json RecipeToJson(const Recipe& r) {
  Json stages = Json::array();
  for (const RecipeStage& stage : r.stages) {
    stages.push_back({{"bits", stage.bits},
                      {"epochs", stage.epochs},
                      {"learning_rate", stage.learning_rate},
                      {"batch_size", stage.batch_size},
                      {"warmup", stage.warmup},
                      {"start", StageStartName(stage.start)}});
  }
  return {{"name", r.name},
          {"space", r.space},
          {"data", r.data},
          {"image_size", r.image_size},
          {"split",
           {{"calibration", r.split.calibration},
            {"search", r.split.search},
            {"test", r.split.test},
            {"seed", r.split.seed}}},
          {"train_images", r.train_images},
          {"stages", stages},
          {"initial_checkpoint", r.initial_checkpoint},
          {"momentum", r.momentum},
          {"nesterov", r.nesterov},
          {"schedule", NameOf(kSchedules, r.schedule)},
          {"weight_decay", r.weight_decay},
          {"decay_on",
           {{"weights", r.decay_on.weights},
            {"transforms", r.decay_on.transforms},
            {"norms", r.decay_on.norms},
            {"biases", r.decay_on.biases},
            {"steps", r.decay_on.steps}}},
          {"step_learning_rate_factor", r.step_learning_rate_factor},
          {"step_initialization", NameOf(kStepInitializations, r.step_initialization)},
          {"step_sizes", NameOf(kStepSizes, r.step_sizes)},
          {"gradient_clip", r.gradient_clip},
          {"label_smoothing", r.label_smoothing},
          {"largest_subnet", r.largest_subnet},
          {"smallest_subnet", r.smallest_subnet},
          {"random_subnets", r.random_subnets},
          {"only", r.only},
          {"distillation", NameOf(kDistillations, r.distillation)},
          {"distillation_weight", r.distillation_weight},
          {"elastic_from",
           {{"kernel", r.elastic_from.kernel},
            {"depth", r.elastic_from.depth},
            {"expand", r.elastic_from.expand}}},
          {"resolution_sampling", NameOf(kResolutionSamplings, r.resolution_sampling)},
          {"crop_padding", r.crop_padding},
          {"flip", r.flip},
          {"erase_probability", r.erase_probability},
          {"erase_max_area", r.erase_max_area},
          {"cutout", r.cutout},
          {"activation_range", artifacts::ActivationRangeName(r.activation_range)},
          {"evaluation_every", r.evaluation_every},
          {"evaluation_images", r.evaluation_images},
          {"evaluation_random_subnets", r.evaluation_random_subnets},
          {"test_images", r.test_images}};
}

}  // namespace oqat::supernet
