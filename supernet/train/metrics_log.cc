#include "supernet/train/metrics_log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "base/files.h"

namespace oqat::supernet {
namespace {

constexpr std::array<const char*, 6> kCounts = {"step",   "steps",    "epoch",
                                                "epochs", "progress", "images"};
constexpr std::array<const char*, 3> kMeasurements = {"loss", "top1", "learning_rate"};
constexpr std::array<const char*, 4> kStageKinds = {"train", "epoch", "evaluation", "stage"};

std::string PathIn(const std::string& folder) {
  return (std::filesystem::path(folder) / MetricsLog::kFile).string();
}

double ClockSeconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string HostName() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != 0 ? name : "localhost";
}

Error Damaged(const std::string& where, const std::string& field, const Json* value,
              const std::string& allowed) {
  const std::string shown = value == nullptr ? "nothing" : value->dump(-1, ' ', true).substr(0, 60);
  return InvalidField(where + ": " + field, shown, allowed);
}

template <typename Names>
bool IsIn(const std::string& name, const Names& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void CheckLine(const Json& line, const std::string& where) {
  if (!line.is_object()) throw Damaged(where, "line", &line, "a JSON object");
  if (!line.contains("kind")) throw Damaged(where, "kind", nullptr, "a string");
  if (!line["kind"].is_string()) throw Damaged(where, "kind", &line["kind"], "a string");
  if (IsIn(line["kind"].get<std::string>(), kStageKinds) && !line.contains("bits")) {
    throw Damaged(where, "bits", nullptr, "1 to 32");
  }
  for (const auto& [name, value] : line.items()) {
    const auto demand = [&name = name, &value = value, &where](bool good, const char* allowed) {
      if (!good) throw Damaged(where, name, &value, allowed);
    };
    if (name == "bits") {
      demand(value.is_number_integer() && value >= 1 && value <= 32, "1 to 32");
    } else if (name == "subnet") {
      demand(value.is_string(), "a string");
    } else if (IsIn(name, kCounts)) {
      demand(value.is_number() && value >= 0 && value <= 1e15, "a number from 0 to 1e15");
    } else if (IsIn(name, kMeasurements)) {
      demand(value.is_number() || value.is_null(), "a number or null");
    }
  }
}

/// Calls `visit` with each whole line of `text` and its number; what stands behind the last line
/// end is left out.
void ForEachLine(std::string_view text,
                 const std::function<void(std::string_view line, int number)>& visit) {
  std::size_t begin = 0;
  for (int number = 1;; ++number) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) return;
    visit(text.substr(begin, end - begin), number);
    begin = end + 1;
  }
}

/// A line of the file `path`, checked. Throws Error DATA_LOSS.
Json ParseLine(std::string_view text, const std::string& path, int number) {
  const std::string where = path + ", line " + std::to_string(number);
  try {
    Json line = ParseJson(text, where);
    CheckLine(line, where);
    return line;
  } catch (const Error& error) {
    throw Error(Code::kDataLoss, error.what());
  }
}

/// The whole lines among the first `bytes` bytes of a file that may be lost.
std::string KeptPart(const std::string& path, std::uint64_t bytes) {
  if (bytes == 0 || !std::filesystem::exists(path)) return "";
  std::string text = ReadFile(path);
  text.resize(std::min<std::uint64_t>(text.size(), bytes));
  text.resize(text.rfind('\n') + 1);  // npos + 1 is 0
  return text;
}

}  // namespace

std::string StageTag(int bits) { return bits == 32 ? "float" : std::to_string(bits) + "bit"; }

MetricsLog::MetricsLog(const std::string& folder, Options options)
    : path_(PathIn(folder)),
      wall_time_(options.wall_time ? std::move(options.wall_time) : ClockSeconds) {
  const std::string kept = KeptPart(path_, options.keep_bytes);
  ForEachLine(kept, [this](std::string_view line, int number) {
    try {
      Track(ParseLine(line, path_, number));
    } catch (const Error&) {
      // Only TensorBoard's step depends on it.
    }
  });
  if (!kept.empty()) std::filesystem::resize_file(path_, kept.size());
  bytes_ = kept.size();
  file_.reset(std::fopen(path_.c_str(), kept.empty() ? "wb" : "ab"));
  if (file_ == nullptr) {
    throw Error(Code::kPermissionDenied, path_ + ": cannot be written: " + std::strerror(errno));
  }
  const double now = wall_time_();
  events_.emplace(folder, now, options.host.empty() ? HostName() : options.host);
  events_->Restart(now, global_step() + 1);
}

void MetricsLog::Log(const Json& line) {
  const std::string text = line.dump() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() ||
      std::fflush(file_.get()) != 0) {
    throw Error(Code::kResourceExhausted, path_ + ": cannot be written: " + std::strerror(errno));
  }
  bytes_ += text.size();
  Track(line);
  Mirror(line);
}

void MetricsLog::Track(const Json& line) {
  const int bits = line.value("bits", bits_);
  if (bits != bits_) {
    finished_steps_ = global_step();
    step_ = 0;
    bits_ = bits;
  }
  step_ = std::max(step_, line.value("step", line.value("steps", step_)));
}

void MetricsLog::Mirror(const Json& line) {
  const std::string kind = line.value("kind", "");
  std::string context = kind;
  if (kind == "evaluation") {
    context = line.value("subnet", "subnet");
  } else if (kind != "train" && kind != "epoch") {
    return;
  }
  const std::string tail = "/" + context + "/" + StageTag(bits_);
  std::vector<std::pair<std::string, double>> scalars;
  for (const auto& [name, value] : line.items()) {
    const bool position = name == "bits" || name == "seconds" || IsIn(name, kCounts);
    if (!value.is_number() || position) continue;
    const bool one_curve = name == "learning_rate" || name == "steps_per_second";
    scalars.emplace_back(one_curve ? name : name + tail, value.get<double>());
  }
  if (!scalars.empty()) events_->Scalars(wall_time_(), global_step(), scalars);
}

std::vector<Json> ReadMetrics(const std::string& folder) {
  const std::string path = PathIn(folder);
  if (!std::filesystem::is_regular_file(path)) {
    throw Error(Code::kNotFound, "'" + folder + "' holds no training: there is no " +
                                     std::string(MetricsLog::kFile) + " in it");
  }
  std::vector<Json> lines;
  ForEachLine(ReadFile(path), [&](std::string_view line, int number) {
    lines.push_back(ParseLine(line, path, number));
  });
  return lines;
}

}  // namespace oqat::supernet
