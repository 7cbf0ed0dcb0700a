#include "runtime/subnet.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "runtime/fold.h"
#include "runtime/input.h"

namespace oqat::runtime {

namespace {

using space::BlockPlan;

/// Images whose classifier is computed together.
constexpr std::int64_t kHeadImages = 128;
/// Bytes of one group's activations in a block: they should stay in a second-level cache.
constexpr std::int64_t kGroupBytes = 256 << 10;

Rectifier RectifierOf(space::Activation activation) {
  return activation == space::Activation::kRelu ? Rectifier::kRelu : Rectifier::kHSwish;
}

/// Size after a convolution of odd kernel with padding kernel / 2.
int After(int size, int stride) { return (size - 1) / stride + 1; }

/// Grows to `count` values and returns them; what is new is zero.
template <class T>
T* Grown(std::vector<T>& values, std::int64_t count) {
  if (values.size() < static_cast<std::size_t>(count))
    values.resize(static_cast<std::size_t>(count));
  return values.data();
}

/// How outputs become the input codes of the next convolution.
void SetCodes(const QuantizedConv& next, int bits, Finish& finish) {
  finish.inverse_step = 1 / next.activation_step;
  if (next.signed_input) {
    finish.low = -(1 << (bits - 1));
    finish.high = std::ldexp(1.0F, bits - 1) - 1;
    finish.offset = 1 << (bits - 1);
  } else {
    finish.low = 0;
    finish.high = std::ldexp(1.0F, bits) - 1;
    finish.offset = 0;
  }
}

/// A 1x1 convolution of a subnet.
struct PointwiseLayer {
  PointwiseLayer(const PointwiseWeights& w, int in_channels, int out_channels, int bits)
      : weights(&w), in(in_channels), out(out_channels) {
    init.resize(static_cast<std::size_t>(out));
    if (!w.signed_input) return;
    // Codes are stored with 2^(bits-1) added: what that adds to the sums is taken off again.
    for (int o = 0; o < out; ++o) {
      const std::int8_t* block = w.codes.data() + std::int64_t{o / kBlock} * w.in * kBlock;
      std::int32_t sum = 0;
      for (int k = 0; k < in; ++k) sum += block[(k / 4 * kBlock + o % kBlock) * 4 + k % 4];
      init[static_cast<std::size_t>(o)] = -sum * (1 << (bits - 1));
    }
  }

  double sum_scale() const {
    return static_cast<double>(weights->activation_step) * weights->weight_step;
  }

  const PointwiseWeights* weights;
  int in, out;
  std::vector<std::int32_t> init;
};

struct BlockLayers {
  BlockPlan plan;  ///< its widths whole blocks
  const BlockWeights* weights = nullptr;
  std::string name;
  int size = 0, out_size = 0;
  std::vector<PointwiseLayer> expand;  ///< none in the first block
  std::vector<FoldedNorm> expand_norm;
  std::vector<FoldedNorm> depth_norm;
  std::vector<PointwiseLayer> project;
  std::vector<FoldedNorm> project_norm;

