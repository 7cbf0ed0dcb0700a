// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/support/server_callback.h>

#include "oqat/v1/search_service.pb.h"
#include "server/loop.h"
#include "server/search_manager.h"

namespace oqat::server {

/// Answers one WatchSearch: the stored events after a sequence number, then new ones as they are
/// committed, until the search has ended. A watcher reads from the log at its own pace, so a slow
/// one costs no memory.
grpc::ServerWriteReactor<v1::SearchEvent>* StartWatch(Loop& loop, SearchManager& searches,
                                                      const v1::WatchSearchRequest& request);

}  // namespace oqat::server
