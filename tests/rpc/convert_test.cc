// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/hash.h"
#include "space/search_space.h"

namespace oqat::rpc {
namespace {

using ::testing::HasSubstr;

template <typename Body>
std::string Refusal(Body body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument) << error.what();
    return error.what();
  }
  return "accepted";
}

TEST(Convert, ArchitecturesAndMetricsComeBack) {
  const space::Architecture largest = space::Largest(space::Preset("tiny-mbv3"), 3);
  EXPECT_EQ(FromProto(ToProto(largest)), largest);
  const space::MetricValues metrics = {{space::Metric::kTop1, 0.1 + 0.2},
                                       {space::Metric::kBitops, 123456789.0}};
  v1::Evaluation message;
  MetricsToProto(metrics, *message.mutable_metrics());
  EXPECT_EQ(message.metrics().at("bitops"), 123456789.0);
  EXPECT_EQ(MetricsFromProto(message.metrics(), "metrics"), metrics);
  (*message.mutable_metrics())["beauty"] = 1;
  EXPECT_THAT(Refusal([&] { MetricsFromProto(message.metrics(), "result.metrics"); }),
              HasSubstr("result.metrics: got \"beauty\""));
}

TEST(Convert, SpecsComeBack) {
  SearchSpecParts parts;
  parts.request.strategy = "nsga2";
  parts.request.seed = ~std::uint64_t{0};
  parts.request.evaluations = 77;
  parts.request.round_size = 5;
  parts.request.lag = 3;
  parts.request.objectives = {{space::Metric::kLoss, false}, {space::Metric::kParams, false}};
  parts.request.constraints = {{space::Metric::kBitops, {}, 1e9}, {space::Metric::kTop1, 0.0, {}}};
  parts.request.bits = {4, 2};
  parts.request.warm_start = {"a", "b"};
  parts.request.stop_after_stagnant_rounds = 5;
  parts.request.max_seconds = 60;
  parts.measurement = {"torch", 10, 20, "a processor", true};
  EXPECT_EQ(FromProto(ToProto(parts), "spec"), parts);
}

TEST(Convert, ASpecOfDefaultsIsTheDocumentedOne) {
  v1::SearchSpec message;
  message.set_evaluations(10);
  const SearchSpecParts parts = FromProto(message, "spec");
  EXPECT_EQ(parts.request.strategy, "predictor_nsga2");
  EXPECT_EQ(parts.request.round_size, 16);
  EXPECT_EQ(parts.request.lag, 2);
  EXPECT_EQ(parts.measurement, space::Measurement{});
  EXPECT_EQ(parts.measurement.engine, "int8");
  ASSERT_EQ(parts.request.objectives.size(), 2U);
  EXPECT_EQ(parts.request.objectives[0], (search::Objective{space::Metric::kTop1, true}));
  EXPECT_EQ(parts.request.objectives[1], (search::Objective{space::Metric::kBitops, false}));
  EXPECT_TRUE(parts.request.bits.empty());
  EXPECT_TRUE(parts.request.warm_start.empty());
  EXPECT_EQ(parts.request.stop_after_stagnant_rounds, 0);
  EXPECT_EQ(parts.request.max_seconds, 0);
}

TEST(Convert, SpecErrorsNameTheField) {
  v1::SearchSpec message;
  message.add_objectives()->set_metric("top1");
  message.add_objectives()->set_metric("beauty");
  EXPECT_THAT(Refusal([&] { FromProto(message, "spec"); }),
              HasSubstr("spec.objectives[1].metric: got \"beauty\""));
  message.clear_objectives();
  message.add_constraints()->set_metric("");
  EXPECT_THAT(Refusal([&] { FromProto(message, "spec"); }),
              HasSubstr("spec.constraints[0].metric"));
  message.clear_constraints();
  message.add_warm_start("searches/a");
  message.add_warm_start("b");
  EXPECT_THAT(Refusal([&] { FromProto(message, "spec"); }),
              HasSubstr("spec.warm_start[1]: got \"b\""));
}