  /// Of one image, where this block needs most.
  std::int64_t bytes() const {
    const std::int64_t before = std::int64_t{size} * size,
                       after = std::int64_t{out_size} * out_size;
    return plan.mid * (before + after * (plan.squeeze_excite ? 5 : 1));
  }
  std::int64_t weight_bytes() const {
    const std::int64_t gates = plan.squeeze_excite ? std::int64_t{8} * plan.squeezed() : 0;
    return plan.mid * (plan.in + plan.out + gates);
  }
};

/// Input of a block, output of the one before: planes that begin with some group's first image.
struct Place {
  std::uint8_t* codes = nullptr;
  float* real = nullptr;  ///< null unless they are added to again
  std::int64_t plane = 0;
};

/// Blocks [first, last) that run the same number of images together. Late blocks have small maps
/// and large weights: the more images, the fewer times these are read.
struct Segment {
  std::size_t first = 0, last = 0;
  std::int64_t group = 1;  ///< a multiple of the segment's before
  std::vector<std::uint8_t> codes;
  std::vector<float> real;
};

}  // namespace

struct Subnet::Impl {
  Impl(const QuantizedSupernet& net, const space::Architecture& wanted, const Kernels& table)
      : supernet(net),
        kernels(table),
        architecture(space::Canonical(net.space, wanted)),
        input(net.normalization, architecture.resolution, net.space.stem_stride) {
    const space::SearchSpace& space = net.space;
    if (architecture.bits != net.bits) {
      throw InvalidField("architecture.bits", std::to_string(architecture.bits),
                         "the checkpoint's " + std::to_string(net.bits));
    }
    norms_of_stem.emplace_back("first_conv", net.stem_bn, space.stem_width, 1);
    stem_size = After(architecture.resolution, space.stem_stride);
    int size = stem_size;
    for (const BlockPlan& plan : space::SubnetPlan(space, architecture)) {
      blocks.push_back(MakeBlock(plan, size));
      size = blocks.back().out_size;
    }
    final_size = size;
    MakeSegments();
    const int last = blocks.back().plan.out;
    final_expand.emplace_back(net.final_expand, last, net.final_expand.out, net.bits);
    final_norm.emplace_back("final_expand_layer", net.final_bn, space.final_expand_width,
                            final_expand[0].sum_scale());
    mix.emplace_back(net.feature_mix, net.feature_mix.in, net.feature_mix.out, net.bits);
    const auto widest = static_cast<std::size_t>(std::max(net.feature_mix.in, net.feature_mix.out));
    ones.assign(widest, 1);
    zeros.assign(widest, 0);
    mix_scale.assign(widest, static_cast<float>(mix[0].sum_scale()));
  }

  void MakeSegments() {
    // From behind: no block may have a larger group than one after it.
    std::vector<std::int64_t> groups(blocks.size());
    std::int64_t group = kHeadImages;
    for (std::size_t i = blocks.size(); i-- > 0;) {
      std::int64_t bytes = blocks[i].bytes();
      if (i == 0) {
        bytes =
            std::max(bytes, std::int64_t{5} * supernet.space.stem_width * stem_size * stem_size);
      }
      // More images are worth leaving that cache for as long as the weights do not fit either.
      const std::int64_t room = std::max(kGroupBytes, blocks[i].weight_bytes());
      while (group > 1 && group * bytes > room) group /= 2;
      groups[i] = group;
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      // A shortcut's values lie where its sum goes: it stays within its segment.
      if (i > 0 && blocks[i - 1].plan.shortcut) groups[i] = groups[i - 1];
      if (segments.empty() || groups[i] != segments.back().group) {
        segments.emplace_back().first = i;
        segments.back().group = groups[i];
      }
      segments.back().last = i + 1;
    }
  }

  BlockLayers MakeBlock(const BlockPlan& plan, int size) const {
    BlockLayers block;
    block.plan = plan;
    block.plan.in = Padded(plan.in);
    block.plan.mid = Padded(plan.mid);
    block.plan.out = Padded(plan.out);
    block.weights = &supernet.blocks.at(static_cast<std::size_t>(plan.index));
    block.name = "blocks." + std::to_string(plan.index) + ".";
    block.size = size;
    block.out_size = After(size, plan.stride);
    const BlockWeights& w = *block.weights;
    if (plan.expand) {
      block.expand.emplace_back(w.expand, block.plan.in, block.plan.mid, supernet.bits);
      block.expand_norm.emplace_back(block.name + "inverted_bottleneck", w.expand_bn, plan.mid,
                                     block.expand[0].sum_scale());
    }
    block.depth_norm.emplace_back(
        block.name + "depth_conv", w.depth_bn, plan.mid,
        static_cast<double>(w.depth.activation_step) * w.depth.weight_step);
    block.project.emplace_back(w.project, block.plan.mid, block.plan.out, supernet.bits);
    block.project_norm.emplace_back(block.name + "point_linear", w.project_bn, plan.out,
                                    block.project[0].sum_scale());
    return block;
  }

