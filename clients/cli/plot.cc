#include "clients/cli/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>

#include "clients/cli/text.h"

namespace oqat::clients {
namespace {

constexpr int kMargin = 9;  // "100.00 % " left of the axis
constexpr const char* kReset = "\x1b[0m";
constexpr const char* kDim = "\x1b[90m";

// A value range mapped to [0, 1].
struct Scale {
  double low = 0, high = 1;
  bool logarithmic = false;

  double Share(double value) const {
    const double v = logarithmic ? std::log10(value) : value;
    return (v - low) / (high - low);
  }
};

Scale ScaleOf(const std::vector<double>& values, bool may_be_log) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  Scale scale{*least, *most, false};
  if (may_be_log && scale.low > 0 && scale.high > 10 * scale.low) {
    scale = {std::log10(scale.low), std::log10(scale.high), true};
  }
  double pad = 0.03 * (scale.high - scale.low);
  // One value only: room on both sides of it.
  if (pad == 0) pad = scale.low == 0 ? 1 : 0.05 * std::abs(scale.low);
  scale.low -= pad;
  scale.high += pad;
  return scale;
}

// Round values inside the scale: about `wanted` of them, or 1-2-5 steps on a logarithmic one.
std::vector<double> Ticks(const Scale& scale, int wanted) {
  std::vector<double> ticks;
  if (scale.logarithmic) {
    for (int decade = static_cast<int>(std::floor(scale.low)); decade <= scale.high; ++decade) {
      for (double digit : {1.0, 2.0, 5.0}) {
        const double value = digit * std::pow(10.0, decade);
        const double v = std::log10(value);
        if (v >= scale.low && v <= scale.high) ticks.push_back(value);
      }
    }
    return ticks;
  }
  const double raw = (scale.high - scale.low) / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double digit = raw / power;
  const double step = power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
  for (double k = std::ceil(scale.low / step); k * step <= scale.high; ++k) {
    ticks.push_back(k * step);
  }
  return ticks;
}

std::string YLabel(double value, bool percent) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), percent ? "%.1f %%" : "%.4g",
                percent ? value * 100 : value);
  return text.data();
}

// Ticks are round numbers: "20 M", not "20.00 M".
std::string XLabel(double value) {
  std::string label = FormatSi(value);
  const std::size_t point = label.find('.');
  if (point == std::string::npos) return label;
  const std::size_t end = std::min(label.find(' '), label.size());
  std::size_t keep = end;
  while (label[keep - 1] == '0') --keep;
  if (keep == point + 1) keep = point;
  return label.erase(keep, end - keep);
}

const char* ColorOf(int series) {
  switch (series) {
    case 4: return "\x1b[1;32m";
    case 3: return "\x1b[1;33m";
    case 2: return "\x1b[1;31m";
    default: return "\x1b[1;36m";
  }
}

// Cells of 2 x 4 dots (braille) or of one (ASCII).
class Canvas {
 public:
  Canvas(int columns, int rows, bool unicode)
      : columns_(columns),
        rows_(rows),
        unicode_(unicode),
        cell_width_(unicode ? 2 : 1),
        cell_height_(unicode ? 4 : 1),
        cells_(static_cast<std::size_t>(columns) * rows) {}

  int X(double share) const { return Pixel(share, columns_ * cell_width_); }
  int Y(double share) const { return Pixel(1 - share, rows_ * cell_height_); }

  void Dot(int x, int y) {
    Cell& cell = At(x, y);
    cell.dots |= Bit(x, y);
    if (cell.ascii == ' ') cell.ascii = '.';
  }
  void Line(int x, int y, char ascii) {
    Cell& cell = At(x, y);
    cell.dots |= Bit(x, y);
    cell.line = true;
    const bool crossing = (cell.ascii == '-' || cell.ascii == '|') && cell.ascii != ascii;
    cell.ascii = crossing ? '+' : ascii;
  }
  void Mark(int x, int y, int series) { At(x, y).series = series; }

  std::string Row(int row, bool color) const {
    std::string text;
    std::size_t end = 0;  // behind the last cell that is not blank
    for (int column = 0; column < columns_; ++column) {
      const Cell& cell = cells_[static_cast<std::size_t>(row) * columns_ + column];
      if (cell.series) {
        const std::string digit(1, static_cast<char>('0' + *cell.series % 10));
        text += color ? ColorOf(*cell.series) + digit + kReset : digit;
      } else if (cell.dots == 0) {
        text += ' ';
        continue;
      } else {
        const std::string glyph = unicode_ ? Braille(cell.dots) : std::string(1, cell.ascii);
        text += color && !cell.line ? kDim + glyph + kReset : glyph;
      }
      end = text.size();
    }
    return text.substr(0, end);
  }

 private:
  struct Cell {
    unsigned dots = 0;
    char ascii = ' ';
    bool line = false;
    std::optional<int> series;
  };

  static int Pixel(double share, int count) {
    return std::clamp(static_cast<int>(std::lround(share * (count - 1))), 0, count - 1);
  }
  Cell& At(int x, int y) {
    return cells_[static_cast<std::size_t>(y / cell_height_) * columns_ + x / cell_width_];
  }
  // Unicode 2.0, Braille patterns: dots 1-3 and 7 left, 4-6 and 8 right, from the top.
  unsigned Bit(int x, int y) const {
    if (!unicode_) return 1;
    static constexpr unsigned kBits[4][2] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    return kBits[y % 4][x % 2];
  }
  static std::string Braille(unsigned dots) {
    const unsigned code = 0x2800 + dots;
    return {static_cast<char>(0xE0 | (code >> 12)), static_cast<char>(0x80 | ((code >> 6) & 0x3F)),
            static_cast<char>(0x80 | (code & 0x3F))};
  }

