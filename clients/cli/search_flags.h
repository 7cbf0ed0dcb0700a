#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "search/request.h"
#include "space/measurement.h"

namespace oqat::clients {

/// "METRIC:max", "METRIC:min", or "METRIC" alone for the metric's better direction. Throws Error
/// INVALID_ARGUMENT naming `objective`.
search::Objective ParseObjective(std::string_view text);

/// "METRIC<=NUMBER" or "METRIC>=NUMBER", blanks allowed. NUMBER is decimal, may have an exponent
/// or one of the suffixes k, M, G, T (powers of 1000). Throws Error INVALID_ARGUMENT naming
/// `constraint`.
search::Constraint ParseConstraint(std::string_view text);

/// What the flags of `oqat search create` say; what is not given is left out.
struct SearchFlags {
  std::string model, name, request_file;
  std::optional<std::string> strategy, engine, cpu;
  std::optional<std::uint64_t> seed;
  std::optional<std::int64_t> evaluations, round_size, lag, calibration_images, search_images,
      stop_after_stagnant_rounds, max_seconds;
  std::vector<std::string> objectives, constraints, warm_start;
  std::vector<int> bits;
  bool early_stop = false;
};

/// A whole request: what CreateSearch takes.
struct SearchOrder {
  std::string model;  ///< without "models/"
  std::string name;   ///< empty: the coordinator gives one
  search::SearchRequest request;
  space::Measurement measurement;
};

/// `file` (the object of --request, docs/CLI.md; may be empty) with what the flags say put over
/// it; a list in the flags replaces the file's list. Throws Error INVALID_ARGUMENT naming the
/// field: unknown ones, wrong types, no model, no evaluations. Values are judged by the server.
SearchOrder MakeSearchOrder(const SearchFlags& flags, Json file = Json::object());

}  // namespace oqat::clients
