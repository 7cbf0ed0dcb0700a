#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/chart_scale.h"
#include "base/svg_chart.h"

namespace oqat {

/// Differences of larger numbers could overflow; they count as not finite.
inline bool Drawable(double value) { return std::abs(value) <= 1e300; }

/// Draws one chart that was checked (internal to svg_chart.cc). The constructor decides the layout:
/// title, legend, labels of marks and plotting area from top to bottom.
class SvgDrawing {
 public:
  /// The plotting area begins at pixel `least_left` or, where its labels need more room, after it.
  SvgDrawing(const Chart& chart, const ChartScale& x, const ChartScale& y, double least_left);
  double left() const { return left_; }
  std::string Draw();

 private:
  struct Placed {
    double x = 0;
    int row = 0;
  };
  using Points = std::vector<std::pair<double, double>>;

  // Far outside is as good as further outside.
  double X(double v) const { return left_ + std::clamp(x_.At(v), -99., 99.) * (right_ - left_); }
  double Y(double v) const { return bottom_ - std::clamp(y_.At(v), -99., 99.) * (bottom_ - top_); }
  int ColorIndex(std::size_t i) const {
    return chart_.series[i].color < 0 ? static_cast<int>(i) : chart_.series[i].color;
  }
  void PlaceLegend();
  void PlaceMarks();
  void DrawGrid();
  void DrawMarks();
  void DrawBand(const ChartSeries& s, const std::string& color);
  void DrawCurve(const ChartSeries& s, int color);
  void DrawFrame();
  void DrawLegend();
  static std::string Stroke(const ChartSeries& s, const std::string& color);

  const Chart& chart_;
  const ChartScale x_, y_;
  double left_ = 0, right_ = 0, legend_top_ = 0, top_ = 0, bottom_ = 0;
  std::vector<ChartScale::Tick> x_ticks_, y_ticks_;
  std::vector<Placed> legend_, marks_;  ///< a mark that is left out is in row -1
  int legend_rows_ = 0, mark_rows_ = 0;
  std::string out_;
};

}  // namespace oqat
