#pragma once

namespace oqat::supernet {

/// How a step size is set before it is trained.
enum class StepInitialization {
  kLsq,  ///< 2 mean|v| / sqrt(Qp) (LSQ, Esser et al. 2020, section 2.1)
  kMse,  ///< the one of 64 fractions of max|v| / Qp with the least squared error
};

/// How many step sizes a tensor has.
enum class StepSizes {
  kShared,    ///< one, for all kernel sizes and widths (OQAT, Shen et al. 2021, section 3.2)
  kSeparate,  ///< one per kernel size and width: for comparison, cannot be deployed
};

struct StepOptions {
  StepInitialization initialization = StepInitialization::kLsq;
  StepSizes sizes = StepSizes::kShared;
};

}  // namespace oqat::supernet
