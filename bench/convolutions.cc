// Our integer convolutions against oneDNN's int8 primitives, shape by shape, in one run: u8 codes
// in, u8 codes out, per-channel scale and bias, one thread. Run with OMP_NUM_THREADS=1.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/processor_time.h"
#include "base/random.h"
#include "runtime/kernels.h"
#include "runtime/layers.h"

namespace {

using oqat::runtime::kBlock;
using oqat::runtime::PlanePixels;

struct Shape {
  const char* what;
  int images, size, in, out, kernel, stride;  ///< in == out and kernel > 1: depthwise
};

/// Seconds of processor time of one call: the best of several rounds.
template <class Work>
double Seconds(Work&& work) {
  double best = 1e9;
  work();
  for (int round = 0; round < 7; ++round) {
    int calls = 0;
    const double begin = oqat::ProcessorSecondsOfProcess();
    double took = 0;
    do {
      work();
      ++calls;
      took = oqat::ProcessorSecondsOfProcess() - begin;
    } while (took < 0.02);
    best = std::min(best, took / calls);
  }
  return best;
}

double OneDnn(const Shape& s) {
  using namespace dnnl;
  using Dims = memory::dims;
  const bool depthwise = s.kernel > 1;
  const engine cpu(engine::kind::cpu, 0);
  stream queue(cpu);
  const std::int64_t out_size = (s.size - 1) / s.stride + 1, pad = s.kernel / 2;
  const Dims weight_dims =
      depthwise ? Dims{s.out, 1, 1, s.kernel, s.kernel} : Dims{s.out, s.in, s.kernel, s.kernel};
  const memory::desc source({s.images, s.in, s.size, s.size}, memory::data_type::u8,
                            memory::format_tag::nhwc);
  const memory::desc target({s.images, s.out, out_size, out_size}, memory::data_type::u8,
                            memory::format_tag::nhwc);
  const memory::desc weights(weight_dims, memory::data_type::s8, memory::format_tag::any);
  const memory::desc bias({s.out}, memory::data_type::f32, memory::format_tag::x);
  const std::int64_t right = (out_size - 1) * s.stride + s.kernel - s.size - pad;
  const convolution_forward::desc description(
      prop_kind::forward_inference, algorithm::convolution_direct, source, weights, bias, target,
      {s.stride, s.stride}, {pad, pad}, {right, right});
  primitive_attr attributes;
  attributes.set_output_scales(2, std::vector<float>(static_cast<std::size_t>(s.out), 0.01F));
  post_ops ops;
  ops.append_eltwise(1, algorithm::eltwise_clip, 0, 15);
  attributes.set_post_ops(ops);
  const convolution_forward::primitive_desc chosen(description, attributes, cpu);
  const memory in(chosen.src_desc(), cpu), w(chosen.weights_desc(), cpu), b(bias, cpu),
      out(chosen.dst_desc(), cpu);
  const convolution_forward convolution(chosen);
  const std::unordered_map<int, memory> arguments{
      {DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, b}, {DNNL_ARG_DST, out}};
  return Seconds([&] {
    convolution.execute(queue, arguments);
    queue.wait();
  });
}

double Ours(const Shape& s, int bits) {
  using namespace oqat::runtime;
  const Kernels& kernels = KernelsFor(DefaultIsa());
  oqat::RandomStream random(1);
  const int out_size = (s.size - 1) / s.stride + 1;
  const std::int64_t pixels = std::int64_t{s.images} * s.size * s.size;
  const std::int64_t out_pixels = std::int64_t{s.images} * out_size * out_size;
  std::vector<std::uint8_t> in(static_cast<std::size_t>(s.in * PlanePixels(pixels)));
  for (auto& code : in) code = static_cast<std::uint8_t>(random.Below(16));
  std::vector<std::uint8_t> out(static_cast<std::size_t>(s.out * PlanePixels(out_pixels)));
  const std::vector<float> scale(static_cast<std::size_t>(s.out), 0.01F), bias(scale);
  Finish finish;
  finish.scale = scale.data();
  finish.bias = bias.data();
  finish.codes = out.data();
  finish.plane = PlanePixels(out_pixels);
  finish.high = 15;
  if (s.kernel == 1) {
    const std::vector<std::int8_t> weights(static_cast<std::size_t>(s.in) * s.out, 3);
    Pointwise conv;
    conv.in = in.data();
    conv.in_plane = PlanePixels(pixels);
    conv.pixels = pixels;
    conv.in_channels = s.in;
    conv.out_channels = s.out;
    conv.weights = weights.data();
    conv.weight_block = std::int64_t{s.in} * kBlock;
    conv.narrow = bits <= 4;
    return Seconds([&] { kernels.pointwise(conv, finish); });
  }
  if (IsSmallMap(s.size, s.kernel, bits)) {
    const std::vector<std::int8_t> weights(
        static_cast<std::size_t>(s.in / kBlock *
                                 MapWeightBytes(s.size * s.size, out_size * out_size)),
        3);
    SmallMap conv;
    conv.in = in.data();
    conv.in_plane = PlanePixels(pixels);
    conv.images = s.images;
    conv.channels = s.in;
    conv.in_pixels = s.size * s.size;
    conv.out_pixels = out_size * out_size;
    conv.weights = weights.data();
    return Seconds([&] { kernels.small_map(conv, finish); });
  }
  const std::vector<std::int8_t> weights(
      static_cast<std::size_t>(s.in / kBlock * DepthwiseWeightBytes(s.kernel)), 3);
  Depthwise conv;
  conv.in = in.data();
  conv.in_plane = PlanePixels(pixels);
  conv.images = s.images;
  conv.channels = s.in;
  conv.size = s.size;
  conv.out_size = out_size;
  conv.kernel = s.kernel;
  conv.stride = s.stride;
  conv.weights = weights.data();
  conv.narrow = bits <= 4;
  std::vector<std::uint8_t> scratch(static_cast<std::size_t>(DepthwiseScratch(conv)));
  conv.scratch = scratch.data();
  return Seconds([&] { kernels.depthwise(conv, finish); });
}

}  // namespace

