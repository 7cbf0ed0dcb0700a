#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "predictor/regressor.h"
#include "space/search_space.h"

namespace oqat::bench {

/// A predictor to compare.
struct PredictorKind {
  std::string name;
  std::function<std::unique_ptr<predictor::Regressor>()> make;
};

std::vector<PredictorKind> PredictorKinds(const space::SearchSpace& space);

}  // namespace oqat::bench
