#include "rpc/status.h"

#include <array>
#include <exception>
#include <string>
#include <utility>

namespace oqat::rpc {
namespace {

constexpr std::array<std::pair<Code, grpc::StatusCode>, 13> kCodes{{
    {Code::kCancelled, grpc::StatusCode::CANCELLED},
    {Code::kInvalidArgument, grpc::StatusCode::INVALID_ARGUMENT},
    {Code::kNotFound, grpc::StatusCode::NOT_FOUND},
    {Code::kAlreadyExists, grpc::StatusCode::ALREADY_EXISTS},
    {Code::kPermissionDenied, grpc::StatusCode::PERMISSION_DENIED},
    {Code::kResourceExhausted, grpc::StatusCode::RESOURCE_EXHAUSTED},
    {Code::kFailedPrecondition, grpc::StatusCode::FAILED_PRECONDITION},
    {Code::kAborted, grpc::StatusCode::ABORTED},
    {Code::kOutOfRange, grpc::StatusCode::OUT_OF_RANGE},
    {Code::kInternal, grpc::StatusCode::INTERNAL},
    {Code::kUnavailable, grpc::StatusCode::UNAVAILABLE},
    {Code::kDataLoss, grpc::StatusCode::DATA_LOSS},
    {Code::kDeadlineExceeded, grpc::StatusCode::DEADLINE_EXCEEDED},
}};

constexpr std::size_t kMaxMessageBytes = 4000;

}  // namespace

grpc::Status ToStatus(const Error& error) {
  for (const auto& [ours, theirs] : kCodes) {
    if (ours == error.code()) {
      return {theirs, std::string(error.what()).substr(0, kMaxMessageBytes)};
    }
  }
  return {grpc::StatusCode::INTERNAL, error.what()};
}

grpc::Status CurrentExceptionStatus() {
  try {
    throw;
  } catch (const Error& error) {
    return ToStatus(error);
  } catch (const std::exception& error) {
    return ToStatus(Error(Code::kInternal, error.what()));
  } catch (...) {
    return ToStatus(Error(Code::kInternal, "unknown exception"));
  }
}

Error FromStatus(const grpc::Status& status) {
  Code code = Code::kInternal;
  for (const auto& [ours, theirs] : kCodes) {
    if (theirs == status.error_code()) code = ours;
  }
  if (status.error_code() == grpc::StatusCode::UNAUTHENTICATED) code = Code::kPermissionDenied;
  return Error(code, status.error_message());
}

}  // namespace oqat::rpc
