#include "rpc/convert.h"

#include "rpc/names.h"
#include "space/search_space.h"

namespace oqat::rpc {

v1::Architecture ToProto(const space::Architecture& architecture) {
  v1::Architecture message;
  message.set_resolution(architecture.resolution);
  message.set_bits(architecture.bits);
  message.mutable_kernels()->Add(architecture.kernels.begin(), architecture.kernels.end());
  message.mutable_expands()->Add(architecture.expands.begin(), architecture.expands.end());
  message.mutable_depths()->Add(architecture.depths.begin(), architecture.depths.end());
  return message;
}

space::Architecture FromProto(const v1::Architecture& message) {
  space::Architecture architecture;
  architecture.resolution = message.resolution();
  architecture.bits = message.bits();
  architecture.kernels.assign(message.kernels().begin(), message.kernels().end());
  architecture.expands.assign(message.expands().begin(), message.expands().end());
  architecture.depths.assign(message.depths().begin(), message.depths().end());
  return architecture;
}

void MetricsToProto(const space::MetricValues& metrics, MetricMap& map) {
  for (const auto& [metric, value] : metrics) {
    map[std::string(space::MetricName(metric))] = value;
  }
}

space::MetricValues MetricsFromProto(const MetricMap& map, std::string_view field) {
  space::MetricValues metrics;
  for (const auto& [name, value] : map) metrics[space::MetricFromName(name, field)] = value;
  return metrics;
}

v1::Objective ToProto(const search::Objective& objective) {
  v1::Objective message;
  message.set_metric(std::string(space::MetricName(objective.metric)));
  message.set_maximize(objective.maximize);
  return message;
}

v1::Constraint ToProto(const search::Constraint& constraint) {
  v1::Constraint message;
  message.set_metric(std::string(space::MetricName(constraint.metric)));
  if (constraint.min) message.set_min(*constraint.min);
  if (constraint.max) message.set_max(*constraint.max);
  return message;
}

v1::SearchSpec ToProto(const SearchSpecParts& parts) {
  const search::SearchRequest& request = parts.request;
  v1::SearchSpec message;
  message.set_strategy(request.strategy);
  message.set_seed(request.seed);
  message.set_evaluations(request.evaluations);
  message.set_round_size(request.round_size);
  message.set_lag(request.lag);
  for (const auto& objective : request.objectives) *message.add_objectives() = ToProto(objective);
  for (const auto& constraint : request.constraints) {
    *message.add_constraints() = ToProto(constraint);
  }
  message.mutable_bits()->Add(request.bits.begin(), request.bits.end());
  for (const std::string& id : request.warm_start) message.add_warm_start(SearchName(id));
  message.set_stop_after_stagnant_rounds(request.stop_after_stagnant_rounds);
  message.set_max_seconds(request.max_seconds);
  message.set_calibration_images(parts.measurement.calibration_images);
  message.set_search_images(parts.measurement.search_images);
  message.set_engine(parts.measurement.engine);
  message.set_cpu(parts.measurement.cpu);
  message.set_early_stop(parts.measurement.early_stop);
  return message;
}

SearchSpecParts FromProto(const v1::SearchSpec& message, std::string_view field) {
  const std::string path(field);
  SearchSpecParts parts;
  search::SearchRequest& request = parts.request;
  if (!message.strategy().empty()) request.strategy = message.strategy();
  request.seed = message.seed();
  request.evaluations = message.evaluations();
  if (message.round_size() != 0) request.round_size = message.round_size();
  if (message.lag() != 0) request.lag = message.lag();
  if (message.objectives_size() > 0) request.objectives.clear();
  for (int i = 0; i < message.objectives_size(); ++i) {
    const v1::Objective& objective = message.objectives(i);
    const std::string name = path + ".objectives[" + std::to_string(i) + "].metric";
    request.objectives.push_back(
        {space::MetricFromName(objective.metric(), name), objective.maximize()});
  }
  for (int i = 0; i < message.constraints_size(); ++i) {
    const v1::Constraint& constraint = message.constraints(i);
    const std::string name = path + ".constraints[" + std::to_string(i) + "].metric";
    search::Constraint parsed{space::MetricFromName(constraint.metric(), name), {}, {}};
    if (constraint.has_min()) parsed.min = constraint.min();
    if (constraint.has_max()) parsed.max = constraint.max();
    request.constraints.push_back(parsed);
  }
  request.bits.assign(message.bits().begin(), message.bits().end());
  for (int i = 0; i < message.warm_start_size(); ++i) {
    request.warm_start.push_back(
        ParseSearchName(message.warm_start(i), path + ".warm_start[" + std::to_string(i) + "]"));
  }
  request.stop_after_stagnant_rounds = message.stop_after_stagnant_rounds();
  request.max_seconds = message.max_seconds();
  parts.measurement.calibration_images = message.calibration_images();
  parts.measurement.search_images = message.search_images();
  if (!message.engine().empty()) parts.measurement.engine = message.engine();
  parts.measurement.cpu = message.cpu();
  parts.measurement.early_stop = message.early_stop();
  return parts;
}

v1::Model ToProto(const artifacts::Model& model, std::int64_t create_time_ms) {
  const auto fill = [](const artifacts::ArtifactRef& from, v1::ArtifactRef& to) {
    to.set_sha256(from.sha256);
    to.set_size(from.size);
  };
  v1::Model message;
  message.set_name(ModelName(model.name));
  message.set_content_id(model.ContentId());
  message.set_space_json(space::SpaceToJson(model.space).dump());
  for (const artifacts::CheckpointRef& checkpoint : model.checkpoints) {
    v1::CheckpointRef& ref = *message.add_checkpoints();
    ref.set_bits(checkpoint.bits);
    fill(checkpoint.file, *ref.mutable_file());
  }
  fill(model.evaluation_set, *message.mutable_evaluation_set());
  if (create_time_ms != 0) *message.mutable_create_time() = TimestampFromMs(create_time_ms);
  return message;
}

artifacts::Model FromProto(const v1::Model& message, std::string_view field) {
  const std::string path(field);
  // Through JSON, so that the manifest has one set of checks.
  Json checkpoints = Json::array();
  for (const v1::CheckpointRef& checkpoint : message.checkpoints()) {
    checkpoints.push_back({{"bits", checkpoint.bits()},
                           {"sha256", checkpoint.file().sha256()},
                           {"size", checkpoint.file().size()}});
  }
  const Json json{
      {"name", ParseModelName(message.name(), path + ".name")},
      {"space", ParseJson(message.space_json(), path + ".space_json")},
      {"checkpoints", std::move(checkpoints)},
      {"evaluation_set",
       {{"sha256", message.evaluation_set().sha256()}, {"size", message.evaluation_set().size()}}}};
  return artifacts::ModelFromJson(json, path);
}

google::protobuf::Timestamp TimestampFromMs(std::int64_t ms) {
  google::protobuf::Timestamp time;
  const std::int64_t rest = (ms % 1000 + 1000) % 1000;  // nanos count forward, also before 1970
  time.set_seconds((ms - rest) / 1000);
  time.set_nanos(static_cast<std::int32_t>(rest) * 1'000'000);
  return time;
}

std::int64_t MsFromTimestamp(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1000 + time.nanos() / 1'000'000;
}

}  // namespace oqat::rpc
