#include "clients/cli/resource_json.h"

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>

#include "base/json.h"
#include "clients/cli/text.h"

namespace oqat::clients {
namespace {

OrderedJson TimeJson(bool present, const google::protobuf::Timestamp& time) {
  if (!present) return nullptr;
  return FormatTime(time.seconds(), time.nanos());
}

OrderedJson RefJson(const v1::ArtifactRef& ref) {
  return {{"sha256", ref.sha256()}, {"size", ref.size()}};
}

// Costs are whole numbers that travel as doubles; they are printed without a ".0". Not finite:
// null.
OrderedJson NumberJson(std::string_view metric, double value) {
  if (!std::isfinite(value)) return nullptr;
  static constexpr std::array<std::string_view, 4> kIntegers = {"macs", "bitops", "params",
                                                                "weight_bytes"};
  constexpr double kExact = 9007199254740992.0;  // 2^53
  for (std::string_view name : kIntegers) {
    if (name == metric && value == std::floor(value) && std::abs(value) <= kExact) {
      return static_cast<std::int64_t>(value);
    }
  }
  return value;
}

OrderedJson MetricsJson(const google::protobuf::Map<std::string, double>& metrics) {
  // The map of protobuf has no order of its own.
  const std::map<std::string, double> sorted(metrics.begin(), metrics.end());
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, value] : sorted) json[name] = NumberJson(name, value);
  return json;
}

template <typename Numbers>
OrderedJson ListJson(const Numbers& numbers) {
  OrderedJson json = OrderedJson::array();
  for (const auto& number : numbers) json.push_back(number);
  return json;
}

OrderedJson ObjectivesJson(const google::protobuf::RepeatedPtrField<v1::Objective>& objectives) {
  OrderedJson json = OrderedJson::array();
  for (const v1::Objective& objective : objectives) {
    json.push_back({{"metric", objective.metric()}, {"maximize", objective.maximize()}});
  }
  return json;
}

OrderedJson SpecJson(const v1::SearchSpec& spec) {
  OrderedJson constraints = OrderedJson::array();
  for (const v1::Constraint& constraint : spec.constraints()) {
    OrderedJson item = {{"metric", constraint.metric()}};
    if (constraint.has_min()) item["min"] = NumberJson(constraint.metric(), constraint.min());
    if (constraint.has_max()) item["max"] = NumberJson(constraint.metric(), constraint.max());
    constraints.push_back(std::move(item));
  }
  return {{"strategy", spec.strategy()},
          {"seed", spec.seed()},
          {"evaluations", spec.evaluations()},
          {"round_size", spec.round_size()},
          {"lag", spec.lag()},
          {"objectives", ObjectivesJson(spec.objectives())},
          {"constraints", std::move(constraints)},
          {"bits", ListJson(spec.bits())},
          {"warm_start", ListJson(spec.warm_start())},
          {"stop_after_stagnant_rounds", spec.stop_after_stagnant_rounds()},
          {"max_seconds", spec.max_seconds()},
          {"calibration_images", spec.calibration_images()},
          {"search_images", spec.search_images()},
          {"engine", spec.engine()},
          {"cpu", spec.cpu()},
          {"early_stop", spec.early_stop()}};
}

OrderedJson ProgressJson(const v1::SearchProgress& progress) {
  return {{"rounds", progress.rounds()},
          {"evaluations_done", progress.evaluations_done()},
          {"evaluations_total", progress.evaluations_total()},
          {"evaluations_cached", progress.evaluations_cached()},
          {"evaluations_failed", progress.evaluations_failed()},
          {"in_flight", progress.in_flight()},
          {"final_done", progress.final_done()},
          {"final_total", progress.final_total()},
          {"connected_workers", progress.connected_workers()},
          {"hypervolume", NumberJson("", progress.hypervolume())},
          {"predictor_tau", NumberJson("", progress.predictor_tau())},
          {"predictor_tau_best", NumberJson("", progress.predictor_tau_best())},
          {"front_size", progress.front_size()},
          {"note", progress.note()}};
}

}  // namespace

OrderedJson ModelJson(const v1::Model& model) {
  OrderedJson checkpoints = OrderedJson::array();
  for (const v1::CheckpointRef& checkpoint : model.checkpoints()) {
    checkpoints.push_back({{"bits", checkpoint.bits()},
                           {"sha256", checkpoint.file().sha256()},
                           {"size", checkpoint.file().size()}});
  }
  return {{"name", model.name()},
          {"content_id", model.content_id()},
          {"space", OrderedJson(ParseJson(model.space_json(), "server: space_json"))},
          {"checkpoints", std::move(checkpoints)},
          {"evaluation_set", RefJson(model.evaluation_set())},
          {"create_time", TimeJson(model.has_create_time(), model.create_time())}};
}

OrderedJson SearchJson(const v1::Search& search) {
  return {{"name", search.name()},
          {"model", search.model()},
          {"model_content_id", search.model_content_id()},
          {"state", v1::Search::State_Name(search.state())},
          {"error", search.error()},
          {"create_time", TimeJson(search.has_create_time(), search.create_time())},
          {"start_time", TimeJson(search.has_start_time(), search.start_time())},
          {"end_time", TimeJson(search.has_end_time(), search.end_time())},
          {"spec", SpecJson(search.spec())},
          {"progress", ProgressJson(search.progress())}};
}

OrderedJson EvaluationJson(const v1::Evaluation& evaluation) {
  const v1::Architecture& a = evaluation.architecture();
  return {{"name", evaluation.name()},
          {"round", evaluation.round()},
          {"index", evaluation.index()},
          {"key", evaluation.architecture_key()},
          {"architecture",
           {{"resolution", a.resolution()},
            {"bits", a.bits()},
            {"kernels", ListJson(a.kernels())},
            {"expands", ListJson(a.expands())},
            {"depths", ListJson(a.depths())}}},
          {"metrics", MetricsJson(evaluation.metrics())},
          {"test_metrics", MetricsJson(evaluation.test_metrics())},
          {"state", v1::Evaluation::State_Name(evaluation.state())},
          {"cached", evaluation.cached()},
          {"worker", evaluation.worker()},
          {"error", evaluation.error()},
          {"seconds", evaluation.seconds()},
          {"stopped_after", evaluation.stopped_after()},
          {"cpu", evaluation.cpu()}};
}

OrderedJson FrontJson(const v1::Front& front) {
  OrderedJson evaluations = OrderedJson::array();
  for (const v1::Evaluation& evaluation : front.evaluations()) {
    evaluations.push_back(EvaluationJson(evaluation));
  }
  return {{"search", front.search()},
          {"objectives", ObjectivesJson(front.objectives())},
          {"evaluations", std::move(evaluations)},
          {"hypervolume", NumberJson("", front.hypervolume())},
          {"final", front.final()}};
}

OrderedJson EventJson(const v1::SearchEvent& event) {
  return {{"sequence", event.sequence()},
          {"time", TimeJson(event.has_time(), event.time())},
          {"type", event.type()},
          {"message", event.message()},
          {"search", event.has_search() ? SearchJson(event.search()) : OrderedJson(nullptr)},
          {"evaluation",
           event.has_evaluation() ? EvaluationJson(event.evaluation()) : OrderedJson(nullptr)}};
}

double MetricOf(const google::protobuf::Map<std::string, double>& metrics,
                const std::string& name) {
  const auto found = metrics.find(name);
  return found == metrics.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
}

}  // namespace oqat::clients
