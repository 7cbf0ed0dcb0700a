// SPDX-License-Identifier: Apache-2.0
// Statuses, checksums, and the settings of both ends of a connection, over a real one.
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <chrono>
#include <map>
#include <stdexcept>
#include <string>

#include "oqat/v1/search_service.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/crc.h"
#include "rpc/status.h"

namespace oqat::rpc {
namespace {

TEST(Status, KeepsEveryCodeAndItsMessage) {
  // The canonical numbers, so that no two rows of the table can be swapped.
  const std::map<Code, int> numbers = {
      {Code::kCancelled, 1},         {Code::kInvalidArgument, 3},    {Code::kDeadlineExceeded, 4},
      {Code::kNotFound, 5},          {Code::kAlreadyExists, 6},      {Code::kPermissionDenied, 7},
      {Code::kResourceExhausted, 8}, {Code::kFailedPrecondition, 9}, {Code::kAborted, 10},
      {Code::kOutOfRange, 11},       {Code::kInternal, 13},          {Code::kUnavailable, 14},
      {Code::kDataLoss, 15}};
  for (const auto& [code, number] : numbers) {
    const grpc::Status status = ToStatus(Error(code, "why"));
    EXPECT_EQ(status.error_code(), number) << CodeName(code);
    EXPECT_EQ(FromStatus(status).code(), code) << CodeName(code);
    EXPECT_STREQ(FromStatus(status).what(), "why");
  }
  EXPECT_EQ(FromStatus({grpc::StatusCode::UNKNOWN, ""}).code(), Code::kInternal);
  EXPECT_EQ(FromStatus({grpc::StatusCode::UNIMPLEMENTED, ""}).code(), Code::kInternal);
  EXPECT_EQ(FromStatus({grpc::StatusCode::UNAUTHENTICATED, ""}).code(), Code::kPermissionDenied);
}

TEST(Status, TellsOfAnyException) {
  const auto status_of = [](const auto& thrown) {
    try {
      throw thrown;
    } catch (...) {
      return CurrentExceptionStatus();
    }
  };
  EXPECT_EQ(status_of(Error(Code::kDataLoss, "bad")).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(status_of(std::runtime_error("odd")).error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status_of(std::runtime_error("odd")).error_message(), "odd");
  EXPECT_EQ(status_of(7).error_code(), grpc::StatusCode::INTERNAL);
}

TEST(Status, CutsLongMessages) {
  const auto length = [](std::size_t size) {
    return ToStatus(Error(Code::kInternal, std::string(size, 'x'))).error_message().size();
  };
  EXPECT_EQ(length(4000), 4000U);
  EXPECT_EQ(length(4001), 4000U);
  EXPECT_EQ(length(100'000), 4000U);
}

TEST(Crc, IsZlibs) {
  EXPECT_EQ(Crc32("123456789"), 0xCBF43926U);
  EXPECT_EQ(Crc32(""), 0U);
  EXPECT_NE(Crc32(std::string_view("\0", 1)), Crc32(""));  // the length counts, not a terminator
}

// Answers the name "fail:TEXT" with the error TEXT, "long:N" with a message of over N bytes, any
// other with itself.
class EchoService : public v1::SearchService::Service {
  grpc::Status GetSearch(grpc::ServerContext*, const v1::GetSearchRequest* request,
                         v1::Search* response) override {
    const std::string& name = request->name();
    if (name.starts_with("fail:")) return ToStatus(Error(Code::kNotFound, name.substr(5)));
    response->set_name(name.starts_with("long:") ? std::string(std::stoul(name.substr(5)), 'x')
                                                 : name);
    return grpc::Status::OK;
  }
};

class Wire : public ::testing::Test {
 protected:
  std::unique_ptr<grpc::Server> Start(int port, bool configured = true) {
    grpc::ServerBuilder builder;
    if (configured) {
      ConfigureServer(builder);
    } else {
      builder.SetMaxReceiveMessageSize(-1);  // sending has no limit unless one is set
    }
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(&service_);
    return builder.BuildAndStart();
  }
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }

  static grpc::Status Get(const std::shared_ptr<grpc::Channel>& channel, const std::string& name,
                          v1::Search* search) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::GetSearchRequest request;
    request.set_name(name);
    return v1::SearchService::NewStub(channel)->GetSearch(&context, request, search);
  }

  // A peer that limits nothing, so that what refuses is the other side.
  std::shared_ptr<grpc::Channel> UnlimitedChannel() const {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    return grpc::CreateCustomChannel(target(), grpc::InsecureChannelCredentials(), arguments);
  }

  // Over the limit on its way there; the answer to who lets it through is a short NOT_FOUND.
  static std::string TooLong() { return "fail:" + std::string(kMaxMessageBytes, 'x'); }

  EchoService service_;
  int port_ = 0;
  v1::Search search_;
};

TEST_F(Wire, APortInUseIsAnError) {
  const auto server = Start(0);
  ASSERT_TRUE(server);
  const int taken = port_;
  EXPECT_FALSE(Start(taken));
}

TEST_F(Wire, TheServerRefusesMessagesOverTheLimit) {
  const auto server = Start(0);
  ASSERT_TRUE(server);
  const auto channel = UnlimitedChannel();
  constexpr std::size_t kFits = kMaxMessageBytes - 100;  // the message's own framing takes a few
  ASSERT_TRUE(Get(channel, std::string(kFits, 'x'), &search_).ok());
  EXPECT_EQ(search_.name().size(), kFits);
  EXPECT_EQ(Get(channel, TooLong(), &search_).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Get(channel, "long:" + std::to_string(kMaxMessageBytes), &search_).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(Get(channel, "s", &search_).ok());  // and goes on
}

TEST_F(Wire, TheClientRefusesMessagesOverTheLimit) {
  const auto server = Start(0, /*configured=*/false);
  ASSERT_TRUE(server);
  const auto channel = MakeChannel(target());
  ASSERT_TRUE(Get(channel, "long:" + std::to_string(kMaxMessageBytes - 100), &search_).ok());
  EXPECT_EQ(Get(channel, "long:" + std::to_string(kMaxMessageBytes), &search_).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Get(channel, TooLong(), &search_).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(Wire, CarriesLongAndOddErrors) {
  const auto server = Start(0);
  ASSERT_TRUE(server);
  const auto channel = MakeChannel(target());
  const auto expect = [&](const std::string& text, const std::string& wanted) {
    const grpc::Status status = Get(channel, "fail:" + text, &search_);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND) << status.error_message();
    EXPECT_EQ(status.error_message(), wanted);
  };
  expect(std::string(9000, 'y'), std::string(4000, 'y'));
  expect("100 % \"a\"\n\t\x01", "100 % \"a\"\n\t\x01");
  std::string greek;
  for (int i = 0; i < 3000; ++i) greek += "\u03bb";  // two bytes, six on the wire
  expect(greek, greek.substr(0, 2 * 666));           // whole letters, 4,000 bytes sent
}

}  // namespace
}  // namespace oqat::rpc
