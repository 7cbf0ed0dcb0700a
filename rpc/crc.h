#pragma once

#include <cstdint>
#include <string_view>

namespace oqat::rpc {

/// CRC-32 as zlib computes it, of ArtifactChunk.data.
std::uint32_t Crc32(std::string_view data);

/// The most bytes one ArtifactChunk carries.
inline constexpr std::size_t kMaxChunkBytes = std::size_t{1} << 20;

}  // namespace oqat::rpc
