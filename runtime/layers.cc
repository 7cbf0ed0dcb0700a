#include "runtime/layers.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace oqat::runtime {

namespace {

using space::BlockPlan;

/// Bytes of one group's activations in a block: they should stay in a second-level cache.
constexpr std::int64_t kGroupBytes = 256 << 10;

/// Size after a convolution of odd kernel with padding kernel / 2.
int After(int size, int stride) { return (size - 1) / stride + 1; }

}  // namespace

bool IsSmallMap(int size, int kernel, int bits) {
  return bits <= 4 && (size <= 4 || (size <= 6 && kernel >= 5));
}

std::vector<std::int8_t> MapWeights(const std::vector<std::int8_t>& taps, int channels, int kernel,
                                    int stride, int size) {
  const int in = size * size, out_size = After(size, stride);
  const int bytes = MapWeightBytes(in, out_size * out_size);
  std::vector<std::int8_t> weights(static_cast<std::size_t>(channels / kBlock * bytes));
  for (int block = 0; block < channels / kBlock; ++block) {
    const std::int8_t* from = taps.data() + block * DepthwiseWeightBytes(kernel);
    for (int out = 0; out < out_size * out_size; ++out) {
      std::int8_t* to = weights.data() + block * bytes + out * MapVectors(in) * 32;
      for (int pixel = 0; pixel < in; ++pixel) {
        const int ky = pixel / size - out / out_size * stride + kernel / 2;
        const int kx = pixel % size - out % out_size * stride + kernel / 2;
        if (ky < 0 || kx < 0 || ky >= kernel || kx >= kernel) continue;
        for (int c = 0; c < kBlock; ++c) {
          to[pixel / 2 * 16 + c * 2 + pixel % 2] =
              from[(ky / 2 * kernel + kx) * 2 * kBlock + c * 2 + ky % 2];
        }
      }
    }
  }
  return weights;
}

CodeRange::CodeRange(const QuantizedConv& next, int bits)
    : step(next.activation_step),
      offset(next.signed_input ? 1 << (bits - 1) : 0),
      high((1 << bits) - 1) {}

void CodeRange::Set(Finish& finish) const {
  finish.inverse_step = 1 / step;
  finish.sixth = step / 6;
  finish.offset = static_cast<float>(offset);
  finish.high = high;
}

SumsAndOutputs SumsOf(const QuantizedConv& conv, int taps, int bits, const CodeRange* codes) {
  SumsAndOutputs sums;
  sums.sum_scale = static_cast<double>(conv.activation_step) * conv.weight_step;
  sums.most = std::ldexp(taps, 2 * bits - 1);
  if (codes != nullptr) {
    sums.step = codes->step;
    sums.offset = codes->offset;
  }
  return sums;
}

SumsAndOutputs SumsOf(const PointwiseLayer& layer, int bits, const CodeRange* codes) {
  const PointwiseWeights& weights = *layer.weights;
  SumsAndOutputs sums = SumsOf(weights, layer.in, bits, codes);
  if (!weights.signed_input) return sums;
  for (int o = 0; o < layer.out; ++o) {
    const std::int8_t* block =
        weights.codes.data() + std::int64_t{o / kBlock} * weights.in * kBlock;
    std::int32_t sum = 0;
    for (int k = 0; k < layer.in; ++k) sum += block[(k / 4 * kBlock + o % kBlock) * 4 + k % 4];
    sums.missing.push_back(-sum * (1 << (bits - 1)));
  }
  return sums;
}

std::int64_t BlockLayers::bytes() const {
  const std::int64_t before = std::int64_t{size} * size, after = std::int64_t{out_size} * out_size;
  return plan.mid * (before + after * (plan.squeeze_excite ? 5 : 1));
}

std::int64_t BlockLayers::weight_bytes() const {
  return plan.mid * (plan.in + plan.out + std::int64_t{8} * squeezed);
}

