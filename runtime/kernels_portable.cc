// Plain C++ for any processor: the definition that the other kernels are tested against.
#include <cmath>

#define OQAT_UNROLL(n)

#include "runtime/kernel_body.h"
#include "runtime/kernel_tables.h"

namespace oqat::runtime {
namespace {

struct Portable {
  struct F {
    float v[kBlock];
  };
  struct I {
    std::int32_t v[kBlock];
  };

  template <class T, class Op>
  static OQAT_INLINE T Map(Op&& op) {
    T out;
    for (int i = 0; i < kBlock; ++i) out.v[i] = op(i);
    return out;
  }

  static F Load(const float* p) {
    return Map<F>([&](int i) { return p[i]; });
  }
  static void Store(float* p, const F& a) { std::memcpy(p, a.v, sizeof a.v); }
  static F Set(float x) {
    return Map<F>([&](int) { return x; });
  }
  static I SetInt(int x) {
    return Map<I>([&](int) { return x; });
  }
  static F Add(const F& a, const F& b) {
    return Map<F>([&](int i) { return a.v[i] + b.v[i]; });
  }
  static I Add(const I& a, const I& b) {
    return Map<I>([&](int i) { return a.v[i] + b.v[i]; });
  }
  static F Mul(const F& a, const F& b) {
    return Map<F>([&](int i) { return a.v[i] * b.v[i]; });
  }
  static F Fma(const F& a, const F& b, const F& c) {
    return Map<F>([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
  }
  // As x86 does it: the second one if either is not a number.
  static F Max(const F& a, const F& b) {
    return Map<F>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F Min(const F& a, const F& b) {
    return Map<F>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static void Pin(const F (&)[kTile]) {}
  static F ToFloat(const F& a) { return a; }
  static F ToFloat(const I& a) {
    return Map<F>([&](int i) { return static_cast<float>(a.v[i]); });
  }
  static I Round(const F& a) {
    // Below all integers, or no number: the least of them, as x86 does it.
    return Map<I>([&](int i) {
      return a.v[i] >= -2147483648.0F ? static_cast<std::int32_t>(std::lrint(a.v[i])) : INT32_MIN;
    });
  }
  static void StoreCodes(std::uint8_t* out, const I (&codes)[kTile], int high) {
    for (int t = 0; t < kTile; ++t) {
      for (int i = 0; i < kBlock; ++i) {
        const std::int32_t code = codes[t].v[i];
        out[t * kBlock + i] = static_cast<std::uint8_t>(code < 0 ? 0 : code > high ? high : code);
      }
    }
  }
  struct Sums {
    std::int64_t sum[kBlock];
    std::uint64_t squares[kBlock];
  };
  static void AddSums(Sums& sums, const I (&tile)[kTile]) {
    for (int t = 0; t < kTile; ++t) {
      for (int i = 0; i < kBlock; ++i) {
        const std::int64_t value = tile[t].v[i];
        sums.sum[i] += value;
        sums.squares[i] += static_cast<std::uint64_t>(value * value);
      }
    }
  }
  static void AddSmall(Sums& sums, const I (&tile)[kTile]) { AddSums(sums, tile); }
  static void EndSums(const Sums& sums, std::int64_t* sum, std::uint64_t* squares) {
    for (int i = 0; i < kBlock; ++i) {
      sum[i] += sums.sum[i];
      squares[i] += sums.squares[i];
    }
  }
  static void StoreSmall(std::int16_t* out, const I (&tile)[kTile]) {
    for (int t = 0; t < kTile; ++t) {
      for (int i = 0; i < kBlock; ++i) {
        out[t * kBlock + i] = static_cast<std::int16_t>(tile[t].v[i]);
      }
    }
  }
  static I LoadSmall(const std::int16_t* p) {
    return Map<I>([&](int i) { return p[i]; });
  }

  struct W {
    double v[kBlock];
  };
  static W SetDouble(double x) {
    return Map<W>([&](int) { return x; });
  }
  static W ToDouble(const F& a) {
    return Map<W>([&](int i) { return static_cast<double>(a.v[i]); });
  }
  static W LoadDouble(const double* p) {
    return Map<W>([&](int i) { return p[i]; });
  }
  static W Fma(const W& a, const W& b, const W& c) {
    return Map<W>([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
  }
  static W Add(const W& a, const W& b) {
    return Map<W>([&](int i) { return a.v[i] + b.v[i]; });
  }
  static W Sub(const W& a, const W& b) {
    return Map<W>([&](int i) { return a.v[i] - b.v[i]; });
  }
  static W Mul(const W& a, const W& b) {
    return Map<W>([&](int i) { return a.v[i] * b.v[i]; });
  }
  static W Div(const W& a, double b) {
    return Map<W>([&](int i) { return a.v[i] / b; });
  }
  static void Store(double* p, const W& a) { std::memcpy(p, a.v, sizeof a.v); }

  /// Four pixels of two rows as [pixel][8][2].
  template <int kStride>
  static void MakePairs(const std::uint8_t* first, const std::uint8_t* second, std::uint8_t* even,
                        std::uint8_t* odd) {
    for (int x = 0; x < 4; ++x) {
      std::uint8_t* out = kStride == 1 ? even + 16 * x : (x % 2 == 0 ? even : odd) + x / 2 * 16;
      for (int c = 0; c < kBlock; ++c) {
        out[2 * c] = first[x * kBlock + c];
        out[2 * c + 1] = second[x * kBlock + c];
      }
    }
  }
};

struct PortableDot {
  using Acc = Portable::I;
  struct Codes {
    std::uint8_t v[32];
  };
  using Weights = const std::int8_t*;
  static constexpr int kBlocks = 1 << 20;

  static Acc First(const Codes& x, Weights w) { return Step(Portable::SetInt(0), x, w); }
  static void Pin(const Acc (&)[kTile]) {}
  static Acc Total(const Acc& acc) { return acc; }
  static Weights LoadWeights(const std::int8_t* p) { return p; }
  static Codes Broadcast(const std::uint8_t* p) {
    Codes codes;
    for (int i = 0; i < kBlock; ++i) std::memcpy(codes.v + i * 4, p, 4);
    return codes;
  }
  static Acc Step(Acc acc, const Codes& x, Weights w) {
    for (int i = 0; i < kBlock; ++i) {
      for (int t = 0; t < 4; ++t) acc.v[i] += x.v[i * 4 + t] * w[i * 4 + t];
    }
    return acc;
  }
};

struct PortablePair {
  static constexpr int kPixels = 1;
  static constexpr int kTiles = 1;
  using Acc = Portable::I;

  static Acc Zero() { return Portable::SetInt(0); }
  static void Pin(const Acc&) {}
  static const std::int8_t* LoadWeights(const std::int8_t* p) { return p; }
  static Acc Step(Acc acc, const std::uint8_t* x, const std::int8_t* w) {
    for (int i = 0; i < kBlock; ++i) {
      acc.v[i] += x[2 * i] * w[2 * i] + x[2 * i + 1] * w[2 * i + 1];
    }
    return acc;
  }
  static void Totals(const Acc* acc, Portable::I (&sums)[kTile]) {
    for (int i = 0; i < kTile; ++i) sums[i] = acc[i];
  }
};

struct PortableMap {
  using Acc = Portable::I;
  using Pixels = const std::uint8_t*;

  static Pixels LoadPixels(const std::uint8_t* p) { return p; }
  static Acc FirstPixels(Pixels x, const std::int8_t* w) {
    return StepPixels(Portable::SetInt(0), x, w);
  }
  static Acc StepPixels(Acc acc, Pixels x, const std::int8_t* w) {
    for (int pixel = 0; pixel < 4; ++pixel) {
      for (int i = 0; i < kBlock; ++i) {
        acc.v[i] += x[pixel * kBlock + i] * w[pixel / 2 * 16 + 2 * i + pixel % 2];
      }
    }
    return acc;
  }
  static Acc NoProducts() { return Portable::SetInt(0); }
  static Acc AddProducts(Acc acc, Pixels x, Pixels y, int j) {
    for (int pixel = 0; pixel < 4; ++pixel) {
      for (int i = 0; i < kBlock; ++i) acc.v[i] += x[pixel * kBlock + i] * y[pixel * kBlock + j];
    }
    return acc;
  }
  static Acc AddPixels(Acc acc, Pixels x) {
    for (int i = 0; i < 4 * kBlock; ++i) acc.v[i % kBlock] += x[i];
    return acc;
  }
  static void EndProducts(const Acc& acc, std::int32_t (&to)[kBlock]) {
    for (int i = 0; i < kBlock; ++i) to[i] += acc.v[i];
  }
  static void PixelTotals(const Acc (&acc)[kTile], Portable::I (&sums)[kTile]) {
    for (int i = 0; i < kTile; ++i) sums[i] = acc[i];
  }
};

}  // namespace

const Kernels kPortableKernels =
    TableOf<Portable, PortableDot, PortableDot, PortablePair, PortablePair, PortableMap>(
        Isa::kPortable);

}  // namespace oqat::runtime
