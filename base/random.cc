#include "base/random.h"

#include <cmath>

namespace oqat {
namespace {

std::uint64_t SplitMix(std::uint64_t& x) {
  std::uint64_t z = (x += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::uint64_t RotateLeft(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

std::uint64_t Mix(std::uint64_t seed, std::string_view purpose,
                  std::initializer_list<std::uint64_t> labels) {
  // FNV-1a over the purpose, then one splitmix step per label: order and count both matter.
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (unsigned char c : purpose) hash = (hash ^ c) * 0x100000001b3ULL;
  std::uint64_t x = seed ^ hash;
  std::uint64_t mixed = SplitMix(x);
  for (std::uint64_t label : labels) {
    x = mixed ^ (label * 0xd6e8feb86659fd93ULL + 0x2545f4914f6cdd1dULL);
    mixed = SplitMix(x);
  }
  return mixed;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed) {
  for (std::uint64_t& word : state_) word = SplitMix(seed);
}

RandomStream::RandomStream(std::uint64_t seed, std::string_view purpose,
                           std::initializer_list<std::uint64_t> labels)
    : RandomStream(Mix(seed, purpose, labels)) {}

std::uint64_t RandomStream::NextU64() {
  const std::uint64_t result = RotateLeft(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = RotateLeft(state_[3], 45);
  return result;
}

std::uint64_t RandomStream::Below(std::uint64_t n) {
  // Reject the first 2^64 mod n values: what is left is a multiple of n.
  const std::uint64_t threshold = (0 - n) % n;
  for (;;) {
    const std::uint64_t x = NextU64();
    if (x >= threshold) return x % n;
  }
}

double RandomStream::Uniform() { return static_cast<double>(NextU64() >> 11) * 0x1.0p-53; }

double RandomStream::Normal() {
  for (;;) {
    const double u = 2.0 * Uniform() - 1.0;
    const double v = 2.0 * Uniform() - 1.0;
    const double s = u * u + v * v;
    if (s > 0.0 && s < 1.0) return u * std::sqrt(-2.0 * std::log(s) / s);
  }
}

}  // namespace oqat
