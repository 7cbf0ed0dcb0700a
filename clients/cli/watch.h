#pragma once

#include <functional>
#include <string>

#include "clients/cli/connection.h"

namespace oqat::clients {

/// True for SUCCEEDED, CANCELLED and FAILED.
bool HasEnded(v1::Search::State state);

struct WatchOptions {
  std::string name;    ///< searches/{search}
  bool quiet = false;  ///< no progress bar
  /// Called for every stored event, in order, once each; may be empty.
  std::function<void(const v1::SearchEvent&)> on_event;
};

/// Follows a search to its end with a progress bar on standard error, and returns it. A lost
/// connection is taken up again after the last event seen, for as long as it takes; only the first
/// connection must succeed. Ctrl-C (or SIGTERM) stops the watching alone: Error CANCELLED that says
/// how to go on.
v1::Search WatchSearch(Connection& connection, const WatchOptions& options);

}  // namespace oqat::clients
