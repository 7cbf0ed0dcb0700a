#pragma once

#include <cstdint>

#include "runtime/isa.h"

// The arithmetic of integer inference: one table of functions per instruction set. All tables give
// the same bits. Integer sums are exact in any order; every float is one chain of operations whose
// order is written down in the body_*.h files, fused multiply-adds included, and no chain is spread
// over lanes.
//
// Planes: activations are blocked by 8 channels, [channels / 8][plane][8], where `plane` is the
// number of pixels of all images together, plus slack (PlanePixels). Codes are bytes, 0 to 255: a
// signed code is stored with `offset` added.
namespace oqat::runtime {

constexpr int kBlock = 8;  ///< channels per block

/// Channels to allocate for `channels`: whole blocks. What is beyond has weights of 0.
constexpr int Padded(int channels) { return (channels + kBlock - 1) / kBlock * kBlock; }

/// Pixels to allocate for a plane that holds `pixels`: kernels write up to 4 pixels more.
constexpr std::int64_t PlanePixels(std::int64_t pixels) { return (pixels + 3) / 4 * 4 + 4; }

enum class Rectifier { kNone, kRelu, kHSwish };

/// What becomes of the sums of a convolution.
///
/// With `real`: y = rectifier(fma(sum, scale, bias)) (+ shortcut), h-swish being
/// y * min(max(fma(y, 1/6, 0.5), 0), 1); then, for codes, x = fma(y, inverse_step, offset).
/// Codes alone: scale and bias are in units of the codes' step, with the offset in the bias;
/// x = fma(sum, scale, bias), or for h-swish, whose codes have no offset, min(x, x * fma(x, sixth,
/// 0.5)), which differs only below 0.
/// code = max(round_half_even(min(x, high)), 0), where what is too small for an integer, or no
/// number, counts as 0. Integer sums with codes alone must keep x below 2^31 in magnitude.
struct Finish {
  const float* scale = nullptr;  ///< [out]
  const float* bias = nullptr;   ///< [out]
  Rectifier rectifier = Rectifier::kNone;
  const float* shortcut = nullptr;  ///< planes as `real`; may be `real` itself; only with `real`
  float* real = nullptr;            ///< planes, or null
  std::uint8_t* codes = nullptr;    ///< planes, or null
  std::int64_t plane = 0;           ///< pixels from one block of outputs to the next
  float inverse_step = 1;
  float sixth = 0;   ///< a sixth of the step
  float offset = 0;  ///< what is added to signed codes
  int high = 0;      ///< the largest code, offset included; at most 255
};

/// Inputs of a 1x1 convolution of `bits` wide codes and weights: four of its sums, which statistics
/// add up first, fit 32 bits.
constexpr std::int64_t MostInputs(int bits) {
  return INT32_MAX / (std::int64_t{4} * ((1 << bits) - 1) << (bits - 1));
}

/// Inputs of a narrow 1x1 convolution whose sums fit 16 bits.
constexpr int kMostSmallInputs = 272;

/// Exact sums of one convolution's outputs per channel, over the valid pixels.
struct ChannelSums {
  std::int64_t* sum = nullptr;       ///< [out], added to
  std::uint64_t* squares = nullptr;  ///< [out], added to
  /// If not null, also the sums themselves, as planes. Only for narrow convolutions whose sums fit
  /// 16 bits: depthwise ones, 7 * 7 * 15 * 8 at most, and 1x1 of kMostSmallInputs.
  std::int16_t* kept = nullptr;
  std::int64_t plane = 0;  ///< of `kept`
};

/// 1x1 convolution of codes. Weights: [out / 8][in / 4][8][4].
struct Pointwise {
  const std::uint8_t* in = nullptr;
  std::int64_t in_plane = 0;  ///< pixels from one block of inputs to the next
  std::int64_t pixels = 0;
  int in_channels = 0;   ///< a multiple of 8
  int out_channels = 0;  ///< a multiple of 8
  const std::int8_t* weights = nullptr;
  std::int64_t weight_block = 0;  ///< bytes from one block of outputs to the next
  bool narrow = true;             ///< codes at most 15 and weights at most 8 in magnitude
  double* scratch = nullptr;      ///< GramScratch, for pointwise_gram
};

/// What pointwise_gram can do: products of inputs fit 32 bits, and everything 53.
constexpr int kMostGramInputs = 128;
constexpr std::int64_t kMostGramPixels = std::int64_t{1} << 23;
constexpr std::int64_t GramScratch(int in_channels) {
  return std::int64_t{in_channels} * (in_channels + 1);
}

/// Depthwise convolution of unsigned codes, padding kernel / 2. Weights:
/// [channels / 8][RowPairs(kernel)][kernel][8][2]: taps of two rows side by side, those of the row
/// beyond the kernel 0.
struct Depthwise {
  const std::uint8_t* in = nullptr;
  std::int64_t in_plane = 0;
  std::int64_t images = 0;
  int channels = 0;  ///< a multiple of 8
  int size = 0;      ///< input height = width
  int out_size = 0;
  int kernel = 0, stride = 1;
  const std::int8_t* weights = nullptr;
  bool narrow = true;
  std::uint8_t* scratch = nullptr;  ///< DepthwiseScratch bytes
};

constexpr int RowPairs(int kernel) { return (kernel + 1) / 2; }
/// Bytes of the weights of one block of channels.
constexpr int DepthwiseWeightBytes(int kernel) { return RowPairs(kernel) * kernel * kBlock * 2; }
constexpr int kMaxKernel = 7;
constexpr int kPairRows = 8;  ///< pairs of input rows that are kept; above kMaxKernel

/// Pixels in a kept pair of rows, at each of `stride` phases: what the last, partly surplus, tile
/// of a row of outputs reads, and at least the padded row.
constexpr int PairRowWidth(const Depthwise& conv) {
  const int outputs = (conv.out_size + 3) / 4 * 4;
  const int read = outputs + (conv.kernel - 1) / conv.stride + 1;
  const int padded = (conv.size + 2 * (conv.kernel / 2)) / conv.stride + 4;
  return read > padded ? read : padded;
}
constexpr std::int64_t DepthwiseScratch(const Depthwise& conv) {
  return std::int64_t{PairRowWidth(conv)} * conv.stride * 16 * (kPairRows + 1) +
         (conv.size + 12) * kBlock;
}

/// A depthwise convolution of maps so small that every output sees most of its map: a product with
/// the matrix of all taps. Codes and weights as for `narrow`. Weights: [channels / 8]
/// [out_pixels in whole tiles of 4][MapVectors][2][8][2]: input pixels 4v to 4v + 3 as two pairs.
struct SmallMap {
  const std::uint8_t* in = nullptr;
  std::int64_t in_plane = 0;
  std::int64_t images = 0;
  int channels = 0;                      ///< a multiple of 8
  int in_pixels = 0, out_pixels = 0;     ///< per image; in at most kMaxMapPixels
  const std::int8_t* weights = nullptr;  ///< 0 for pixels beyond the map
};

constexpr int kMaxMapPixels = 36;
constexpr int MapVectors(int in_pixels) { return (in_pixels + 3) / 4; }
/// Bytes of the weights of one block of channels.
constexpr int MapWeightBytes(int in_pixels, int out_pixels) {
  return (out_pixels + 3) / 4 * 4 * MapVectors(in_pixels) * 32;
}

/// Float 3x3 convolution, padding 1. Weights: [out / 8][channels][3][3][8].
struct Stem {
  const float* in = nullptr;  ///< [images][channels][size + 2][row]: padded with zeros
  std::int64_t row = 0;       ///< floats per padded row, at least size + 2 + 4 * stride
  std::int64_t images = 0;
  int in_channels = 3, out_channels = 0;
  int size = 0, out_size = 0, stride = 1;
  const float* weights = nullptr;
  float* out = nullptr;  ///< planes
  std::int64_t plane = 0;
};

/// Matrix product of planes: y = bias + sum over inputs, in their order, fused; max(y, 0) if
/// `rectify`. Weights:
/// [out / 8][in][8].
struct Dense {
  const float* in = nullptr;  ///< planes
  std::int64_t in_plane = 0, pixels = 0;
  int in_channels = 0, out_channels = 0;  ///< multiples of 8
  const float* weights = nullptr;
  std::int64_t weight_block = 0;  ///< floats from one block of outputs to the next
  const float* bias = nullptr;    ///< [out]
  bool rectify = false;
  float* out = nullptr;  ///< planes
  std::int64_t plane = 0;
};

struct Kernels {
  Isa isa;
  void (*pointwise)(const Pointwise&, const Finish&);
  void (*pointwise_sums)(const Pointwise&, const ChannelSums&);
  /// The same sums as pointwise_sums, of narrow codes, by the products of inputs with each other:
  /// less work if there are few inputs and many outputs. Keeps nothing.
  void (*pointwise_gram)(const Pointwise&, const ChannelSums&);
  void (*depthwise)(const Depthwise&, const Finish&);
  void (*depthwise_sums)(const Depthwise&, const ChannelSums&);
  void (*small_map)(const SmallMap&, const Finish&);
  void (*small_map_sums)(const SmallMap&, const ChannelSums&);
  /// Its sums as floats.
  void (*stem)(const Stem&);
  /// Its sums finished; `out` is not used.
  void (*stem_finish)(const Stem&, const Finish&);
  void (*dense)(const Dense&);
  /// Applies a Finish to float planes: sums that are already float.
  void (*finish)(const float* in, std::int64_t pixels, int channels, const Finish&);
  /// The same for sums that were kept; their plane is the Finish's.
  void (*finish_sums)(const std::int16_t* in, std::int64_t pixels, int channels, const Finish&);
  /// Mean and biased variance of every channel of float planes, pixels in their order.
  void (*moments)(const float* in, std::int64_t plane, std::int64_t pixels, int channels,
                  double* mean, double* variance);
  /// mean[i][c] = float(sum over the image's pixels, in order) / pixels_per_image, as planes of
  /// `images` pixels.
  void (*pool)(const float* in, std::int64_t plane, std::int64_t images,
               std::int64_t pixels_per_image, int channels, float* out, std::int64_t out_plane);
  /// code = clip(round(in * min(max(fma(gate, 1/6, 0.5), 0), 1) * inverse_step)), no offset; gates:
  /// planes of one pixel per image.
  void (*gate)(const float* in, std::int64_t plane, std::int64_t images,
               std::int64_t pixels_per_image, int channels, const float* gates,
               std::int64_t gate_plane, const Finish&);
};

/// The table for an instruction set that this machine and build have.
const Kernels& KernelsFor(Isa isa);

}  // namespace oqat::runtime