  template <class Visit>
  void ForEachNorm(Visit&& visit) {
    visit(norms_of_stem[0]);
    for (BlockLayers& block : blocks) {
      if (!block.expand_norm.empty()) visit(block.expand_norm[0]);
      visit(block.depth_norm[0]);
      visit(block.project_norm[0]);
    }
    visit(final_norm[0]);
  }

  /// Runs `work` and, if wanted, notes how long it took.
  template <class Work>
  void Timed(const std::string& layer, const char* kind, std::int64_t macs, Work&& work) {
    if (!timing) {
      work();
      return;
    }
    const auto begin = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const auto found = std::find_if(times.begin(), times.end(), [&](const LayerTime& time) {
      return time.layer == layer && time.kind == kind;
    });
    LayerTime& time =
        found != times.end() ? *found : times.emplace_back(LayerTime{layer, kind, 0, 0});
    time.seconds += took.count();
    time.macs += macs;
  }

  void RunPointwise(const std::string& name, const PointwiseLayer& layer, FoldedNorm* norm,
                    const std::uint8_t* in, std::int64_t plane, std::int64_t pixels,
                    std::int64_t images, Finish finish) {
    if (probe) probe(name, in, plane, pixels, layer.in);
    Timed(name, "pointwise", pixels * layer.in * layer.out, [&] {
      Pointwise conv;
      conv.in = in;
      conv.in_plane = plane;
      conv.pixels = pixels;
      conv.in_channels = layer.in;
      conv.out_channels = layer.out;
      conv.weights = layer.weights->codes.data();
      conv.weight_block = std::int64_t{layer.weights->in} * kBlock;
      conv.init = layer.init.data();
      conv.narrow = supernet.bits <= 4;
      if (norm != nullptr) {
        if (calibrating) {
          kernels.pointwise_sums(conv, ZeroSums(layer.out));
          for (int b = 0; b < norm->blocks(); ++b) {
            norm->AddBatch(b, &sum[b * kBlock], &squares[b * kBlock], pixels, images);
          }
        }
        finish.scale = norm->scale();
        finish.bias = norm->bias();
      }
      kernels.pointwise(conv, finish);
    });
  }

  void RunDepthwise(const BlockLayers& block, FoldedNorm& norm, const std::uint8_t* in,
                    std::int64_t plane, std::int64_t images, Finish finish) {
    const std::string name = block.name + "depth_conv";
    const BlockPlan& plan = block.plan;
    const std::int64_t out_pixels = images * block.out_size * block.out_size;
    if (probe) probe(name, in, plane, images * block.size * block.size, plan.mid);
    Timed(name, "depthwise", out_pixels * plan.mid * plan.kernel * plan.kernel, [&] {
      Depthwise conv;
      conv.in = in;
      conv.in_plane = plane;
      conv.images = images;
      conv.channels = plan.mid;
      conv.size = block.size;
      conv.out_size = block.out_size;
      conv.kernel = plan.kernel;
      conv.stride = plan.stride;
      conv.weights = block.weights->depth.codes.at(plan.kernel).data();
      conv.narrow = supernet.bits <= 4;
      conv.scratch = Grown(scratch, DepthwiseScratch(conv));
      if (calibrating) {
        CalibrateDepthwise(conv, norm, finish);
      } else {
        finish.scale = norm.scale();
        finish.bias = norm.bias();
        kernels.depthwise(conv, finish);
      }
    });
  }

  /// Block of channels by block: its statistics are complete before the next one is read, and what
  /// it keeps in between stays in a cache.
  void CalibrateDepthwise(Depthwise conv, FoldedNorm& norm, Finish finish) {
    const std::int64_t pixels = conv.images * conv.out_size * conv.out_size;
    const int weights = DepthwiseWeightBytes(conv.kernel);
    conv.channels = kBlock;
    finish.scale = norm.scale();
    finish.bias = norm.bias();
    for (int b = 0; b < norm.blocks(); ++b) {
      ChannelSums sums = ZeroSums(kBlock);
      if (conv.narrow) {
        sums.plane = finish.plane;
        sums.kept = Grown(kept, finish.plane * kBlock);
      }
      kernels.depthwise_sums(conv, sums);
      norm.AddBatch(b, sums.sum, sums.squares, pixels, conv.images);
      if (conv.narrow) {
        kernels.finish_sums(sums.kept, pixels, kBlock, finish);
      } else {
        kernels.depthwise(conv, finish);
      }
      conv.in += conv.in_plane * kBlock;
      conv.weights += weights;
      finish.scale += kBlock;
      finish.bias += kBlock;
      if (finish.codes != nullptr) finish.codes += finish.plane * kBlock;
      if (finish.real != nullptr) finish.real += finish.plane * kBlock;
    }
  }

