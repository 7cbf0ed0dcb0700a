#include "supernet/train/stage_trainer.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>

#include <cmath>

#include "base/error.h"

namespace oqat::supernet {
namespace {

/// Cross-entropy against soft labels, mean over the batch, nats (Hinton et al. 2015, T = 1).
torch::Tensor SoftCrossEntropy(const torch::Tensor& logits, const torch::Tensor& probabilities) {
  return -(at::log_softmax(logits, 1) * probabilities).sum(1).mean();
}

}  // namespace

StageTrainer::StageTrainer(ElasticNet& net, const Recipe& recipe, const RecipeStage& stage,
                           const artifacts::ImageSet& images,
                           std::vector<std::int64_t> train_indices,
                           const artifacts::Normalization& normalization, std::uint64_t seed)
    : net_(net),
      recipe_(recipe),
      stage_(stage),
      images_(images),
      seed_(seed),
      sampler_(std::move(train_indices), seed, static_cast<std::uint64_t>(stage.bits)),
      augmenter_(normalization, {recipe.crop_padding, recipe.flip}) {
  const auto groups = net_->GroupParameters();
  sgd_.emplace(std::vector<Sgd::Group>{{groups.weights, 1.0, recipe.weight_decay},
                                       {groups.no_decay, 1.0, 0.0},
                                       {groups.steps, recipe.step_learning_rate_factor, 0.0}},
               recipe.momentum);
  const int largest = net_->space().max_resolution();
  pixels_.resize(std::size_t{3} * stage.batch_size * largest * largest);
  labels_.resize(static_cast<std::size_t>(stage.batch_size));
}

void StageTrainer::NextBatch(int resolution) {
  const std::int64_t floats_per_image = std::int64_t{3} * resolution * resolution;
  for (int i = 0; i < stage_.batch_size; ++i) {
    const Sampler::Draw draw = sampler_.Next();
    RandomStream random(seed_, "train.augment",
                        {static_cast<std::uint64_t>(stage_.bits), draw.epoch, draw.position});
    augmenter_.Apply(images_, draw.image, resolution, random,
                     pixels_.data() + i * floats_per_image);
    labels_[i] = images_.labels[draw.image];
  }
  // Channels innermost in memory is what LibTorch calls channels_last.
  input_ = at::from_blob(pixels_.data(), {stage_.batch_size, resolution, resolution, 3})
               .permute({0, 3, 1, 2});
  targets_ = at::from_blob(labels_.data(), {stage_.batch_size}, at::kLong);
}

void StageTrainer::Backward(const torch::Tensor& loss, const char* subnet) {
  const double value = loss.item<double>();
  if (!std::isfinite(value)) {
    sgd_->ZeroGradients();
    throw Error(Code::kFailedPrecondition,
                "training diverged: the loss of the " + std::string(subnet) + " subnet is " +
                    std::to_string(value) + " at step " + std::to_string(steps_) + " of the " +
                    std::to_string(stage_.bits) +
                    " bit stage; lower its learning_rate or set gradient_clip");
  }
  loss.backward();
}

double StageTrainer::Step(double learning_rate) {
  const space::SearchSpace& space = net_->space();
  RandomStream random(
      seed_, "train.subnets",
      {static_cast<std::uint64_t>(stage_.bits), static_cast<std::uint64_t>(steps_)});
  // One resolution for the whole step: soft labels and images are then shared by the sandwich.
  // Architectures have no float gene; a float supernet ignores the width it is given.
  const int gene = stage_.bits == 32 ? space.bits.front() : stage_.bits;
  const int resolution = random.Choose(space.resolutions);
  NextBatch(resolution);
  const auto forward = [&](space::Architecture architecture) {
    architecture.resolution = resolution;
    architecture.bits = gene;
    return net_->Forward(input_, architecture);
  };

  net_->train();
  const torch::Tensor logits = forward(space::Largest(space, gene));
  const torch::Tensor loss = at::cross_entropy_loss(logits, targets_, {}, at::Reduction::Mean, -100,
                                                    recipe_.label_smoothing);
  Backward(loss, "largest");
  const torch::Tensor soft_labels = at::softmax(logits.detach(), 1);
  for (int i = 0; i <= recipe_.random_subnets; ++i) {
    const torch::Tensor other =
        forward(i == 0 ? space::Smallest(space, gene) : space::SampleUniform(space, random));
    Backward(SoftCrossEntropy(other, soft_labels) * recipe_.distillation_weight,
             i == 0 ? "smallest" : "random");
  }
  sgd_->ClipGradients(recipe_.gradient_clip);
  sgd_->Step(learning_rate);
  sgd_->ZeroGradients();
  ++steps_;
  return loss.item<double>();
}

}  // namespace oqat::supernet
