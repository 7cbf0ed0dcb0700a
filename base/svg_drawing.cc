#include "base/svg_drawing.h"

#include "base/svg_elements.h"

namespace oqat {
namespace {

using Style = ChartSeries::Style;

/// Okabe and Ito's colours; those that are faint on white last.
constexpr const char* kPalette[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                    "#E69F00", "#56B4E9", "#000000", "#F0E442"};
constexpr int kColors = 8;
constexpr const char* kDashes[] = {"", "7 4", "2 4"};  ///< by ChartSeries::Dash
constexpr const char* kInk = "#222222";
constexpr const char* kSoftInk = "#555555";

constexpr double kRight = 30;      ///< margin
constexpr double kTick = 5;        ///< length
constexpr double kLegendRow = 20;  ///< height
constexpr double kSample = 28;     ///< length of a line in the legend
constexpr double kMarkRow = 15;    ///< height
constexpr double kOver = 6;        ///< what lines and markers may stand out over the frame

std::string ColorOf(int index) { return kPalette[index % kColors]; }

std::string PointList(const std::vector<std::pair<double, double>>& points) {
  std::string list;
  for (const auto& [x, y] : points) {
    list.append(list.empty() ? "" : " ").append(SvgNumber(x)).append(",").append(SvgNumber(y));
  }
  return list;
}

}  // namespace

SvgDrawing::SvgDrawing(const Chart& chart, const ChartScale& x, const ChartScale& y,
                       double least_left)
    : chart_(chart), x_(x), y_(y) {
  right_ = chart.width - kRight;
  bottom_ = chart.height - (chart.x.label.empty() ? 30 : 52);
  y_ticks_ = y_.Ticks(std::max(2, (chart.height - 120) / 50));
  double label_width = 0;
  for (const auto& tick : y_ticks_) {
    label_width = std::max(label_width, SvgTextWidth(tick.label, 12));
  }
  left_ = std::max(least_left, (chart.y.label.empty() ? 12 : 36) + label_width + kTick + 5);
  x_ticks_ = x_.Ticks(std::max(2, static_cast<int>((right_ - left_) / 90)));
  legend_top_ = chart.title.empty() ? 14 : 42;
  PlaceLegend();
  PlaceMarks();
  top_ = legend_top_ + kLegendRow * legend_rows_ + kMarkRow * mark_rows_ + 6;
}

void SvgDrawing::PlaceLegend() {
  double x = left_;
  for (const ChartSeries& s : chart_.series) {
    const double width = kSample + 6 + SvgTextWidth(SvgEscape(s.name), 12) + 18;
    if (s.name.empty()) {
      legend_.push_back({});
      continue;
    }
    if (legend_rows_ == 0) legend_rows_ = 1;
    if (x > left_ && x + width > right_ + 12) {
      x = left_;
      ++legend_rows_;
    }
    legend_.push_back({x, legend_rows_ - 1});
    x += width;
  }
}

void SvgDrawing::PlaceMarks() {
  std::vector<double> row_ends;
  for (const ChartMark& mark : chart_.marks) {
    if (!Drawable(mark.x) || mark.x < x_.low() || mark.x > x_.high()) {
      marks_.push_back({0, -1});
      continue;
    }
    const double width = SvgTextWidth(SvgEscape(mark.label), 11);
    const double x = std::max(left_, std::min(X(mark.x), right_ - width));
    std::size_t row = 0;
    while (row < row_ends.size() && row_ends[row] > x) ++row;
    if (row == row_ends.size()) row_ends.push_back(0);
    row_ends[row] = x + width + 8;
    marks_.push_back({x, static_cast<int>(row)});
  }
  mark_rows_ = static_cast<int>(row_ends.size());
}

std::string SvgDrawing::Draw() {
  DrawGrid();
  DrawMarks();
  // An inner svg element cuts off what lies outside the ends that an axis was given.
  const double width = right_ - left_ + 2 * kOver, height = bottom_ - top_ + 2 * kOver;
  const std::string corner = SvgNumber(left_ - kOver) + " " + SvgNumber(top_ - kOver);
  out_ += "<svg" + SvgAttribute("x", left_ - kOver) + SvgAttribute("y", top_ - kOver) +
          SvgAttribute("width", width) + SvgAttribute("height", height) +
          SvgAttribute("viewBox", corner + " " + SvgNumber(width) + " " + SvgNumber(height)) +
          ">\n";
  for (std::size_t i = 0; i < chart_.series.size(); ++i) {
    DrawBand(chart_.series[i], ColorOf(ColorIndex(i)));
  }
  for (std::size_t i = 0; i < chart_.series.size(); ++i) {
    DrawCurve(chart_.series[i], ColorIndex(i));
  }
  out_ += "</svg>\n";
  DrawFrame();
  DrawLegend();
  return std::move(out_);
}

void SvgDrawing::DrawGrid() {
  for (const auto& tick : y_ticks_) {
    const double y = Y(tick.value);
    if (!tick.label.empty()) out_ += SvgLine(left_, y, right_, y, "#e4e4e4", 1);
  }
  for (const auto& tick : x_ticks_) {
    const double x = X(tick.value);
    if (!tick.label.empty()) out_ += SvgLine(x, top_, x, bottom_, "#f0f0f0", 1);
  }
}

void SvgDrawing::DrawMarks() {
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    if (marks_[i].row < 0) continue;
    const ChartMark& mark = chart_.marks[i];
    const std::string color = mark.color < 0 ? "#8a8a8a" : ColorOf(mark.color);
    const double foot = top_ - 5 - kMarkRow * marks_[i].row;
    out_ += SvgLine(X(mark.x), top_, X(mark.x), bottom_, color, 1,
                    SvgAttribute("stroke-dasharray", "4 3"));
    out_ += SvgTextAt(marks_[i].x, foot, 11, "start", mark.color < 0 ? kSoftInk : color,
                      SvgEscape(mark.label));
  }
}

