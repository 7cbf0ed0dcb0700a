#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "space/search_space.h"

namespace oqat::artifacts {

/// Every architecture of a (small) space, really evaluated: the truth that search strategies and
/// predictors are compared on. On disk: CSV, plain or
/// gzip; docs/FORMATS.md.
struct EvaluationTable {
  /// Everything that the measured numbers depend on.
  struct Provenance {
    std::string model;                       ///< its name, for people
    std::map<int, std::string> checkpoints;  ///< bits -> sha256
    std::string evaluation_set;              ///< sha256
    std::string engine;                      ///< "int8"
    std::int64_t calibration_images = 0;
    std::int64_t search_images = 0;
    std::int64_t test_images = 0;
    std::int64_t batch_size = 0;

    bool operator==(const Provenance&) const = default;
  };
  struct Row {
    std::string key;  ///< space::ToKey
    double search_top1 = 0, test_top1 = 0;
  };

  space::SearchSpace space;
  Provenance provenance;
  std::vector<Row> rows;  ///< ascending by key

  /// Null if there is none.
  const Row* Find(std::string_view key) const;
};

/// The lines before the rows: provenance and column names.
std::string TableHeader(const space::SearchSpace& space,
                        const EvaluationTable::Provenance& provenance);
/// One line: the key, all costs (for readers other than ours) and what was measured.
std::string TableRow(const space::SearchSpace& space, const EvaluationTable::Row& row);

/// Throws Error DATA_LOSS naming `where` and the line: rows that are no architecture of the space,
/// whose costs are not what this build computes, that come twice, or whose top1 is outside 0 to 1.
/// Rows may be fewer than the space has, and in any order.
EvaluationTable ParseEvaluationTable(std::string_view bytes, std::string_view where);
EvaluationTable ReadEvaluationTable(const std::string& path);

/// Gzip if `path` ends in .gz. The file is complete or not there. Rows are written by key.
void WriteEvaluationTable(const std::string& path, const EvaluationTable& table);

}  // namespace oqat::artifacts
