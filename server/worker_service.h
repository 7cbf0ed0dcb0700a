// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "oqat/v1/worker_service.grpc.pb.h"
#include "server/loop.h"
#include "server/worker_pool.h"

namespace oqat::server {

/// WorkerService over a WorkerPool.
class WorkerService : public v1::WorkerService::CallbackService {
 public:
  WorkerService(Loop& loop, WorkerPool& workers) : loop_(loop), workers_(workers) {}

  grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  Loop& loop_;
  WorkerPool& workers_;
};

}  // namespace oqat::server
