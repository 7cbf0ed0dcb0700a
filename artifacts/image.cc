#include "artifacts/image.h"

#include <algorithm>
#include <cstring>

namespace oqat::artifacts {
namespace {

// The source pixels that make up one target pixel along one axis, with integer weights whose sum
// is the same for every target pixel.
struct Taps {
  int first = 0;
  std::vector<std::uint32_t> weights;
};

// Shrinking: target pixel t covers [t x from, (t+1) x from) in units of 1/to source pixels.
// Weights are overlap lengths; they sum to `from`.
std::vector<Taps> AreaTaps(int from, int to) {
  std::vector<Taps> all(static_cast<std::size_t>(to));
  for (std::int64_t t = 0; t < to; ++t) {
    const std::int64_t begin = t * from, end = begin + from;
    Taps& taps = all[static_cast<std::size_t>(t)];
    taps.first = static_cast<int>(begin / to);
    for (std::int64_t s = taps.first; s * to < end; ++s) {
      const std::int64_t overlap = std::min(end, (s + 1) * to) - std::max(begin, s * to);
      taps.weights.push_back(static_cast<std::uint32_t>(overlap));
    }
  }
  return all;
}

// Growing: the centre of target pixel t lies at ((2t+1) from - to) / (2 to) between source
// centres, clamped to the border. Weights sum to 2 x to.
std::vector<Taps> LinearTaps(int from, int to) {
  std::vector<Taps> all(static_cast<std::size_t>(to));
  const std::int64_t unit = std::int64_t{2} * to;
  for (std::int64_t t = 0; t < to; ++t) {
    const std::int64_t place =
        std::clamp((2 * t + 1) * from - to, std::int64_t{0}, (std::int64_t{from} - 1) * unit);
    const std::int64_t rest = place % unit;
    Taps& taps = all[static_cast<std::size_t>(t)];
    taps.first = static_cast<int>(place / unit);
    taps.weights.push_back(static_cast<std::uint32_t>(unit - rest));
    if (rest > 0) taps.weights.push_back(static_cast<std::uint32_t>(rest));
  }
  return all;
}

/// Columns of `rows` ([from][stride], weighted already along x), each sum divided by `total` and
/// rounded. Sum holds 255 * total.
template <class Sum>
void Columns(const std::uint32_t* rows, const std::vector<Taps>& taps, std::size_t stride,
             std::uint64_t total, std::uint8_t* target) {
  // n / d as a product with the next 64-bit fraction above 1 / d: exact as long as n * d < 2^64.
  __extension__ using Wide = unsigned __int128;
  const std::uint64_t inverse = UINT64_MAX / (2 * total) + 1;
  std::vector<Sum> sums(stride);
  for (const Taps& tap : taps) {
    std::fill(sums.begin(), sums.end(), 0);
    const std::uint32_t* row = rows + stride * static_cast<std::size_t>(tap.first);
    for (const std::uint32_t weight : tap.weights) {
      for (std::size_t i = 0; i < stride; ++i) sums[i] += static_cast<Sum>(weight) * row[i];
      row += stride;
    }
    for (std::size_t i = 0; i < stride; ++i) {
      const std::uint64_t n = 2 * std::uint64_t{sums[i]} + total;
      *target++ = static_cast<std::uint8_t>((Wide{n} * inverse) >> 64U);
    }
  }
}

}  // namespace

ResizeWeights WeightsOfResize(int from, int to) {
  ResizeWeights result{to < from ? from : std::int64_t{2} * to, {}};
  for (const Taps& taps : to < from ? AreaTaps(from, to) : LinearTaps(from, to)) {
    const std::size_t begin = result.weights.size();
    result.weights.resize(begin + static_cast<std::size_t>(from));
    std::copy(taps.weights.begin(), taps.weights.end(),
              result.weights.begin() + static_cast<std::ptrdiff_t>(begin) + taps.first);
  }
  return result;
}

void ResizeSquare(const std::uint8_t* source, int from, std::uint8_t* target, int to) {
  if (from == to) {
    std::memcpy(target, source, std::size_t{3} * from * from);
    return;
  }
  const std::vector<Taps> taps = to < from ? AreaTaps(from, to) : LinearTaps(from, to);
  const std::uint64_t unit = to < from ? static_cast<std::uint64_t>(from) : std::uint64_t{2} * to;

  // Rows first: [from, to, 3], each at most 255 x unit.
  std::vector<std::uint32_t> rows(std::size_t{3} * from * to);
  for (int y = 0; y < from; ++y) {
    const std::uint8_t* in = source + std::size_t{3} * y * from;
    std::uint32_t* out = rows.data() + std::size_t{3} * y * to;
    for (int x = 0; x < to; ++x, out += 3) {
      const Taps& tap = taps[static_cast<std::size_t>(x)];
      const std::uint8_t* pixel = in + std::size_t{3} * tap.first;
      for (std::uint32_t weight : tap.weights) {
        for (int c = 0; c < 3; ++c) out[c] += weight * pixel[c];
        pixel += 3;
      }
    }
  }

  const std::uint64_t total = unit * unit;
  const std::size_t stride = std::size_t{3} * to;
  if (255 * total <= UINT32_MAX) {
    Columns<std::uint32_t>(rows.data(), taps, stride, total, target);
  } else {
    Columns<std::uint64_t>(rows.data(), taps, stride, total, target);
  }
}

}  // namespace oqat::artifacts