  ChannelSums ZeroSums(int channels) {
    sum.assign(static_cast<std::size_t>(channels), 0);
    squares.assign(static_cast<std::size_t>(channels), 0);
    return {sum.data(), squares.data()};
  }

  /// gates[c] of every image from the block's activations; then codes of their products.
  void RunSqueezeExcite(const BlockLayers& block, const float* values, std::int64_t plane,
                        std::int64_t images, Finish finish) {
    const int mid = block.plan.mid, squeezed = block.plan.squeezed();
    const std::int64_t pixels = std::int64_t{block.out_size} * block.out_size;
    const std::int64_t small = PlanePixels(images);
    Timed(block.name + "se", "squeeze_excite", images * 2 * mid * squeezed, [&] {
      float* pooled = Grown(se_pooled, mid * small);
      float* hidden = Grown(se_hidden, squeezed * small);
      float* gates = Grown(se_gates, mid * small);
      kernels.pool(values, plane, images, pixels, mid, pooled, small);
      RunDense(block.weights->reduce, pooled, small, images, mid, squeezed, hidden);
      for (std::int64_t i = 0; i < squeezed * small; ++i) hidden[i] = std::max(hidden[i], 0.0F);
      RunDense(block.weights->gate, hidden, small, images, squeezed, mid, gates);
      for (std::int64_t i = 0; i < mid * small; ++i) {
        gates[i] = std::min(std::max(gates[i] + 3, 0.0F), 6.0F) / 6;
      }
      kernels.gate(values, plane, images, pixels, mid, gates, small, finish);
    });
  }

  void RunDense(const DenseWeights& weights, const float* in, std::int64_t in_plane,
                std::int64_t images, int in_channels, int out_channels, float* out) {
    Dense dense;
    dense.in = in;
    dense.in_plane = dense.plane = in_plane;
    dense.pixels = images;
    dense.in_channels = in_channels;
    dense.out_channels = out_channels;
    dense.weights = weights.weights.data();
    dense.weight_block = std::int64_t{weights.in} * kBlock;
    dense.bias = weights.bias.data();
    dense.out = out;
    kernels.dense(dense);
  }

  /// Where image `offset` of `images` goes in a segment's input, and what follows it.
  Place InputOf(std::size_t index, std::int64_t images, std::int64_t offset = 0) {
    Segment& segment = segments[index];
    const BlockLayers& block = blocks[segment.first];
    const std::int64_t pixels = std::int64_t{block.size} * block.size;
    const std::int64_t plane = PlanePixels(images * pixels);
    const std::int64_t count = block.plan.in * plane, skip = offset * pixels * kBlock;
    return {Grown(segment.codes, count) + skip,
            block.plan.shortcut ? Grown(segment.real, count) + skip : nullptr, plane};
  }

  /// The same buffers for what block `index` of a segment leaves to its next one.
  Place OutputOf(Segment& segment, std::size_t index, std::int64_t images) {
    const BlockLayers& block = blocks[index];
    const std::int64_t plane = PlanePixels(images * block.out_size * block.out_size);
    const std::int64_t count = block.plan.out * plane;
    const bool again = index + 1 < blocks.size() && blocks[index + 1].plan.shortcut;
    return {Grown(segment.codes, count),
            block.plan.shortcut || again ? Grown(segment.real, count) : nullptr, plane};
  }

