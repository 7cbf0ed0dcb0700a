#include "base/chart_scale.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace oqat {
namespace {

std::string Fixed(double value, int decimals) {
  char text[512];
  const auto end =
      std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals);
  return std::string(text, end.ptr);
}

/// "-1234.5" with a real minus sign and commas between thousands.
std::string Readable(double value, int decimals) {
  std::string text = Fixed(std::abs(value), decimals);
  const std::size_t dot = std::min(text.find('.'), text.size());
  for (std::size_t at = dot; at > 3; at -= 3) text.insert(at - 3, ",");
  return (value < 0 ? "−" : "") + text;
}

std::string PowerOfTen(int exponent) {
  return "10<tspan dy=\"-5\" font-size=\"9\">" + Readable(exponent, 0) + "</tspan>";
}

/// Largest integer power of ten that is at most `value`, which is positive.
int Exponent(double value) { return static_cast<int>(std::floor(std::log10(value) + 1e-9)); }

/// 1, 2 or 5 times a power of ten, so that about `target` steps make `range`.
double NiceStep(double range, int target) {
  const double raw = range / target;
  const double power = std::pow(10.0, Exponent(raw));
  const double factor = raw / power;
  return power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
}

}  // namespace

ChartScale::ChartScale(double low, double high, bool log) : low_(low), high_(high), log_(log) {
  const double size = std::max(std::abs(low), std::abs(high));
  // Closer than this, ticks would run out of digits.
  if (high - low > std::max(1e-9 * size, 1e-290)) return;
  if (log) {
    low_ /= 1.5;
    high_ *= 1.5;
  } else {
    const double half = size < 1e-280 ? 1 : 0.05 * size;
    low_ -= half;
    high_ += half;
  }
}

double ChartScale::At(double value) const {
  if (!log_) return (value - low_) / (high_ - low_);
  return (std::log(value) - std::log(low_)) / (std::log(high_) - std::log(low_));
}

std::vector<ChartScale::Tick> ChartScale::Ticks(int target) const {
  return log_ && high_ / low_ >= 8 ? LogTicks(target) : LinearTicks(target);
}

std::vector<ChartScale::Tick> ChartScale::LinearTicks(int target) const {
  const double step = NiceStep(high_ - low_, target);
  const double size = std::max(std::abs(low_), std::abs(high_));
  // Very large and very small numbers share one power of ten.
  const int shared = size >= 1e6 || size < 1e-3 ? Exponent(size) : 0;
  const int decimals = std::max(0, shared - Exponent(step));
  std::vector<Tick> ticks;
  const auto first = static_cast<std::int64_t>(std::ceil(low_ / step - 1e-9));
  const auto last = static_cast<std::int64_t>(std::floor(high_ / step + 1e-9));
  for (std::int64_t i = first; i <= last; ++i) {
    const double value = static_cast<double>(i) * step;
    std::string label = "0";
    if (i != 0) {
      label = shared == 0
                  ? Readable(value, decimals)
                  : Readable(value / std::pow(10.0, shared), decimals) + "×" + PowerOfTen(shared);
    }
    ticks.push_back({value, std::move(label)});
  }
  return ticks;
}

std::vector<ChartScale::Tick> ChartScale::LogTicks(int target) const {
  const int first = Exponent(low_), last = Exponent(high_);
  const double decades = std::log10(high_ / low_);
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / target)));
  const bool plain = low_ >= 1e-3 && high_ <= 1e5;
  std::vector<Tick> ticks;
  for (int exponent = first; exponent <= last; ++exponent) {
    const double power = std::pow(10.0, exponent);
    for (int digit = 1; digit <= (stride == 1 ? 9 : 1); ++digit) {
      const double value = digit * power;
      if (value < low_ * (1 - 1e-9) || value > high_ * (1 + 1e-9)) continue;
      const bool labelled =
          digit == 1 ? exponent % stride == 0 : decades < 2.5 && (digit == 2 || digit == 5);
      std::string label;
      if (labelled && plain) {
        label = Readable(value, std::max(0, -exponent));
      } else if (labelled) {
        label = (digit == 1 ? "" : std::to_string(digit) + "×") + PowerOfTen(exponent);
      }
      ticks.push_back({value, std::move(label)});
    }
  }
  return ticks;
}

}  // namespace oqat
