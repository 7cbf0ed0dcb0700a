// `oqat` as a process against a scripted coordinator: what it sends, what it prints, how it
// behaves when a stream breaks.

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "artifacts/checkpoint.h"
#include "artifacts/evaluation_set.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "tests/clients/scripted_server.h"
#include "tests/e2e/process.h"

namespace oqat::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

v1::Search SearchIn(v1::Search::State state, int done = 0) {
  v1::Search search;
  search.set_name("searches/s");
  search.set_model("models/tiny");
  search.set_state(state);
  search.mutable_create_time()->set_seconds(1795478400);
  search.mutable_spec()->set_evaluations(4);
  search.mutable_progress()->set_evaluations_total(4);
  search.mutable_progress()->set_evaluations_done(done);
  return search;
}

v1::Evaluation Member(int index, double bitops, double top1, int bits) {
  v1::Evaluation e;
  e.set_name("searches/s/evaluations/0-" + std::to_string(index));
  e.set_index(index);
  e.set_state(v1::Evaluation::DONE);
  e.set_architecture_key("r16-b" + std::to_string(bits) + "-k3e2");
  e.mutable_architecture()->set_bits(bits);
  e.mutable_architecture()->set_resolution(16);
  (*e.mutable_metrics())["bitops"] = bitops;
  (*e.mutable_metrics())["macs"] = bitops / 100;
  (*e.mutable_metrics())["weight_bytes"] = 71680;
  (*e.mutable_metrics())["top1"] = top1;
  (*e.mutable_test_metrics())["top1"] = top1 - 0.01;
  return e;
}

class ServerCommands : public ::testing::Test {
 protected:
  ServerCommands() {
    server_.front = [](const std::string& name, v1::Front* front) {
      front->set_search(name);
      v1::Objective* objective = front->add_objectives();
      objective->set_metric("top1");
      objective->set_maximize(true);
      front->add_objectives()->set_metric("bitops");
      *front->add_evaluations() = Member(1, 6.1e7, 0.5, 2);
      *front->add_evaluations() = Member(3, 1.2e8, 0.625, 4);
      front->set_hypervolume(0.25);
      front->set_final(true);
      return grpc::Status::OK;
    };
    // Two pages, the second one reached by the token of the first.
    server_.evaluations = [](const v1::ListEvaluationsRequest& request,
                             v1::ListEvaluationsResponse* response) {
      if (request.page_token().empty()) {
        *response->add_evaluations() = Member(0, 9e7, 0.45, 3);
        *response->add_evaluations() = Member(1, 6.1e7, 0.5, 2);
        response->set_next_page_token("more");
      } else {
        *response->add_evaluations() = Member(2, 1.1e8, 0.41, 4);
      }
      return grpc::Status::OK;
    };
  }

  std::vector<std::string> Argv(std::vector<std::string> args) const {
    args.insert(args.begin(), {OQAT_BIN_DIR "/oqat", "--server", server_.address()});
    return args;
  }
  Outcome Oqat(const std::vector<std::string>& args) const {
    return oqat::testing::Run(Argv(args));
  }

  ScriptedServer server_;
  ScratchFolder folder_;
};