  int columns_, rows_;
  bool unicode_;
  int cell_width_, cell_height_;
  std::vector<Cell> cells_;
};

void DrawSteps(Canvas& canvas, const Scale& xs, const Scale& ys,
               const std::vector<PlotPoint>& front) {
  for (std::size_t i = 0; i + 1 < front.size(); ++i) {
    const int x0 = canvas.X(xs.Share(front[i].x)), x1 = canvas.X(xs.Share(front[i + 1].x));
    const int y0 = canvas.Y(ys.Share(front[i].y)), y1 = canvas.Y(ys.Share(front[i + 1].y));
    for (int x = x0; x <= x1; ++x) canvas.Line(x, y0, '-');
    for (int y = std::min(y0, y1); y <= std::max(y0, y1); ++y) canvas.Line(x1, y, '|');
  }
}

std::string XAxis(const Scale& xs, int columns, bool unicode) {
  std::string axis, labels(static_cast<std::size_t>(columns) + 24, ' ');
  std::set<int> marks;
  int free_from = 0;
  for (double tick : Ticks(xs, 5)) {
    const int at = static_cast<int>(std::lround(xs.Share(tick) * (columns - 1)));
    const std::string label = XLabel(tick);
    const int from = std::max(0, at - static_cast<int>(label.size()) / 2);
    if (from < free_from) continue;
    labels.replace(static_cast<std::size_t>(from), label.size(), label);
    free_from = from + static_cast<int>(label.size()) + 3;
    marks.insert(at);
  }
  for (int column = 0; column < columns; ++column) {
    axis += marks.contains(column) ? (unicode ? "┴" : "+") : (unicode ? "─" : "-");
  }
  labels.erase(labels.find_last_not_of(' ') + 1);
  const std::string margin(kMargin, ' ');
  return margin + (unicode ? "└" : "+") + axis + "\n" + margin + " " + labels + "\n";
}

std::string Legend(const std::vector<PlotPoint>& points, const PlotOptions& options) {
  std::set<int, std::greater<>> widths;
  bool others = false;
  for (const PlotPoint& point : points) {
    if (point.front) {
      widths.insert(point.series);
    } else {
      others = true;
    }
  }
  std::string text;
  for (int bits : widths) {
    const std::string digit = std::to_string(bits % 10);
    text += (text.empty() ? "" : ", ") + (options.color ? ColorOf(bits) + digit + kReset : digit);
  }
  std::string legend = text.empty() ? "" : "front: " + text + " bit";
  if (others) {
    legend += std::string(legend.empty() ? "" : "; ") + (options.unicode ? "⠂" : ".") +
              " other evaluations";
  }
  return legend;
}

}  // namespace

std::string Plot(const std::vector<PlotPoint>& points, const PlotOptions& options) {
  std::vector<PlotPoint> shown, front;
  std::vector<double> x_values, y_values;
  for (const PlotPoint& point : points) {
    if (!std::isfinite(point.x) || !std::isfinite(point.y)) continue;
    shown.push_back(point);
    if (point.front) front.push_back(point);
    x_values.push_back(point.x);
    y_values.push_back(point.y);
  }
  if (shown.empty()) return "nothing to plot yet\n";

  const int columns = std::max(options.width, 40) - kMargin - 2;
  const int rows = std::max(options.height, 4);
  const Scale xs = ScaleOf(x_values, true), ys = ScaleOf(y_values, false);
  Canvas canvas(columns, rows, options.unicode);
  for (const PlotPoint& point : shown) {
    if (!point.front) canvas.Dot(canvas.X(xs.Share(point.x)), canvas.Y(ys.Share(point.y)));
  }
  std::stable_sort(front.begin(), front.end(),
                   [](const PlotPoint& a, const PlotPoint& b) { return a.x < b.x; });
  if (options.steps) DrawSteps(canvas, xs, ys, front);
  for (const PlotPoint& point : front) {
    canvas.Mark(canvas.X(xs.Share(point.x)), canvas.Y(ys.Share(point.y)), point.series);
  }

  std::map<int, std::string> y_labels;
  for (double tick : Ticks(ys, 6)) {
    const int row = static_cast<int>(std::lround((1 - ys.Share(tick)) * (rows - 1)));
    y_labels[row] = YLabel(tick, options.percent_y);
  }
  std::string out = options.y_title + " against " + options.x_title +
                    (xs.logarithmic ? " (log axis)" : "") + "\n";
  for (int row = 0; row < rows; ++row) {
    const auto label = y_labels.find(row);
    const std::string text = label == y_labels.end() ? "" : label->second;
    out += std::string(kMargin - 1 - std::min<std::size_t>(text.size(), kMargin - 1), ' ') + text +
           " ";
    const bool tick = label != y_labels.end();
    out += options.unicode ? (tick ? "┤" : "│") : (tick ? "+" : "|");
    out += canvas.Row(row, options.color) + "\n";
  }
  out += XAxis(xs, columns, options.unicode);
  out += std::string(kMargin + 1, ' ') + Legend(shown, options) + "\n";
  return out;
}

}  // namespace oqat::clients
