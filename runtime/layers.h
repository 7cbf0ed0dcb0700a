#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/fold.h"
#include "runtime/kernels.h"
#include "runtime/quantized_supernet.h"
#include "space/architecture.h"

// The layers of one subnet: views of the supernet's weights, and BatchNorm folded for them.
namespace oqat::runtime {

/// Images whose classifier is computed together.
constexpr std::int64_t kHeadImages = 128;

/// Whether a depthwise convolution of size x size maps is less work as a product with the matrix of
/// all taps (SmallMap) than tap by tap.
bool IsSmallMap(int size, int kernel, int bits);

/// The weights of a SmallMap from those of the Depthwise: both as in runtime/kernels.h.
std::vector<std::int8_t> MapWeights(const std::vector<std::int8_t>& taps, int channels, int kernel,
                                    int stride, int size);

/// How the outputs before a quantized convolution become its input codes.
struct CodeRange {
  CodeRange(const QuantizedConv& next, int bits);

  /// The fields of a Finish that codes need.
  void Set(Finish& finish) const;

  float step;
  int offset, high;
};

/// A 1x1 convolution of a subnet.
struct PointwiseLayer {
  PointwiseLayer(const PointwiseWeights& weights, int in, int out)
      : weights(&weights), in(in), out(out) {}

  const PointwiseWeights* weights;
  int in, out;  ///< whole blocks
};

/// What the kernels' sums of a convolution of `taps` inputs per output are; `codes`: the range
/// they become codes of, if they become nothing else.
SumsAndOutputs SumsOf(const QuantizedConv& conv, int taps, int bits, const CodeRange* codes);
/// The same with what a 1x1 convolution's sums lack.
SumsAndOutputs SumsOf(const PointwiseLayer& layer, int bits, const CodeRange* codes);

struct BlockLayers {
  space::BlockPlan plan;  ///< its widths whole blocks
  int mid = 0, out = 0;   ///< channels in use
  int squeezed = 0;       ///< between the two squeeze-and-excite convolutions
  const BlockWeights* weights = nullptr;
  std::string name;
  int size = 0, out_size = 0;
  bool keeps_real = false;  ///< outputs are added to again, and kept as floats
  std::vector<std::int8_t>
      map_weights;                     ///< of a SmallMap; empty: the depthwise weights as they are
  std::vector<PointwiseLayer> expand;  ///< none in the first block
  std::vector<FoldedNorm> expand_norm;
  std::vector<FoldedNorm> depth_norm;
  std::vector<PointwiseLayer> project;
  std::vector<FoldedNorm> project_norm;

  /// Bytes of one image, where this block needs most.
  std::int64_t bytes() const;
  std::int64_t weight_bytes() const;
};

/// Blocks [first, last) that run the same number of images together. Late blocks have small maps
/// and large weights: the more images, the fewer times these are read.
struct Segment {
  std::size_t first = 0, last = 0;
  std::int64_t group = 1;  ///< a multiple of the segment's before
};

/// All layers of an architecture, which must be canonical and of the supernet's bits.
struct Layers {
  Layers(const QuantizedSupernet& supernet, const space::Architecture& architecture);

  /// In network order.
  template <class Visit>
  void ForEachNorm(Visit&& visit) {
    visit(stem_norm[0]);
    for (BlockLayers& block : blocks) {
      if (!block.expand_norm.empty()) visit(block.expand_norm[0]);
      visit(block.depth_norm[0]);
      visit(block.project_norm[0]);
    }
    visit(final_norm[0]);
  }

  int stem_size = 0, final_size = 0;
  std::vector<FoldedNorm> stem_norm;
  std::vector<BlockLayers> blocks;
  std::vector<Segment> segments;
  std::vector<PointwiseLayer> final_expand, mix;
  std::vector<FoldedNorm> final_norm;
  std::vector<float> feature_scale, mix_scale, zeros;  ///< of layers without BatchNorm

 private:
  void AddBlock(const QuantizedSupernet& supernet, const space::BlockPlan& plan, int size);
  void FoldBlock(const QuantizedSupernet& supernet, std::size_t index);
  void MakeSegments(int stem_width);
};

}  // namespace oqat::runtime
