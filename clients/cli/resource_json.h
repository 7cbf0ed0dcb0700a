#pragma once

#include <nlohmann/json.hpp>

#include "oqat/v1/resources.pb.h"
#include "oqat/v1/search_service.pb.h"

// The stable JSON of the command line (docs/CLI.md): snake_case, fields in a fixed order, every
// field always there, 64-bit integers as numbers, times in RFC 3339 or null.
namespace oqat::clients {

using OrderedJson = nlohmann::ordered_json;

OrderedJson ModelJson(const v1::Model& model);
OrderedJson SearchJson(const v1::Search& search);
OrderedJson EvaluationJson(const v1::Evaluation& evaluation);

/// {"search","objectives","evaluations","hypervolume","final"}.
OrderedJson FrontJson(const v1::Front& front);
OrderedJson EventJson(const v1::SearchEvent& event);

/// The value of a metric, NaN where it is missing.
double MetricOf(const google::protobuf::Map<std::string, double>& metrics, const std::string& name);

}  // namespace oqat::clients
