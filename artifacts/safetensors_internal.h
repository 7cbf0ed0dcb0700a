#pragma once
// Internal to artifacts/: what the reader and the writer of safetensors files agree on.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oqat::artifacts {

inline constexpr std::size_t kMaxRank = 8;
inline constexpr std::string_view kMetadataKey = "__metadata__";

/// Names come from untrusted files: what a message shows of them is short and printable.
std::string Shown(std::string_view text);

/// Number of elements, or nothing if it or the number of bytes does not fit in an int64.
std::optional<std::int64_t> CheckedNumel(const std::vector<std::int64_t>& shape,
                                         std::size_t element_size);

}  // namespace oqat::artifacts
