#include "clients/cli/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace oqat::clients {
namespace {

std::string Printed(const char* format, double value) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

// Columns that `text` takes: UTF-8 continuation bytes take none.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool IsUtf8(const char* locale) {
  std::string text = locale;
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.find("utf-8") != std::string::npos || text.find("utf8") != std::string::npos;
}

}  // namespace

std::string FormatSi(double value) {
  if (!std::isfinite(value)) return "-";
  static constexpr std::array<std::string_view, 6> kPrefixes = {"", " k", " M", " G", " T", " P"};
  double scaled = value;
  std::size_t prefix = 0;
  // 999.95 would be printed as 1000.
  while (std::abs(scaled) >= 999.95 && prefix + 1 < kPrefixes.size()) {
    scaled /= 1000;
    ++prefix;
  }
  if (prefix == 0 && scaled == std::floor(scaled)) return Printed("%.0f", scaled);
  const char* format = std::abs(scaled) >= 99.995   ? "%.1f"
                       : std::abs(scaled) >= 9.9995 ? "%.2f"
                                                    : "%.3f";
  return Printed(format, scaled).append(kPrefixes[prefix]);
}

std::string FormatBytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 4> kFormats = {"%.0f B", "%.1f KiB", "%.1f MiB",
                                                          "%.1f GiB"};
  double scaled = static_cast<double>(bytes);
  std::size_t prefix = 0;
  while (scaled >= 1023.95 && prefix + 1 < kFormats.size()) {
    scaled /= 1024;
    ++prefix;
  }
  return Printed(kFormats[prefix], scaled);
}

std::string FormatPercent(double share) {
  return std::isfinite(share) ? Printed("%.2f %%", share * 100) : "-";
}

void AppendNumber(std::string& out, double value) {
  // The longest fixed form of a double has 309 digits before the point.
  std::array<char, 400> text;
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const std::string_view digits(text.data(), static_cast<std::size_t>(end - text.data()));
  out.append(digits);
  if (digits.find('.') == std::string_view::npos) out.append(".0");
}

std::string FormatTime(std::int64_t seconds, std::int32_t nanoseconds) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 64> text;
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ", nanoseconds / 1000000);
  return text.data();
}

std::string Table::Render() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = Width(columns_[c].title);
    for (const auto& row : rows_) {
      if (c < row.size()) width = std::max(width, Width(row[c]));
    }
    widths.push_back(width);
  }
  std::string out;
  const auto line = [&](const auto& cell_of) {
    std::string text;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const std::string cell = cell_of(c);
      const std::string pad(widths[c] - Width(cell), ' ');
      if (c > 0) text += "  ";
      text += columns_[c].align == Align::kRight ? pad + cell : cell + pad;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  line([&](std::size_t c) { return columns_[c].title; });
  line([&](std::size_t c) { return std::string(widths[c], '-'); });
  for (const auto& row : rows_) {
    line([&](std::size_t c) { return c < row.size() ? row[c] : std::string(); });
  }
  return out;
}

std::string CsvField(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

Terminal DetectTerminal() {
  Terminal terminal;
  winsize size{};
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  if (is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.width = size.ws_col;
  } else if (const char* columns = std::getenv("COLUMNS")) {
    terminal.width = std::atoi(columns);
  }
  terminal.width = std::clamp(terminal.width, 40, 200);
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* locale = std::getenv(name);
    if (locale == nullptr || *locale == '\0') continue;
    terminal.utf8 = IsUtf8(locale);
    break;
  }
  const char* term = std::getenv("TERM");
  terminal.color = is_terminal && term != nullptr && std::string_view(term) != "dumb";
  if (std::getenv("NO_COLOR") != nullptr) terminal.color = terminal.utf8 = false;
  return terminal;
}

}  // namespace oqat::clients
