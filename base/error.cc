#include "base/error.h"

namespace oqat {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kCancelled: return "CANCELLED";
    case Code::kInvalidArgument: return "INVALID_ARGUMENT";
    case Code::kNotFound: return "NOT_FOUND";
    case Code::kAlreadyExists: return "ALREADY_EXISTS";
    case Code::kPermissionDenied: return "PERMISSION_DENIED";
    case Code::kResourceExhausted: return "RESOURCE_EXHAUSTED";
    case Code::kFailedPrecondition: return "FAILED_PRECONDITION";
    case Code::kAborted: return "ABORTED";
    case Code::kOutOfRange: return "OUT_OF_RANGE";
    case Code::kInternal: return "INTERNAL";
    case Code::kUnavailable: return "UNAVAILABLE";
    case Code::kDataLoss: return "DATA_LOSS";
    case Code::kDeadlineExceeded: return "DEADLINE_EXCEEDED";
  }
  return "INTERNAL";
}

Error InvalidField(std::string_view field, std::string_view value, std::string_view allowed) {
  std::string message;
  message.append(field).append(": got ").append(value).append("; allowed: ").append(allowed);
  return Error(Code::kInvalidArgument, message);
}

Error WithContext(std::string_view prefix, const Error& error) {
  return Error(error.code(), std::string(prefix) + ": " + error.what());
}

}  // namespace oqat
