#pragma once

#include <string>
#include <vector>

namespace oqat::clients {

struct PlotPoint {
  double x = 0;
  double y = 0;
  int series = 0;      ///< the bit width: its last digit marks a front point
  bool front = false;  ///< others are dots
};

struct PlotOptions {
  std::string x_title;
  std::string y_title;
  int width = 80;          ///< columns, margins included; at least 40
  int height = 16;         ///< rows of the plotting area; at least 4
  bool unicode = true;     ///< braille dots (2 x 4 per cell) and line drawing; else plain ASCII
  bool color = false;      ///< ANSI colours per series
  bool percent_y = false;  ///< y values are shares, labelled as percent
  bool steps = true;       ///< join front points by the staircase of what they dominate
};

/// A scatter plot for a terminal, lines ending in '\n'. The x axis is logarithmic where all x are
/// positive and the largest is more than ten times the smallest. Points that are not finite are
/// left out. Pure: the same points give the same text.
std::string Plot(const std::vector<PlotPoint>& points, const PlotOptions& options);

}  // namespace oqat::clients
