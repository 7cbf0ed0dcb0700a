#pragma once
// Every reader gets thousands of damaged files of its kind: each must be read or refused with an
// Error. Run under the asan preset, this is the proof that readers survive any bytes.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "base/random.h"
#include "tests/artifacts/testing.h"

namespace oqat::artifacts {

inline constexpr int kMutations = 3000;

inline std::string Mutated(std::string bytes, RandomStream& random) {
  const int changes = 1 + static_cast<int>(random.Below(4));
  for (int change = 0; change < changes && !bytes.empty(); ++change) {
    const std::size_t at = random.Below(bytes.size());
    switch (random.Below(8)) {
      case 0: bytes.resize(at); break;
      case 1: bytes.erase(at, 1 + random.Below(16)); break;
      case 2: bytes.insert(at, 1 + random.Below(16), static_cast<char>(random.Below(256))); break;
      case 3: bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Below(8))); break;
      case 4: bytes[at] = "\"{}[]:,0912-.\\etn"[random.Below(17)]; break;
      case 5: bytes.insert(at, bytes.substr(random.Below(bytes.size()), random.Below(64))); break;
      case 6: {
        const std::uint64_t number = random.NextU64() >> random.Below(64);
        std::memcpy(&bytes[at], &number, std::min<std::size_t>(8, bytes.size() - at));
        break;
      }
      default: bytes[at] = static_cast<char>(random.Below(256));
    }
  }
  return bytes;
}

template <typename Parse>
void Survives(const std::string& valid, Parse parse, std::uint64_t seed) {
  ASSERT_EQ(ThrownBy([&] { parse(valid); }), "");
  RandomStream random(seed, "mutation");
  int refused = 0;
  for (int i = 0; i < kMutations; ++i) {
    const std::string bytes = Mutated(valid, random);
    try {
      parse(bytes);
    } catch (const Error& error) {
      ++refused;
      ASSERT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }  // any other exception fails the test
  }
  EXPECT_GT(refused, 0);
}

}  // namespace oqat::artifacts
