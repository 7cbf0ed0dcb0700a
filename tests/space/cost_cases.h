#pragma once

#include <string>

namespace oqat::space {

/// Compares CostsOf with every subnet of an oqa_costs.json file, to the last integer, and LayersOf
/// where the file lists layers. Returns the number of subnets compared.
int CheckCostCases(const std::string& path);

}  // namespace oqat::space
