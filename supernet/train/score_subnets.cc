#include <algorithm>

#include "artifacts/evaluation_protocol.h"
#include "base/random.h"
#include "supernet/evaluate_net.h"
#include "supernet/train/run_context.h"

namespace oqat::supernet {
namespace {

std::int64_t ImagesPerSubnet(const RunContext& run) {
  const std::int64_t all = run.data.evaluation_set.search.count();
  return run.recipe.evaluation_images == 0 ? all : std::min(all, run.recipe.evaluation_images);
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

double ImagesScored(const RunContext& run, bool with_random) {
  const int subnets = 3 + (with_random ? run.recipe.evaluation_random_subnets : 0);
  return static_cast<double>(subnets *
                             (ImagesPerSubnet(run) + run.data.evaluation_set.calibration.count()));
}

std::vector<SubnetScore> ScoreSubnets(RunContext& run, const ElasticNet& net, bool with_random,
                                      std::optional<double> epoch) {
  const double begin = run.Elapsed();
  artifacts::EvaluationProtocol protocol;
  protocol.images = ImagesPerSubnet(run);
  std::vector<SubnetScore> scores = SubnetsToScore(run, net->bits(), with_random);
  for (SubnetScore& score : scores) {
    const auto result =
        EvaluateNet(*net, run.normalization, score.architecture, run.data.evaluation_set, protocol);
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
    run.folder->Log(line);
  }
  run.plan->EvaluationTook(ImagesScored(run, with_random), run.Elapsed() - begin);
  return scores;
}

}  // namespace oqat::supernet
