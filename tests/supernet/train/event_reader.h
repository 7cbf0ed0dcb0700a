#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace oqat::supernet {

struct ReadEvent {
  double wall_time = 0;
  std::int64_t step = 0;
  std::string file_version;
  bool session_start = false;
  std::vector<std::pair<std::string, float>> scalars;  ///< by tag
};

/// The events of a TensorBoard event file, decoded independently of the code that writes them
/// (checksums bit by bit, fields in any order). Throws std::runtime_error for what is damaged or
/// is not such a file.
std::vector<ReadEvent> ReadEvents(const std::string& path);

}  // namespace oqat::supernet