TEST(Convert, ModelsComeBackAndErrorsNameTheField) {
  artifacts::Model model;
  model.name = "m";
  model.space = space::Preset("tiny-mbv3");
  model.checkpoints = {{4, {Sha256Hex("4"), 44}}, {2, {Sha256Hex("2"), 22}}};
  model.evaluation_set = {Sha256Hex("e"), 5};
  const v1::Model message = ToProto(model, 1500);
  EXPECT_EQ(message.name(), "models/m");
  EXPECT_EQ(message.content_id(), model.ContentId());
  EXPECT_EQ(MsFromTimestamp(message.create_time()), 1500);
  EXPECT_FALSE(ToProto(model, 0).has_create_time());
  const artifacts::Model back = FromProto(message, "model");
  EXPECT_EQ(back.ContentId(), model.ContentId());
  EXPECT_EQ(back.name, "m");

  v1::Model bad = message;
  bad.set_space_json("{");
  EXPECT_THAT(Refusal([&] { FromProto(bad, "model"); }), HasSubstr("model.space_json"));
  bad = message;
  bad.mutable_evaluation_set()->set_sha256("short");
  EXPECT_THAT(Refusal([&] { FromProto(bad, "model"); }), HasSubstr("model.evaluation_set.sha256"));
  bad = message;
  bad.set_name("m");
  EXPECT_THAT(Refusal([&] { FromProto(bad, "model"); }), HasSubstr("model.name: got \"m\""));
}

TEST(Convert, ModelsWithBadCheckpointsAreRefused) {
  artifacts::Model model;
  model.name = "m";
  model.space = space::Preset("tiny-mbv3");
  model.checkpoints = {{4, {Sha256Hex("4"), 44}}, {2, {Sha256Hex("2"), 22}}};
  model.evaluation_set = {Sha256Hex("e"), 5};
  const v1::Model good = ToProto(model, 0);
  const auto refusal = [&](const auto& spoil) {
    v1::Model bad = good;
    spoil(bad);
    return Refusal([&] { FromProto(bad, "model"); });
  };
  EXPECT_EQ(refusal([](v1::Model&) {}), "accepted");
  EXPECT_THAT(refusal([](v1::Model& m) { m.clear_checkpoints(); }), HasSubstr("model.checkpoints"));
  EXPECT_THAT(refusal([](v1::Model& m) { m.mutable_checkpoints(0)->set_bits(7); }),
              HasSubstr("model.checkpoints[0].bits: got 7"));
  EXPECT_THAT(refusal([](v1::Model& m) { m.mutable_checkpoints(1)->set_bits(4); }),
              HasSubstr("model.checkpoints[1].bits: got 4"));
  EXPECT_THAT(refusal([](v1::Model& m) { m.mutable_checkpoints(1)->clear_file(); }),
              HasSubstr("model.checkpoints[1].sha256"));
  EXPECT_THAT(refusal([](v1::Model& m) { m.mutable_checkpoints(0)->mutable_file()->set_size(0); }),
              HasSubstr("model.checkpoints[0].size: got 0"));
  EXPECT_THAT(refusal([](v1::Model& m) {
                m.mutable_evaluation_set()->set_size(~std::uint64_t{0});  // negative as an int64
              }),
              HasSubstr("model.evaluation_set.size: got 18446744073709551615"));
  EXPECT_THAT(refusal([](v1::Model& m) { m.set_space_json("{}"); }), HasSubstr("space.name"));
}

TEST(Convert, TimesKeepTheirMilliseconds) {
  for (const std::int64_t ms : {0LL, 1LL, 999LL, 1'700'000'000'123LL, -1LL, -1000LL, -1500LL}) {
    EXPECT_EQ(MsFromTimestamp(TimestampFromMs(ms)), ms);
  }
  EXPECT_EQ(TimestampFromMs(-1500).seconds(), -2);
  EXPECT_EQ(TimestampFromMs(-1500).nanos(), 500'000'000);
  EXPECT_EQ(TimestampFromMs(1'001).seconds(), 1);
  EXPECT_EQ(TimestampFromMs(1'001).nanos(), 1'000'000);
  google::protobuf::Timestamp time;
  time.set_nanos(999'999);
  EXPECT_EQ(MsFromTimestamp(time), 0);
  time.set_seconds(-2);  // protobuf's own form of -1.5 s
  time.set_nanos(500'000'000);
  EXPECT_EQ(MsFromTimestamp(time), -1500);
}

}  // namespace
}  // namespace oqat::rpc
