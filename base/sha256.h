#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace oqat {

/// SHA-256 (FIPS 180-4, section 6.2) in plain C++, for builds without OpenSSL, which is several
/// times faster where the processor has instructions for it. Use base/hash.h. Not thread-safe.
class PortableSha256 {
 public:
  void Update(const void* data, std::size_t size);

  /// Call once, last.
  std::array<std::uint8_t, 32> Digest();

 private:
  void Compress(const std::uint8_t* block);

  // The first 32 bits of the fractional parts of the square roots of the first 8 primes.
  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> block_{};
  std::uint64_t bytes_ = 0;  ///< so far; the last bytes_ % 64 wait in block_
};

}  // namespace oqat
