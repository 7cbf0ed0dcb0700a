#include "search/kendall.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"

namespace oqat::search {
namespace {

// Pairs out of order, counted while merge-sorting values[begin, end).
std::int64_t SortAndCountSwaps(std::vector<double>& values, std::vector<double>& scratch,
                               std::size_t begin, std::size_t end) {
  if (end - begin < 2) return 0;
  const std::size_t middle = begin + (end - begin) / 2;
  std::int64_t swaps = SortAndCountSwaps(values, scratch, begin, middle) +
                       SortAndCountSwaps(values, scratch, middle, end);
  std::size_t left = begin, right = middle;
  for (std::size_t out = begin; out < end; ++out) {
    if (left < middle && (right == end || values[left] <= values[right])) {
      scratch[out] = values[left++];
    } else {
      swaps += static_cast<std::int64_t>(middle - left);
      scratch[out] = values[right++];
    }
  }
  std::copy(scratch.begin() + static_cast<std::ptrdiff_t>(begin),
            scratch.begin() + static_cast<std::ptrdiff_t>(end),
            values.begin() + static_cast<std::ptrdiff_t>(begin));
  return swaps;
}

// Pairs within runs of neighbours that `equal(i - 1, i)` calls equal.
template <typename Equal>
std::int64_t TiedPairs(std::size_t n, Equal equal) {
  std::int64_t pairs = 0, run = 1;
  for (std::size_t i = 1; i < n; ++i) {
    run = equal(i - 1, i) ? run + 1 : 1;
    pairs += run - 1;
  }
  return pairs;
}

}  // namespace

double KendallTau(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) {
    throw InvalidField("rankings", std::to_string(a.size()) + " and " + std::to_string(b.size()),
                       "equal lengths");
  }
  const auto nan = [](double value) { return std::isnan(value); };
  if (std::any_of(a.begin(), a.end(), nan) || std::any_of(b.begin(), b.end(), nan)) {
    throw InvalidField("rankings", "NaN", "numbers that can be ordered");
  }
  const std::size_t n = a.size();
  if (n < 2) return 0;
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t i, std::size_t j) { return a[i] != a[j] ? a[i] < a[j] : b[i] < b[j]; });
  const std::int64_t ties_a =
      TiedPairs(n, [&](std::size_t i, std::size_t j) { return a[order[i]] == a[order[j]]; });
  const std::int64_t ties_both = TiedPairs(n, [&](std::size_t i, std::size_t j) {
    return a[order[i]] == a[order[j]] && b[order[i]] == b[order[j]];
  });
  std::vector<double> values(n), scratch(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = b[order[i]];
  const std::int64_t swaps = SortAndCountSwaps(values, scratch, 0, n);
  const std::int64_t ties_b =
      TiedPairs(n, [&](std::size_t i, std::size_t j) { return values[i] == values[j]; });
  const auto count = static_cast<std::int64_t>(n);
  const std::int64_t pairs = count * (count - 1) / 2;
  if (pairs == ties_a || pairs == ties_b) return 0;
  // Concordant minus discordant, Knight 1966.
  const std::int64_t score = pairs - ties_a - ties_b + ties_both - 2 * swaps;
  return static_cast<double>(score) / (std::sqrt(static_cast<double>(pairs - ties_a)) *
                                       std::sqrt(static_cast<double>(pairs - ties_b)));
}

std::optional<double> KendallTauOfBest(std::span<const double> predicted,
                                       std::span<const double> measured, bool maximize) {
  constexpr std::size_t kLeast = 4;
  const std::size_t count = std::max(kLeast, (measured.size() + 4) / 5);
  if (measured.size() < count) return std::nullopt;
  std::vector<double> order(measured.begin(), measured.end());
  for (double& value : order) value = maximize ? -value : value;
  std::sort(order.begin(), order.end());
  const double bound = order[count - 1];
  std::vector<double> a, b;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    if ((maximize ? -measured[i] : measured[i]) > bound) continue;
    a.push_back(predicted[i]);
    b.push_back(measured[i]);
  }
  return KendallTau(a, b);
}

}  // namespace oqat::search
