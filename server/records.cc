// SPDX-License-Identifier: Apache-2.0
#include "server/records.h"

#include "base/json.h"

namespace oqat::server {
namespace {

constexpr const char* kStoppedAfter = "stopped_after";

// What we wrote ourselves is either as we wrote it or damaged.
template <typename Read>
auto Reading(const char* what, const std::string& text, Read read) {
  try {
    return read(ParseJson(text, what));
  } catch (const std::exception& error) {
    throw Error(Code::kDataLoss, std::string(what) + " in the database: " + error.what());
  }
}

Json Manifest(const ServedModel& model) {
  return {{"model", artifacts::ModelToJson(model.model)},
          {"images",
           {{"calibration", model.calibration_images},
            {"search", model.search_images},
            {"test", model.test_images}}}};
}

}  // namespace

std::string MeasuredToJson(const MeasuredRecord& measured) {
  Json json = Json::object();
  for (const auto& [metric, value] : measured.metrics) {
    json[std::string(space::MetricName(metric))] = value;
  }
  if (measured.stopped_after > 0) json[kStoppedAfter] = measured.stopped_after;
  return json.dump();
}

MeasuredRecord MeasuredFromJson(const std::string& text) {
  return Reading("metrics", text, [](const Json& json) {
    MeasuredRecord measured;
    for (const auto& [name, value] : json.items()) {
      if (name == kStoppedAfter) {
        measured.stopped_after = value.get<std::int64_t>();
      } else {
        measured.metrics[space::MetricFromName(name)] = value.get<double>();
      }
    }
    return measured;
  });
}

std::string ManifestRecord(const ServedModel& model) { return Manifest(model).dump(); }

std::string RequestRecord(const SearchSpec& spec, const ServedModel& model) {
  Json json = Manifest(model);
  json["request"] = search::RequestToJson(spec.request);
  const space::Measurement& how = spec.measurement;
  json["engine"] = how.engine;
  json["calibration_images"] = how.calibration_images;
  json["search_images"] = how.search_images;
  json["cpu"] = how.cpu;
  json["early_stop"] = how.early_stop;
  return json.dump();
}

SearchSpec SpecFromRecord(const std::string& text) {
  return Reading("request", text, [](const Json& json) {
    SearchSpec spec;
    spec.request = search::RequestFromJson(json.at("request"), "request");
    space::Measurement& how = spec.measurement;
    how.calibration_images = json.at("calibration_images").get<std::int64_t>();
    how.search_images = json.at("search_images").get<std::int64_t>();
    // Before there were engines to choose from, LibTorch was the one.
    how.engine = json.value("engine", "torch");
    how.cpu = json.value("cpu", "");
    how.early_stop = json.value("early_stop", false);
    return spec;
  });
}

ServedModel ModelFromRecord(const std::string& text) {
  return Reading("model", text, [](const Json& json) {
    ServedModel served;
    served.model = artifacts::ModelFromJson(json.at("model"), "model");
    served.content_id = served.model.ContentId();
    const Json& images = json.at("images");
    served.calibration_images = images.at("calibration").get<std::int64_t>();
    served.search_images = images.at("search").get<std::int64_t>();
    served.test_images = images.at("test").get<std::int64_t>();
    return served;
  });
}

std::string OutcomeToJson(const Outcome& outcome) {
  const SearchCounts& counts = outcome.counts;
  Json json = {{"start_time_ms", outcome.start_time_ms},
               {"counts",
                {{"rounds", counts.rounds},
                 {"done", counts.done},
                 {"failed", counts.failed},
                 {"cached", counts.cached},
                 {"final_done", counts.final_done},
                 {"final_total", counts.final_total}}}};
  if (outcome.report) {
    json["report"] = {{"round", outcome.report->round},
                      {"hypervolume", outcome.report->hypervolume},
                      {"front_size", outcome.report->front_size},
                      {"stagnation",
                       {{"grown_round", outcome.report->stagnation.grown_round},
                        {"grown_to", outcome.report->stagnation.grown_to},
                        {"stopped_round", outcome.report->stagnation.stopped_round}}}};
    if (outcome.report->predictor_tau) {
      json["report"]["predictor_tau"] = *outcome.report->predictor_tau;
    }
    if (outcome.report->predictor_tau_best) {
      json["report"]["predictor_tau_best"] = *outcome.report->predictor_tau_best;
    }
  }
  if (!outcome.stop_reason.empty()) json["stop_reason"] = outcome.stop_reason;
  return json.dump();
}

Outcome OutcomeFromJson(const std::string& text) {
  if (text.empty()) return {};
  return Reading("outcome", text, [](const Json& json) {
    Outcome outcome;
    outcome.start_time_ms = json.at("start_time_ms").get<std::int64_t>();
    const Json& counts = json.at("counts");
    outcome.counts = {counts.at("rounds").get<int>(),     counts.at("done").get<int>(),
                      counts.at("failed").get<int>(),     counts.at("cached").get<int>(),
                      counts.at("final_done").get<int>(), counts.at("final_total").get<int>()};
    if (json.contains("report")) {
      const Json& stored = json.at("report");
      search::RoundReport report;
      report.round = stored.at("round").get<int>();
      report.hypervolume = stored.at("hypervolume").get<double>();
      report.front_size = stored.at("front_size").get<int>();
      if (stored.contains("predictor_tau")) {
        report.predictor_tau = stored.at("predictor_tau").get<double>();
      }
      if (stored.contains("predictor_tau_best")) {
        report.predictor_tau_best = stored.at("predictor_tau_best").get<double>();
      }
      if (stored.contains("stagnation")) {
        const Json& rest = stored.at("stagnation");
        report.stagnation = {rest.at("grown_round").get<int>(), rest.at("grown_to").get<double>(),
                             rest.at("stopped_round").get<int>()};
      }
      outcome.report = report;
    }
    outcome.stop_reason = json.value("stop_reason", "");
    return outcome;
  });
}

std::string EventToJson(const EventPayload& payload) {
  Json json = {{"message", payload.message}};
  if (payload.round >= 0) {
    json["round"] = payload.round;
    json["index"] = payload.index;
  }
  return json.dump();
}

EventPayload EventFromJson(const std::string& text) {
  return Reading("event", text, [](const Json& json) {
    return EventPayload{json.at("message").get<std::string>(), json.value("round", -1),
                        json.value("index", -1)};
  });
}

}  // namespace oqat::server
