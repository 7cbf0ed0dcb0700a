#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/supernet/parity.h"

namespace oqat::supernet {
namespace {

std::string Folder() {
  const char* named = std::getenv("OQAT_REFERENCE_DIR");
  return named != nullptr ? named : std::string(OQAT_SOURCE_DIR) + "/../shared/reference";
}

class ReferenceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(Folder() + "/lsq_cases.json")) {
      GTEST_SKIP() << "no reference data in " << Folder() << " (set OQAT_REFERENCE_DIR)";
    }
  }
};

TEST_F(ReferenceTest, QuantizerEqualsTheReleasedCode) { parity::CheckLsq(Folder()); }

TEST_F(ReferenceTest, LogitsEqualTheReleasedCode) {
  ASSERT_FALSE(parity::BitWidths(Folder()).empty()) << "no oqa_forward_state_bN in " << Folder();
  for (int bits : parity::BitWidths(Folder())) parity::CheckLogits(Folder(), bits);
}

TEST_F(ReferenceTest, RecalibrationEqualsTheReleasedCode) {
  for (int bits : parity::BitWidths(Folder())) parity::CheckRecalibration(Folder(), bits);
}

}  // namespace
}  // namespace oqat::supernet
