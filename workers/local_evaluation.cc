#include "workers/local_evaluation.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>
#include <utility>

#include "artifacts/checkpoint.h"
#include "artifacts/model_dir.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"

namespace oqat::workers {
namespace {

struct Inputs {
  space::SearchSpace space;
  std::map<int, LocalFile, std::greater<>> checkpoints;  ///< by bits
  LocalFile evaluation_set;
};

LocalFile Identified(const std::string& path) { return {Sha256HexOfFile(path), path}; }

Inputs LoadInputs(const LocalEvaluationRequest& request) {
  Inputs inputs;
  bool have_space = false;
  if (!request.model_dir.empty()) {
    artifacts::ModelDirOptions options;
    options.evaluation_set = request.evaluation_set.empty();
    const artifacts::ModelDir model = artifacts::LoadModelDir(request.model_dir, options);
    inputs.space = model.space;
    have_space = true;
    for (const auto& [bits, path] : model.checkpoints) {
      inputs.checkpoints[bits] = Identified(path);
    }
    if (!model.evaluation_set.empty()) inputs.evaluation_set = Identified(model.evaluation_set);
  }
  for (const std::string& path : request.checkpoints) {
    const artifacts::Checkpoint checkpoint = artifacts::ReadCheckpoint(path);
    if (have_space && !(checkpoint.space == inputs.space)) {
      throw InvalidField("--checkpoint " + path + ": space", checkpoint.space.name,
                         inputs.space.name + ", the space of the others, equal in every field");
    }
    inputs.space = checkpoint.space;
    have_space = true;
    inputs.checkpoints[checkpoint.bits] = Identified(path);
  }
  if (!have_space) {
    throw Error(Code::kInvalidArgument,
                "--checkpoint: none is given; give --checkpoint FILE or "
                "--model DIR");
  }
  if (!request.evaluation_set.empty()) inputs.evaluation_set = Identified(request.evaluation_set);
  if (inputs.evaluation_set.path.empty()) {
    throw Error(Code::kInvalidArgument,
                "--evaluation-set: none is given; give --evaluation-set "
                "FILE or --model DIR (oqat evalset build makes one)");
  }
  return inputs;
}

std::string Text(const std::string& file) {
  if (file != "-") return ReadFile(file);
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

std::vector<space::Architecture> LoadArchitectures(const LocalEvaluationRequest& request,
                                                   const Inputs& inputs) {
  const std::string where = request.architectures == "-" ? "stdin" : request.architectures;
  std::vector<space::Architecture> architectures;
  try {
    const Json json = ParseJson(Text(request.architectures), "JSON");
    architectures = space::ArchitecturesFromJson(inputs.space, json);
  } catch (const Error& error) {
    // A missing file names itself.
    if (error.code() == Code::kNotFound) throw;
    throw WithContext(where, error);
  }
  if (architectures.empty()) {
    throw InvalidField(where, "an empty array", "one architecture or more");
  }
  for (const space::Architecture& architecture : architectures) {
    if (inputs.checkpoints.contains(architecture.bits)) continue;
    std::string widths;
    for (const auto& [bits, file] : inputs.checkpoints) {
      widths += (widths.empty() ? "" : ", ") + std::to_string(bits);
    }
    throw Error(Code::kInvalidArgument, where + ": bits: there is no checkpoint of " +
                                            std::to_string(architecture.bits) +
                                            " bits; allowed: " + widths);
  }
  return architectures;
}

}  // namespace

std::vector<LocalEvaluation> EvaluateLocally(const LocalEvaluationRequest& request,
                                             Evaluator& evaluator,
                                             const std::function<void(double, double)>& progress) {
  const artifacts::Split split = artifacts::SplitFromName(request.split, "--split");
  if (split == artifacts::Split::kCalibration) {
    throw InvalidField("--split", request.split, "search, test");
  }
  const std::array<std::pair<const char*, std::int64_t>, 2> counts{
      {{"--calibration", request.calibration_images}, {"--images", request.images}}};
  for (const auto& [field, value] : counts) {
    if (value < 0) throw InvalidField(field, std::to_string(value), "0 (all) or more");
  }
  if (request.batch_size < 1 || request.batch_size > 65'536) {
    throw InvalidField("--batch-size", std::to_string(request.batch_size), "1 to 65536");
  }
  const Inputs inputs = LoadInputs(request);
  const std::vector<space::Architecture> architectures = LoadArchitectures(request, inputs);

  std::vector<LocalEvaluation> evaluations;
  const double total = static_cast<double>(architectures.size());
  for (const space::Architecture& architecture : architectures) {
    const double before = static_cast<double>(evaluations.size());
    EvaluationTask task;
    task.space = inputs.space;
    task.architecture = architecture;
    task.checkpoint = inputs.checkpoints.at(architecture.bits);
    task.evaluation_set = inputs.evaluation_set;
    task.protocol = {
        split, request.calibration_images, request.images, request.batch_size, request.latency, {}};
    const auto began = std::chrono::steady_clock::now();
    const EvaluationOutcome outcome = evaluator.Evaluate(task, [&](double share) {
      if (progress) progress(before + share, total);
      return true;
    });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;

    LocalEvaluation& result = evaluations.emplace_back();
    result.architecture = architecture;
    result.key = space::ToKey(inputs.space, architecture);
    result.metrics = space::CostMetrics(inputs.space, architecture);
    for (const auto& [metric, value] : outcome.metrics) {
      if (!std::isfinite(value)) {
        throw Error(Code::kInternal, result.key + ": " + std::string(space::MetricName(metric)) +
                                         ": the evaluation gave " + std::to_string(value) +
                                         "; allowed: finite numbers (is the checkpoint damaged?)");
      }
      result.metrics[metric] = value;
    }
    result.images = outcome.images;
    result.seconds = took.count();
    if (request.latency) result.cpu = evaluator.cpu();
  }
  return evaluations;
}

Json LocalEvaluationsToJson(const std::vector<LocalEvaluation>& evaluations) {
  Json array = Json::array();
  for (const LocalEvaluation& evaluation : evaluations) {
    Json metrics = Json::object();
    for (const auto& [metric, value] : evaluation.metrics) {
      // Counts are printed as the integers they are; weighted_macs may have a fraction.
      const bool whole = space::IsCost(metric) && metric != space::Metric::kWeightedMacs;
      metrics[std::string(space::MetricName(metric))] =
          whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
    }
    Json& item = array.emplace_back(
        Json{{"architecture", space::ArchitectureToJson(evaluation.architecture)},
             {"key", evaluation.key},
             {"metrics", std::move(metrics)},
             {"images", evaluation.images},
             {"seconds", evaluation.seconds}});
    if (!evaluation.cpu.empty()) item["cpu"] = evaluation.cpu;
  }
  return array;
}

std::string LocalEvaluationsTable(const std::vector<LocalEvaluation>& evaluations) {
  const bool latency = !evaluations.empty() && !evaluations.front().cpu.empty();
  std::string table = latency ? "latency on " + evaluations.front().cpu + ", one thread\n" : "";
  table += "  top1 %    loss     MMAC  MBitOPs  weights kB  images  seconds  ";
  table += latency ? "latency ms (spread)  architecture\n" : "architecture\n";
  for (const LocalEvaluation& evaluation : evaluations) {
    const auto value = [&](space::Metric metric) { return evaluation.metrics.at(metric); };
    std::array<char, 160> line{};
    std::snprintf(line.data(), line.size(), "%8.2f %7.4f %8.3f %8.2f %11.2f %7lld %8.2f  ",
                  100 * value(space::Metric::kTop1), value(space::Metric::kLoss),
                  value(space::Metric::kMacs) / 1e6, value(space::Metric::kBitops) / 1e6,
                  value(space::Metric::kWeightBytes) / 1e3,
                  static_cast<long long>(evaluation.images), evaluation.seconds);
    table += line.data();
    if (latency) {
      std::snprintf(line.data(), line.size(), "%10.3f (%6.3f)  ", value(space::Metric::kLatencyMs),
                    value(space::Metric::kLatencySpreadMs));
      table += line.data();
    }
    table += evaluation.key + "\n";
  }
  return table;
}

}  // namespace oqat::workers
