#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "tests/space/cost_cases.h"

namespace oqat::space {
namespace {

// OQAT_REFERENCE_DIR may name a folder with other cases of the same form.
TEST(CostReference, EveryCaseOfTheReferenceFolder) {
  const char* given = std::getenv("OQAT_REFERENCE_DIR");
  const std::filesystem::path folder = given ? given : OQAT_SOURCE_DIR "/../shared/reference";
  const std::filesystem::path file = folder / "oqa_costs.json";
  if (!std::filesystem::exists(file)) {
    GTEST_SKIP() << file << " does not exist; set OQAT_REFERENCE_DIR to a reference folder";
  }
  EXPECT_GT(CheckCostCases(file), 0);
}

}  // namespace
}  // namespace oqat::space
