#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "artifacts/image.h"
#include "runtime/kernels.h"
#include "runtime/quantized_supernet.h"
#include "space/architecture.h"

namespace oqat::runtime {

/// BatchNorm statistics of one layer, of its active channels.
struct Statistics {
  std::string layer;  ///< "first_conv", "blocks.2.depth_conv", ...; blocks counted in the supernet
  std::vector<float> mean, variance;
};

/// One subnet, compiled: integer weights in place in the supernet, folded BatchNorm, buffers that
/// are kept between calls. Results depend on weights, statistics and images alone: not on the
/// instruction set, nor on how many images are run together. Not thread-safe.
class Subnet {
 public:
  /// Keeps a reference to `supernet`. Statistics are the checkpoint's until they are replaced.
  /// Throws Error INVALID_ARGUMENT for an architecture outside the space or of other bits.
  Subnet(const QuantizedSupernet& supernet, const space::Architecture& architecture,
         const Kernels& kernels);
  ~Subnet();
  Subnet(Subnet&&) noexcept;
  Subnet& operator=(Subnet&&) noexcept;

  /// Recomputes the statistics layer by layer on images [begin, end) of `set` in batches: each
  /// batch is normalised with its own statistics, the new ones are batch-size-weighted means of
  /// batch means and biased variances. `done` hears of every batch; images so far. Where it throws,
  /// the statistics stay those before. Throws Error INVALID_ARGUMENT for no images or a batch_size
  /// below 1.
  void Recalibrate(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
                   std::int64_t batch_size, const std::function<void(std::int64_t)>& done = {});

  /// In network order, the layer names included.
  std::vector<Statistics> statistics() const;

  /// Throws Error INVALID_ARGUMENT unless `statistics` has the layers and channels of the present
  /// ones, all finite, variances not negative.
  void SetStatistics(const std::vector<Statistics>& statistics);

  /// Images [begin, end) of `set`, resized to the architecture's resolution. Writes [end - begin,
  /// classes] logits.
  void Run(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end, float* logits);

  int classes() const;

  /// Called with the input codes of every quantized convolution while images run: layer name,
  /// planes, pixels of a plane, pixels in use, channels. For tests and inspection.
  using Probe = std::function<void(const std::string& layer, const std::uint8_t* codes,
                                   std::int64_t plane, std::int64_t pixels, int channels)>;
  void SetProbe(Probe probe);

  /// Seconds spent per layer (of processor time) since the last call, by name; empty unless
  /// switched on.
  struct LayerTime {
    std::string layer;
    std::string kind;  ///< "stem", "pointwise", "depthwise", "squeeze_excite", "dense"
    double seconds = 0;
    std::int64_t macs = 0;
  };
  void EnableTiming(bool on);
  std::vector<LayerTime> TakeTimes();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace oqat::runtime
