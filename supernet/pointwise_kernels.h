#pragma once

#include <cstdint>

namespace oqat::supernet {

// Products of tall matrices (one row per pixel) with small ones, float32, row-major. Generic
// libraries spend more time on packing such shapes than on multiplying them. Column counts are
// multiples of 4.

/// packed: [in * out], the layout that MultiplyRows wants of the matrix with element (i, o) at
/// weight[i * in_step + o * out_step].
void PackColumns(const float* weight, std::int64_t in, std::int64_t out, std::int64_t in_step,
                 std::int64_t out_step, float* packed);

/// y[r, o] = sum over i of x[r, i] * matrix(i, o); x: [rows, in], y: [rows, out]. A row's bits do
/// not depend on the other rows.
void MultiplyRows(const float* x, std::int64_t rows, std::int64_t in, const float* packed,
                  std::int64_t out, float* y);

/// products[a, b] = sum over r of left[r, a] * right[r, b]; products: [left_columns,
/// right_columns].
void SumOuterProducts(const float* left, std::int64_t left_columns, const float* right,
                      std::int64_t right_columns, std::int64_t rows, float* products);

}  // namespace oqat::supernet
