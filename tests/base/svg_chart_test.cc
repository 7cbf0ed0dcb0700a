#include "base/svg_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/chart_scale.h"
#include "base/error.h"

namespace oqat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// What is wrong with `xml`, or "": elements closed in order, attributes quoted and unique, "&"
/// only as one of XML's own entities.
std::string XmlFault(const std::string& xml) {
  std::vector<std::string> open;
  std::size_t roots = 0;
  const auto entities_good = [](const std::string& text) {
    for (std::size_t at = text.find('&'); at != std::string::npos; at = text.find('&', at + 1)) {
      const std::string entity = text.substr(at, text.find(';', at) - at + 1);
      if (entity != "&amp;" && entity != "&lt;" && entity != "&gt;" && entity != "&quot;") {
        return false;
      }
    }
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return c >= 0x20 || c == '\n'; });
  };
  for (std::size_t at = 0; at < xml.size();) {
    if (xml[at] != '<') {
      const std::size_t end = std::min(xml.find('<', at), xml.size());
      const std::string text = xml.substr(at, end - at);
      if (!entities_good(text)) return "text: " + text;
      if (open.empty() && text != "\n") return "outside the root: " + text;
      at = end;
      continue;
    }
    const std::size_t end = xml.find('>', at);
    if (end == std::string::npos) return "no end of a tag";
    std::string tag = xml.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return "unexpected </" + tag.substr(1);
      open.pop_back();
      continue;
    }
    const bool closed = tag.back() == '/';
    if (closed) tag.pop_back();
    std::size_t space = std::min(tag.find(' '), tag.size());
    const std::string name = tag.substr(0, space);
    if (open.empty()) ++roots;
    std::vector<std::string> attributes;
    while (space < tag.size()) {
      const std::size_t equals = tag.find("=\"", space);
      const std::size_t quote = equals == std::string::npos ? equals : tag.find('"', equals + 2);
      if (quote == std::string::npos) return "attributes of " + tag;
      attributes.push_back(tag.substr(space + 1, equals - space - 1));
      const std::string value = tag.substr(equals + 2, quote - equals - 2);
      if (!entities_good(value) || value.find('<') != std::string::npos) return "value " + value;
      space = quote + 1;
      if (space < tag.size() && tag[space] != ' ') return "attributes of " + tag;
    }
    std::sort(attributes.begin(), attributes.end());
    if (std::adjacent_find(attributes.begin(), attributes.end()) != attributes.end()) {
      return "an attribute twice in " + tag;
    }
    if (!closed) open.push_back(name);
  }
  if (!open.empty()) return "<" + open.back() + "> is not closed";
  return roots == 1 ? "" : "more than one root";
}

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

ChartSeries Series(std::vector<double> x, std::vector<double> y, const std::string& name = "") {
  ChartSeries series;
  series.name = name;
  series.x = std::move(x);
  series.y = std::move(y);
  return series;
}

