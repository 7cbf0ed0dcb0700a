#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace oqat {

/// A progress bar on stderr with time left: redrawn in place on a terminal (at most ten times a
/// second), a plain line now and then (every ten seconds) elsewhere. Single-threaded.
class ProgressBar {
 public:
  explicit ProgressBar(std::string title, std::FILE* out = stderr);
  ~ProgressBar();

  /// `note` is shown behind the bar, for example the current loss.
  void Update(double done, double total, const std::string& note = "");

  /// Draws the last state and ends the line.
  void Finish();

 private:
  void Draw(bool last);

  using Clock = std::chrono::steady_clock;
  std::string title_, note_;
  std::FILE* out_;
  bool terminal_;
  bool finished_ = false;
  double done_ = 0, total_ = 0;
  double first_done_ = -1;
  std::size_t drawn_width_ = 0;
  Clock::time_point start_, last_draw_;
};

/// "1:02:03", "2:03", "3 s".
std::string FormatDuration(double seconds);

}  // namespace oqat
