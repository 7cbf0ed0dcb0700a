#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oqat::space {

/// How the candidates of a search are measured. Part of the request: results of two engines, of
/// other images or from other processors are never mixed.
struct Measurement {
  std::string engine = "int8";
  std::int64_t calibration_images = 0;  ///< 0: all of the evaluation set's
  std::int64_t search_images = 0;       ///< 0: all of the evaluation set's
  std::string cpu;                      ///< that latency_ms is measured on; empty without
  bool early_stop = false;              ///< give hopeless candidates up early

  bool operator==(const Measurement&) const = default;
};

/// "int8": integer arithmetic, equal on every machine. "torch": fake quantization in LibTorch.
const std::vector<std::string>& EngineNames();

/// Throws Error INVALID_ARGUMENT "FIELD: got X; allowed: int8, torch".
void CheckEngine(std::string_view name, std::string_view field);

}  // namespace oqat::space