std::string SvgDrawing::Stroke(const ChartSeries& s, const std::string& color) {
  const std::string dash = kDashes[static_cast<int>(s.dash)];
  return SvgAttribute("fill", "none") + SvgAttribute("stroke", color) +
         SvgAttribute("stroke-width", 2) + SvgAttribute("stroke-linejoin", "round") +
         SvgAttribute("stroke-linecap", dash.empty() ? "round" : "butt") +
         (dash.empty() ? "" : SvgAttribute("stroke-dasharray", dash));
}

void SvgDrawing::DrawBand(const ChartSeries& s, const std::string& color) {
  Points upper, lower;
  const auto close = [&] {
    // There along the upper edge, back along the lower one.
    upper.insert(upper.end(), lower.rbegin(), lower.rend());
    if (!upper.empty()) {
      out_ += "<polygon" + SvgAttribute("points", PointList(upper)) + SvgAttribute("fill", color) +
              SvgAttribute("fill-opacity", 0.18) + "/>\n";
    }
    upper.clear();
    lower.clear();
  };
  for (std::size_t i = 0; i < s.low.size(); ++i) {
    if (!Drawable(s.x[i]) || !Drawable(s.low[i]) || !Drawable(s.high[i])) {
      close();
      continue;
    }
    upper.emplace_back(X(s.x[i]), Y(s.high[i]));
    lower.emplace_back(X(s.x[i]), Y(s.low[i]));
  }
  close();
}

void SvgDrawing::DrawCurve(const ChartSeries& s, int color) {
  std::vector<Points> pieces(1);
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (Drawable(s.x[i]) && Drawable(s.y[i])) {
      pieces.back().emplace_back(X(s.x[i]), Y(s.y[i]));
    } else if (!pieces.back().empty()) {
      pieces.emplace_back();
    }
  }
  for (const Points& piece : pieces) {
    if (s.style != Style::kPoints && piece.size() > 1) {
      out_ += "<polyline" + SvgAttribute("points", PointList(piece)) + Stroke(s, ColorOf(color)) +
              "/>\n";
    }
    // A line of one point would not be seen.
    if (s.style == Style::kLine && piece.size() > 1) continue;
    for (const auto& [x, y] : piece) out_ += SvgMarker(x, y, color, ColorOf(color));
  }
}

void SvgDrawing::DrawFrame() {
  out_ += SvgLine(left_, bottom_, right_, bottom_, kSoftInk, 1);
  out_ += SvgLine(left_, top_, left_, bottom_, kSoftInk, 1);
  for (const auto& tick : y_ticks_) {
    const double y = Y(tick.value);
    out_ += SvgLine(left_ - (tick.label.empty() ? 3 : kTick), y, left_, y, kSoftInk, 1);
    if (tick.label.empty()) continue;
    out_ += SvgTextAt(left_ - kTick - 4, y + 4, 12, "end", kInk, tick.label);
  }
  for (const auto& tick : x_ticks_) {
    const double x = X(tick.value);
    out_ += SvgLine(x, bottom_, x, bottom_ + (tick.label.empty() ? 3 : kTick), kSoftInk, 1);
    if (tick.label.empty()) continue;
    out_ += SvgTextAt(x, bottom_ + kTick + 14, 12, "middle", kInk, tick.label);
  }
  const double middle = (left_ + right_) / 2, center = (top_ + bottom_) / 2;
  if (!chart_.x.label.empty()) {
    out_ += SvgTextAt(middle, bottom_ + 42, 13, "middle", kInk, SvgEscape(chart_.x.label));
  }
  if (!chart_.y.label.empty()) {
    out_ += SvgTextAt(20, center, 13, "middle", kInk, SvgEscape(chart_.y.label),
                      SvgAttribute("transform", "rotate(-90 20 " + SvgNumber(center) + ")"));
  }
  if (!chart_.title.empty()) {
    out_ += SvgTextAt(left_, 27, 16, "start", kInk, SvgEscape(chart_.title),
                      SvgAttribute("font-weight", "bold"));
  }
  const bool empty = std::all_of(chart_.series.begin(), chart_.series.end(), [](const auto& s) {
    return std::none_of(s.y.begin(), s.y.end(), Drawable);
  });
  if (empty) out_ += SvgTextAt(middle, center, 13, "middle", kSoftInk, "no data");
}

void SvgDrawing::DrawLegend() {
  for (std::size_t i = 0; i < legend_.size(); ++i) {
    const ChartSeries& s = chart_.series[i];
    if (s.name.empty()) continue;
    const std::string color = ColorOf(ColorIndex(i));
    const double x = legend_[i].x, y = legend_top_ + kLegendRow * legend_[i].row + 6;
    if (!s.low.empty()) {
      out_ += "<rect" + SvgAttribute("x", x) + SvgAttribute("y", y - 6) +
              SvgAttribute("width", kSample) + SvgAttribute("height", 12) +
              SvgAttribute("fill", color) + SvgAttribute("fill-opacity", 0.18) + "/>\n";
    }
    if (s.style != Style::kPoints) {
      out_ += "<polyline" + SvgAttribute("points", PointList({{x, y}, {x + kSample, y}})) +
              Stroke(s, color) + "/>\n";
    }
    if (s.style != Style::kLine) out_ += SvgMarker(x + kSample / 2, y, ColorIndex(i), color);
    out_ += SvgTextAt(x + kSample + 6, y + 4, 12, "start", kInk, SvgEscape(s.name));
  }
}

}  // namespace oqat
