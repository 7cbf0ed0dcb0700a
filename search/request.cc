#include "search/request.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "search/numbers.h"

namespace oqat::search {
namespace {

std::string Indexed(const char* field, std::size_t i) {
  return std::string(field) + "[" + std::to_string(i) + "]";
}

template <typename Items>
std::string Joined(const Items& items,
                   const std::function<std::string(typename Items::value_type)>& show) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + show(item);
  return text;
}

void CheckInt(const char* field, int value, int low, int high) {
  if (value < low || value > high) {
    throw InvalidField(field, std::to_string(value),
                       "an integer from " + std::to_string(low) + " to " + std::to_string(high));
  }
}

void CheckMetric(const std::string& field, space::Metric metric) {
  // It says how well latency_ms was measured, nothing about the architecture.
  if (metric == space::Metric::kLatencySpreadMs) {
    throw InvalidField(field, space::MetricName(metric),
                       "top1, loss, macs, bitops, weighted_macs, params, weight_bytes, latency_ms");
  }
}

void CheckObjectives(const std::vector<Objective>& objectives) {
  if (objectives.empty() || objectives.size() > kMaxObjectives) {
    throw InvalidField("objectives", std::to_string(objectives.size()) + " objectives",
                       "1 to " + std::to_string(kMaxObjectives));
  }
  bool measured = false;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    const std::string field = Indexed("objectives", i) + ".metric";
    CheckMetric(field, objectives[i].metric);
    measured = measured || !space::IsCost(objectives[i].metric);
    for (std::size_t j = 0; j < i; ++j) {
      if (objectives[j].metric == objectives[i].metric) {
        throw InvalidField(field, space::MetricName(objectives[i].metric),
                           "each metric at most once");
      }
    }
  }
  if (!measured) {
    throw InvalidField("objectives",
                       Joined(objectives,
                              [](const Objective& objective) {
                                return std::string(space::MetricName(objective.metric));
                              }),
                       "at least one measured metric (top1, loss or latency_ms) among them");
  }
}

void CheckConstraints(const std::vector<Constraint>& constraints) {
  if (constraints.size() > kMaxConstraints) {
    throw InvalidField("constraints", std::to_string(constraints.size()) + " constraints",
                       "0 to " + std::to_string(kMaxConstraints));
  }
  for (std::size_t i = 0; i < constraints.size(); ++i) {
    const Constraint& constraint = constraints[i];
    const std::string field = Indexed("constraints", i);
    CheckMetric(field + ".metric", constraint.metric);
    if (!constraint.min && !constraint.max) {
      throw InvalidField(field, "neither min nor max", "at least one of them");
    }
    for (const auto& [name, bound] :
         {std::pair{".min", constraint.min}, {".max", constraint.max}}) {
      if (bound && !(std::isfinite(*bound) && *bound >= 0)) {
        throw InvalidField(field + name, ShowNumber(*bound), "a finite number of at least 0");
      }
    }
    if (constraint.min && constraint.max && *constraint.min > *constraint.max) {
      throw InvalidField(field + ".min", ShowNumber(*constraint.min),
                         "at most its max, " + ShowNumber(*constraint.max));
    }
    if (constraint.metric == space::Metric::kTop1 && constraint.min && *constraint.min > 1) {
      throw InvalidField(field + ".min", ShowNumber(*constraint.min),
                         "a share of images, from 0 to 1");
    }
  }
}

void CheckBits(const space::SearchSpace& space, const std::vector<int>& bits) {
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const bool known = std::find(space.bits.begin(), space.bits.end(), bits[i]) != space.bits.end();
    if (!known) {
      throw InvalidField(Indexed("bits", i), std::to_string(bits[i]),
                         "one of " + Joined(space.bits, [](int b) { return std::to_string(b); }));
    }
    if (std::find(bits.begin(), bits.begin() + static_cast<std::ptrdiff_t>(i), bits[i]) !=
        bits.begin() + static_cast<std::ptrdiff_t>(i)) {
      throw InvalidField(Indexed("bits", i), std::to_string(bits[i]),
                         "each bit width at most once");
    }
  }
}

