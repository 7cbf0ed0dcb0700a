// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <optional>

#include "rpc/status.h"
#include "server/loop.h"

namespace oqat::server {

/// Finishes a unary call: with an error, or without one after the response was filled.
using Finish = std::function<void(const std::optional<Error>&)>;

/// Answers a unary call on the loop. `handle` gets a Finish to call once, now or later; request
/// and response live until then. What it throws finishes the call instead.
inline grpc::ServerUnaryReactor* AnswerOnLoop(grpc::CallbackServerContext* context, Loop& loop,
                                              std::function<void(const Finish&)> handle) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  loop.Post([reactor, handle = std::move(handle)] {
    const Finish finish = [reactor](const std::optional<Error>& error) {
      reactor->Finish(error ? rpc::ToStatus(*error) : grpc::Status::OK);
    };
    try {
      handle(finish);
    } catch (...) {
      reactor->Finish(rpc::CurrentExceptionStatus());
    }
  });
  return reactor;
}

}  // namespace oqat::server