int main() {
  const char* threads = std::getenv("OMP_NUM_THREADS");
  if (threads == nullptr || std::string(threads) != "1") {
    std::fprintf(stderr, "bench_convolutions: error: OMP_NUM_THREADS: must be 1\n");
    return 2;
  }
  const std::vector<Shape> shapes{{"narrow expand", 1, 112, 16, 64, 1, 1},
                                  {"expand 24", 1, 56, 24, 144, 1, 1},
                                  {"project 144", 1, 56, 144, 24, 1, 1},
                                  {"expand 40", 1, 28, 40, 240, 1, 1},
                                  {"project 240", 1, 28, 240, 40, 1, 1},
                                  {"expand 112", 4, 14, 112, 672, 1, 1},
                                  {"project 672", 4, 14, 672, 112, 1, 1},
                                  {"expand 160", 8, 7, 160, 960, 1, 1},
                                  {"project 960", 8, 7, 960, 160, 1, 1},
                                  {"depthwise 3x3", 1, 56, 144, 144, 3, 1},
                                  {"depthwise 3x3 / 2", 1, 112, 64, 64, 3, 2},
                                  {"depthwise 5x5", 1, 28, 240, 240, 5, 1},
                                  {"depthwise 7x7", 1, 28, 240, 240, 7, 1},
                                  {"depthwise 7x7", 4, 14, 672, 672, 7, 1},
                                  {"depthwise 5x5, 4x4 maps", 16, 4, 960, 960, 5, 1}};
  std::printf("int8 kernels: %s\n%-26s %9s %14s %14s %14s\n",
              std::string(oqat::runtime::IsaName(oqat::runtime::DefaultIsa())).c_str(), "GMAC/s",
              "MMAC", "oneDNN", "ours, 4 bit", "ours, 8 bit");
  for (const Shape& s : shapes) {
    const std::int64_t out_size = (s.size - 1) / s.stride + 1;
    const double macs = static_cast<double>(s.images * out_size * out_size * s.out) *
                        (s.kernel == 1 ? s.in : s.kernel * s.kernel);
    std::printf("%-26s %9.2f %14.1f %14.1f %14.1f\n", s.what, macs / 1e6, macs / OneDnn(s) / 1e9,
                macs / Ours(s, 4) / 1e9, macs / Ours(s, 8) / 1e9);
    std::fflush(stdout);
  }
  return 0;
}
