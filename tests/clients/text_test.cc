#include "clients/cli/text.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/files.h"
#include "clients/cli/plot.h"

namespace oqat::clients {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Golden text; OQAT_UPDATE_GOLDEN=1 writes it anew, and the diff is reviewed.
void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = OQAT_SOURCE_DIR "/tests/clients/golden/" + name;
  if (std::getenv("OQAT_UPDATE_GOLDEN") != nullptr) WriteFileAtomically(path, text);
  EXPECT_EQ(ReadFile(path), text) << name;
}

std::string Number(double value) {
  std::string text;
  AppendNumber(text, value);
  return text;
}

TEST(Numbers, HumanUnits) {
  EXPECT_EQ(FormatSi(0), "0");
  EXPECT_EQ(FormatSi(987), "987");
  EXPECT_EQ(FormatSi(0.25), "0.250");
  EXPECT_EQ(FormatSi(1485000), "1.485 M");
  EXPECT_EQ(FormatSi(150300000), "150.3 M");
  EXPECT_EQ(FormatSi(999960), "1.000 M");
  EXPECT_EQ(FormatSi(8.6557e9), "8.656 G");
  EXPECT_EQ(FormatSi(kNan), "-");
  EXPECT_EQ(FormatBytes(512), "512 B");
  EXPECT_EQ(FormatBytes(71680), "70.0 KiB");
  EXPECT_EQ(FormatBytes(1048575), "1.0 MiB");
  EXPECT_EQ(FormatPercent(0.6254), "62.54 %");
  EXPECT_EQ(FormatPercent(kNan), "-");
}

TEST(Numbers, AreShortestAndExact) {
  EXPECT_EQ(Number(40030364), "40030364.0");
  EXPECT_EQ(Number(4158859.140625), "4158859.140625");
  EXPECT_EQ(Number(0.1), "0.1");
  EXPECT_EQ(Number(1e22), "10000000000000000000000.0");
  for (double value : {1.0 / 3, 123456789.015625, 9007199254740993.0, 1e-300}) {
    EXPECT_EQ(std::strtod(Number(value).c_str(), nullptr), value);
  }
}

TEST(Times, AreRfc3339) {
  EXPECT_EQ(FormatTime(1795478400, 250000000), "2026-11-24T00:00:00.250Z");
}

TEST(Tables, AlignAndTrim) {
  Table table({{"name", Table::Align::kLeft}, {"MACs"}, {"note", Table::Align::kLeft}});
  table.AddRow({"a", "1.485 M", ""});
  table.AddRow({"größer", "2"});
  EXPECT_EQ(table.Render(),
            "name       MACs  note\n"
            "------  -------  ----\n"
            "a       1.485 M\n"
            "größer        2\n");
}

TEST(Csv, QuotesWhatNeedsIt) {
  EXPECT_EQ(CsvField("r16-b4"), "r16-b4");
  EXPECT_EQ(CsvField("a,\"b\""), "\"a,\"\"b\"\"\"");
}

std::vector<PlotPoint> Cloud(double widest) {
  std::vector<PlotPoint> points;
  for (int i = 0; i < 40; ++i) {
    const double share = i / 39.0;
    const double x = 1e7 * std::pow(widest, share);
    points.push_back({x, 0.30 + 0.35 * share - 0.10 * ((i * 7) % 5) / 4 - 0.02, 4, false});
  }
  for (int i = 0; i < 6; ++i) {
    points.push_back({1e7 * std::pow(widest, i / 5.0), 0.32 + 0.075 * i - 0.004 * i * i,
                      i < 2   ? 2
                      : i < 4 ? 3
                              : 4,
                      true});
  }
  return points;
}

PlotOptions Options() {
  PlotOptions options;
  options.x_title = "bitops";
  options.y_title = "top1";
  options.percent_y = true;
  options.width = 72;
  options.height = 14;
  return options;
}

TEST(Plots, GoldenUnicodeOnALogAxis) { ExpectGolden("plot_log.txt", Plot(Cloud(40), Options())); }

TEST(Plots, GoldenAsciiOnALinearAxis) {
  PlotOptions options = Options();
  options.unicode = false;
  const std::string text = Plot(Cloud(4), options);
  ExpectGolden("plot_ascii.txt", text);
  for (char c : text) EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~'));
}

TEST(Plots, GoldenColorWithoutSteps) {
  PlotOptions options = Options();
  options.color = true;
  options.steps = false;
  options.height = 6;
  ExpectGolden("plot_color.txt", Plot(Cloud(12), options));
}

TEST(Plots, EdgesAreHarmless) {
  EXPECT_EQ(Plot({}, Options()), "nothing to plot yet\n");
  EXPECT_EQ(Plot({{kNan, 0.5, 4, true}}, Options()), "nothing to plot yet\n");
  ExpectGolden("plot_single.txt", Plot({{1e8, 0.5, 3, true}}, Options()));
  // Zeros keep the axis linear; widths are respected.
  PlotOptions narrow = Options();
  narrow.width = 1;
  narrow.unicode = false;
  const std::string text = Plot({{0, 0, 2, true}, {1e12, 1, 4, true}}, narrow);
  EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("log")));
  std::size_t longest = 0, at = 0;
  for (std::size_t end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    longest = std::max(longest, end - at);
  }
  EXPECT_LE(longest, 60u);
}

}  // namespace
}  // namespace oqat::clients
