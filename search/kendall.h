#pragma once

#include <optional>
#include <span>

namespace oqat::search {

/// Kendall's tau-b of two rankings (Kendall 1945; O(n log n) by Knight 1966): 1 if they order all
/// pairs alike, -1 if oppositely; ties are accounted for. 0 where it is undefined: fewer than two
/// values or all values equal. Throws Error INVALID_ARGUMENT for unequal lengths or NaN.
double KendallTau(std::span<const double> a, std::span<const double> b);

/// The same among the best fifth of `measured` (at least four of them), which is where a search has
/// to choose; `maximize`: larger is better. Nothing if fewer are there. Ties at the bound belong to
/// the best.
std::optional<double> KendallTauOfBest(std::span<const double> predicted,
                                       std::span<const double> measured, bool maximize);

}  // namespace oqat::search
