// SPDX-License-Identifier: Apache-2.0
// Statuses, checksums, and the settings of both ends of a connection, over a real one.
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include "oqat/v1/search_service.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/crc.h"
#include "rpc/status.h"

namespace oqat::rpc {
namespace {

using ::testing::HasSubstr;

TEST(Status, KeepsEveryCodeAndItsMessage) {
  for (const Code code :
       {Code::kCancelled, Code::kInvalidArgument, Code::kNotFound, Code::kAlreadyExists,
        Code::kPermissionDenied, Code::kResourceExhausted, Code::kFailedPrecondition,
        Code::kAborted, Code::kOutOfRange, Code::kInternal, Code::kUnavailable, Code::kDataLoss,
        Code::kDeadlineExceeded}) {
    const grpc::Status status = ToStatus(Error(code, "why"));
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(FromStatus(status).code(), code) << CodeName(code);
    EXPECT_STREQ(FromStatus(status).what(), "why");
  }
  EXPECT_EQ(FromStatus({grpc::StatusCode::UNIMPLEMENTED, ""}).code(), Code::kInternal);
  EXPECT_EQ(FromStatus({grpc::StatusCode::UNAUTHENTICATED, ""}).code(), Code::kPermissionDenied);
}

TEST(Status, TellsOfAnyException) {
  try {
    throw std::runtime_error("odd");
  } catch (...) {
    EXPECT_EQ(CurrentExceptionStatus().error_code(), grpc::StatusCode::INTERNAL);
    EXPECT_EQ(CurrentExceptionStatus().error_message(), "odd");
  }
  EXPECT_EQ(ToStatus(Error(Code::kInternal, std::string(100'000, 'x'))).error_message().size(),
            4000U);
}

TEST(Crc, IsZlibs) {
  EXPECT_EQ(Crc32("123456789"), 0xCBF43926U);
  EXPECT_EQ(Crc32(""), 0U);
}

class EchoService : public v1::SearchService::Service {
  grpc::Status GetSearch(grpc::ServerContext*, const v1::GetSearchRequest* request,
                         v1::Search* response) override {
    response->set_name(request->name());
    return ToStatus(Error(Code::kNotFound, "name: got \"\x01\xff\"; " + std::string(9000, 'y')));
  }
};

TEST(Channel, RefusesAPortInUseAndTooLargeMessagesAndCarriesLongErrors) {
  EchoService service;
  int port = 0;
  const auto start = [&](int wanted) {
    grpc::ServerBuilder builder;
    ConfigureServer(builder);
    builder.AddListeningPort("127.0.0.1:" + std::to_string(wanted),
                             grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    return builder.BuildAndStart();
  };
  const auto server = start(0);
  ASSERT_TRUE(server);
  const int taken = port;
  EXPECT_FALSE(start(taken));

  const auto stub = v1::SearchService::NewStub(MakeChannel("127.0.0.1:" + std::to_string(taken)));
  v1::GetSearchRequest request;
  v1::Search search;
  {
    grpc::ClientContext context;
    const grpc::Status status = stub->GetSearch(&context, request, &search);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(status.error_message().size(), 4000U);
  }
  request.set_name(std::string(kMaxMessageBytes, 'x'));
  grpc::ClientContext context;
  EXPECT_EQ(stub->GetSearch(&context, request, &search).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace oqat::rpc
