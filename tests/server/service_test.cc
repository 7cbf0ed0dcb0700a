// SPDX-License-Identifier: Apache-2.0
// What users ask of a coordinator, right and wrong. Real gRPC, real SQLite, real files.
#include <gmock/gmock.h>

#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "tests/server/bench.h"

namespace oqat::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Code = grpc::StatusCode;

template <typename Request>
Request Named(const std::string& name) {
  Request request;
  request.set_name(name);
  return request;
}

grpc::Status Pause(Bench& bench, v1::Search* answer) {
  grpc::ClientContext context;
  return bench.searches().PauseSearch(&context, Named<v1::PauseSearchRequest>("searches/s"),
                                      answer);
}

grpc::Status Resume(Bench& bench, v1::Search* answer) {
  grpc::ClientContext context;
  return bench.searches().ResumeSearch(&context, Named<v1::ResumeSearchRequest>("searches/s"),
                                       answer);
}

grpc::Status Cancel(Bench& bench, v1::Search* answer) {
  grpc::ClientContext context;
  return bench.searches().CancelSearch(&context, Named<v1::CancelSearchRequest>("searches/s"),
                                       answer);
}

grpc::Status Delete(Bench& bench, const std::string& name = "searches/s") {
  grpc::ClientContext context;
  google::protobuf::Empty empty;
  return bench.searches().DeleteSearch(&context, Named<v1::DeleteSearchRequest>(name), &empty);
}

grpc::Status DeleteModel(Bench& bench, const std::string& name) {
  grpc::ClientContext context;
  google::protobuf::Empty empty;
  return bench.models().DeleteModel(&context, Named<v1::DeleteModelRequest>(name), &empty);
}

// Everything a watch tells until it ends.
std::vector<v1::SearchEvent> WatchAll(Bench& bench, std::int64_t after, grpc::Status* status) {
  grpc::ClientContext context;
  v1::WatchSearchRequest request = Named<v1::WatchSearchRequest>("searches/s");
  request.set_after_sequence(after);
  const auto reader = bench.searches().WatchSearch(&context, request);
  std::vector<v1::SearchEvent> events;
  v1::SearchEvent event;
  while (reader->Read(&event)) events.push_back(event);
  *status = reader->Finish();
  return events;
}

TEST(Lifecycle, PauseHandsOutNothingAndKeepsWhatIsMeasured) {
  Bench bench;
  bench.PushHollow();
  ScriptedWorker worker(bench.address(), "w", 1);
  ASSERT_TRUE(bench.Create(bench.Request(8)).ok());
  const v1::Lease lease = worker.NextLease();
  v1::Search search;
  ASSERT_TRUE(Pause(bench, &search).ok());
  EXPECT_EQ(search.state(), v1::Search::PAUSED);
  ASSERT_TRUE(Pause(bench, &search).ok());  // again: nothing to do
  worker.SendResult(Measure(lease));
  EXPECT_TRUE(worker.Next().has_ack());
  EXPECT_EQ(worker.Next(0.1).kind_case(), v1::CoordinatorMessage::KIND_NOT_SET);
  EXPECT_EQ(bench.Get("s").progress().evaluations_done(), 1);

  bench.Stop();  // a paused search stays paused
  bench.Start();
  const ScriptedWorker other(bench.address(), "w", 1, Measure);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(bench.Get("s").state(), v1::Search::PAUSED);
  EXPECT_EQ(other.leases(), 0);
  ASSERT_TRUE(Resume(bench, &search).ok());
  EXPECT_EQ(bench.AwaitEnd("s").state(), v1::Search::SUCCEEDED);
}

