#pragma once
// Internal to supernet/: LibTorch types appear here.

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "artifacts/safetensors.h"
#include "space/architecture.h"
#include "supernet/elastic_net.h"

namespace oqat::supernet {

/// The standalone network of one architecture: weights sliced and kernel-transformed out of a
/// supernet, still float, quantized when it runs. Its logits equal the supernet's. It shares no
/// memory with the supernet. For inference only: it makes no gradients.
class FixedNet {
 public:
  /// Throws Error INVALID_ARGUMENT for an architecture of another space.
  FixedNet(const ElasticNetImpl& net, const space::Architecture& architecture);
  ~FixedNet();
  FixedNet(FixedNet&&) noexcept;
  FixedNet& operator=(FixedNet&&) noexcept;

  /// x: [batch, 3, size, size] of the supernet's float type. Returns logits [batch, classes].
  at::Tensor Forward(const at::Tensor& x);

  /// As Recalibrate of the supernet.
  void Recalibrate(const std::vector<at::Tensor>& batches);

  /// All tensors; blocks are numbered without gaps (docs/FORMATS.md).
  std::map<std::string, artifacts::Tensor> ToTensors() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace oqat::supernet
