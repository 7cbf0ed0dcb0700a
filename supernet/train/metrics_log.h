#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "supernet/train/tensorboard.h"

namespace oqat::supernet {

/// A training's metrics.jsonl, one JSON object a line, and beside it a TensorBoard event file with
/// the same numbers. docs/TRAINING.md lists the lines and the tags. Not thread-safe.
///
/// A line has a string "kind" and, where it belongs to a stage, "bits" and usually "step", which
/// counts from 1 in every stage. TensorBoard's step goes on through the stages: a line with other
/// bits than the one before begins a new stage. Of the kinds train, epoch and evaluation every
/// number that is a measurement becomes a scalar:
///   train       FIELD/train/STAGE, for example loss/train/4bit
///   epoch       FIELD/epoch/STAGE
///   evaluation  FIELD/SUBNET/STAGE, for example top1/largest/float
/// but learning_rate and steps_per_second, which are one curve for all stages, have no more to
/// their names.
class MetricsLog {
 public:
  static constexpr const char* kFile = "metrics.jsonl";

  struct Options {
    /// A resumed training goes on behind that many bytes of the file; 0: a new file.
    std::uint64_t keep_bytes = 0;
    std::function<double()> wall_time;  ///< seconds since 1970; empty: the clock's
    std::string host;                   ///< in the event file's name; empty: this machine's name
  };

  /// The weights are worth more than the log: where the lines to be kept are lost or damaged, it
  /// goes on with what there is. Throws Error PERMISSION_DENIED if the files cannot be made.
  MetricsLog(const std::string& folder, Options options);

  /// Appends the line; it has left the program when this returns. Throws Error RESOURCE_EXHAUSTED
  /// on a full disk.
  void Log(const Json& line);

  /// The file's size: a training's state notes it for `keep_bytes`, so that no line is repeated.
  std::uint64_t bytes() const { return bytes_; }

  /// Steps of the finished stages and of the current one, as far as lines have told.
  std::int64_t global_step() const { return finished_steps_ + step_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void Track(const Json& line);
  void Mirror(const Json& line);

  std::string path_;
  std::function<double()> wall_time_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t bytes_ = 0;
  std::int64_t finished_steps_ = 0, step_ = 0;
  int bits_ = 0;  ///< of the current stage; 0: none yet
  std::optional<EventFile> events_;
};

/// "float" for 32 bits, else for example "4bit".
std::string StageTag(int bits);

/// The lines of a folder's metrics.jsonl. Fields that lines have in common are checked, so that
/// callers may use them: kind is there and a string; bits (1 to 32) is there in lines of a stage;
/// step, steps, epoch, epochs, progress, images are numbers >= 0; loss, top1, learning_rate are
/// numbers or null (not finite); subnet is a string. A last line without its end is still being
/// written and left out. Throws Error NOT_FOUND if there is no such file, DATA_LOSS with the line's
/// number for a damaged one.
std::vector<Json> ReadMetrics(const std::string& folder);

}  // namespace oqat::supernet