TEST(Lifecycle, CancelTakesLeasesBackAndEndedSearchesStayEnded) {
  Bench bench;
  bench.PushHollow();
  ScriptedWorker worker(bench.address(), "w", 1);
  ASSERT_TRUE(bench.Create(bench.Request(8)).ok());
  const v1::Lease lease = worker.NextLease();
  grpc::Status status = Delete(bench);
  EXPECT_EQ(status.error_code(), Code::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("RUNNING"));
  status = DeleteModel(bench, "models/hollow");
  EXPECT_EQ(status.error_code(), Code::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("hollow"), HasSubstr("s")));

  v1::Search search;
  ASSERT_TRUE(Cancel(bench, &search).ok());
  EXPECT_EQ(search.state(), v1::Search::CANCELLED);
  EXPECT_TRUE(search.has_end_time());
  EXPECT_TRUE(worker.Next().has_cancel());
  worker.SendResult(Measure(lease));
  EXPECT_TRUE(worker.Next().has_ack());  // harmless
  EXPECT_EQ(bench.Get("s").progress().evaluations_done(), 0);
  status = Resume(bench, &search);
  EXPECT_EQ(status.error_code(), Code::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("CANCELLED"));

  ASSERT_TRUE(DeleteModel(bench, "models/hollow").ok());
  EXPECT_EQ(bench.Get("s").state(), v1::Search::CANCELLED);  // still there without its model
  bench.Stop();
  bench.Start();
  EXPECT_THAT(bench.Evaluations("s"), SizeIs(8));
  ASSERT_TRUE(Delete(bench).ok());
  EXPECT_EQ(Delete(bench).error_code(), Code::NOT_FOUND);
}

TEST(Create, WithARequestIdIsIdempotent) {
  Bench bench;
  bench.PushHollow();
  v1::CreateSearchRequest request = bench.Request(8);
  request.clear_search_id();
  request.set_request_id("once");
  v1::Search first, second;
  ASSERT_TRUE(bench.Create(request, &first).ok());
  ASSERT_TRUE(bench.Create(request, &second).ok());
  EXPECT_EQ(first.name(), second.name());
  bench.Stop();
  bench.Start();
  ASSERT_TRUE(bench.Create(request, &second).ok());
  EXPECT_EQ(first.name(), second.name());
  request.set_request_id("another");
  ASSERT_TRUE(bench.Create(request, &second).ok());
  EXPECT_NE(first.name(), second.name());
}

TEST(Create, NamesWhatIsWrong) {
  Bench bench;
  bench.PushHollow();
  const auto refused = [&](const std::function<void(v1::CreateSearchRequest&)>& spoil, Code code,
                           const std::string& says) {
    v1::CreateSearchRequest request = bench.Request(8);
    spoil(request);
    const grpc::Status status = bench.Create(request);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(says));
  };
  refused([](auto& r) { r.set_model("models/other"); }, Code::NOT_FOUND, "hollow");
  refused([](auto& r) { r.set_model("other"); }, Code::INVALID_ARGUMENT, "model");
  refused([](auto& r) { r.set_search_id("No Good"); }, Code::INVALID_ARGUMENT, "search_id");
  refused([](auto& r) { r.set_request_id(std::string(201, 'x')); }, Code::INVALID_ARGUMENT,
          "request_id");
  refused([](auto& r) { r.mutable_spec()->set_evaluations(0); }, Code::INVALID_ARGUMENT,
          "evaluations");
  refused([](auto& r) { r.mutable_spec()->set_strategy("magic"); }, Code::INVALID_ARGUMENT,
          "predictor_nsga2");
  refused([](auto& r) { r.mutable_spec()->add_bits(8); }, Code::INVALID_ARGUMENT, "4, 3, 2");
  refused([](auto& r) { r.mutable_spec()->set_search_images(5); }, Code::INVALID_ARGUMENT,
          "search_images");
  refused([](auto& r) { r.mutable_spec()->set_calibration_images(-1); }, Code::INVALID_ARGUMENT,
          "calibration_images");
  refused([](auto& r) { r.mutable_spec()->add_objectives()->set_metric("beauty"); },
          Code::INVALID_ARGUMENT, "top1");
  refused(
      [](auto& r) {
        r.mutable_spec()->add_constraints()->set_metric("bitops");
        r.mutable_spec()->mutable_constraints(0)->set_max(1000);
      },
      Code::INVALID_ARGUMENT, "60");
  ASSERT_TRUE(bench.Create(bench.Request(8)).ok());
  refused([](auto&) {}, Code::ALREADY_EXISTS, "s");
}

