#include <algorithm>

#include "artifacts/evaluation_protocol.h"
#include "base/random.h"
#include "supernet/evaluate_net.h"
#include "supernet/train/run_context.h"

namespace oqat::supernet {
namespace {

std::int64_t AtMost(std::int64_t wanted, std::int64_t available) {
  return wanted == 0 ? available : std::min(available, wanted);
}
std::int64_t SearchImages(const RunContext& run) {
  return AtMost(run.recipe.evaluation_images, run.data.evaluation_set.search.count());
}
std::int64_t TestImages(const RunContext& run) {
  return AtMost(run.recipe.test_images, run.data.evaluation_set.test.count());
}

/// The middle choice everywhere.
space::Architecture Median(const space::SearchSpace& space, int bits) {
  const auto middle = [](const std::vector<int>& choices) { return choices[choices.size() / 2]; };
  space::Architecture architecture = space::Largest(space, bits);
  architecture.resolution = middle(space.resolutions);
  architecture.kernels.assign(architecture.kernels.size(), middle(space.kernels));
  architecture.expands.assign(architecture.expands.size(), middle(space.expands));
  architecture.depths.assign(architecture.depths.size(), middle(space.depths));
  return space::Canonical(space, architecture);
}

std::vector<SubnetScore> SubnetsToScore(const RunContext& run, int bits, bool with_random) {
  // A float supernet takes architectures of any width.
  const int gene = bits == 32 ? run.space.bits.front() : bits;
  std::vector<SubnetScore> scores;
  if (!run.recipe.only.empty()) {
    scores.push_back({"only", space::FromKey(run.space, run.recipe.only)});
    scores.back().architecture.bits = gene;
    return scores;
  }
  scores.push_back({"smallest", space::Smallest(run.space, gene)});
  scores.push_back({"median", Median(run.space, gene)});
  // The same ones at every bit width.
  RandomStream random(run.request.seed, "train.evaluation");
  const int count = with_random ? run.recipe.evaluation_random_subnets : 0;
  for (int i = 1; i <= count; ++i) {
    space::Architecture architecture = space::SampleUniform(run.space, random);
    architecture.bits = gene;
    scores.push_back({"random-" + std::to_string(i), std::move(architecture)});
  }
  scores.push_back({"largest", space::Largest(run.space, gene)});
  return scores;
}

}  // namespace

double ImagesScored(const RunContext& run, bool stage_end) {
  int subnets = 3 + (stage_end ? run.recipe.evaluation_random_subnets : 0);
  if (!run.recipe.only.empty()) subnets = 1;
  const std::int64_t calibration = run.data.evaluation_set.calibration.count();
  std::int64_t images = calibration + SearchImages(run);
  if (stage_end) images += calibration + TestImages(run);
  return static_cast<double>(subnets * images);
}

std::vector<SubnetScore> ScoreSubnets(RunContext& run, const ElasticNet& net,
                                      std::optional<double> epoch) {
  const double begin = run.Elapsed();
  const bool stage_end = !epoch;
  const auto evaluate = [&](const SubnetScore& score, artifacts::Split split, std::int64_t images) {
    artifacts::EvaluationProtocol protocol;
    protocol.split = split;
    protocol.images = images;
    return EvaluateNet(*net, run.normalization, score.architecture, run.data.evaluation_set,
                       protocol);
  };
  std::vector<SubnetScore> scores = SubnetsToScore(run, net->bits(), stage_end);
  for (SubnetScore& score : scores) {
    const auto result = evaluate(score, artifacts::Split::kSearch, SearchImages(run));
    score.top1 = result.top1;
    score.loss = result.loss;
    score.images = result.images;
    Json line = {{"kind", "evaluation"},
                 {"bits", net->bits()},
                 {"step", run.state.steps},
                 {"subnet", score.name},
                 {"architecture", space::ArchitectureToJson(score.architecture)},
                 {"top1", score.top1},
                 {"loss", score.loss},
                 {"images", score.images}};
    if (epoch) line["epoch"] = *epoch;
    if (stage_end) {
      score.test_top1 = evaluate(score, artifacts::Split::kTest, TestImages(run)).top1;
      line["test_top1"] = score.test_top1;
    }
    run.folder->Log(line);
  }
  run.plan->EvaluationTook(ImagesScored(run, stage_end), run.Elapsed() - begin);
  return scores;
}

}  // namespace oqat::supernet
