#pragma once

#include <string>
#include <vector>

namespace oqat {

/// One axis of a chart: where a value lies between its ends, and which values get a tick. Pure.
class ChartScale {
 public:
  struct Tick {
    double value = 0;
    std::string label;  ///< SVG text content, powers raised; empty: a mark without a number
  };

  /// `low` <= `high`, both finite; positive if `log`. Ends that (almost) coincide are moved apart.
  ChartScale(double low, double high, bool log);

  double low() const { return low_; }
  double high() const { return high_; }

  /// 0 at the low end, 1 at the high end; beyond that for values outside.
  double At(double value) const;

  /// About `target` labelled ticks at round values (1, 2 or 5 times a power of ten), ascending.
  std::vector<Tick> Ticks(int target) const;

 private:
  std::vector<Tick> LinearTicks(int target) const;
  std::vector<Tick> LogTicks(int target) const;

  double low_, high_;
  bool log_;
};

}  // namespace oqat
