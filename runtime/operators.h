#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/processor_time.h"
#include "runtime/layers.h"
#include "runtime/subnet.h"

// What a subnet's layers do to planes of codes and floats (runtime/kernels.h).
namespace oqat::runtime {

/// Grows to `count` values and returns them; what is new is zero.
template <class T>
T* Grown(std::vector<T>& values, std::int64_t count) {
  if (values.size() < static_cast<std::size_t>(count))
    values.resize(static_cast<std::size_t>(count));
  return values.data();
}

/// Planes of codes that go into a convolution.
struct Codes {
  const std::uint8_t* at = nullptr;
  std::int64_t plane = 0;   ///< pixels from one block of channels to the next
  std::int64_t images = 0;  ///< in use
};

/// Runs single layers and, while calibrating, takes their statistics first; keeps their scratch
/// buffers, measures and lets a probe listen.
class Operators {
 public:
  Operators(const Kernels& kernels, int bits) : kernels_(kernels), narrow_(bits <= 4) {}

  const Kernels& kernels() const { return kernels_; }

  /// Every batch is normalised with its own statistics, which go to the layers' FoldedNorm.
  bool calibrating = false;
  Subnet::Probe probe;
  bool timing = false;
  std::vector<Subnet::LayerTime> times;

  /// `norm` null: the Finish has scale and bias. `pixels` per image.
  void Pointwise1x1(const std::string& name, const PointwiseLayer& layer, FoldedNorm* norm,
                    const Codes& in, std::int64_t pixels, Finish finish);
  void DepthwiseOf(BlockLayers& block, const Codes& in, Finish finish);
  /// Gates of every image from a block's activations; then codes of their products.
  void SqueezeExcite(const BlockLayers& block, const float* values, std::int64_t plane,
                     std::int64_t images, const Finish& finish);
  void DenseLayer(const DenseWeights& weights, const float* in, std::int64_t plane,
                  std::int64_t images, int in_channels, int out_channels, bool rectify, float* out);

  /// Runs `work` and, if wanted, notes how long it kept the processor busy.
  template <class Work>
  void Timed(const std::string& layer, const char* kind, std::int64_t macs, Work&& work) {
    if (!timing) {
      work();
      return;
    }
    const double begin = ProcessorSecondsOfThread();
    work();
    Note(layer, kind, macs, ProcessorSecondsOfThread() - begin);
  }

 private:
  void Note(const std::string& layer, const char* kind, std::int64_t macs, double seconds);
  ChannelSums ZeroSums(int channels);
  void CalibratePointwise(Pointwise conv, FoldedNorm& norm, std::int64_t images,
                          const Finish& finish);
  template <class Conv>
  void RunByBlocks(Conv conv, int weight_bytes, std::int64_t pixels, FoldedNorm& norm,
                   Finish finish, void (*run)(const Conv&, const Finish&),
                   void (*run_sums)(const Conv&, const ChannelSums&));

  const Kernels& kernels_;
  const bool narrow_;
  std::vector<std::int64_t> sum_;
  std::vector<std::uint64_t> squares_;
  std::vector<std::int16_t> kept_;
  std::vector<std::uint8_t> scratch_;
  std::vector<double> gram_;
  std::vector<float> pooled_, hidden_, gates_;
};

}  // namespace oqat::runtime
