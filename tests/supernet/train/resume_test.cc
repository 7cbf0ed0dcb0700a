#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "supernet/train/run_folder.h"
#include "supernet/train/train_state.h"
#include "supernet/train/trainer.h"
#include "tests/supernet/train/small_request.h"

namespace oqat::supernet {
namespace {

using testing::HasSubstr;

/// A few steps and an epoch's end in every stage, a state after every step.
TrainRequest Request(const std::string& folder) {
  TrainRequest request = SmallRequest(folder);
  for (RecipeStage& stage : request.recipe.stages) {
    stage.epochs = 1.5;
    stage.batch_size = 60;
  }
  request.save_minutes = 0;
  return request;
}

/// The log without times.
std::string Metrics(const std::string& folder) {
  std::ifstream file(folder + "/metrics.jsonl");
  std::string text;
  for (std::string line; std::getline(file, line);) {
    Json json = ParseJson(line, "metrics.jsonl");
    json.erase("seconds");
    json.erase("steps_per_second");
    text += json.dump() + "\n";
  }
  return text;
}

/// Trains until `stop_after` lines were said; false if it was finished before.
bool TrainUntil(TrainRequest request, int stop_after) {
  std::atomic<bool> stop{false};
  request.stop = &stop;
  request.say = [&](const std::string&) {
    if (--stop_after <= 0) stop = true;
  };
  try {
    Train(request);
    return false;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kCancelled) << error.what();
    return true;
  }
}

TEST(Resume, AnInterruptedTrainingEndsWithTheSameBits) {
  const TrainRequest whole = Request("whole"), pieces = Request("pieces");
  const TrainReport expected = Train(whole);
  int interruptions = 0;
  while (TrainUntil(pieces, 3)) ASSERT_LT(++interruptions, 50);
  EXPECT_GE(interruptions, 3);
  const TrainReport report = Train(pieces);
  ASSERT_EQ(report.stages.size(), expected.stages.size());
  for (std::size_t i = 0; i < expected.stages.size(); ++i) {
    EXPECT_EQ(report.stages[i].sha256, expected.stages[i].sha256);
    EXPECT_EQ(report.stages[i].steps, expected.stages[i].steps);
    ASSERT_EQ(report.stages[i].scores.size(), expected.stages[i].scores.size());
    EXPECT_EQ(report.stages[i].scores.back().loss, expected.stages[i].scores.back().loss);
  }
  EXPECT_EQ(Metrics(pieces.out_folder), Metrics(whole.out_folder));
  EXPECT_EQ(ReadFile(pieces.out_folder + "/model.json"),
            ReadFile(whole.out_folder + "/model.json"));
  std::filesystem::remove_all(whole.out_folder);
  std::filesystem::remove_all(pieces.out_folder);
}

TEST(Resume, StepSizesThatNoSubnetUsedYetStayFresh) {
  TrainRequest whole = Request("fresh_whole");
  whole.recipe.distillation = Distillation::kNone;
  whole.recipe.largest_subnet = whole.recipe.smallest_subnet = false;
  for (RecipeStage& stage : whole.recipe.stages) stage.batch_size = 100;
  TrainRequest pieces = whole;
  pieces.out_folder = Request("fresh_pieces").out_folder;
  const TrainReport expected = Train(whole);
  int interruptions = 0;
  while (TrainUntil(pieces, 1)) ASSERT_LT(++interruptions, 50);
  EXPECT_EQ(Train(pieces).stages.back().sha256, expected.stages.back().sha256);
  std::filesystem::remove_all(whole.out_folder);
  std::filesystem::remove_all(pieces.out_folder);
}

TEST(Resume, ADivergedTrainingKeepsAFiniteState) {
  TrainRequest request = Request("diverged");
  request.recipe.gradient_clip = 0;
  request.recipe.weight_decay = 1;
  for (RecipeStage& stage : request.recipe.stages) {
    stage.learning_rate = 1e3;
    stage.warmup = 0;
    stage.epochs = 20;
  }
  for (int again = 0; again < 2; ++again) {
    try {
      Train(request);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kFailedPrecondition) << error.what();
      EXPECT_THAT(error.what(), HasSubstr("training diverged"));
    }
  }
  std::filesystem::remove_all(request.out_folder);
}

TEST(Resume, WhatEndedBeforeItsFirstStateBeginsAnew) {
  const TrainRequest request = Request("early");
  std::filesystem::create_directories(request.out_folder);
  WriteFileAtomically(request.out_folder + "/metrics.jsonl", "");
  const std::string leftover = request.out_folder + "/state.safetensors.tmp.1.0";
  WriteFileAtomically(leftover, "half");
  EXPECT_NO_THROW(Train(request));
  EXPECT_FALSE(std::filesystem::exists(leftover));
  std::filesystem::remove_all(request.out_folder);
}

class FinishedTraining : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    request_ = new TrainRequest(SmallRequest("finished"));
    Train(*request_);
  }
  static void TearDownTestSuite() {
    std::filesystem::remove_all(request_->out_folder);
    delete request_;
  }

  /// What Train says to `request`.
  static Error Complaint(const TrainRequest& request) {
    try {
      Train(request);
    } catch (const Error& error) {
      return error;
    }
    return Error(Code::kInternal, "no error");
  }

  static TrainRequest* request_;
};
TrainRequest* FinishedTraining::request_ = nullptr;

