#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "space/architecture.h"

namespace oqat::supernet {

struct SubnetScore {
  std::string name;  ///< "smallest", "median", "random-1", ..., "largest"
  space::Architecture architecture;
  double top1 = 0;  ///< on search images, BatchNorm recalibrated
  double loss = 0;  ///< nats
  std::int64_t images = 0;
  double test_top1 = 0;  ///< on test images; at the end of a stage
};

struct StageReport {
  int bits = 0;
  std::string file;  ///< of the checkpoint; empty for a supernet that cannot be deployed
  std::string sha256;
  std::int64_t steps = 0;
  double epochs = 0;   ///< those that were run
  double seconds = 0;  ///< training, without the evaluation at its end
  std::vector<SubnetScore> scores;
};

Json StageReportToJson(const StageReport& report);

/// What StageReportToJson made. Throws Error INVALID_ARGUMENT.
StageReport StageReportFromJson(const space::SearchSpace& space, const Json& json,
                                const std::string& path);

}  // namespace oqat::supernet
