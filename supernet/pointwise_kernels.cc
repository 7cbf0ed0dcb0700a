#include "supernet/pointwise_kernels.h"

#include "supernet/simd.h"

namespace oqat::supernet {

namespace {

template <typename V>
constexpr std::int64_t kWidth = sizeof(V) / sizeof(float);

template <typename V>
OQAT_INLINE const V& At(const float* p) {
  return *reinterpret_cast<const V*>(p);
}
template <typename V>
OQAT_INLINE V& At(float* p) {
  return *reinterpret_cast<V*>(p);
}

/// kRows rows of x times one panel of kVectors vectors of columns: as many sums as fit registers.
template <typename V, int kVectors, int kRows>
OQAT_INLINE void MultiplyTile(const float* x, std::int64_t in, const float* panel, float* y,
                              std::int64_t out) {
  V sum[kRows][kVectors] = {};
  for (std::int64_t i = 0; i < in; ++i) {
    V w[kVectors];
    for (int v = 0; v < kVectors; ++v) w[v] = At<V>(panel + v * kWidth<V>);
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) sum[r][v] += x[r * in + i] * w[v];
    }
    panel += kVectors * kWidth<V>;
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) At<V>(y + r * out + v * kWidth<V>) = sum[r][v];
  }
}

template <typename V, int kVectors>
OQAT_INLINE void MultiplyPanel(const float* x, std::int64_t rows, std::int64_t in,
                               const float* panel, float* y, std::int64_t out) {
  constexpr int kRows = kVectors == 1 ? 8 : 6;
  std::int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    MultiplyTile<V, kVectors, kRows>(x + r * in, in, panel, y + r * out, out);
  }
  for (; r < rows; ++r) MultiplyTile<V, kVectors, 1>(x + r * in, in, panel, y + r * out, out);
}

OQAT_INLINE void MultiplyBody(const float* x, std::int64_t rows, std::int64_t in,
                              const float* packed, std::int64_t out, float* y) {
  std::int64_t o = 0;
  for (; o + 16 <= out; o += 16) MultiplyPanel<Float8, 2>(x, rows, in, packed + o * in, y + o, out);
  if (o + 8 <= out) {
    MultiplyPanel<Float8, 1>(x, rows, in, packed + o * in, y + o, out);
    o += 8;
  }
  if (o + 4 <= out) MultiplyPanel<Float4, 1>(x, rows, in, packed + o * in, y + o, out);
}

template <typename V, int kVectors, int kLeft>
OQAT_INLINE void OuterTile(const float* left, std::int64_t left_columns, const float* right,
                           std::int64_t right_columns, std::int64_t rows, float* products) {
  V sum[kLeft][kVectors] = {};
  for (std::int64_t r = 0; r < rows; ++r) {
    V b[kVectors];
    for (int v = 0; v < kVectors; ++v) b[v] = At<V>(right + v * kWidth<V>);
    for (int a = 0; a < kLeft; ++a) {
      for (int v = 0; v < kVectors; ++v) sum[a][v] += left[a] * b[v];
    }
    left += left_columns;
    right += right_columns;
  }
  for (int a = 0; a < kLeft; ++a) {
    for (int v = 0; v < kVectors; ++v) {
      At<V>(products + a * right_columns + v * kWidth<V>) = sum[a][v];
    }
  }
}

template <typename V, int kVectors>
OQAT_INLINE void OuterColumns(const float* left, std::int64_t left_columns, const float* right,
                              std::int64_t right_columns, std::int64_t rows, float* products) {
  // Columns of both matrices are multiples of 4; one vector needs more sums to hide latency.
  constexpr int kLeft = kVectors == 1 ? 8 : 4;
  std::int64_t a = 0;
  for (; a + kLeft <= left_columns; a += kLeft) {
    OuterTile<V, kVectors, kLeft>(left + a, left_columns, right, right_columns, rows,
                                  products + a * right_columns);
  }
  for (; a < left_columns; a += 4) {
    OuterTile<V, kVectors, 4>(left + a, left_columns, right, right_columns, rows,
                              products + a * right_columns);
  }
}

OQAT_INLINE void OuterBody(const float* left, std::int64_t left_columns, const float* right,
                           std::int64_t right_columns, std::int64_t rows, float* products) {
  std::int64_t b = 0;
  for (; b + 16 <= right_columns; b += 16) {
    OuterColumns<Float8, 2>(left, left_columns, right + b, right_columns, rows, products + b);
  }
  if (b + 8 <= right_columns) {
    OuterColumns<Float8, 1>(left, left_columns, right + b, right_columns, rows, products + b);
    b += 8;
  }
  if (b + 4 <= right_columns) {
    OuterColumns<Float4, 1>(left, left_columns, right + b, right_columns, rows, products + b);
  }
}

OQAT_FMA void MultiplyFma(const float* x, std::int64_t rows, std::int64_t in, const float* packed,
                          std::int64_t out, float* y) {
  MultiplyBody(x, rows, in, packed, out, y);
}

OQAT_FMA void OuterFma(const float* left, std::int64_t left_columns, const float* right,
                       std::int64_t right_columns, std::int64_t rows, float* products) {
  OuterBody(left, left_columns, right, right_columns, rows, products);
}

}  // namespace

void PackColumns(const float* weight, std::int64_t in, std::int64_t out, std::int64_t in_step,
                 std::int64_t out_step, float* packed) {
  for (std::int64_t o = 0; o < out;) {
    const std::int64_t width = out - o >= 16 ? 16 : (out - o >= 8 ? 8 : 4);
    for (std::int64_t i = 0; i < in; ++i) {
      for (std::int64_t j = 0; j < width; ++j) {
        *packed++ = weight[i * in_step + (o + j) * out_step];
      }
    }
    o += width;
  }
}

void MultiplyRows(const float* x, std::int64_t rows, std::int64_t in, const float* packed,
                  std::int64_t out, float* y) {
  if (OQAT_HAS_FMA()) {
    MultiplyFma(x, rows, in, packed, out, y);
  } else {
    MultiplyBody(x, rows, in, packed, out, y);
  }
}

void SumOuterProducts(const float* left, std::int64_t left_columns, const float* right,
                      std::int64_t right_columns, std::int64_t rows, float* products) {
  if (OQAT_HAS_FMA()) {
    OuterFma(left, left_columns, right, right_columns, rows, products);
  } else {
    OuterBody(left, left_columns, right, right_columns, rows, products);
  }
}

}  // namespace oqat::supernet
