#include "runtime/operators.h"

#include <algorithm>

namespace oqat::runtime {

void Operators::Note(const std::string& layer, const char* kind, std::int64_t macs,
                     double seconds) {
  const auto found = std::find_if(times.begin(), times.end(), [&](const Subnet::LayerTime& time) {
    return time.layer == layer && time.kind == kind;
  });
  Subnet::LayerTime& time =
      found != times.end() ? *found : times.emplace_back(Subnet::LayerTime{layer, kind, 0, 0});
  time.seconds += seconds;
  time.macs += macs;
}

ChannelSums Operators::ZeroSums(int channels) {
  sum_.assign(static_cast<std::size_t>(channels), 0);
  squares_.assign(static_cast<std::size_t>(channels), 0);
  return {sum_.data(), squares_.data()};
}

void Operators::Pointwise1x1(const std::string& name, const PointwiseLayer& layer, FoldedNorm* norm,
                             const Codes& in, std::int64_t pixels, Finish finish) {
  const std::int64_t all = in.images * pixels;
  if (probe) probe(name, in.at, in.plane, all, layer.in);
  Timed(name, "pointwise", all * layer.in * layer.out, [&] {
    Pointwise conv;
    conv.in = in.at;
    conv.in_plane = in.plane;
    conv.pixels = all;
    conv.in_channels = layer.in;
    conv.out_channels = layer.out;
    conv.weights = layer.weights->codes.data();
    conv.weight_block = std::int64_t{layer.weights->in} * kBlock;
    conv.narrow = narrow_;
    if (norm != nullptr) {
      finish.scale = norm->scale();
      finish.bias = norm->bias();
      if (calibrating) {
        CalibratePointwise(conv, *norm, in.images, finish);
        return;
      }
    }
    kernels_.pointwise(conv, finish);
  });
}

void Operators::CalibratePointwise(Pointwise conv, FoldedNorm& norm, std::int64_t images,
                                   const Finish& finish) {
  ChannelSums sums = ZeroSums(conv.out_channels);
  const auto add = [&] {
    for (int b = 0; b < norm.blocks(); ++b) {
      norm.AddBatch(b, &sums.sum[b * kBlock], &sums.squares[b * kBlock], conv.pixels, images);
    }
  };
  const int in = conv.in_channels;
  if (conv.narrow && conv.out_channels < in && in <= kMostSmallInputs) {
    // Many inputs and few outputs: keeping the sums is less work than making them again.
    sums.plane = finish.plane;
    sums.kept = Grown(kept_, conv.out_channels * finish.plane);
    kernels_.pointwise_sums(conv, sums);
    add();
    kernels_.finish_sums(sums.kept, conv.pixels, conv.out_channels, finish);
    return;
  }
  // w G w^T is in * in * out multiply-adds in float64, however many pixels there are.
  if (conv.narrow && conv.out_channels > in && in <= kMostGramInputs &&
      conv.pixels <= kMostGramPixels && conv.pixels >= 8 * in) {
    conv.scratch = Grown(gram_, GramScratch(in));
    kernels_.pointwise_gram(conv, sums);
  } else {
    kernels_.pointwise_sums(conv, sums);
  }
  add();
  kernels_.pointwise(conv, finish);
}

void Operators::DepthwiseOf(BlockLayers& block, const Codes& in, Finish finish) {
  const std::string name = block.name + "depth_conv";
  const space::BlockPlan& plan = block.plan;
  FoldedNorm& norm = block.depth_norm[0];
  const std::int64_t out_pixels = in.images * block.out_size * block.out_size;
  if (probe) probe(name, in.at, in.plane, in.images * block.size * block.size, plan.mid);
  Timed(name, "depthwise", out_pixels * plan.mid * plan.kernel * plan.kernel, [&] {
    finish.scale = norm.scale();
    finish.bias = norm.bias();
    if (!block.map_weights.empty()) {
      SmallMap conv;
      conv.in = in.at;
      conv.in_plane = in.plane;
      conv.images = in.images;
      conv.channels = plan.mid;
      conv.in_pixels = block.size * block.size;
      conv.out_pixels = block.out_size * block.out_size;
      conv.weights = block.map_weights.data();
      RunByBlocks(conv, MapWeightBytes(conv.in_pixels, conv.out_pixels), out_pixels, norm, finish,
                  kernels_.small_map, kernels_.small_map_sums);
      return;
    }
    Depthwise conv;
    conv.in = in.at;
    conv.in_plane = in.plane;
    conv.images = in.images;
    conv.channels = plan.mid;
    conv.size = block.size;
    conv.out_size = block.out_size;
    conv.kernel = plan.kernel;
    conv.stride = plan.stride;
    conv.weights = block.weights->depth.codes.at(plan.kernel).data();
    conv.narrow = narrow_;
    conv.scratch = Grown(scratch_, DepthwiseScratch(conv));
    RunByBlocks(conv, DepthwiseWeightBytes(conv.kernel), out_pixels, norm, finish,
                kernels_.depthwise, kernels_.depthwise_sums);
  });
}

// While calibrating, block of channels by block: its statistics are complete before the next one is
// read, and what it keeps in between stays in a cache.
template <class Conv>
void Operators::RunByBlocks(Conv conv, int weight_bytes, std::int64_t pixels, FoldedNorm& norm,
                            Finish finish, void (*run)(const Conv&, const Finish&),
                            void (*run_sums)(const Conv&, const ChannelSums&)) {
  if (!calibrating) {
    run(conv, finish);
    return;
  }
  conv.channels = kBlock;
  for (int b = 0; b < norm.blocks(); ++b) {
    ChannelSums sums = ZeroSums(kBlock);
    if (narrow_) {
      sums.plane = finish.plane;
      sums.kept = Grown(kept_, finish.plane * kBlock);
    }
    run_sums(conv, sums);
    norm.AddBatch(b, sums.sum, sums.squares, pixels, conv.images);
    if (narrow_) {
      kernels_.finish_sums(sums.kept, pixels, kBlock, finish);
    } else {
      run(conv, finish);
    }
    conv.in += conv.in_plane * kBlock;
    conv.weights += weight_bytes;
    finish.scale += kBlock;
    finish.bias += kBlock;
    if (finish.codes != nullptr) finish.codes += finish.plane * kBlock;
    if (finish.real != nullptr) finish.real += finish.plane * kBlock;
  }
}

void Operators::SqueezeExcite(const BlockLayers& block, const float* values, std::int64_t plane,
                              std::int64_t images, const Finish& finish) {
  const int mid = block.plan.mid, squeezed = block.squeezed;
  const std::int64_t pixels = std::int64_t{block.out_size} * block.out_size;
  const std::int64_t small = PlanePixels(images);
  Timed(block.name + "se", "squeeze_excite", images * 2 * mid * squeezed, [&] {
    float* pooled = Grown(pooled_, mid * small);
    float* hidden = Grown(hidden_, squeezed * small);
    float* gates = Grown(gates_, mid * small);
    kernels_.pool(values, plane, images, pixels, mid, pooled, small);
    DenseLayer(block.weights->reduce, pooled, small, images, mid, squeezed, true, hidden);
    DenseLayer(block.weights->gate, hidden, small, images, squeezed, mid, false, gates);
    kernels_.gate(values, plane, images, pixels, mid, gates, small, finish);
  });
}

void Operators::DenseLayer(const DenseWeights& weights, const float* in, std::int64_t plane,
                           std::int64_t images, int in_channels, int out_channels, bool rectify,
                           float* out) {
  Dense dense;
  dense.in = in;
  dense.in_plane = dense.plane = plane;
  dense.pixels = images;
  dense.in_channels = in_channels;
  dense.out_channels = out_channels;
  dense.weights = weights.weights.data();
  dense.weight_block = std::int64_t{weights.in} * kBlock;
  dense.bias = weights.bias.data();
  dense.rectify = rectify;
  dense.out = out;
  kernels_.dense(dense);
}

}  // namespace oqat::runtime
