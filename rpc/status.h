#pragma once

#include <grpcpp/support/status.h>

#include "base/error.h"

// The only place where errors of this project become gRPC statuses and back.
namespace oqat::rpc {

/// The same canonical code; the message cut to 4,000 bytes, which fits gRPC's header limit.
grpc::Status ToStatus(const Error& error);

/// For `catch (...)`: an Error as above, any other exception INTERNAL with its text.
grpc::Status CurrentExceptionStatus();

/// `status` must not be OK. Codes that the project has not (UNKNOWN, UNIMPLEMENTED) become
/// INTERNAL, UNAUTHENTICATED becomes PERMISSION_DENIED.
Error FromStatus(const grpc::Status& status);

}  // namespace oqat::rpc
