#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <vector>

#include "artifacts/checkpoint.h"
#include "space/architecture.h"
#include "supernet/step_sizes.h"

namespace oqat::supernet {

struct NetLayers;

/// The weight-sharing network of a space. Parameters and buffers carry the checkpoint's names
/// (docs/FORMATS.md: the released code's key names), in float32 or float64.
class ElasticNetImpl : public torch::nn::Module {
 public:
  /// `bits` 32: float, no fake quantization. Weights are initialised from `seed`.
  ElasticNetImpl(const space::SearchSpace& space, int bits, artifacts::ActivationRange range,
                 std::uint64_t seed, const StepOptions& step_options = {});
  ~ElasticNetImpl() override;

  /// x: [batch, 3, resolution, resolution], normalised; any memory format (channels_last is
  /// fastest). The architecture's resolution and bits are not looked at. Returns logits [batch,
  /// classes]. In training mode BatchNorm normalises with batch statistics and updates the running
  /// ones; in eval mode it uses the running ones.
  torch::Tensor Forward(const torch::Tensor& x, const space::Architecture& architecture);

  /// Changes the bit width in place (1 to 8, or 32). 32 -> b: step sizes are initialised on the
  /// first forward pass in training mode that uses them (LSQ: 2 mean|v| / sqrt(Qp), weights over
  /// the whole tensor). b -> b-1: step sizes are doubled (bit inheritance; scaled by 2^(b-c) for b
  /// -> c). Throws Error INVALID_ARGUMENT.
  void SetBits(int bits);
  int bits() const;

  const space::SearchSpace& space() const;
  artifacts::ActivationRange activation_range() const;

  /// Lets the next training pass initialise the step sizes (at the width of that pass).
  void ForgetSteps();

  /// The quantized convolutions, by their place in the net, whose step sizes wait for that pass:
  /// not part of the tensors, but of what a training goes on from.
  std::vector<int> FreshSteps() const;
  void SetFreshSteps(const std::vector<int>& convolutions);

  /// Every trainable tensor is in one of these, in the order of the checkpoint's specification.
  struct ParameterGroups {
    std::vector<torch::Tensor> weights;     ///< of convolutions and the classifier
    std::vector<torch::Tensor> transforms;  ///< kernel transform matrices
    std::vector<torch::Tensor> norms;       ///< BatchNorm's scales and shifts
    std::vector<torch::Tensor> biases, steps;
  };
  ParameterGroups GroupParameters();

  /// All tensors under checkpoint names. Load throws Error INVALID_ARGUMENT naming a missing,
  /// extra, mis-shaped or non-finite tensor.
  std::map<std::string, artifacts::Tensor> ToTensors() const;
  void FromTensors(const std::map<std::string, artifacts::Tensor>& tensors, std::string_view where);

  /// The layers behind the names, for extraction and recalibration (supernet/layers.h).
  NetLayers& layers();
  const NetLayers& layers() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};
TORCH_MODULE(ElasticNet);

/// Recomputes BatchNorm statistics of one subnet: normalises with each batch's own statistics; the
/// new running values are batch-size-weighted means of batch means and of biased within-batch
/// variances (as the reference does). Statistics of inactive channels are untouched. Throws Error
/// INVALID_ARGUMENT without batches.
void Recalibrate(ElasticNetImpl& net, const space::Architecture& architecture,
                 const std::vector<torch::Tensor>& batches);

}  // namespace oqat::supernet
