#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "artifacts/model.h"
#include "oqat/v1/resources.pb.h"
#include "search/request.h"
#include "space/architecture.h"
#include "space/measurement.h"
#include "space/metric.h"

// Between the messages of proto/oqat/v1 and the types of the rooms below. Pure functions; those
// that read messages throw Error INVALID_ARGUMENT naming the field.
namespace oqat::rpc {

using MetricMap = google::protobuf::Map<std::string, double>;

v1::Architecture ToProto(const space::Architecture& architecture);
/// As it came: call space::Canonical to check it against a space.
space::Architecture FromProto(const v1::Architecture& message);

void MetricsToProto(const space::MetricValues& metrics, MetricMap& map);
space::MetricValues MetricsFromProto(const MetricMap& map, std::string_view field);

v1::Objective ToProto(const search::Objective& objective);
v1::Constraint ToProto(const search::Constraint& constraint);

/// A SearchSpec: the request, and how its candidates are measured.
struct SearchSpecParts {
  search::SearchRequest request;
  space::Measurement measurement;

  bool operator==(const SearchSpecParts&) const = default;
};

v1::SearchSpec ToProto(const SearchSpecParts& parts);
/// Fields at their proto3 default get the documented default; search::CheckRequest checks values.
SearchSpecParts FromProto(const v1::SearchSpec& message, std::string_view field);

/// `create_time_ms` 0: not set.
v1::Model ToProto(const artifacts::Model& model, std::int64_t create_time_ms);
artifacts::Model FromProto(const v1::Model& message, std::string_view field);

google::protobuf::Timestamp TimestampFromMs(std::int64_t ms);
std::int64_t MsFromTimestamp(const google::protobuf::Timestamp& time);

}  // namespace oqat::rpc
