// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "search/request.h"
#include "server/served_model.h"
#include "space/measurement.h"
#include "space/search_space.h"

namespace oqat::server {

/// A request, and how its candidates are measured.
struct SearchSpec {
  search::SearchRequest request;
  space::Measurement measurement;

  bool measures_latency() const { return search::Mentions(request, space::Metric::kLatencyMs); }

  bool operator==(const SearchSpec&) const = default;
};

/// The model's space with the bit widths it has checkpoints for: what a search of it may use.
space::SearchSpace SearchableSpace(const artifacts::Model& model);

/// Throws Error INVALID_ARGUMENT naming the field under "spec".
void CheckSpec(const ServedModel& model, const SearchSpec& spec);

}  // namespace oqat::server
