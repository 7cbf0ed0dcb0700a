#include "clients/cli/search_flags.h"

#include <charconv>
#include <cmath>

namespace oqat::clients {
namespace {

constexpr std::string_view kConstraintForm =
    "METRIC<=NUMBER or METRIC>=NUMBER, for example bitops<=150M";

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string Quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 80)) + "\""; }

std::optional<double> ParseNumber(std::string_view text) {
  double factor = 1;
  if (!text.empty()) {
    switch (text.back()) {
      case 'k': factor = 1e3; break;
      case 'M': factor = 1e6; break;
      case 'G': factor = 1e9; break;
      case 'T': factor = 1e12; break;
      default: break;
    }
    if (factor != 1) text.remove_suffix(1);
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value * factor)) {
    return std::nullopt;
  }
  return value * factor;
}

// "models/tiny" and "tiny" are the same model to people.
std::string WithoutPrefix(const std::string& name, std::string_view prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

}  // namespace

search::Objective ParseObjective(std::string_view text) {
  const std::size_t colon = text.find(':');
  search::Objective objective;
  objective.metric = space::MetricFromName(Trimmed(text.substr(0, colon)), "objective");
  objective.maximize = space::HigherIsBetter(objective.metric);
  if (colon == std::string_view::npos) return objective;
  const std::string_view direction = Trimmed(text.substr(colon + 1));
  if (direction != "max" && direction != "min") {
    throw InvalidField("objective", Quoted(text), "METRIC, METRIC:max or METRIC:min");
  }
  objective.maximize = direction == "max";
  return objective;
}

search::Constraint ParseConstraint(std::string_view text) {
  const std::size_t at = text.find_first_of("<>");
  const bool complete = at != std::string_view::npos && at > 0 && text.substr(at + 1, 1) == "=";
  if (!complete) throw InvalidField("constraint", Quoted(text), kConstraintForm);
  search::Constraint constraint;
  constraint.metric = space::MetricFromName(Trimmed(text.substr(0, at)), "constraint");
  const std::optional<double> bound = ParseNumber(Trimmed(text.substr(at + 2)));
  if (!bound) throw InvalidField("constraint", Quoted(text), kConstraintForm);
  (text[at] == '<' ? constraint.max : constraint.min) = *bound;
  return constraint;
}

SearchOrder MakeSearchOrder(const SearchFlags& flags, Json file) {
  if (!file.is_object()) throw InvalidField("request", file.type_name(), "an object {...}");
  const auto put = [&](const char* field, const auto& value) {
    if (value) file[field] = *value;
  };
  put("strategy", flags.strategy);
  put("seed", flags.seed);
  put("evaluations", flags.evaluations);
  put("round_size", flags.round_size);
  put("lag", flags.lag);
  put("stop_after_stagnant_rounds", flags.stop_after_stagnant_rounds);
  put("max_seconds", flags.max_seconds);
  put("calibration_images", flags.calibration_images);
  put("search_images", flags.search_images);
  put("engine", flags.engine);
  put("cpu", flags.cpu);
  if (flags.early_stop) file["early_stop"] = true;
  if (!flags.model.empty()) file["model"] = flags.model;
  if (!flags.name.empty()) file["name"] = flags.name;
  if (!flags.warm_start.empty()) file["warm_start"] = flags.warm_start;
  if (!flags.bits.empty()) file["bits"] = flags.bits;

  // The same writer as everywhere turns flags into JSON, the same reader checks all of it.
  search::SearchRequest lists;
  lists.objectives.clear();
  for (const std::string& text : flags.objectives) lists.objectives.push_back(ParseObjective(text));
  for (const std::string& text : flags.constraints) {
    lists.constraints.push_back(ParseConstraint(text));
  }
  const Json written = search::RequestToJson(lists);
  if (!flags.objectives.empty()) file["objectives"] = written.at("objectives");
  if (!flags.constraints.empty()) file["constraints"] = written.at("constraints");

  SearchOrder order;
  {
    JsonReader reader(file, "");
    order.model = WithoutPrefix(reader.String("model", ""), "models/");
    order.name = WithoutPrefix(reader.String("name", ""), "searches/");
    space::Measurement& how = order.measurement;
    how.calibration_images = reader.Int("calibration_images", 0, INT64_MAX, 0);
    how.search_images = reader.Int("search_images", 0, INT64_MAX, 0);
    how.engine = reader.String("engine", how.engine);
    how.cpu = reader.String("cpu", "");
    how.early_stop = reader.Bool("early_stop", false);
  }
  if (order.model.empty()) {
    throw Error(Code::kInvalidArgument,
                "model: is missing; give --model NAME (`oqat model list` shows the names)");
  }
  if (!file.contains("evaluations")) {
    throw Error(Code::kInvalidArgument, "evaluations: is missing; give --evaluations N");
  }
  for (const char* field :
       {"model", "name", "calibration_images", "search_images", "engine", "cpu", "early_stop"}) {
    file.erase(field);
  }
  order.request = search::RequestFromJson(file, "request");
  for (std::string& id : order.request.warm_start) id = WithoutPrefix(id, "searches/");
  return order;
}

}  // namespace oqat::clients