  void RunStem(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
               const Place& output) {
    const std::int64_t images = end - begin, pixels = images * stem_size * stem_size;
    const int width = Padded(supernet.space.stem_width);
    Timed("first_conv", "stem", pixels * width * 27, [&] {
      Stem stem;
      stem.in = input.Make(set, begin, end);
      stem.row = input.row();
      stem.images = images;
      stem.out_channels = width;
      stem.size = architecture.resolution;
      stem.out_size = stem_size;
      stem.stride = supernet.space.stem_stride;
      stem.weights = supernet.stem.data();
      stem.plane = output.plane;
      stem.out = Grown(values, width * stem.plane);
      kernels.stem(stem);
      FoldedNorm& norm = norms_of_stem[0];
      if (calibrating) {
        std::vector<double> mean(static_cast<std::size_t>(width)), variance(mean.size());
        kernels.moments(stem.out, stem.plane, pixels, width, mean.data(), variance.data());
        for (int b = 0; b < norm.blocks(); ++b) {
          norm.AddBatch(b, &mean[b * kBlock], &variance[b * kBlock], images);
        }
      }
      Finish finish;
      finish.scale = norm.scale();
      finish.bias = norm.bias();
      finish.rectifier = Rectifier::kHSwish;
      finish.plane = stem.plane;
      finish.codes = output.codes;
      finish.real = output.real;
      SetCodes(blocks[0].weights->depth, supernet.bits, finish);
      kernels.finish(stem.out, pixels, width, finish);
    });
  }

  /// `output_of` is asked for the Place of the output once the input's codes are used up: they may
  /// share their buffers.
  template <class OutputOf>
  void RunBlock(std::size_t index, std::int64_t images, const Place& in, OutputOf&& output_of) {
    BlockLayers& block = blocks[index];
    const BlockPlan& plan = block.plan;
    const std::int64_t pixels = images * block.size * block.size;
    const std::int64_t out_pixels = images * block.out_size * block.out_size;
    const std::int64_t out_plane = PlanePixels(out_pixels);
    const int bits = supernet.bits;

    const std::uint8_t* depth_in = in.codes;
    if (plan.expand) {
      Finish finish;
      finish.rectifier = RectifierOf(plan.activation);
      finish.plane = in.plane;
      finish.codes = Grown(codes_mid, plan.mid * in.plane);
      SetCodes(block.weights->depth, bits, finish);
      RunPointwise(block.name + "inverted_bottleneck", block.expand[0], &block.expand_norm[0],
                   in.codes, in.plane, pixels, images, finish);
      depth_in = codes_mid.data();
    }

    Finish finish;
    finish.rectifier = RectifierOf(plan.activation);
    finish.plane = out_plane;
    SetCodes(block.weights->project, bits, finish);
    std::uint8_t* depth_out = Grown(codes_out, plan.mid * out_plane);
    if (plan.squeeze_excite) {
      finish.real = Grown(values, plan.mid * out_plane);
    } else {
      finish.codes = depth_out;
    }
    RunDepthwise(block, block.depth_norm[0], depth_in, in.plane, images, finish);
    if (plan.squeeze_excite) {
      finish.codes = depth_out;
      RunSqueezeExcite(block, values.data(), out_plane, images, finish);
    }

    const bool last = index + 1 == blocks.size();
    const Place out = output_of();
    Finish output;
    output.plane = out.plane;
    output.codes = out.codes;
    output.real = out.real;
    SetCodes(last ? supernet.final_expand : blocks[index + 1].weights->expand, bits, output);
    if (plan.shortcut) output.shortcut = out.real;
    RunPointwise(block.name + "point_linear", block.project[0], &block.project_norm[0], depth_out,
                 out_plane, out_pixels, images, output);
  }

  /// The blocks of a segment on what its input holds; the last one's output goes to `output_of()`.
  template <class OutputPlace>
  void RunSegment(Segment& segment, std::int64_t images, Place place, OutputPlace&& output_of) {
    for (std::size_t i = segment.first; i + 1 < segment.last; ++i) {
      Place out;
      RunBlock(i, images, place, [&] { return out = OutputOf(segment, i, images); });
      place = out;
    }
    RunBlock(segment.last - 1, images, place, output_of);
  }