TEST_F(FinishedTraining, IsReportedAgainWithoutTraining) {
  const auto written = std::filesystem::last_write_time(request_->out_folder + "/b3.safetensors");
  const TrainReport report = Train(*request_);
  ASSERT_EQ(report.stages.size(), 3u);
  EXPECT_EQ(report.stages[2].sha256, Sha256HexOfFile(request_->out_folder + "/b3.safetensors"));
  EXPECT_EQ(std::filesystem::last_write_time(request_->out_folder + "/b3.safetensors"), written);
}

TEST_F(FinishedTraining, RefusesAnotherRequestNamingTheDifference) {
  TrainRequest request = *request_;
  request.recipe.stages[1].learning_rate = 0.01;
  const Error other_rate = Complaint(request);
  EXPECT_EQ(other_rate.code(), Code::kAlreadyExists);
  EXPECT_THAT(other_rate.what(),
              HasSubstr("recipe.stages[1].learning_rate: 0.05 there, 0.01 here"));

  request = *request_;
  request.seed = 5;
  EXPECT_THAT(Complaint(request).what(), HasSubstr("seed: 1 there, 5 here"));

  request = *request_;
  request.recipe.data = "synthetic:train=300,test=60";
  EXPECT_THAT(Complaint(request).what(), HasSubstr("data_sha256"));
}

TEST_F(FinishedTraining, AFolderWithoutItsStateIsNotOverwritten) {
  TrainRequest request = *request_;
  request.out_folder += "_stateless";
  std::filesystem::create_directories(request.out_folder);
  WriteFileAtomically(request.out_folder + "/metrics.jsonl", "{}\n");
  const Error error = Complaint(request);
  EXPECT_EQ(error.code(), Code::kAlreadyExists);
  EXPECT_THAT(error.what(), HasSubstr("state.safetensors"));
  EXPECT_EQ(ReadFile(request.out_folder + "/metrics.jsonl"), "{}\n");
  std::filesystem::remove_all(request.out_folder);
}

TEST_F(FinishedTraining, ADamagedStateIsNamed) {
  TrainRequest request = *request_;
  request.out_folder += "_damaged";
  std::filesystem::create_directories(request.out_folder);
  const std::string state = request.out_folder + "/" + RunFolder::kState;
  const std::string bytes = ReadFile(request_->out_folder + "/" + RunFolder::kState);
  WriteFileAtomically(state, bytes.substr(0, bytes.size() / 2));
  EXPECT_EQ(Complaint(request).code(), Code::kDataLoss);
  EXPECT_THAT(Complaint(request).what(), HasSubstr(RunFolder::kState));
  artifacts::WriteSafeTensors(state, {});
  EXPECT_THAT(Complaint(request).what(), HasSubstr("not the state of a training"));
  std::filesystem::remove_all(request.out_folder);
}

TEST(Resume, AFullDiskKeepsTheLastState) {
  const TrainRequest request = Request("full_disk");
  ASSERT_TRUE(TrainUntil(request, 3));
  const std::string state = request.out_folder + "/" + RunFolder::kState;
  const std::string before = ReadFile(state);

  // No file may grow beyond half a state: what a full disk does, for this process alone.
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = old;
  small.rlim_cur = before.size() / 2;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    Train(request);
  } catch (const Error& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(message, HasSubstr(RunFolder::kState));
  EXPECT_EQ(ReadFile(state), before);
  EXPECT_NO_THROW(Train(request));
  std::filesystem::remove_all(request.out_folder);
}

TEST(TrainStateFile, EveryFieldSurvives) {
  TrainState state;
  state.identity = {{"seed", 3}};
  state.stage = 2;
  state.steps = 7;
  state.progress = 0.1 + 0.2;
  state.seconds = 1.5;
  state.stage_seconds = 0.5;
  state.metrics_bytes = 99;
  state.running = {{"loss", 1.0 / 3}};
  state.fresh_steps = {1, 5};
  const float values[] = {1, 2};
  state.tensors["net.x"] = artifacts::TensorFromFloats({2}, values);
  const std::string path = testing::TempDir() + "/oqat_state.safetensors";
  WriteTrainState(path, state);
  const TrainState again = ReadTrainState(path);
  EXPECT_EQ(again.identity, state.identity);
  EXPECT_EQ(again.stage, 2u);
  EXPECT_EQ(again.steps, 7);
  EXPECT_EQ(again.progress, state.progress);
  EXPECT_EQ(again.seconds, 1.5);
  EXPECT_EQ(again.stage_seconds, 0.5);
  EXPECT_EQ(again.metrics_bytes, 99u);
  EXPECT_EQ(again.running, state.running);
  EXPECT_EQ(again.fresh_steps, state.fresh_steps);
  EXPECT_EQ(again.tensors, state.tensors);
  std::filesystem::remove(path);
}

TEST(TrainStateFile, DifferencesAreListedUpToFive) {
  EXPECT_EQ(DifferencesOf({{"a", 1}}, {{"a", 1}}), "");
  EXPECT_EQ(DifferencesOf({{"a", {{"b", {1, 2}}}}}, {{"a", {{"b", {1, 3}}}}}),
            "a.b[1]: 2 there, 3 here");
  EXPECT_EQ(DifferencesOf({{"a", {1}}}, {{"a", {1, 2}}}), "a: [1] there, [1,2] here");
  EXPECT_EQ(DifferencesOf(Json::object(), {{"a", 1}}), "a: null there, 1 here");
  Json there, here;
  for (int i = 0; i < 8; ++i) {
    there["f" + std::to_string(i)] = 0;
    here["f" + std::to_string(i)] = 1;
  }
  EXPECT_THAT(DifferencesOf(there, here), HasSubstr("and 3 more"));
}

}  // namespace
}  // namespace oqat::supernet
