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

// The beginning of `text` that takes at most kMaxMessageBytes in a header: gRPC sends a byte that
// is not plain ASCII as %XX. Whole UTF-8 letters only.
std::string Cut(const std::string& text) {
  std::size_t sent = 0;
  std::size_t end = 0;  // of the last whole letter that fits
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) != 0x80) end = i;
    sent += byte < 0x20 || byte > 0x7E || byte == '%' ? 3 : 1;
    if (sent > kMaxMessageBytes) return text.substr(0, end);
  }
  return text;
}

}  // namespace

grpc::Status ToStatus(const Error& error) {
  for (const auto& [ours, theirs] : kCodes) {
    if (ours == error.code()) return {theirs, Cut(error.what())};
  }
  return {grpc::StatusCode::INTERNAL, Cut(error.what())};
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
