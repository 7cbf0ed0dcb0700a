#pragma once
// Checks against numbers that the authors' released code computed. The same checks run on
// tests/golden (always) and on a reference folder (label `reference`).

#include <string>
#include <vector>

namespace oqat::supernet::parity {

/// The bit widths N for which FOLDER has oqa_forward_state_bN.safetensors.
std::vector<int> BitWidths(const std::string& folder);

/// lsq_cases.json: outputs and gradients to 1e-12 in float64, to float precision in float32.
void CheckLsq(const std::string& folder);

/// Every logits_f64_S_i of the io file to 1e-9 in float64: supernet and extracted subnet.
void CheckLogits(const std::string& folder, int bits);

/// Recalibrated statistics and the logits after, if FOLDER has them for this bit width.
void CheckRecalibration(const std::string& folder, int bits);

}  // namespace oqat::supernet::parity
