#include "supernet/train/stage_trainer.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>

#include <cmath>

#include "base/error.h"

namespace oqat::supernet {
namespace {

/// Cross-entropy against soft labels, mean over the batch, nats (Hinton et al. 2015, T = 1).
at::Tensor SoftCrossEntropy(const at::Tensor& logits, const at::Tensor& probabilities) {
  return -(at::log_softmax(logits, 1) * probabilities).sum(1).mean();
}

std::vector<Sgd::Group> GroupsOf(ElasticNet& net, const Recipe& recipe) {
  auto groups = net->GroupParameters();
  const DecayOn& on = recipe.decay_on;
  const auto decay = [&](bool decayed) { return decayed ? recipe.weight_decay : 0.0; };
  return {{std::move(groups.weights), 1.0, decay(on.weights)},
          {std::move(groups.transforms), 1.0, decay(on.transforms)},
          {std::move(groups.norms), 1.0, decay(on.norms)},
          {std::move(groups.biases), 1.0, decay(on.biases)},
          {std::move(groups.steps), recipe.step_learning_rate_factor, decay(on.steps)}};
}

const char* RoleName(SubnetRole role) {
  switch (role) {
    case SubnetRole::kLargest: return "largest";
    case SubnetRole::kSmallest: return "smallest";
    case SubnetRole::kRandom: break;
  }
  return "random";
}

}  // namespace

StageTrainer::StageTrainer(ElasticNet& net, const Recipe& recipe, const RecipeStage& stage,
                           BatchSource& batches, FloatTeacher& teacher, std::uint64_t seed,
                           std::int64_t first_step)
    : net_(net),
      recipe_(recipe),
      stage_(stage),
      batches_(batches),
      teacher_(teacher),
      seed_(seed),
      sgd_(GroupsOf(net, recipe), recipe.momentum, recipe.nesterov),
      steps_(first_step) {}

std::map<std::string, at::Tensor> StageTrainer::OptimizerTensors() const {
  std::map<std::string, at::Tensor> tensors;
  for (std::size_t group = 0; group < sgd_.momenta().size(); ++group) {
    for (std::size_t i = 0; i < sgd_.momenta()[group].size(); ++i) {
      tensors["momentum." + std::to_string(group) + "." + std::to_string(i)] =
          sgd_.momenta()[group][i];
    }
  }
  return tensors;
}

void StageTrainer::CheckFinite(const std::vector<at::Tensor>& losses,
                               const std::vector<StepSubnet>& subnets) {
  // All at once: each look at a value would make a GPU wait.
  const at::Tensor values = at::stack(losses).to(at::kCPU, at::kDouble);
  for (std::size_t i = 0; i < subnets.size(); ++i) {
    const double value = values[static_cast<std::int64_t>(i)].item<double>();
    if (std::isfinite(value)) continue;
    Diverged("the loss of the " + std::string(RoleName(subnets[i].role)) + " subnet is " +
             std::to_string(value));
  }
}

void StageTrainer::Diverged(const std::string& what) {
  sgd_.ZeroGradients();
  throw Error(Code::kFailedPrecondition,
              "training diverged: " + what + " at step " + std::to_string(steps_ + 1) + " of the " +
                  std::to_string(stage_.bits) +
                  " bit stage; lower its learning_rate or set gradient_clip");
}

double StageTrainer::Step(double learning_rate, double progress) {
  const std::vector<StepSubnet> subnets =
      PlanStep(recipe_, net_->space(), stage_.bits, seed_, steps_, progress);
  const Batch batch = batches_.Next();
  const auto label_loss = [&](const at::Tensor& logits) {
    return at::cross_entropy_loss(logits, batch.labels, {}, at::Reduction::Mean, -100,
                                  recipe_.label_smoothing);
  };
  at::Tensor soft_labels;
  if (!teacher_.empty()) {
    const bool one = recipe_.resolution_sampling == ResolutionSampling::kStep;
    const int resolution = one ? batch.images.begin()->first : net_->space().max_resolution();
    soft_labels = at::softmax(teacher_.at(resolution).Forward(batch.images.at(resolution)), 1);
  }

  net_->train();
  std::vector<at::Tensor> losses;
  for (const StepSubnet& subnet : subnets) {
    const at::Tensor logits =
        net_->Forward(batch.images.at(subnet.architecture.resolution), subnet.architecture);
    const bool largest = subnet.role == SubnetRole::kLargest;
    const bool from_labels = largest || !soft_labels.defined();
    if (largest && !soft_labels.defined() && recipe_.distillation != Distillation::kNone) {
      soft_labels = at::softmax(logits.detach(), 1);
    }
    const at::Tensor loss =
        from_labels ? label_loss(logits)
                    : SoftCrossEntropy(logits, soft_labels) * recipe_.distillation_weight;
    loss.backward();
    losses.push_back(loss.detach());
  }
  CheckFinite(losses, subnets);
  const double norm = sgd_.ClipGradients(recipe_.gradient_clip);
  if (!std::isfinite(norm)) Diverged("the norm of the gradients is " + std::to_string(norm));
  sgd_.Step(learning_rate);
  sgd_.ZeroGradients();
  ++steps_;
  return losses.front().item<double>();
}

}  // namespace oqat::supernet