  /// Runs everything before segment `index` on images [begin, end), into its input.
  Place Fill(std::size_t index, const artifacts::ImageSet& set, std::int64_t begin,
             std::int64_t end) {
    const std::int64_t images = end - begin;
    if (index == 0) {
      RunStem(set, begin, end, InputOf(0, images));
      return InputOf(0, images);
    }
    Segment& before = segments[index - 1];
    // A batch is normalised as a whole: no part of it may run ahead.
    const std::int64_t step = calibrating ? images : before.group;
    for (std::int64_t i = begin; i < end; i += step) {
      const std::int64_t last = std::min(end, i + step);
      RunSegment(before, last - i, Fill(index - 1, set, i, last),
                 [&] { return InputOf(index, images, i - begin); });
    }
    return InputOf(index, images);
  }

  /// Images [begin, end): everything up to the pooled features, whose codes go to images
  /// `position` and on of `features`.
  void RunGroup(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
                std::int64_t position) {
    const std::int64_t images = end - begin;
    Segment& last = segments.back();
    Place place = Fill(segments.size() - 1, set, begin, end);
    RunSegment(last, images, place,
               [&] { return place = OutputOf(last, blocks.size() - 1, images); });

    const int width = supernet.final_expand.out;
    const std::int64_t per_image = std::int64_t{final_size} * final_size;
    Finish finish;
    finish.rectifier = Rectifier::kHSwish;
    finish.plane = place.plane;
    finish.real = Grown(values, width * place.plane);
    RunPointwise("final_expand_layer", final_expand[0], &final_norm[0], place.codes, place.plane,
                 images * per_image, images, finish);
    if (calibrating) return;
    float* pooled = Grown(features, width * PlanePixels(kHeadImages)) + position * kBlock;
    kernels.pool(values.data(), place.plane, images, per_image, width, pooled,
                 PlanePixels(kHeadImages));
  }

  /// Logits of the first `images` features.
  void RunHead(std::int64_t images, float* logits) {
    const space::SearchSpace& space = supernet.space;
    const std::int64_t plane = PlanePixels(kHeadImages);
    Finish finish;
    finish.scale = ones.data();
    finish.bias = zeros.data();
    finish.plane = plane;
    finish.codes = Grown(codes_head, supernet.feature_mix.in * plane);
    SetCodes(supernet.feature_mix, supernet.bits, finish);
    kernels.finish(features.data(), images, supernet.feature_mix.in, finish);

    Finish mixed;
    mixed.scale = mix_scale.data();
    mixed.bias = zeros.data();
    mixed.rectifier = Rectifier::kHSwish;
    mixed.plane = plane;
    mixed.real = Grown(values, supernet.feature_mix.out * plane);
    RunPointwise("feature_mix_layer", mix[0], nullptr, codes_head.data(), plane, images, images,
                 mixed);

    const DenseWeights& weights = supernet.classifier;
    Timed("classifier", "dense", images * weights.in * weights.out, [&] {
      float* planes = Grown(class_planes, weights.out * plane);
      RunDense(weights, values.data(), plane, images, weights.in, weights.out, planes);
      for (std::int64_t i = 0; i < images; ++i) {
        for (int c = 0; c < space.num_classes; ++c) {
          *logits++ = planes[(c / kBlock * plane + i) * kBlock + c % kBlock];
        }
      }
    });
  }

  const QuantizedSupernet& supernet;
  const Kernels& kernels;
  const space::Architecture architecture;
  InputMaker input;
  int stem_size = 0, final_size = 0;
  std::vector<Segment> segments;
  std::vector<FoldedNorm> norms_of_stem;
  std::vector<BlockLayers> blocks;
  std::vector<PointwiseLayer> final_expand, mix;
  std::vector<FoldedNorm> final_norm;
  std::vector<float> ones, zeros, mix_scale;

  bool calibrating = false;
  std::vector<std::int64_t> sum;
  std::vector<std::uint64_t> squares;
  std::vector<std::int16_t> kept;

