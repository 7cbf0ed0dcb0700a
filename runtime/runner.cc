#include "runtime/runner.h"

#include <algorithm>

namespace oqat::runtime {

namespace {

Rectifier RectifierOf(space::Activation activation) {
  return activation == space::Activation::kRelu ? Rectifier::kRelu : Rectifier::kHSwish;
}

/// Finishes with codes of what `next` reads.
Finish FinishFor(const QuantizedConv& next, int bits, Rectifier rectifier, std::int64_t plane) {
  Finish finish;
  finish.rectifier = rectifier;
  finish.plane = plane;
  CodeRange(next, bits).Set(finish);
  return finish;
}

}  // namespace

Runner::Runner(const QuantizedSupernet& supernet, const space::Architecture& architecture,
               const Kernels& kernels)
    : supernet_(supernet),
      resolution_(architecture.resolution),
      layers_(supernet, architecture),
      operators_(kernels, supernet.bits),
      input_(supernet.normalization, architecture.resolution, supernet.space.stem_stride),
      buffers_(layers_.segments.size()) {}

/// Where image `offset` of `images` goes in a segment's input, and what follows it.
Runner::Place Runner::InputOf(std::size_t index, std::int64_t images, std::int64_t offset) {
  const BlockLayers& block = layers_.blocks[layers_.segments[index].first];
  const std::int64_t pixels = std::int64_t{block.size} * block.size;
  const std::int64_t plane = PlanePixels(images * pixels);
  const std::int64_t count = block.plan.in * plane, skip = offset * pixels * kBlock;
  Buffers& buffers = buffers_[index];
  return {Grown(buffers.codes, count) + skip,
          block.plan.shortcut ? Grown(buffers.real, count) + skip : nullptr, plane};
}

/// The same buffers for what a block of a segment leaves to its next one.
Runner::Place Runner::OutputOf(std::size_t segment, std::size_t index, std::int64_t images) {
  const BlockLayers& block = layers_.blocks[index];
  const std::int64_t plane = PlanePixels(images * block.out_size * block.out_size);
  const std::int64_t count = block.plan.out * plane;
  Buffers& buffers = buffers_[segment];
  return {Grown(buffers.codes, count), block.keeps_real ? Grown(buffers.real, count) : nullptr,
          plane};
}

void Runner::RunStem(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
                     const Place& output) {
  const int size = layers_.stem_size, width = Padded(supernet_.space.stem_width);
  const std::int64_t images = end - begin, pixels = images * size * size;
  const Kernels& kernels = operators_.kernels();
  operators_.Timed("first_conv", "stem", pixels * width * 27, [&] {
    Stem stem;
    stem.in = input_.Make(set, begin, end);
    stem.row = input_.row();
    stem.images = images;
    stem.out_channels = width;
    stem.size = resolution_;
    stem.out_size = size;
    stem.stride = supernet_.space.stem_stride;
    stem.weights = supernet_.stem.data();
    stem.plane = output.plane;
    FoldedNorm& norm = layers_.stem_norm[0];
    Finish finish =
        FinishFor(layers_.blocks[0].weights->depth, supernet_.bits, Rectifier::kHSwish, stem.plane);
    finish.scale = norm.scale();
    finish.bias = norm.bias();
    finish.codes = output.codes;
    finish.real = output.real;
    if (!operators_.calibrating) {
      kernels.stem_finish(stem, finish);
      return;
    }
    stem.out = Grown(values_, width * stem.plane);
    kernels.stem(stem);
    std::vector<double> mean(static_cast<std::size_t>(width)), variance(mean.size());
    kernels.moments(stem.out, stem.plane, pixels, width, mean.data(), variance.data());
    for (int b = 0; b < norm.blocks(); ++b) {
      norm.AddBatch(b, &mean[b * kBlock], &variance[b * kBlock], images);
    }
    kernels.finish(stem.out, pixels, width, finish);
  });
}

/// `output_of` is asked for the Place of the output once the input's codes are used up: they may
/// share their buffers.
template <class OutputPlace>
void Runner::RunBlock(std::size_t index, std::int64_t images, const Place& in,
                      OutputPlace&& output_of) {
  BlockLayers& block = layers_.blocks[index];
  const space::BlockPlan& plan = block.plan;
  const Rectifier rectifier = RectifierOf(plan.activation);
  const std::int64_t out_per_image = std::int64_t{block.out_size} * block.out_size;
  const std::int64_t out_plane = PlanePixels(images * out_per_image);
  const int bits = supernet_.bits;

  Codes depth_in{in.codes, in.plane, images};
  if (plan.expand) {
    Finish finish = FinishFor(block.weights->depth, bits, rectifier, in.plane);
    finish.codes = Grown(codes_mid_, plan.mid * in.plane);
    operators_.Pointwise1x1(block.name + "inverted_bottleneck", block.expand[0],
                            &block.expand_norm[0], depth_in, std::int64_t{block.size} * block.size,
                            finish);
    depth_in.at = codes_mid_.data();
  }

  Finish finish = FinishFor(block.weights->project, bits, rectifier, out_plane);
  std::uint8_t* depth_out = Grown(codes_out_, plan.mid * out_plane);
  if (plan.squeeze_excite) {
    finish.real = Grown(values_, plan.mid * out_plane);
  } else {
    finish.codes = depth_out;
  }
  operators_.DepthwiseOf(block, depth_in, finish);
  if (plan.squeeze_excite) {
    finish.codes = depth_out;
    operators_.SqueezeExcite(block, values_.data(), out_plane, images, finish);
  }

  const bool last = index + 1 == layers_.blocks.size();
  const Place out = output_of();
  Finish output =
      FinishFor(last ? supernet_.final_expand : layers_.blocks[index + 1].weights->expand, bits,
                Rectifier::kNone, out.plane);
  output.codes = out.codes;
  output.real = out.real;
  if (plan.shortcut) output.shortcut = out.real;
  operators_.Pointwise1x1(block.name + "point_linear", block.project[0], &block.project_norm[0],
                          {depth_out, out_plane, images}, out_per_image, output);
}

/// The blocks of a segment on what its input holds; the last one's output goes to `output_of()`.
template <class OutputPlace>
void Runner::RunSegment(std::size_t index, std::int64_t images, Place place,
                        OutputPlace&& output_of) {
  const Segment& segment = layers_.segments[index];
  for (std::size_t i = segment.first; i + 1 < segment.last; ++i) {
    Place out;
    RunBlock(i, images, place, [&] { return out = OutputOf(index, i, images); });
    place = out;
  }
  RunBlock(segment.last - 1, images, place, output_of);
}

/// Runs everything before segment `index` on images [begin, end), into its input.
Runner::Place Runner::Fill(std::size_t index, const artifacts::ImageSet& set, std::int64_t begin,
                           std::int64_t end) {
  const std::int64_t images = end - begin;
  if (index == 0) {
    RunStem(set, begin, end, InputOf(0, images));
    return InputOf(0, images);
  }
  // A batch is normalised as a whole: no part of it may run ahead.
  const std::int64_t step = operators_.calibrating ? images : layers_.segments[index - 1].group;
  for (std::int64_t i = begin; i < end; i += step) {
    const std::int64_t last = std::min(end, i + step);
    RunSegment(index - 1, last - i, Fill(index - 1, set, i, last),
               [&] { return InputOf(index, images, i - begin); });
  }
  return InputOf(index, images);
}

/// Images [begin, end): everything up to the pooled features, which go to images `position` and on
/// of `features_`.
void Runner::RunGroup(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
                      std::int64_t position) {
  const std::int64_t images = end - begin;
  const std::size_t last = layers_.segments.size() - 1;
  Place place = Fill(last, set, begin, end);
  RunSegment(last, images, place,
             [&] { return place = OutputOf(last, layers_.blocks.size() - 1, images); });

  const int width = supernet_.final_expand.out;
  const std::int64_t per_image = std::int64_t{layers_.final_size} * layers_.final_size;
  Finish finish;
  finish.rectifier = Rectifier::kHSwish;
  finish.plane = place.plane;
  finish.real = Grown(values_, width * place.plane);
  operators_.Pointwise1x1("final_expand_layer", layers_.final_expand[0], &layers_.final_norm[0],
                          {place.codes, place.plane, images}, per_image, finish);
  if (operators_.calibrating) return;
  float* pooled = Grown(features_, width * PlanePixels(kHeadImages)) + position * kBlock;
  operators_.kernels().pool(values_.data(), place.plane, images, per_image, width, pooled,
                            PlanePixels(kHeadImages));
}

/// Logits of the first `images` features.
void Runner::RunHead(std::int64_t images, float* logits) {
  const std::int64_t plane = PlanePixels(kHeadImages);
  const QuantizedConv& mix = supernet_.feature_mix;
  const int width = supernet_.feature_mix.in;
  Finish finish = FinishFor(mix, supernet_.bits, Rectifier::kNone, plane);
  finish.scale = layers_.feature_scale.data();
  finish.bias = layers_.zeros.data();
  finish.codes = Grown(codes_head_, width * plane);
  operators_.kernels().finish(features_.data(), images, width, finish);

  Finish mixed;
  mixed.scale = layers_.mix_scale.data();
  mixed.bias = layers_.zeros.data();
  mixed.rectifier = Rectifier::kHSwish;
  mixed.plane = plane;
  mixed.real = Grown(values_, supernet_.feature_mix.out * plane);
  operators_.Pointwise1x1("feature_mix_layer", layers_.mix[0], nullptr,
                          {codes_head_.data(), plane, images}, 1, mixed);

  const DenseWeights& weights = supernet_.classifier;
  operators_.Timed("classifier", "dense", images * weights.in * weights.out, [&] {
    float* planes = Grown(class_planes_, weights.out * plane);
    operators_.DenseLayer(weights, values_.data(), plane, images, weights.in, weights.out, false,
                          planes);
    for (std::int64_t i = 0; i < images; ++i) {
      for (int c = 0; c < supernet_.space.num_classes; ++c) {
        *logits++ = planes[(c / kBlock * plane + i) * kBlock + c % kBlock];
      }
    }
  });
}

void Runner::Calibrate(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end) {
  operators_.calibrating = true;
  try {
    RunGroup(set, begin, end, 0);
  } catch (...) {
    operators_.calibrating = false;
    throw;
  }
  operators_.calibrating = false;
}

void Runner::Run(const artifacts::ImageSet& set, std::int64_t begin, std::int64_t end,
                 float* logits) {
  const std::int64_t group = layers_.segments.back().group;
  for (std::int64_t i = begin; i < end; i += group) {
    RunGroup(set, i, std::min(end, i + group), i - begin);
  }
  RunHead(end - begin, logits);
}

}  // namespace oqat::runtime
