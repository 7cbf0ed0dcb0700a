#include "base/svg_chart.h"

#include <algorithm>
#include <cmath>

#include "base/chart_scale.h"
#include "base/error.h"
#include "base/json.h"
#include "base/svg_drawing.h"
#include "base/svg_elements.h"

namespace oqat {
namespace {

std::string Shown(double value) { return Json(value).dump(); }

void Check(const Chart& chart) {
  for (const ChartSeries& s : chart.series) {
    const std::string where = "series '" + s.name + "'";
    const std::size_t n = s.x.size();
    const bool band = !s.low.empty() || !s.high.empty();
    if (s.y.size() != n || (band && (s.low.size() != n || s.high.size() != n))) {
      throw InvalidField(where,
                         std::to_string(n) + " x, " + std::to_string(s.y.size()) + " y, " +
                             std::to_string(s.low.size()) + " low, " +
                             std::to_string(s.high.size()) + " high",
                         "as many of each; no low and no high for a curve without a band");
    }
    const auto positive = [&](const std::vector<double>& values, const char* name) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i] <= 0 && Drawable(values[i])) {
          throw InvalidField(where + ", " + name + "[" + std::to_string(i) + "]", Shown(values[i]),
                             "positive numbers on a logarithmic axis");
        }
      }
    };
    if (chart.x.log) positive(s.x, "x");
    if (!chart.y.log) continue;
    positive(s.y, "y");
    positive(s.low, "low");
    positive(s.high, "high");
  }
}

/// The axis' scale: its own ends where given, else those of the data with a share `room` added.
ChartScale ScaleOf(const ChartAxis& axis, const char* name,
                   const std::vector<const std::vector<double>*>& data, double room) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const auto* values : data) {
    for (const double v : *values) {
      if (!Drawable(v)) continue;
      low = std::min(low, v);
      high = std::max(high, v);
    }
  }
  if (low > high) {  // no data
    low = axis.low.value_or(axis.log ? 1 : 0);
    high = axis.log ? 10 * low : low + 1;
  } else if (axis.log) {
    const double factor = std::pow(high / low, room);
    low /= factor;
    high *= factor;
  } else {
    const double extra = room * (high - low);
    low -= extra;
    high += extra;
  }
  if (axis.low) low = *axis.low;
  if (axis.high) high = *axis.high;
  if (!(low <= high) || !std::isfinite(high - low) || (axis.log && low <= 0)) {
    throw InvalidField(
        std::string(name) + " axis '" + axis.label + "'", Shown(low) + " to " + Shown(high),
        axis.log ? "a positive low end below the high end" : "a low end below the high end");
  }
  return ChartScale(low, high, axis.log);
}

ChartScale XScaleOf(const Chart& chart) {
  std::vector<const std::vector<double>*> data;
  for (const ChartSeries& s : chart.series) data.push_back(&s.x);
  return ScaleOf(chart.x, "x", data, 0.02);
}

ChartScale YScaleOf(const Chart& chart) {
  std::vector<const std::vector<double>*> data;
  for (const ChartSeries& s : chart.series) data.insert(data.end(), {&s.y, &s.low, &s.high});
  return ScaleOf(chart.y, "y", data, 0.05);
}

}  // namespace

std::string RenderSvg(const std::vector<Chart>& charts) {
  int width = 0, height = 0;
  double left = 0;  // one for all, so that the plotting areas are in line
  for (const Chart& chart : charts) {
    Check(chart);
    left = std::max(left, SvgDrawing(chart, XScaleOf(chart), YScaleOf(chart), 0).left());
  }
  std::string body;
  for (const Chart& chart : charts) {
    body += "<g" + SvgAttribute("transform", "translate(0 " + std::to_string(height) + ")") +
            ">\n" + SvgDrawing(chart, XScaleOf(chart), YScaleOf(chart), left).Draw() + "</g>\n";
    width = std::max(width, chart.width);
    height += chart.height;
  }
  const std::string w = std::to_string(width), h = std::to_string(height);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\"" + SvgAttribute("width", w) +
         SvgAttribute("height", h) + SvgAttribute("viewBox", "0 0 " + w + " " + h) +
         SvgAttribute("font-family",
                      "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif") +
         ">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" + body + "</svg>\n";
}

std::string RenderSvg(const Chart& chart) { return RenderSvg(std::vector<Chart>{chart}); }

ChartSeries MeanOfRuns(const std::string& name, const std::vector<double>& x,
                       const std::vector<std::vector<double>>& runs, Spread spread) {
  for (std::size_t r = 0; r < runs.size(); ++r) {
    if (runs[r].size() != x.size()) {
      throw InvalidField("series '" + name + "', run " + std::to_string(r),
                         std::to_string(runs[r].size()) + " values",
                         std::to_string(x.size()) + ", one for each x");
    }
  }
  ChartSeries series;
  series.name = name;
  series.x = x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    double count = 0, sum = 0, low = HUGE_VAL, high = -HUGE_VAL;
    for (const auto& run : runs) {
      if (!Drawable(run[i])) continue;
      ++count;
      sum += run[i];
      low = std::min(low, run[i]);
      high = std::max(high, run[i]);
    }
    const double mean = count > 0 ? sum / count : NAN;
    if (spread == Spread::kStandardDeviation) {
      double squares = 0;
      for (const auto& run : runs) {
        if (Drawable(run[i])) squares += (run[i] - mean) * (run[i] - mean);
      }
      const double deviation = count > 1 ? std::sqrt(squares / (count - 1)) : 0;
      low = mean - deviation;
      high = mean + deviation;
    }
    series.y.push_back(mean);
    series.low.push_back(low);
    series.high.push_back(high);
  }
  return series;
}

}  // namespace oqat
