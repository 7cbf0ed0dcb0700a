#pragma once

#include <string>
#include <string_view>

namespace oqat {

/// The pieces of SVG that charts are made of; each returns one element and a line end. Coordinates
/// are pixels, colours "#rrggbb", `more` is further attributes. Pure.

/// At most two decimals, no trailing zeros, the same in any locale.
std::string SvgNumber(double value);

/// Text as content or attribute: markup escaped, what XML cannot hold replaced.
std::string SvgEscape(std::string_view text);

/// " NAME="VALUE""; the value is escaped already.
std::string SvgAttribute(const char* name, const std::string& value);
std::string SvgAttribute(const char* name, double value);

/// `content` is escaped already and may hold tspan elements; `anchor`: start, middle, end.
std::string SvgTextAt(double x, double y, double font_size, const char* anchor,
                      const std::string& color, const std::string& content,
                      const std::string& more = "");

std::string SvgLine(double x1, double y1, double x2, double y2, const std::string& color,
                    double width, const std::string& more = "");

/// A small symbol with a white rim; there are four shapes, `shape` counts on.
std::string SvgMarker(double x, double y, int shape, const std::string& color);

/// Pixels that the visible part of escaped text takes, roughly: fonts differ, so leave room.
double SvgTextWidth(const std::string& content, double font_size);

}  // namespace oqat