/// Renders, expects well-formed XML and no coordinate that is not a number.
std::string Rendered(const Chart& chart) {
  std::string svg = RenderSvg(chart);
  EXPECT_EQ(XmlFault(svg), "");
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  EXPECT_THAT(svg, StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  return svg;
}

std::string ErrorOf(const Chart& chart) {
  try {
    RenderSvg(chart);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    return error.what();
  }
  return "";
}

std::vector<std::string> Labels(const ChartScale& scale, int target) {
  std::vector<std::string> labels;
  for (const auto& tick : scale.Ticks(target)) {
    if (!tick.label.empty()) labels.push_back(tick.label);
  }
  return labels;
}

TEST(XmlFault, FindsFaults) {
  EXPECT_EQ(XmlFault("<a b=\"1\"><c/>x &amp; y</a>\n"), "");
  for (const char* bad : {"<a>", "<a></b>", "<a b=1/>", "<a b=\"1\" b=\"2\"/>", "<a>&</a>",
                          "<a>\x01</a>", "<a/><a/>", "<a b=\"<\"/>", "<a/>x", "<a"}) {
    EXPECT_NE(XmlFault(bad), "") << bad;
  }
}

TEST(SvgChart, DrawsCurvesBandsMarksAndLegend) {
  Chart chart;
  chart.title = "Title";
  chart.x.label = "epochs";
  chart.y.label = "top1 (%)";
  chart.series.push_back(Series({0, 1, 2}, {10, 20, 30}, "largest"));
  chart.series.back().low = {9, 19, 29};
  chart.series.back().high = {11, 21, 31};
  chart.series.push_back(Series({0, 1, 2}, {5, 6, 7}, "smallest"));
  chart.series.back().style = ChartSeries::Style::kLineWithPoints;
  chart.series.back().dash = ChartSeries::Dash::kDashed;
  chart.marks = {{1, "4 bit", -1}, {99, "outside", -1}};
  const std::string svg = Rendered(chart);
  for (const char* text :
       {">Title<", ">epochs<", ">top1 (%)<", ">largest<", ">smallest<", ">4 bit<", "#0072B2",
        "#D55E00", "width=\"800\"", "height=\"500\"", "stroke-dasharray=\"7 4\""}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
  EXPECT_THAT(svg, Not(HasSubstr("outside")));
  EXPECT_EQ(Count(svg, "fill-opacity=\"0.18\""), 2);  // the band and its sample in the legend
  EXPECT_EQ(Count(svg, "<polyline"), 4);
  EXPECT_EQ(Count(svg, "<polygon"), 1 + 3 + 1);  // the band, three markers, one in the legend
  EXPECT_EQ(svg, RenderSvg(chart));
}

TEST(SvgChart, TextIsEscaped) {
  Chart chart;
  chart.title = "a < b & c > \"d\"";
  chart.x.label = "</text>";
  chart.y.label = "bad \xff utf-8, \x01 control\n";
  chart.series.push_back(Series({1, 2}, {1, 2}, "<script>&amp;"));
  chart.marks.push_back({1.5, "<mark>", -1});
  const std::string svg = Rendered(chart);
  EXPECT_THAT(svg, HasSubstr("a &lt; b &amp; c &gt; &quot;d&quot;"));
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;&amp;amp;"));
  EXPECT_THAT(svg, HasSubstr("bad \xEF\xBF\xBD utf-8, ? control "));
}

TEST(SvgChart, EmptyChartsSaySo) {
  Chart chart;
  EXPECT_THAT(Rendered(chart), HasSubstr("no data"));
  chart.series.push_back(Series({}, {}, "empty"));
  chart.series.push_back(Series({1, 2}, {kNan, kNan}, "nothing"));
  EXPECT_THAT(Rendered(chart), HasSubstr("no data"));
  chart.x.log = chart.y.log = true;
  EXPECT_THAT(Rendered(chart), HasSubstr("no data"));
}

TEST(SvgChart, ASinglePointIsSeen) {
  for (const bool log : {false, true}) {
    Chart chart;
    chart.x.log = log;
    chart.series.push_back(Series({3}, {0.5}));
    EXPECT_EQ(Count(Rendered(chart), "<circle"), 1);
  }
}

TEST(SvgChart, PointsThatAreNotFiniteAreSkippedAndBreakTheLine) {
  const double infinity = std::numeric_limits<double>::infinity();
  Chart chart;
  chart.series.push_back(
      Series({1, 2, 3, 4, 5, 6, 7, kNan, 9}, {1, 2, kNan, 4, 5, infinity, 7, 8, -infinity}));
  const std::string svg = Rendered(chart);
  EXPECT_EQ(Count(svg, "<polyline"), 2);  // 1-2, 4-5
  EXPECT_EQ(Count(svg, "<circle"), 1);    // 7 stands alone

  chart.series[0].low = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  chart.series[0].high = {2, 3, 4, kNan, 6, 7, 8, 9, 10};
  EXPECT_EQ(Count(Rendered(chart), "<polygon"), 2 + 1);  // 1-3, 5-7, and 9 alone
}

TEST(SvgChart, ExtremeNumbersDoNotOverflow) {
  Chart chart;
  chart.series.push_back(Series({-1e300, 1e300, 1e308}, {1e-320, 2e-320, 1}));
  chart.x.low = 0;
  chart.x.high = 1;
  Rendered(chart);
  chart.x.low = chart.x.high = std::nullopt;
  Rendered(chart);
  chart.series = {Series({1e15, 1e15 + 0.125}, {-5, -5})};
  Rendered(chart);
}

TEST(SvgChart, LogarithmicAxesRefuseWhatIsNotPositive) {
  Chart chart;
  chart.series.push_back(Series({1, 0.5, -0.001}, {1, 2, 0}, "cost"));
  Rendered(chart);
  chart.x.log = true;
  EXPECT_EQ(ErrorOf(chart),
            "series 'cost', x[2]: got -0.001; allowed: positive numbers on a logarithmic axis");
  chart.x.log = false;
  chart.y.log = true;
  EXPECT_EQ(ErrorOf(chart),
            "series 'cost', y[2]: got 0.0; allowed: positive numbers on a logarithmic axis");
  chart.series[0].y[2] = 3;
  chart.y.low = 0;
  EXPECT_THAT(ErrorOf(chart), StartsWith("y axis ''"));
}

TEST(SvgChart, SizesAndEndsAreChecked) {
  Chart chart;
  chart.series.push_back(Series({1, 2}, {1}, "s"));
  EXPECT_THAT(ErrorOf(chart), HasSubstr("series 's': got 2 x, 1 y, 0 low, 0 high"));
  chart.series[0].y = {1, 2};
  chart.series[0].low = {0, 0};
  EXPECT_THAT(ErrorOf(chart), HasSubstr("2 low, 0 high"));
  chart.series[0].high = {3, 3};
  chart.x = {"steps", false, 5, 4};
  EXPECT_EQ(ErrorOf(chart),
            "x axis 'steps': got 5.0 to 4.0; allowed: a low end below the high end");
}

TEST(SvgChart, PanelsStandBelowEachOther) {
  Chart small, large;
  small.height = 200;
  large.width = 900;
  large.series.push_back(Series({1, 2}, {1e8, 2e8}));
  const std::string svg = RenderSvg(std::vector<Chart>{small, large});
  EXPECT_EQ(XmlFault(svg), "");
  EXPECT_THAT(svg, HasSubstr("viewBox=\"0 0 900 700\""));
  EXPECT_THAT(svg, HasSubstr("translate(0 200)"));
}

TEST(ChartScale, LinearTicksAreRoundNumbers) {
  EXPECT_THAT(Labels(ChartScale(0, 40, false), 5), ElementsAre("0", "10", "20", "30", "40"));
  EXPECT_THAT(Labels(ChartScale(-0.031, 0.032, false), 4), ElementsAre("−0.02", "0", "0.02"));
  EXPECT_THAT(Labels(ChartScale(0, 60000, false), 3),
              ElementsAre("0", "20,000", "40,000", "60,000"));
  EXPECT_THAT(Labels(ChartScale(0.9, 3e6, false), 3),
              ElementsAre("1×10<tspan dy=\"-5\" font-size=\"9\">6</tspan>",
                          "2×10<tspan dy=\"-5\" font-size=\"9\">6</tspan>",
                          "3×10<tspan dy=\"-5\" font-size=\"9\">6</tspan>"));
  const auto ticks = ChartScale(7, 7, false).Ticks(5);
  EXPECT_GE(ticks.size(), 3u);
}

TEST(ChartScale, LogarithmicTicksFollowTheDecades) {
  EXPECT_THAT(Labels(ChartScale(1, 100, true), 6),
              ElementsAre("1", "2", "5", "10", "20", "50", "100"));
  EXPECT_THAT(Labels(ChartScale(1, 1e4, true), 6),
              ElementsAre("1", "10", "100", "1,000", "10,000"));
  EXPECT_EQ(Labels(ChartScale(1, 1e12, true), 4).size(), 5u);
  // Less than a decade: as on a linear axis.
  EXPECT_THAT(Labels(ChartScale(2, 5, true), 3), ElementsAre("2", "3", "4", "5"));
  EXPECT_DOUBLE_EQ(ChartScale(1, 100, true).At(10), 0.5);
  EXPECT_DOUBLE_EQ(ChartScale(0, 100, false).At(10), 0.1);
}

TEST(MeanOfRuns, MeanAndSpread) {
  const std::vector<double> x{1, 2, 3};
  const std::vector<std::vector<double>> runs{{1, 5, kNan}, {3, kNan, kNan}, {8, kNan, kNan}};
  const ChartSeries deviation = MeanOfRuns("runs", x, runs, Spread::kStandardDeviation);
  EXPECT_EQ(deviation.name, "runs");
  EXPECT_DOUBLE_EQ(deviation.y[0], 4);
  EXPECT_DOUBLE_EQ(deviation.high[0] - 4, std::sqrt((9. + 1 + 16) / 2));
  EXPECT_DOUBLE_EQ(4 - deviation.low[0], std::sqrt((9. + 1 + 16) / 2));
  EXPECT_EQ(deviation.y[1], 5);
  EXPECT_EQ(deviation.low[1], 5);
  EXPECT_TRUE(std::isnan(deviation.y[2]));

  const ChartSeries range = MeanOfRuns("runs", x, runs, Spread::kRange);
  EXPECT_EQ(range.low[0], 1);
  EXPECT_EQ(range.high[0], 8);
  Chart chart;
  chart.series = {deviation, range};
  Rendered(chart);

  EXPECT_THROW(MeanOfRuns("runs", x, {{1, 2}}, Spread::kRange), Error);
}

}  // namespace
}  // namespace oqat