TEST(Watch, TellsEverythingOnceAndGoesOnFromASequenceNumber) {
  Bench bench;
  bench.PushHollow();
  ASSERT_TRUE(bench.Create(bench.Request(12)).ok());
  std::vector<v1::SearchEvent> live;
  grpc::Status status;
  std::thread watcher([&] { live = WatchAll(bench, 0, &status); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const ScriptedWorker worker(bench.address(), "w", 1, Measure);
  bench.AwaitEnd("s");
  watcher.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  std::erase_if(live, [](const v1::SearchEvent& event) { return event.sequence() == 0; });
  std::map<std::string, int> types;
  for (std::size_t i = 0; i < live.size(); ++i) {
    EXPECT_EQ(live[i].sequence(), static_cast<std::int64_t>(i) + 1);
    ++types[live[i].type()];
    EXPECT_EQ(live[i].has_evaluation(), live[i].type() == "evaluated");
  }
  EXPECT_EQ(types["created"], 1);
  EXPECT_EQ(types["round_proposed"], 4);  // three and the final one
  EXPECT_EQ(types["round_complete"], 3);
  EXPECT_EQ(types["state"], 2);
  EXPECT_EQ(types["evaluated"], 12 + bench.Front("s").evaluations_size());
  EXPECT_EQ(live.back().message(), "SUCCEEDED");

  const auto rest = WatchAll(bench, 5, &status);
  ASSERT_EQ(rest.size(), live.size() - 5);
  EXPECT_EQ(rest.front().sequence(), 6);
  WatchAll(bench, -1, &status);
  EXPECT_EQ(status.error_code(), Code::INVALID_ARGUMENT);
}

TEST(Watch, SaysThatNobodyWorks) {
  Bench bench;
  bench.PushHollow();
  ASSERT_TRUE(bench.Create(bench.Request(8)).ok());
  EXPECT_THAT(bench.Get("s").progress().note(), HasSubstr("waiting for workers"));
  grpc::ClientContext context;
  const auto reader =
      bench.searches().WatchSearch(&context, Named<v1::WatchSearchRequest>("searches/s"));
  v1::SearchEvent event;
  while (reader->Read(&event) && event.type() != "workers") {
  }
  EXPECT_THAT(event.message(), HasSubstr("waiting for workers"));
  context.TryCancel();
  reader->Finish();
}

TEST(Watch, RefusesUnknownSearches) {
  Bench bench;
  grpc::Status status;
  WatchAll(bench, 0, &status);
  EXPECT_EQ(status.error_code(), Code::NOT_FOUND);
}

TEST(Lists, PageAndRefuseForeignTokens) {
  Bench bench;
  for (const char* name : {"a", "b", "c"}) bench.PushHollow(name);
  v1::ListModelsRequest models;
  models.set_page_size(2);
  v1::ListModelsResponse page;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(bench.models().ListModels(&context, models, &page).ok());
    ASSERT_EQ(page.models_size(), 2);
    EXPECT_EQ(page.models(1).name(), "models/b");
  }
  v1::ListSearchesRequest searches;
  searches.set_page_token(page.next_page_token());
  v1::ListSearchesResponse found;
  {
    grpc::ClientContext context;
    const auto status = bench.searches().ListSearches(&context, searches, &found);
    EXPECT_EQ(status.error_code(), Code::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("page_token"));
  }
  models.set_page_token(page.next_page_token());
  page.Clear();
  {
    grpc::ClientContext context;
    ASSERT_TRUE(bench.models().ListModels(&context, models, &page).ok());
    ASSERT_EQ(page.models_size(), 1);
    EXPECT_EQ(page.next_page_token(), "");
  }
  v1::CreateSearchRequest request = bench.Request(8);
  request.set_model("models/a");
  for (const char* id : {"x", "y", "z"}) {
    request.set_search_id(id);
    ASSERT_TRUE(bench.Create(request).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // newest first is by time
  }
  searches.Clear();
  searches.set_page_size(2);
  std::vector<std::string> names;
  do {
    grpc::ClientContext context;
    found.Clear();
    ASSERT_TRUE(bench.searches().ListSearches(&context, searches, &found).ok());
    for (const auto& search : found.searches()) names.push_back(search.name());
    searches.set_page_token(found.next_page_token());
  } while (!searches.page_token().empty());
  EXPECT_THAT(names, testing::ElementsAre("searches/z", "searches/y", "searches/x"));
}

TEST(Upload, IsServedAfterARestartAndOnceOnly) {
  Bench bench;
  v1::Model first, second;
  ASSERT_TRUE(bench.Upload(MakeHollowModel("m"), &first).ok());
  EXPECT_THAT(bench.FilesIn("artifacts"), SizeIs(4));
  EXPECT_THAT(bench.FilesIn("uploads"), IsEmpty());
  WriteFileAtomically(bench.folder() + "/artifacts/" + Sha256Hex("left over"), "left over");
  WriteFileAtomically(bench.folder() + "/uploads/half", "half");
  bench.Stop();
  bench.Start();
  EXPECT_THAT(bench.FilesIn("artifacts"), SizeIs(4));
  EXPECT_THAT(bench.FilesIn("uploads"), IsEmpty());
  ASSERT_TRUE(bench.Upload(MakeHollowModel("m"), &second).ok());
  EXPECT_EQ(first.DebugString(), second.DebugString());

  HollowModel other = MakeHollowModel("m");
  other.model.mutable_checkpoints()->RemoveLast();
  other.files.erase(other.files.end() - 2);
  const grpc::Status status = bench.Upload(other);
  EXPECT_EQ(status.error_code(), Code::ALREADY_EXISTS);
  EXPECT_THAT(status.error_message(), HasSubstr("m"));

  // Files that two models share stay until the second goes.
  ASSERT_TRUE(bench.Upload(MakeHollowModel("twin")).ok());
  ASSERT_TRUE(DeleteModel(bench, "models/m").ok());
  EXPECT_THAT(bench.FilesIn("artifacts"), SizeIs(4));
  ASSERT_TRUE(DeleteModel(bench, "models/twin").ok());
  bench.Stop();  // what was not removed yet is swept
  bench.Start();
  EXPECT_THAT(bench.FilesIn("artifacts"), IsEmpty());
}

TEST(Upload, ThatIsDamagedLeavesNothing) {
  Bench bench;
  const auto refused = [&](const std::function<void(v1::UploadModelRequest&)>& damage, Code code,
                           const std::string& says, const HollowModel& model) {
    const grpc::Status status = bench.Upload(model, nullptr, damage);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(says));
    EXPECT_THAT(bench.FilesIn("artifacts"), IsEmpty());
    EXPECT_THAT(bench.FilesIn("uploads"), IsEmpty());
  };
  const HollowModel good = MakeHollowModel("m");
  const auto chunk = [](auto change) {
    return [change](v1::UploadModelRequest& request) {
      if (request.has_chunk()) change(*request.mutable_chunk());
    };
  };
  refused(chunk([](auto& c) { c.set_crc32(c.crc32() + 1); }), Code::DATA_LOSS, "checkpoint b4",
          good);
  refused(chunk([](auto& c) { c.set_offset(c.offset() + 1); }), Code::INVALID_ARGUMENT, "offset",
          good);
  refused(chunk([](auto& c) { c.set_sha256(Sha256Hex("")); }), Code::INVALID_ARGUMENT, "sha256",
          good);
  refused(chunk([](auto& c) { c.clear_data(); }), Code::INVALID_ARGUMENT, "data", good);
  HollowModel bad = good;
  bad.files[1].resize(bad.files[1].size() - 1);
  bad.model.mutable_checkpoints(1)->mutable_file()->set_sha256(Sha256Hex(bad.files[1]));
  refused({}, Code::INVALID_ARGUMENT, "checkpoint b3", bad);  // the next file comes too early
  bad.model.mutable_checkpoints(1)->mutable_file()->set_size(bad.files[1].size());
  refused({}, Code::DATA_LOSS, "checkpoint b3", bad);  // complete, but no checkpoint
  bad = good;
  bad.files.pop_back();
  refused({}, Code::DATA_LOSS, "evaluation set", bad);
  bad = good;
  bad.files.push_back(bad.files[0]);
  refused({}, Code::INVALID_ARGUMENT, "last file", bad);
  bad = good;  // 3 bit and 2 bit swapped
  std::swap(bad.files[1], bad.files[2]);
  std::swap(*bad.model.mutable_checkpoints(1)->mutable_file(),
            *bad.model.mutable_checkpoints(2)->mutable_file());
  refused({}, Code::INVALID_ARGUMENT, "bits", bad);
  bad = good;
  bad.model.set_name("models/../../etc");
  refused({}, Code::INVALID_ARGUMENT, "name", bad);
  bad = good;
  bad.model.mutable_checkpoints(0)->mutable_file()->set_sha256("../../../../etc/passwd");
  refused({}, Code::INVALID_ARGUMENT, "sha256", bad);

  grpc::ClientContext context;  // a client that goes away in the middle
  v1::Model ignored;
  const auto writer = bench.models().UploadModel(&context, &ignored);
  v1::UploadModelRequest request;
  *request.mutable_model() = good.model;
  writer->Write(request);
  context.TryCancel();
  writer->Finish();
  bench.Stop();
  bench.Start();
  EXPECT_THAT(bench.FilesIn("uploads"), IsEmpty());
}

TEST(Download, GoesOnFromAnOffset) {
  Bench bench;
  bench.PushHollow();
  const HollowModel model = MakeHollowModel("hollow");
  v1::DownloadArtifactRequest request;
  const auto download = [&](std::string* bytes) {
    grpc::ClientContext context;
    const auto reader = bench.models().DownloadArtifact(&context, request);
    v1::ArtifactChunk chunk;
    while (reader->Read(&chunk)) *bytes += chunk.data();
    return reader->Finish();
  };
  const std::string& file = model.files[2];
  request.set_sha256(Sha256Hex(file));
  std::string bytes;
  ASSERT_TRUE(download(&bytes).ok());
  EXPECT_EQ(bytes, file);
  request.set_offset(100);
  bytes.clear();
  ASSERT_TRUE(download(&bytes).ok());
  EXPECT_EQ(bytes, file.substr(100));
  request.set_offset(file.size());
  bytes.clear();
  ASSERT_TRUE(download(&bytes).ok());
  EXPECT_EQ(bytes, "");
  request.set_offset(file.size() + 1);
  EXPECT_EQ(download(&bytes).error_code(), Code::OUT_OF_RANGE);
  request.set_sha256(Sha256Hex("unknown"));
  EXPECT_EQ(download(&bytes).error_code(), Code::NOT_FOUND);
  request.set_sha256("../oqat.db");
  EXPECT_EQ(download(&bytes).error_code(), Code::INVALID_ARGUMENT);
}

TEST(Start, RefusesAPortInUseBeforeItWritesAnything) {
  Bench bench;
  CoordinatorOptions options;
  options.listen = bench.address();
  options.data_dir = bench.folder() + "/second";
  try {
    const Coordinator second(options);
    FAIL() << "it started";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), oqat::Code::kUnavailable);
    EXPECT_THAT(error.what(), HasSubstr(bench.address()));
  }
  EXPECT_FALSE(std::filesystem::exists(options.data_dir));
  options.listen = "127.0.0.1:0";
  options.data_dir = bench.folder();
  EXPECT_THROW(Coordinator{options}, Error);
  for (const char* bad : {"", "here", "127.0.0.1", "127.0.0.1:", ":50051", "h:70000", "h:x"}) {
    options.listen = bad;
    try {
      const Coordinator refused(options);
      FAIL() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), oqat::Code::kInvalidArgument) << bad;
      EXPECT_THAT(error.what(), HasSubstr("--listen"));
    }
  }
}

}  // namespace
}  // namespace oqat::server
