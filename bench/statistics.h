#pragma once

#include <vector>

namespace oqat::bench {

/// Of at least one value.
double Mean(const std::vector<double>& values);
/// The sample standard deviation; 0 for a single value.
double Deviation(const std::vector<double>& values);

}  // namespace oqat::bench