Layers::Layers(const QuantizedSupernet& net, const space::Architecture& architecture) {
  const space::SearchSpace& space = net.space;
  stem_size = After(architecture.resolution, space.stem_stride);
  final_size = stem_size;
  for (const BlockPlan& plan : space::SubnetPlan(space, architecture)) {
    AddBlock(net, plan, final_size);
    final_size = blocks.back().out_size;
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) FoldBlock(net, i);

  SumsAndOutputs stem;
  if (!blocks[0].plan.shortcut) {
    const CodeRange codes(blocks[0].weights->depth, net.bits);
    stem.step = codes.step;
  }
  stem_norm.emplace_back("first_conv", net.stem_bn, space.stem_width, stem);
  final_expand.emplace_back(net.final_expand, blocks.back().plan.out, net.final_expand.out);
  final_norm.emplace_back("final_expand_layer", net.final_bn, space.final_expand_width,
                          SumsOf(final_expand[0], net.bits, nullptr));
  mix.emplace_back(net.feature_mix, net.feature_mix.in, net.feature_mix.out);
  feature_scale.assign(static_cast<std::size_t>(mix[0].in), 1 / net.feature_mix.activation_step);
  mix_scale.assign(static_cast<std::size_t>(mix[0].out),
                   static_cast<float>(SumsOf(mix[0], net.bits, nullptr).sum_scale));
  zeros.assign(std::max(feature_scale.size(), mix_scale.size()), 0);
  MakeSegments(space.stem_width);
}

void Layers::AddBlock(const QuantizedSupernet& net, const BlockPlan& plan, int size) {
  BlockLayers block;
  block.plan = plan;
  block.mid = plan.mid;
  block.out = plan.out;
  if (plan.squeeze_excite) block.squeezed = Padded(plan.squeezed());
  block.plan.in = Padded(plan.in);
  block.plan.mid = Padded(plan.mid);
  block.plan.out = Padded(plan.out);
  block.weights = &net.blocks.at(static_cast<std::size_t>(plan.index));
  block.name = "blocks." + std::to_string(plan.index) + ".";
  block.size = size;
  block.out_size = After(size, plan.stride);
  if (!blocks.empty()) blocks.back().keeps_real = blocks.back().plan.shortcut || plan.shortcut;
  block.keeps_real = plan.shortcut;
  blocks.push_back(std::move(block));
}

void Layers::FoldBlock(const QuantizedSupernet& net, std::size_t index) {
  BlockLayers& block = blocks[index];
  const BlockWeights& w = *block.weights;
  const BlockPlan& plan = block.plan;
  const CodeRange depth(w.depth, net.bits), project(w.project, net.bits);
  const bool last = index + 1 == blocks.size();
  const CodeRange next(last ? net.final_expand : blocks[index + 1].weights->expand, net.bits);
  if (plan.expand) {
    block.expand.emplace_back(w.expand, plan.in, plan.mid);
    block.expand_norm.emplace_back(block.name + "inverted_bottleneck", w.expand_bn, block.mid,
                                   SumsOf(block.expand[0], net.bits, &depth));
  }
  block.depth_norm.emplace_back(block.name + "depth_conv", w.depth_bn, block.mid,
                                SumsOf(w.depth, plan.kernel * plan.kernel, net.bits,
                                       plan.squeeze_excite ? nullptr : &project));
  if (IsSmallMap(block.size, plan.kernel, net.bits)) {
    block.map_weights =
        MapWeights(w.depth.codes.at(plan.kernel), plan.mid, plan.kernel, plan.stride, block.size);
  }
  block.project.emplace_back(w.project, plan.mid, plan.out);
  block.project_norm.emplace_back(
      block.name + "point_linear", w.project_bn, block.out,
      SumsOf(block.project[0], net.bits, block.keeps_real ? nullptr : &next));
}

void Layers::MakeSegments(int stem_width) {
  // From behind: no block may have a larger group than one after it.
  std::vector<std::int64_t> groups(blocks.size());
  std::int64_t group = kHeadImages;
  for (std::size_t i = blocks.size(); i-- > 0;) {
    std::int64_t bytes = blocks[i].bytes();
    if (i == 0) bytes = std::max(bytes, std::int64_t{5} * stem_width * stem_size * stem_size);
    // More images are worth leaving that cache for as long as the weights do not fit either.
    const std::int64_t room = std::max(kGroupBytes, blocks[i].weight_bytes());
    while (group > 1 && group * bytes > room) group /= 2;
    groups[i] = group;
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    // A shortcut's values lie where its sum goes: it stays within its segment.
    if (i > 0 && blocks[i - 1].plan.shortcut) groups[i] = groups[i - 1];
    if (segments.empty() || groups[i] != segments.back().group) {
      segments.push_back({i, i + 1, groups[i]});
    }
    segments.back().last = i + 1;
  }
}

}  // namespace oqat::runtime
