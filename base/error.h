#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace oqat {

/// Canonical error codes. The names and meanings are those of google.rpc.Code, so that the one
/// translation at each boundary (gRPC status, HTTP status, exit code) is a table.
enum class Code {
  kCancelled,
  kInvalidArgument,
  kNotFound,
  kAlreadyExists,
  kPermissionDenied,
  kResourceExhausted,
  kFailedPrecondition,
  kAborted,
  kOutOfRange,
  kInternal,
  kUnavailable,
  kDataLoss,
  kDeadlineExceeded,
};

/// The canonical upper-case name, for example "INVALID_ARGUMENT".
std::string_view CodeName(Code code);

/// The only exception type that crosses a room's border. `what()` is one line a user can act on:
/// it names the field, the value it had, and what is allowed.
class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  Code code() const { return code_; }

 private:
  Code code_;
};

/// Builds the usual complaint: "FIELD: got VALUE; allowed: ALLOWED".
Error InvalidField(std::string_view field, std::string_view value, std::string_view allowed);

/// The same error with `prefix` and ": " in front of its message, its code kept.
Error WithContext(std::string_view prefix, const Error& error);

}  // namespace oqat