void CheckWarmStart(const std::vector<std::string>& ids) {
  if (ids.size() > kMaxWarmStarts) {
    throw InvalidField("warm_start", std::to_string(ids.size()) + " searches",
                       "0 to " + std::to_string(kMaxWarmStarts));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i].empty()) throw InvalidField(Indexed("warm_start", i), "nothing", "a search's id");
    if (std::count(ids.begin(), ids.end(), ids[i]) > 1) {
      throw InvalidField(Indexed("warm_start", i), ids[i], "each search at most once");
    }
  }
}

Objective ObjectiveFromJson(const Json& json, const std::string& path) {
  JsonReader reader(json, path);
  Objective objective;
  objective.metric = space::MetricFromName(reader.String("metric"), reader.PathOf("metric"));
  objective.maximize = reader.Bool("maximize", space::HigherIsBetter(objective.metric));
  reader.Finish();
  return objective;
}

Constraint ConstraintFromJson(const Json& json, const std::string& path) {
  constexpr double kMost = 1e300;
  JsonReader reader(json, path);
  Constraint constraint;
  constraint.metric = space::MetricFromName(reader.String("metric"), reader.PathOf("metric"));
  if (reader.Has("min")) constraint.min = reader.Number("min", 0, kMost);
  if (reader.Has("max")) constraint.max = reader.Number("max", 0, kMost);
  reader.Finish();
  return constraint;
}

template <typename Item>
std::vector<Item> ListFromJson(JsonReader& reader, const std::string& field,
                               Item (*parse)(const Json&, const std::string&)) {
  const Json& list = reader.Get(field);
  if (!list.is_array()) {
    throw InvalidField(reader.PathOf(field), list.type_name(), "an array of objects");
  }
  std::vector<Item> items;
  for (const Json& item : list) {
    items.push_back(parse(item, reader.PathOf(field) + "[" + std::to_string(items.size()) + "]"));
  }
  return items;
}

