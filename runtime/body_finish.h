#pragma once
// What becomes of a tile of sums. Part of kernel_body.h, which says how it is compiled.

#include <cstring>

#include "runtime/kernels.h"

#define OQAT_INLINE inline __attribute__((always_inline))
// Vectors in registers want their loops unrolled; the portable kernels, whose vectors are arrays,
// do not (and GCC would need minutes and gigabytes for them).
#ifndef OQAT_UNROLL
#define OQAT_PRAGMA(text) _Pragma(#text)
#define OQAT_UNROLL(n) OQAT_PRAGMA(GCC unroll n)
#endif

namespace oqat::runtime {
namespace {

template <class T>
OQAT_INLINE constexpr T Least(T a, T b) {
  return a < b ? a : b;
}

/// Pixels computed together: their codes fill one 32-byte store.
constexpr int kTile = 4;

/// What h-swish multiplies its input with.
template <class V>
OQAT_INLINE typename V::F Gate(typename V::F y) {
  const auto gate = V::Fma(y, V::Set(1.0F / 6), V::Set(0.5F));
  return V::Min(V::Max(gate, V::Set(0)), V::Set(1));
}

template <class V, Rectifier R>
OQAT_INLINE typename V::F Rectify(typename V::F y) {
  if constexpr (R == Rectifier::kRelu) return V::Max(y, V::Set(0));
  if constexpr (R == Rectifier::kHSwish) return V::Mul(y, Gate<V>(y));
  return y;
}

/// Ends a tile as Finish says.
template <class V, Rectifier R, bool kReal, bool kCodes>
struct FinishSink {
  /// What is kept from tile to tile of one block of channels.
  struct State {};

  Finish finish;

  OQAT_INLINE void End(int, const State&) const {}

  template <class Sum>
  OQAT_INLINE void Tile(State&, int block, std::int64_t pixel, int,
                        const Sum (&sums)[kTile]) const {
    const typename V::F scale = V::Load(finish.scale + block * kBlock);
    const typename V::F bias = V::Load(finish.bias + block * kBlock);
    const std::int64_t at = (block * finish.plane + pixel) * kBlock;
    typename V::I codes[kTile];
    OQAT_UNROLL(4)
    for (int i = 0; i < kTile; ++i) {
      typename V::F y = V::Fma(V::ToFloat(sums[i]), scale, bias);
      if constexpr (kReal) {
        y = Rectify<V, R>(y);
        if (finish.shortcut != nullptr) {
          y = V::Add(y, V::Load(finish.shortcut + at + i * kBlock));
        }
        V::Store(finish.real + at + i * kBlock, y);
        if constexpr (kCodes) {
          y = V::Fma(y, V::Set(finish.inverse_step), V::Set(finish.offset));
        }
      } else if constexpr (R == Rectifier::kHSwish) {
        const auto gate = V::Fma(y, V::Set(finish.sixth), V::Set(0.5F));
        y = V::Min(y, V::Mul(y, gate));
      }
      if constexpr (kCodes) {
        codes[i] = V::Round(kReal ? Limited(y) : Limited(y, sums[i]));
      }
    }
    if constexpr (kCodes) V::StoreCodes(finish.codes + at, codes, finish.high);
  }

 private:
  OQAT_INLINE typename V::F Limited(typename V::F y) const {
    // The second one is what Min gives of what is no number: it stays none, and counts as 0.
    return V::Min(V::Set(static_cast<float>(finish.high)), y);
  }
  OQAT_INLINE typename V::F Limited(typename V::F y, typename V::F) const { return Limited(y); }
  /// Scales and biases keep integer sums within reach of an integer (fold.h).
  OQAT_INLINE typename V::F Limited(typename V::F y, const typename V::I&) const { return y; }
};

/// Adds up sums and their squares, exactly. kSmall: the sums fit 16 bits.
template <class V, bool kSmall>
struct SumsSink {
  using State = typename V::Sums;

  ChannelSums sums;

  OQAT_INLINE void End(int block, const State& state) const {
    V::EndSums(state, sums.sum + block * kBlock, sums.squares + block * kBlock);
  }

  OQAT_INLINE void Tile(State& state, int block, std::int64_t pixel, int valid,
                        const typename V::I (&tile)[kTile]) const {
    if constexpr (kSmall) {
      if (sums.kept != nullptr) {
        V::StoreSmall(sums.kept + (block * sums.plane + pixel) * kBlock, tile);
      }
    }
    if (valid >= kTile) {
      Add(state, tile);
      return;
    }
    typename V::I only[kTile];
    for (int i = 0; i < kTile; ++i) only[i] = i < valid ? tile[i] : V::SetInt(0);
    Add(state, only);
  }

 private:
  OQAT_INLINE static void Add(State& state, const typename V::I (&tile)[kTile]) {
    kSmall ? V::AddSmall(state, tile) : V::AddSums(state, tile);
  }
};

/// Calls work(sink) with the sink that `finish` asks for.
template <class V, Rectifier R, class Work>
void WithReal(const Finish& finish, Work&& work) {
  if (finish.codes != nullptr) {
    work(FinishSink<V, R, true, true>{finish});
  } else {
    work(FinishSink<V, R, true, false>{finish});
  }
}

template <class V, class Work>
void WithSink(const Finish& finish, Work&& work) {
  const bool swish = finish.rectifier == Rectifier::kHSwish;
  if (finish.real == nullptr) {
    // Codes start at 0: clipping rectifies.
    if (swish) {
      work(FinishSink<V, Rectifier::kHSwish, false, true>{finish});
    } else {
      work(FinishSink<V, Rectifier::kNone, false, true>{finish});
    }
  } else if (swish) {
    WithReal<V, Rectifier::kHSwish>(finish, work);
  } else if (finish.rectifier == Rectifier::kRelu) {
    WithReal<V, Rectifier::kRelu>(finish, work);
  } else {
    WithReal<V, Rectifier::kNone>(finish, work);
  }
}

}  // namespace
}  // namespace oqat::runtime