  // Planes (runtime/kernels.h), kept between calls.
  std::vector<std::uint8_t> codes_head, codes_mid, codes_out, scratch;
  std::vector<float> values, features, class_planes, se_pooled, se_hidden, se_gates;

  Probe probe;
  bool timing = false;
  std::vector<LayerTime> times;
};

Subnet::Subnet(const QuantizedSupernet& supernet, const space::Architecture& architecture,
               const Kernels& kernels)
    : impl_(std::make_unique<Impl>(supernet, architecture, kernels)) {}
Subnet::~Subnet() = default;
Subnet::Subnet(Subnet&&) noexcept = default;
Subnet& Subnet::operator=(Subnet&&) noexcept = default;

void Subnet::Recalibrate(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
                         std::int64_t batch_size, const std::function<void(std::int64_t)>& done) {
  if (end <= begin) throw InvalidField("calibration images", "none", "at least one");
  Impl& impl = *impl_;
  impl.ForEachNorm([](FoldedNorm& norm) { norm.BeginBatches(); });
  impl.calibrating = true;
  for (std::int64_t i = begin; i < end; i += batch_size) {
    const std::int64_t last = std::min(end, i + batch_size);
    impl.RunGroup(set, i, last, 0);
    if (done) done(last - begin);
  }
  impl.calibrating = false;
  impl.ForEachNorm([&](FoldedNorm& norm) { norm.EndBatches(end - begin); });
}

std::vector<Statistics> Subnet::statistics() const {
  std::vector<Statistics> all;
  impl_->ForEachNorm([&](FoldedNorm& norm) {
    all.push_back({norm.layer(), norm.mean(), norm.variance()});
  });
  return all;
}

void Subnet::SetStatistics(const std::vector<Statistics>& statistics) {
  std::size_t at = 0;
  std::vector<FoldedNorm*> norms;
  impl_->ForEachNorm([&](FoldedNorm& norm) { norms.push_back(&norm); });
  if (statistics.size() != norms.size()) {
    throw InvalidField("statistics", std::to_string(statistics.size()) + " layers",
                       std::to_string(norms.size()));
  }
  for (const FoldedNorm* norm : norms) {
    const Statistics& given = statistics[at++];
    const auto channels = static_cast<std::size_t>(norm->channels());
    if (given.layer != norm->layer() || given.mean.size() != channels ||
        given.variance.size() != channels) {
      throw InvalidField("statistics[" + std::to_string(at - 1) + "]",
                         given.layer + " of " + std::to_string(given.mean.size()) + " channels",
                         norm->layer() + " of " + std::to_string(channels));
    }
    for (std::size_t c = 0; c < channels; ++c) {
      if (!std::isfinite(given.mean[c]) || !std::isfinite(given.variance[c]) ||
          given.variance[c] < 0) {
        throw InvalidField("statistics." + given.layer + "[" + std::to_string(c) + "]",
                           std::to_string(given.mean[c]) + ", " + std::to_string(given.variance[c]),
                           "finite numbers, variances not negative");
      }
    }
  }
  for (std::size_t i = 0; i < norms.size(); ++i) {
    norms[i]->SetStatistics(statistics[i].mean, statistics[i].variance);
  }
}

void Subnet::Run(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
                 float* logits) {
  Impl& impl = *impl_;
  for (std::int64_t head = begin; head < end; head += kHeadImages) {
    const std::int64_t head_end = std::min(end, head + kHeadImages);
    const std::int64_t group = impl.segments.back().group;
    for (std::int64_t i = head; i < head_end; i += group) {
      impl.RunGroup(set, i, std::min(head_end, i + group), i - head);
    }
    impl.RunHead(head_end - head, logits);
    logits += (head_end - head) * classes();
  }
}

int Subnet::classes() const { return impl_->supernet.space.num_classes; }
void Subnet::SetProbe(Probe probe) { impl_->probe = std::move(probe); }

void Subnet::EnableTiming(bool on) {
  impl_->timing = on;
  impl_->times.clear();
}

std::vector<Subnet::LayerTime> Subnet::TakeTimes() { return std::exchange(impl_->times, {}); }

}  // namespace oqat::runtime