std::vector<std::string> StringsFromJson(JsonReader& reader, const std::string& field) {
  std::vector<std::string> texts;
  const Json& list = reader.Get(field);
  if (!list.is_array()) {
    throw InvalidField(reader.PathOf(field), list.type_name(), "an array of strings");
  }
  for (const Json& item : list) {
    if (!item.is_string()) {
      throw InvalidField(reader.PathOf(field) + "[" + std::to_string(texts.size()) + "]",
                         item.type_name(), "a string");
    }
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

}  // namespace

const std::vector<std::string>& StrategyNames() {
  static const std::vector<std::string> names = {"coarse_to_fine", "nsga2", "nsga3",
                                                 "predictor_nsga2", "random"};
  return names;
}

void CheckRequest(const space::SearchSpace& space, const SearchRequest& request) {
  const std::vector<std::string>& names = StrategyNames();
  if (std::find(names.begin(), names.end(), request.strategy) == names.end()) {
    throw InvalidField("strategy", request.strategy,
                       Joined(names, [](const std::string& name) { return name; }));
  }
  CheckInt("evaluations", request.evaluations, 1, kMaxEvaluations);
  CheckInt("round_size", request.round_size, 1, kMaxRoundSize);
  CheckInt("lag", request.lag, 1, kMaxLag);
  CheckObjectives(request.objectives);
  if (request.strategy == "nsga3" && request.objectives.size() < kLeastNsga3Objectives) {
    throw InvalidField("objectives", std::to_string(request.objectives.size()) + " objectives",
                       "at least " + std::to_string(kLeastNsga3Objectives) +
                           " with strategy nsga3; nsga2 is for fewer");
  }
  CheckConstraints(request.constraints);
  CheckBits(space, request.bits);
  CheckWarmStart(request.warm_start);
  CheckInt("stop_after_stagnant_rounds", request.stop_after_stagnant_rounds, 0, kMaxEvaluations);
  CheckInt("max_seconds", request.max_seconds, 0, kMaxSeconds);
}

Json RequestToJson(const SearchRequest& request) {
  Json objectives = Json::array();
  for (const Objective& objective : request.objectives) {
    objectives.push_back({{"metric", std::string(space::MetricName(objective.metric))},
                          {"maximize", objective.maximize}});
  }
  Json constraints = Json::array();
  for (const Constraint& constraint : request.constraints) {
    Json item = {{"metric", std::string(space::MetricName(constraint.metric))}};
    if (constraint.min) item["min"] = *constraint.min;
    if (constraint.max) item["max"] = *constraint.max;
    constraints.push_back(std::move(item));
  }
  return {{"strategy", request.strategy},
          {"seed", request.seed},
          {"evaluations", request.evaluations},
          {"round_size", request.round_size},
          {"lag", request.lag},
          {"objectives", std::move(objectives)},
          {"constraints", std::move(constraints)},
          {"bits", request.bits},
          {"warm_start", request.warm_start},
          {"stop_after_stagnant_rounds", request.stop_after_stagnant_rounds},
          {"max_seconds", request.max_seconds}};
}

SearchRequest RequestFromJson(const Json& json, const std::string& path) {
  constexpr std::int64_t kLow = INT32_MIN, kHigh = INT32_MAX;
  JsonReader reader(json, path);
  SearchRequest request;
  request.strategy = reader.String("strategy", request.strategy);
  if (reader.Has("seed")) {
    // All 64 bits are allowed, more than JsonReader::Int can hold.
    const Json& seed = reader.Get("seed");
    if (!seed.is_number_unsigned() &&
        !(seed.is_number_integer() && seed.get<std::int64_t>() >= 0)) {
      throw InvalidField(reader.PathOf("seed"), seed.is_number() ? seed.dump() : seed.type_name(),
                         "an integer from 0 to 18446744073709551615");
    }
    request.seed = seed.get<std::uint64_t>();
  }
  request.evaluations = static_cast<int>(reader.Int("evaluations", kLow, kHigh));
  request.round_size = static_cast<int>(reader.Int("round_size", kLow, kHigh, request.round_size));
  request.lag = static_cast<int>(reader.Int("lag", kLow, kHigh, request.lag));
  if (reader.Has("objectives")) {
    request.objectives = ListFromJson(reader, "objectives", ObjectiveFromJson);
  }
  if (reader.Has("constraints")) {
    request.constraints = ListFromJson(reader, "constraints", ConstraintFromJson);
  }
  if (reader.Has("bits")) request.bits = reader.IntList("bits", kLow, kHigh);
  if (reader.Has("warm_start")) request.warm_start = StringsFromJson(reader, "warm_start");
  request.stop_after_stagnant_rounds =
      static_cast<int>(reader.Int("stop_after_stagnant_rounds", kLow, kHigh, 0));
  request.max_seconds = static_cast<int>(reader.Int("max_seconds", kLow, kHigh, 0));
  reader.Finish();
  return request;
}

bool Mentions(const SearchRequest& request, space::Metric metric) {
  const auto named = [metric](const auto& item) { return item.metric == metric; };
  return std::any_of(request.objectives.begin(), request.objectives.end(), named) ||
         std::any_of(request.constraints.begin(), request.constraints.end(), named);
}

std::vector<int> BitsOf(const space::SearchSpace& space, const SearchRequest& request) {
  std::vector<int> bits = request.bits.empty() ? space.bits : request.bits;
  std::sort(bits.begin(), bits.end(), std::greater<>());
  return bits;
}

int NumRounds(const SearchRequest& request) {
  return (request.evaluations + request.round_size - 1) / request.round_size;
}

int RoundCount(const SearchRequest& request, int round) {
  if (round < 0 || round >= NumRounds(request)) return 0;
  return std::min(request.round_size, request.evaluations - round * request.round_size);
}

double Violation(const std::vector<Constraint>& constraints, const space::MetricValues& values) {
  std::vector<Constraint> known;
  for (const Constraint& constraint : constraints) {
    if (values.contains(constraint.metric)) known.push_back(constraint);
  }
  return ViolationBy(known, [&](space::Metric metric) { return values.at(metric); });
}

}  // namespace oqat::search
