#pragma once

#include <span>

namespace oqat::search {

/// Kendall's tau-b of two rankings (Kendall 1945; O(n log n) by Knight 1966): 1 if they order all
/// pairs alike, -1 if oppositely; ties are accounted for. 0 where it is undefined: fewer than two
/// values or all values equal. Throws Error INVALID_ARGUMENT for unequal lengths or NaN.
double KendallTau(std::span<const double> a, std::span<const double> b);

}  // namespace oqat::search
