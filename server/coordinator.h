// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>

namespace oqat::server {

struct CoordinatorOptions {
  std::string listen = "127.0.0.1:50051";  ///< HOST:PORT; port 0: any that is free
  std::string data_dir;                    ///< made if it is not there
  std::chrono::milliseconds lease{60'000};
  std::chrono::milliseconds heartbeat{5'000};
};

/// A running coordinator: database, models, searches, workers and the gRPC server over them.
class Coordinator {
 public:
  /// Opens the data directory, takes up what was running, and serves. Throws Error:
  /// INVALID_ARGUMENT for options that cannot be, UNAVAILABLE naming the address if its port is in
  /// use (nothing is written then), and what storage::OpenSqliteStore and ModelCatalog::Load throw.
  explicit Coordinator(const CoordinatorOptions& options);
  /// Ends streams and calls, then stops. Workers keep what they hold and come back.
  ~Coordinator();
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  int port() const;
  std::string address() const;  ///< HOST:PORT it listens on

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace oqat::server
