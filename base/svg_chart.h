#pragma once

#include <optional>
#include <string>
#include <vector>

namespace oqat {

struct ChartAxis {
  std::string label;
  bool log = false;
  /// The ends; without them the data decides, with a little room.
  std::optional<double> low, high;
};

/// One curve or cloud of points. A point with a coordinate that is not finite is left out, and the
/// line breaks there.
struct ChartSeries {
  enum class Style { kLine, kPoints, kLineWithPoints };
  enum class Dash { kSolid, kDashed, kDotted };

  std::string name;               ///< in the legend; empty: not in the legend
  std::vector<double> x, y;       ///< of one size
  std::vector<double> low, high;  ///< a band around the curve, of that size too; or both empty
  Style style = Style::kLine;
  int color = -1;  ///< index into the palette of eight; -1: the series' own place
  Dash dash = Dash::kSolid;
};

/// A dashed vertical line with a label over the plotting area.
struct ChartMark {
  double x = 0;
  std::string label;
  int color = -1;  ///< -1: grey
};

struct Chart {
  std::string title;
  ChartAxis x, y;
  std::vector<ChartSeries> series;  ///< later ones are drawn over earlier ones
  std::vector<ChartMark> marks;     ///< those outside the x axis are left out
  int width = 800;                  ///< pixels
  int height = 500;
};

/// The chart as one SVG file: light background, a palette that colour-blind readers tell apart
/// (Okabe and Ito, "Color Universal Design", 2008), markers that differ in shape too. The same
/// chart gives the same bytes. Throws Error INVALID_ARGUMENT naming the series and the point:
/// vectors of different sizes, a value <= 0 on a logarithmic axis; and the axis if its low end is
/// not below its high end.
std::string RenderSvg(const Chart& chart);

/// Charts below each other in one file.
std::string RenderSvg(const std::vector<Chart>& charts);

enum class Spread {
  kStandardDeviation,  ///< mean +- sample standard deviation; 0 for a single value
  kRange               ///< smallest to largest
};

/// The mean over runs (each with a value for every x) with a band of their spread. Values that are
/// not finite do not count; an x without any value has none. Throws Error INVALID_ARGUMENT if a
/// run's size differs from x's.
ChartSeries MeanOfRuns(const std::string& name, const std::vector<double>& x,
                       const std::vector<std::vector<double>>& runs, Spread spread);

}  // namespace oqat
