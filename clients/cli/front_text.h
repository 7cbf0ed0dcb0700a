#pragma once

#include <string>
#include <vector>

#include "clients/cli/connection.h"
#include "clients/cli/text.h"

namespace oqat::clients {

/// GetFront and every page of ListEvaluations.
v1::Front FetchFront(Connection& connection, const std::string& search_name);
std::vector<v1::Evaluation> FetchEvaluations(Connection& connection,
                                             const std::string& search_name);

/// A row per member: bits, resolution, BitOPs, MACs, weight bytes, top1 on both splits, other
/// objectives, key. With human units.
std::string FrontTable(const v1::Front& front);

/// The same members with raw numbers: a header line, then a line each (RFC 4180, "\n").
std::string FrontCsv(const v1::Front& front);

/// top1 (or the first measured objective) against the first cost objective.
std::string FrontPlot(const v1::Front& front, const std::vector<v1::Evaluation>& evaluations,
                      const Terminal& terminal);

}  // namespace oqat::clients
