#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oqat::clients {

/// Four significant digits with a decimal prefix: 150300000 -> "150.3 M", 987 -> "987". NaN and
/// infinities give "-".
std::string FormatSi(double value);

/// Bytes with a binary prefix: 71680 -> "70.0 KiB".
std::string FormatBytes(std::uint64_t bytes);

/// A share as percent with two decimals: 0.6254 -> "62.54 %"; "-" for NaN.
std::string FormatPercent(double share);

/// The shortest decimal text that reads back as the same double, never in exponent form; whole
/// numbers end in ".0", as JSON writers print them.
void AppendNumber(std::string& out, double value);

/// RFC 3339 in UTC to the millisecond: "2026-11-24T00:12:03.250Z". Negative nanoseconds are not
/// allowed (protobuf's rule).
std::string FormatTime(std::int64_t seconds, std::int32_t nanoseconds);

/// Columns of a text table. Numbers are right-aligned, the rest left-aligned.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kRight;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// One cell per column; missing cells are empty.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }

  /// Title line, rule, rows; columns two blanks apart, no blanks at line ends.
  std::string Render() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// One field of a CSV line (RFC 4180): quoted where it holds a comma, a quote or a line end.
std::string CsvField(std::string_view text);

/// What the terminal behind stdout can show.
struct Terminal {
  int width = 80;      ///< columns
  bool utf8 = false;   ///< the locale's character set is UTF-8
  bool color = false;  ///< stdout is a terminal, TERM is not "dumb"
};

/// Reads COLUMNS, the window size, LC_ALL / LC_CTYPE / LANG, NO_COLOR and TERM. NO_COLOR (any
/// value) means plain ASCII: neither colour nor UTF-8.
Terminal DetectTerminal();

}  // namespace oqat::clients
