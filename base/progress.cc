#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace oqat {

std::string FormatDuration(double seconds) {
  const auto total = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  char text[64];
  if (total >= 3600) {
    std::snprintf(text, sizeof text, "%lld:%02d:%02d", static_cast<long long>(total / 3600),
                  static_cast<int>(total / 60 % 60), static_cast<int>(total % 60));
  } else if (total >= 60) {
    std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(total / 60),
                  static_cast<int>(total % 60));
  } else {
    std::snprintf(text, sizeof text, "%d s", static_cast<int>(total));
  }
  return text;
}

ProgressBar::ProgressBar(std::string title, std::FILE* out)
    : title_(std::move(title)),
      out_(out),
      terminal_(::isatty(::fileno(out)) == 1),
      start_(Clock::now()),
      last_draw_(start_) {}

ProgressBar::~ProgressBar() { Finish(); }

void ProgressBar::Update(double done, double total, const std::string& note) {
  if (first_done_ < 0) {
    first_done_ = done;
    start_ = Clock::now();
  }
  done_ = done;
  total_ = total;
  note_ = note;
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000);
  if (Clock::now() - last_draw_ >= pause) Draw(false);
}

void ProgressBar::Finish() {
  if (finished_) return;
  finished_ = true;
  if (first_done_ >= 0) Draw(true);
}

void ProgressBar::Draw(bool last) {
  last_draw_ = Clock::now();
  const double elapsed = std::chrono::duration<double>(last_draw_ - start_).count();
  const double share = total_ > 0 ? std::clamp(done_ / total_, 0.0, 1.0) : 0.0;
  const double progressed = done_ - first_done_;
  std::string time = FormatDuration(elapsed);
  if (!last && progressed > 0 && elapsed > 0.5) {
    time += ", " + FormatDuration(elapsed * (total_ - done_) / progressed) + " left";
  }
  constexpr int kWidth = 30;
  const int filled = static_cast<int>(std::lround(share * kWidth));
  std::string line = title_ + " [" + std::string(filled, '#') + std::string(kWidth - filled, '.') +
                     "] " + std::to_string(static_cast<int>(share * 100)) + " %  " + time;
  if (!note_.empty()) line += "  " + note_;
  if (terminal_) {
    const std::size_t width = line.size();
    if (width < drawn_width_) line += std::string(drawn_width_ - width, ' ');
    drawn_width_ = width;
    std::fprintf(out_, "\r%s%s", line.c_str(), last ? "\n" : "");
  } else {
    std::fprintf(out_, "%s\n", line.c_str());
  }
  std::fflush(out_);
}

}  // namespace oqat
