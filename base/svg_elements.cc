#include "base/svg_elements.h"

#include <charconv>
#include <initializer_list>
#include <utility>

#include "base/json.h"

namespace oqat {

std::string SvgNumber(double value) {
  char digits[512];
  const auto end =
      std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, 2);
  std::string text(digits, end.ptr);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string SvgEscape(std::string_view text) {
  // A round trip through JSON replaces what is not UTF-8.
  const Json quoted = std::string(text);
  const auto valid =
      Json::parse(quoted.dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
  std::string escaped;
  for (const char c : valid) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\t':
      case '\n':
      case '\r': escaped += ' '; break;
      default: escaped += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
  }
  return escaped;
}

std::string SvgAttribute(const char* name, const std::string& value) {
  return std::string(" ") + name + "=\"" + value + "\"";
}

std::string SvgAttribute(const char* name, double value) {
  return SvgAttribute(name, SvgNumber(value));
}

std::string SvgTextAt(double x, double y, double font_size, const char* anchor,
                      const std::string& color, const std::string& content,
                      const std::string& more) {
  return "<text" + SvgAttribute("x", x) + SvgAttribute("y", y) +
         SvgAttribute("font-size", font_size) + SvgAttribute("text-anchor", anchor) +
         SvgAttribute("fill", color) + more + ">" + content + "</text>\n";
}

std::string SvgLine(double x1, double y1, double x2, double y2, const std::string& color,
                    double width, const std::string& more) {
  return "<line" + SvgAttribute("x1", x1) + SvgAttribute("y1", y1) + SvgAttribute("x2", x2) +
         SvgAttribute("y2", y2) + SvgAttribute("stroke", color) +
         SvgAttribute("stroke-width", width) + more + "/>\n";
}

std::string SvgMarker(double x, double y, int shape, const std::string& color) {
  const std::string look = SvgAttribute("fill", color) + SvgAttribute("stroke", "#ffffff") +
                           SvgAttribute("stroke-width", 0.8) + "/>\n";
  const auto polygon = [&](std::initializer_list<std::pair<double, double>> corners) {
    std::string points;
    for (const auto& [dx, dy] : corners) {
      points += (points.empty() ? "" : " ") + SvgNumber(x + dx) + "," + SvgNumber(y + dy);
    }
    return "<polygon" + SvgAttribute("points", points) + look;
  };
  switch (shape % 4) {
    case 0:
      return "<circle" + SvgAttribute("cx", x) + SvgAttribute("cy", y) + SvgAttribute("r", 4) +
             look;
    case 1: return polygon({{-3.7, -3.7}, {3.7, -3.7}, {3.7, 3.7}, {-3.7, 3.7}});
    case 2: return polygon({{0, -5}, {4.6, 3.4}, {-4.6, 3.4}});
    default: return polygon({{0, -5.2}, {5.2, 0}, {0, 5.2}, {-5.2, 0}});
  }
}

double SvgTextWidth(const std::string& content, double font_size) {
  double letters = 0;
  bool tag = false, entity = false;
  for (const char c : content) {
    if (c == '<') tag = true;
    if (c == '&') entity = true;
    const bool continues = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
    if (!tag && !continues && (!entity || c == ';')) ++letters;
    if (c == '>') tag = false;
    if (c == ';') entity = false;
  }
  return 0.56 * font_size * letters;
}

}  // namespace oqat