void ExpectError(const Outcome& outcome, int status, const ::testing::Matcher<std::string>& says) {
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_THAT(outcome.err, AllOf(StartsWith("oqat: error: "), says));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

TEST_F(ServerCommands, CreateWaitsAcrossABrokenStream) {
  v1::CreateSearchRequest created;
  server_.create = [&](const v1::CreateSearchRequest& request, v1::Search* search) {
    created = request;
    *search = SearchIn(v1::Search::PENDING);
    return grpc::Status::OK;
  };
  std::atomic<bool> ended = false;
  server_.get = [&](const std::string&, v1::Search* search) {
    *search = ended ? SearchIn(v1::Search::SUCCEEDED, 4) : SearchIn(v1::Search::RUNNING);
    return grpc::Status::OK;
  };
  std::vector<std::int64_t> resumed_after;
  server_.watch = [&](grpc::ServerContext*, const v1::WatchSearchRequest& request,
                      ScriptedServer::Writer* writer) {
    resumed_after.push_back(request.after_sequence());
    const bool first = resumed_after.size() == 1;
    for (int sequence = first ? 1 : 3; sequence <= (first ? 2 : 4); ++sequence) {
      v1::SearchEvent event;
      event.set_sequence(sequence);
      *event.mutable_search() = SearchIn(v1::Search::RUNNING, sequence);
      writer->Write(event);
    }
    if (first) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone for a moment");
    ended = true;
    return grpc::Status::OK;
  };
  const Outcome outcome = Oqat(
      {"search",          "create",   "--model",     "tiny",       "--name",       "s",
       "--evaluations",   "4",        "--seed",      "9",          "--constraint", "bitops<=150M",
       "--objective",     "top1:max", "--objective", "bitops:min", "--bits",       "4,2",
       "--search-images", "64",       "--wait",      "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(resumed_after, (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(created.model(), "models/tiny");
  EXPECT_EQ(created.search_id(), "s");
  EXPECT_EQ(created.spec().seed(), 9u);
  EXPECT_EQ(created.spec().evaluations(), 4);
  EXPECT_EQ(created.spec().search_images(), 64);
  EXPECT_EQ(created.spec().constraints(0).max(), 1.5e8);
  EXPECT_EQ(created.spec().bits_size(), 2);
  const Json result = ParseJson(outcome.out, "out");
  EXPECT_EQ(result["search"]["name"], "searches/s");
  EXPECT_EQ(result["search"]["state"], "SUCCEEDED");
  EXPECT_EQ(result["search"]["create_time"], "2026-11-24T00:00:00.000Z");
  EXPECT_TRUE(result["search"]["end_time"].is_null());
  ASSERT_EQ(result["front"].size(), 2u);
  EXPECT_EQ(result["front"][1]["metrics"]["bitops"].dump(), "120000000");
  EXPECT_EQ(result["front"][1]["test_metrics"]["top1"], 0.615);
  EXPECT_THAT(outcome.err, HasSubstr("connection lost"));
}

TEST_F(ServerCommands, AFailedSearchIsExitCode6) {
  server_.get = [](const std::string&, v1::Search* search) {
    *search = SearchIn(v1::Search::FAILED);
    search->set_error("every candidate of the first round failed");
    return grpc::Status::OK;
  };
  server_.watch = [](grpc::ServerContext*, const v1::WatchSearchRequest&, ScriptedServer::Writer*) {
    return grpc::Status::OK;
  };
  const Outcome outcome = Oqat({"search", "watch", "s"});
  EXPECT_EQ(outcome.status, 6);
  EXPECT_THAT(outcome.err, HasSubstr("ended as FAILED: every candidate"));
}

TEST_F(ServerCommands, InterruptedWatchingLeavesTheSearchRunning) {
  std::atomic<bool> cancelled = false;
  server_.cancel = [&](const std::string&, v1::Search*) {
    cancelled = true;
    return grpc::Status::OK;
  };
  server_.get = [](const std::string&, v1::Search* search) {
    *search = SearchIn(v1::Search::RUNNING, 1);
    return grpc::Status::OK;
  };
  server_.watch = [&](grpc::ServerContext* context, const v1::WatchSearchRequest&,
                      ScriptedServer::Writer* writer) {
    v1::SearchEvent event;
    *event.mutable_search() = SearchIn(v1::Search::RUNNING, 1);
    event.mutable_search()->mutable_progress()->set_note("waiting for workers: none is connected");
    writer->Write(event);
    while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return grpc::Status::CANCELLED;
  };
  const std::string log = folder_ / "log";
  Process watch(Argv({"search", "watch", "s"}), log);
  for (int i = 0; i < 1000; ++i) {
    if (std::filesystem::exists(log) && !ReadFile(log).empty()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_THAT(ReadFile(log), HasSubstr("waiting for workers: none is connected"));
  watch.Signal(SIGINT);
  EXPECT_EQ(watch.Wait(20), 130);
  EXPECT_THAT(ReadFile(log),
              AllOf(HasSubstr("the search goes on"), HasSubstr("oqat search watch s")));
  EXPECT_FALSE(cancelled);
}

TEST_F(ServerCommands, WatchPrintsEventsAsJsonLines) {
  server_.get = [](const std::string&, v1::Search* search) {
    *search = SearchIn(v1::Search::SUCCEEDED, 4);
    return grpc::Status::OK;
  };
  server_.watch = [](grpc::ServerContext*, const v1::WatchSearchRequest&,
                     ScriptedServer::Writer* writer) {
    for (int sequence : {0, 1, 2}) {
      v1::SearchEvent event;
      event.set_sequence(sequence);
      event.set_type("evaluated");
      *event.mutable_evaluation() = Member(sequence, 1e8, 0.5, 4);
      writer->Write(event);
    }
    return grpc::Status::OK;
  };
  const Outcome outcome = Oqat({"search", "watch", "s", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 2);
  const Json line = ParseJson(outcome.out.substr(0, outcome.out.find('\n')), "line");
  EXPECT_EQ(line["sequence"], 1);
  EXPECT_EQ(line["evaluation"]["key"], "r16-b4-k3e2");
}

TEST_F(ServerCommands, RefusalsKeepTheServersWords) {
  for (const auto& [code, status] :
       {std::pair{grpc::StatusCode::NOT_FOUND, 3}, std::pair{grpc::StatusCode::INVALID_ARGUMENT, 2},
        std::pair{grpc::StatusCode::FAILED_PRECONDITION, 2},
        std::pair{grpc::StatusCode::ALREADY_EXISTS, 2}, std::pair{grpc::StatusCode::DATA_LOSS, 4},
        std::pair{grpc::StatusCode::UNAVAILABLE, 5}, std::pair{grpc::StatusCode::INTERNAL, 1}}) {
    server_.get = [code = code](const std::string&, v1::Search*) {
      return grpc::Status(code, "field: got 1;\nallowed: 2");
    };
    ExpectError(Oqat({"search", "show", "s"}), status, HasSubstr("field: got 1; allowed: 2"));
  }
  ExpectError(Oqat({"search", "show", "Not A Name"}), 2, HasSubstr("Not A Name"));
}

TEST_F(ServerCommands, FrontAsTablePlotCsvAndJson) {
  const Outcome table = oqat::testing::Run(Argv({"front", "searches/s"}), {{"LC_ALL", "C.UTF-8"}});
  ASSERT_EQ(table.status, 0) << table.err;
  EXPECT_THAT(
      table.out,
      AllOf(HasSubstr("120.0 M"), HasSubstr("70.0 KiB"), HasSubstr("62.50 %"), HasSubstr("61.50 %"),
            HasSubstr("r16-b4-k3e2"), HasSubstr("top1 against bitops"), HasSubstr("└"),
            HasSubstr("front: 4, 2 bit"), HasSubstr("other evaluations")));
  const Outcome ascii =
      oqat::testing::Run(Argv({"front", "s", "--ascii"}), {{"LC_ALL", "C.UTF-8"}});
  EXPECT_TRUE(std::all_of(ascii.out.begin(), ascii.out.end(), [](char c) { return c > 0; }));
  const Outcome no_color =
      oqat::testing::Run(Argv({"front", "s"}), {{"LC_ALL", "C.UTF-8"}, {"NO_COLOR", "1"}});
  EXPECT_EQ(no_color.out, ascii.out);

  const Outcome csv = Oqat({"front", "s", "--csv"});
  EXPECT_THAT(csv.out, StartsWith("round,index,bits,resolution,bitops,macs,"));
  EXPECT_THAT(csv.out,
              HasSubstr("\n0,3,4,16,120000000,1200000,,,71680,0.625,,0.615,,r16-b4-k3e2,,\n"));

  const Json json = ParseJson(Oqat({"front", "s", "--json"}).out, "out");
  EXPECT_EQ(json["search"], "searches/s");
  EXPECT_EQ(json["evaluations"].size(), 2u);
  EXPECT_EQ(json["final"], true);
  EXPECT_EQ(json["objectives"][0], (Json{{"metric", "top1"}, {"maximize", true}}));
  ExpectError(Oqat({"front", "s", "--json", "--csv"}), 2, HasSubstr("--csv"));
}

TEST_F(ServerCommands, ListsFollowPages) {
  server_.list = [](const v1::ListSearchesRequest& request, v1::ListSearchesResponse* response) {
    *response->add_searches() = SearchIn(v1::Search::PAUSED, request.page_token().empty() ? 1 : 2);
    if (request.page_token().empty()) response->set_next_page_token("two");
    return grpc::Status::OK;
  };
  const Json all = ParseJson(Oqat({"search", "list", "--json"}).out, "out");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1]["progress"]["evaluations_done"], 2);
  EXPECT_THAT(Oqat({"search", "list"}).out, AllOf(HasSubstr("PAUSED"), HasSubstr("2/4")));
  server_.list = [](const v1::ListSearchesRequest&, v1::ListSearchesResponse*) {
    return grpc::Status::OK;
  };
  EXPECT_EQ(Oqat({"search", "list", "--json"}).out, "[]\n");
}

class Push : public ServerCommands {
 protected:
  Push() {
    std::filesystem::create_directories(dir_);
    artifacts::Checkpoint checkpoint;
    checkpoint.space = space::Preset("tiny-mbv3");
    checkpoint.bits = 4;
    const std::vector<float> values(400000, 0.5F);  // more than one chunk
    checkpoint.tensors["t"] = artifacts::TensorFromFloats({400000}, values.data());
    artifacts::WriteCheckpoint(dir_ + "/b4.safetensors", checkpoint);
    artifacts::EvaluationSet set;
    set.image_size = 8;
    for (int i = 0; i < 10; ++i) set.class_names.push_back(std::to_string(i));
    for (artifacts::ImageSet* images : {&set.calibration, &set.search, &set.test}) {
      images->size = 8;
      const std::vector<std::uint8_t> image(3 * 8 * 8, 7);
      images->Append(image.data(), 1);
    }
    artifacts::WriteEvaluationSet(dir_ + "/set.safetensors", set);
    WriteFileAtomically(dir_ + "/model.json", Json{{"space", "tiny-mbv3"},
                                                   {"checkpoints", {{"4", "b4.safetensors"}}},
                                                   {"evaluation_set", "set.safetensors"}}
                                                  .dump());
  }
  std::string dir_ = folder_ / "My_Model";
};

TEST_F(Push, SendsEveryByteOnce) {
  const Outcome outcome = Oqat({"model", "push", dir_ + "/"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("pushed models/my-model"));
  EXPECT_EQ(server_.uploaded_model.name(), "models/my-model");
  ASSERT_EQ(server_.uploaded.size(), 2u);
  for (const char* file : {"/b4.safetensors", "/set.safetensors"}) {
    const std::string bytes = ReadFile(dir_ + file);
    EXPECT_TRUE(server_.uploaded[Sha256Hex(bytes)] == bytes) << file;
  }
}

TEST_F(Push, BrokenFilesAreNamedBeforeAnythingIsSent) {
  const std::string bytes = ReadFile(dir_ + "/b4.safetensors");
  WriteFileAtomically(dir_ + "/b4.safetensors", bytes.substr(0, bytes.size() - 1));
  ExpectError(Oqat({"model", "push", dir_}), 4, HasSubstr("b4.safetensors"));
  WriteFileAtomically(dir_ + "/model.json", Json{{"space", "tiny-mbv3"},
                                                 {"checkpoints", {{"3", "b4.safetensors"}}},
                                                 {"evaluation_set", "set.safetensors"}}
                                                .dump());
  WriteFileAtomically(dir_ + "/b4.safetensors", bytes);
  ExpectError(Oqat({"model", "push", dir_}), 2, HasSubstr("b4.safetensors: bits: got 4"));
  ExpectError(Oqat({"model", "push", folder_ / "gone"}), 3, HasSubstr("gone"));
  ExpectError(Oqat({"model", "push", dir_, "--name", "No Name"}), 2, HasSubstr("No Name"));
  EXPECT_EQ(server_.uploads, 0);
}

TEST_F(Push, ARefusalInTheMiddleIsTheServersError) {
  server_.refuse_upload = {grpc::StatusCode::ALREADY_EXISTS, "model: got my-model; it exists"};
  const Outcome outcome = Oqat({"model", "push", dir_});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("oqat: error: model: got my-model; it exists\n"));
}

}  // namespace
}  // namespace oqat::testing
