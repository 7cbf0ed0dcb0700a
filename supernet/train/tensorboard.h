#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oqat::supernet {

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as TFRecord files use it.
std::uint32_t Crc32c(std::string_view bytes);

/// A TensorBoard event file: TFRecords (length, masked CRC, data, masked CRC) of tensorflow.Event
/// messages, encoded by hand. TensorBoard reads the files of a folder in the order of their names
/// and shows them as one run, so every process start makes its own. Not thread-safe.
class EventFile {
 public:
  /// Makes FOLDER/events.out.tfevents.SECONDS.HOST, with .1, .2 ... behind it where that is taken.
  /// Throws Error PERMISSION_DENIED if it cannot.
  EventFile(const std::string& folder, double wall_time, const std::string& host);

  const std::string& path() const { return path_; }

  /// Tells TensorBoard to drop what earlier files hold at `step` and later: the run begins there.
  void Restart(double wall_time, std::int64_t step);

  /// Values (by tag) of one step, on disk when it returns; `wall_time` is in seconds since 1970.
  /// Throws Error RESOURCE_EXHAUSTED on a full disk.
  void Scalars(double wall_time, std::int64_t step,
               const std::vector<std::pair<std::string, double>>& values);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void Append(std::string_view event);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace oqat::supernet
