#include "artifacts/evaluation_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "artifacts/gzip.h"
#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "space/metric.h"

namespace oqat::artifacts {
namespace {

constexpr std::string_view kColumns =
    "key,macs,bitops,weighted_macs,params,weight_bytes,search_top1,test_top1";
constexpr std::array kCosts{space::Metric::kMacs, space::Metric::kBitops,
                            space::Metric::kWeightedMacs, space::Metric::kParams,
                            space::Metric::kWeightBytes};
constexpr std::uint64_t kMaxFile = std::uint64_t{1} << 30;
constexpr std::int64_t kMaxImages = std::int64_t{1} << 40;

std::string CostColumns(const space::SearchSpace& space, const space::Architecture& architecture) {
  const space::MetricValues costs = space::CostMetrics(space, architecture);
  std::string columns;
  for (const space::Metric cost : kCosts) columns += "," + Json(costs.at(cost)).dump();
  return columns;
}

EvaluationTable::Provenance ProvenanceFromJson(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  EvaluationTable::Provenance from;
  from.model = reader.String("model");
  const Json& checkpoints = reader.Get("checkpoints");
  if (!checkpoints.is_object()) {
    throw InvalidField(reader.PathOf("checkpoints"), checkpoints.dump(), "an object");
  }
  for (const auto& [bits, sha256] : checkpoints.items()) {
    int width = 0;
    const auto end = std::from_chars(bits.data(), bits.data() + bits.size(), width);
    if (end.ec != std::errc() || end.ptr != bits.data() + bits.size() || !sha256.is_string() ||
        !IsSha256Hex(sha256.get<std::string>())) {
      throw InvalidField(reader.PathOf("checkpoints"), bits + ": " + sha256.dump(),
                         "bits and a sha256");
    }
    from.checkpoints[width] = sha256.get<std::string>();
  }
  from.evaluation_set = reader.String("evaluation_set");
  if (!IsSha256Hex(from.evaluation_set)) {
    throw InvalidField(reader.PathOf("evaluation_set"), from.evaluation_set, "a sha256");
  }
  from.engine = reader.String("engine");
  from.calibration_images = reader.Int("calibration_images", 1, kMaxImages);
  from.search_images = reader.Int("search_images", 1, kMaxImages);
  from.test_images = reader.Int("test_images", 1, kMaxImages);
  from.batch_size = reader.Int("batch_size", 1, kMaxImages);
  reader.Finish();
  return from;
}

double ParseShare(std::string_view text, const char* field) {
  double value = -1;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size() ||
      !(value >= 0 && value <= 1)) {
    throw InvalidField(field, text, "a number from 0 to 1");
  }
  return value;
}

EvaluationTable::Row ParseRow(const space::SearchSpace& space, std::string_view line) {
  const std::size_t last = line.rfind(',');
  const std::size_t before = last == 0 || last == line.npos ? line.npos : line.rfind(',', last - 1);
  const std::size_t first = line.find(',');
  if (before == line.npos || first >= before) {
    throw InvalidField("columns", line, kColumns);
  }
  EvaluationTable::Row row;
  row.key = line.substr(0, first);
  const space::Architecture architecture = space::FromKey(space, row.key);
  const std::string costs = CostColumns(space, architecture);
  if (line.substr(first, before - first) != costs) {
    throw InvalidField("costs", line.substr(first + 1, before - first - 1),
                       costs.substr(1) + ", what this architecture costs");
  }
  row.search_top1 = ParseShare(line.substr(before + 1, last - before - 1), "search_top1");
  row.test_top1 = ParseShare(line.substr(last + 1), "test_top1");
  return row;
}

bool ByKey(const EvaluationTable::Row& a, const EvaluationTable::Row& b) { return a.key < b.key; }

}  // namespace

const EvaluationTable::Row* EvaluationTable::Find(std::string_view key) const {
  const auto found =
      std::lower_bound(rows.begin(), rows.end(), key,
                       [](const Row& row, std::string_view wanted) { return row.key < wanted; });
  return found != rows.end() && found->key == key ? &*found : nullptr;
}

std::string TableHeader(const space::SearchSpace& space,
                        const EvaluationTable::Provenance& provenance) {
  Json checkpoints = Json::object();
  for (const auto& [bits, sha256] : provenance.checkpoints) {
    checkpoints[std::to_string(bits)] = sha256;
  }
  const Json json = {{"space", space::SpaceToJson(space)},
                     {"provenance",
                      {{"model", provenance.model},
                       {"checkpoints", std::move(checkpoints)},
                       {"evaluation_set", provenance.evaluation_set},
                       {"engine", provenance.engine},
                       {"calibration_images", provenance.calibration_images},
                       {"search_images", provenance.search_images},
                       {"test_images", provenance.test_images},
                       {"batch_size", provenance.batch_size}}}};
  return "# " + json.dump() + "\n" + std::string(kColumns) + "\n";
}

std::string TableRow(const space::SearchSpace& space, const EvaluationTable::Row& row) {
  return row.key + CostColumns(space, space::FromKey(space, row.key)) + "," +
         Json(row.search_top1).dump() + "," + Json(row.test_top1).dump() + "\n";
}

EvaluationTable ParseEvaluationTable(std::string_view bytes, std::string_view where) {
  std::string plain;
  if (IsGzip(bytes)) bytes = plain = Gunzip(bytes, where);
  EvaluationTable table;
  std::size_t number = 0;
  try {
    while (!bytes.empty()) {
      ++number;
      const std::size_t end = std::min(bytes.find('\n'), bytes.size());
      const std::string_view line = bytes.substr(0, end);
      bytes.remove_prefix(std::min(end + 1, bytes.size()));
      if (number == 1) {
        if (!line.starts_with("# ")) throw InvalidField("header", line.substr(0, 40), "# {...}");
        const Json json = ParseJson(line.substr(2), "header");
        JsonReader reader(json, "header");
        table.space = space::SpaceFromJson(reader.Get("space"));
        table.provenance = ProvenanceFromJson(reader.Get("provenance"), "provenance");
        reader.Finish();
      } else if (number == 2) {
        if (line != kColumns) throw InvalidField("columns", line.substr(0, 100), kColumns);
      } else {
        table.rows.push_back(ParseRow(table.space, line));
      }
    }
    if (number < 2) throw InvalidField("file", "an early end", "a header, column names and rows");
    std::sort(table.rows.begin(), table.rows.end(), ByKey);
    const auto twice =
        std::adjacent_find(table.rows.begin(), table.rows.end(),
                           [](const auto& a, const auto& b) { return a.key == b.key; });
    if (twice != table.rows.end()) throw InvalidField("key", twice->key, "each key once");
  } catch (const Error& error) {
    throw Error(Code::kDataLoss,
                std::string(where) + ": line " + std::to_string(number) + ": " + error.what());
  }
  return table;
}

EvaluationTable ReadEvaluationTable(const std::string& path) {
  return ParseEvaluationTable(ReadFile(path, kMaxFile), path);
}

void WriteEvaluationTable(const std::string& path, const EvaluationTable& table) {
  std::vector<EvaluationTable::Row> rows = table.rows;
  std::sort(rows.begin(), rows.end(), ByKey);
  std::string text = TableHeader(table.space, table.provenance);
  for (const EvaluationTable::Row& row : rows) text += TableRow(table.space, row);
  WriteFileAtomically(path, path.ends_with(".gz") ? Gzip(text, path) : text);
}

}  // namespace oqat::artifacts
