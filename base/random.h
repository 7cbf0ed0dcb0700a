#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>

namespace oqat {

/// A seeded, portable stream of random numbers: xoshiro256** (Blackman and Vigna 2018), its state
/// filled by splitmix64. No distribution of the standard library is used, so the same seed gives
/// the same numbers with every compiler and on every machine. Randomness is always an argument:
/// there is no global stream. Not thread-safe; copying forks the state.
class RandomStream {
 public:
  explicit RandomStream(std::uint64_t seed);

  /// The stream that belongs to (seed, labels...): different labels give unrelated streams.
  /// `purpose` keeps streams of different users of one seed apart, for example "search.round".
  RandomStream(std::uint64_t seed, std::string_view purpose,
               std::initializer_list<std::uint64_t> labels = {});

  std::uint64_t NextU64();

  /// Uniform in [0, n), without modulo bias. n must be positive.
  std::uint64_t Below(std::uint64_t n);

  /// Uniform in [0, 1), 53 random bits.
  double Uniform();

  /// Standard normal (Marsaglia's polar method).
  double Normal();

  /// True with probability p.
  bool Bernoulli(double p) { return Uniform() < p; }

  /// Fisher-Yates.
  template <typename T>
  void Shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[Below(i)]);
  }

  /// One element of a non-empty container with random access.
  template <typename Container>
  const auto& Choose(const Container& items) {
    return items[Below(items.size())];
  }

 private:
  std::uint64_t state_[4];
};

}  // namespace oqat
