#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "artifacts/checkpoint.h"
#include "runtime/subnet.h"
#include "space/block_plan.h"

namespace oqat::runtime {

/// A number, and how far the runtime's float32 may be from it: a running error analysis (Higham,
/// Accuracy and Stability, 3.3) to first order in u = 2^-24, plus a hundredth for higher orders.
struct Real {
  double value = 0, error = 0;
};

/// Fake quantization of one subnet in float64 loops, after the published formulas, one image at a
/// time. Who rounds is the caller's choice: by giving the runtime's codes every layer is computed
/// from the very input that the runtime had.
class FloatReference {
 public:
  FloatReference(const artifacts::Checkpoint& checkpoint, const space::Architecture& architecture,
                 const std::vector<Statistics>& statistics);

  /// The codes of a layer's inputs, [channels][pixels], given the inputs divided by the step size
  /// and the range of codes.
  using Rounding =
      std::function<std::vector<double>(const std::string& layer, const std::vector<Real>& scaled,
                                        int channels, double low, double high)>;

  /// image: [3][size][size], normalised.
  std::vector<Real> Logits(const std::vector<double>& image, int size, const Rounding& round) const;

  /// Half to even, clipped.
  static double Code(double scaled, double low, double high);

 private:
  struct Map;
  struct Conv;

  std::vector<double> Values(const std::string& tensor) const;
  Conv Quantized(const std::string& layer, const std::string& tensor, bool signed_input) const;
  std::vector<double> Codes(const Conv& conv, const Map& x, const Rounding& round) const;
  Map Pointwise(const Conv& conv, const Map& x, int out, const Rounding& round) const;
  Map Depthwise(const Conv& conv, const Map& x, const space::BlockPlan& plan,
                const Rounding& round) const;
  Map Stem(const std::vector<double>& image, int size) const;
  void Normalize(Map& x, const std::string& layer, const std::string& tensor) const;
  Map Block(const space::BlockPlan& plan, const Map& x, const Rounding& round) const;
  void SqueezeExcite(Map& x, const std::string& fc, int squeezed) const;
  Map Dense(const Map& x, int out, const std::string& weight, const std::string& bias,
            int columns) const;

  const artifacts::Checkpoint& checkpoint_;
  const std::vector<space::BlockPlan> plan_;
  std::map<std::string, Statistics> statistics_;
};

}  // namespace oqat::runtime
