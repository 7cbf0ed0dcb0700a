#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

// Settings that both ends of a connection must agree on.
namespace oqat::rpc {

/// The largest message either side accepts; artifact chunks are a quarter of it.
inline constexpr int kMaxMessageBytes = 4 << 20;

/// Keepalive after 10 s of silence (5 s for the answer), also without calls, so that a peer whose
/// machine vanished is noticed; reconnects after 100 ms at first and 1 s at most.
grpc::ChannelArguments ClientArguments();

/// A plaintext channel to HOST:PORT; connects lazily.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target);

/// The server's side of the same; SO_REUSEPORT is off, so that a port in use is an error.
void ConfigureServer(grpc::ServerBuilder& builder);

}  // namespace oqat::rpc
