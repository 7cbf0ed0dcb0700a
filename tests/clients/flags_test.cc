#include <gmock/gmock.h>

#include "base/error.h"
#include "clients/cli/cost_stream.h"
#include "clients/cli/search_flags.h"

namespace oqat::clients {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

template <typename Action>
std::string MessageOf(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

TEST(Constraints, Parse) {
  EXPECT_EQ(ParseConstraint("bitops<=1.5e8").max, 1.5e8);
  EXPECT_EQ(ParseConstraint(" bitops <= 150M ").max, 1.5e8);
  EXPECT_EQ(ParseConstraint("params<=2.5k").max, 2500);
  const search::Constraint top1 = ParseConstraint("top1>=0.5");
  EXPECT_EQ(top1.metric, space::Metric::kTop1);
  EXPECT_EQ(top1.min, 0.5);
  EXPECT_FALSE(top1.max.has_value());
}

TEST(Constraints, RefuseWhatIsUnclear) {
  for (const char* text : {"", "bitops", "bitops<5", "bitops=5", "<=5", "bitops<=", "bitops<=5x",
                           "bitops<=1e999", "bitops<=nan", "bitops<==5", "bitops<=5 6"}) {
    const std::string message = MessageOf([&] { ParseConstraint(text); });
    EXPECT_THAT(message, AllOf(StartsWith("constraint: got \""), HasSubstr("METRIC<=NUMBER")));
  }
  EXPECT_THAT(MessageOf([] { ParseConstraint("speed<=5"); }),
              AllOf(HasSubstr("speed"), HasSubstr("bitops")));
}

TEST(Objectives, ParseAndRefuse) {
  EXPECT_EQ(ParseObjective("top1"), (search::Objective{space::Metric::kTop1, true}));
  EXPECT_EQ(ParseObjective("loss"), (search::Objective{space::Metric::kLoss, false}));
  EXPECT_EQ(ParseObjective("macs:max"), (search::Objective{space::Metric::kMacs, true}));
  EXPECT_THAT(MessageOf([] { ParseObjective("top1:up"); }), HasSubstr("METRIC:max"));
  EXPECT_THAT(MessageOf([] { ParseObjective("speed:max"); }), HasSubstr("\"speed\""));
}

TEST(SearchOrders, FlagsComeBeforeTheFile) {
  SearchFlags flags;
  flags.seed = 18446744073709551615u;
  flags.evaluations = 40;
  flags.bits = {4, 3};
  flags.engine = "torch";
  flags.early_stop = true;
  flags.warm_start = {"searches/a", "b"};
  flags.stop_after_stagnant_rounds = 5;
  flags.max_seconds = 3600;
  flags.constraints = {"bitops<=150M", "top1>=0.5"};
  const SearchOrder order = MakeSearchOrder(flags, Json{{"model", "models/tiny"},
                                                        {"name", "nightly"},
                                                        {"evaluations", 10},
                                                        {"strategy", "nsga2"},
                                                        {"seed", 1},
                                                        {"cpu", "a processor"},
                                                        {"search_images", 500}});
  EXPECT_EQ(order.model, "tiny");
  EXPECT_EQ(order.name, "nightly");
  EXPECT_EQ(order.measurement, (space::Measurement{"torch", 0, 500, "a processor", true}));
  EXPECT_EQ(order.request.evaluations, 40);
  EXPECT_EQ(order.request.strategy, "nsga2");
  EXPECT_EQ(order.request.seed, 18446744073709551615u);
  EXPECT_EQ(order.request.bits, (std::vector<int>{4, 3}));
  EXPECT_EQ(order.request.warm_start, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(order.request.stop_after_stagnant_rounds, 5);
  EXPECT_EQ(order.request.max_seconds, 3600);
  EXPECT_EQ(order.request.objectives.size(), 2u);  // the default
  ASSERT_EQ(order.request.constraints.size(), 2u);
  EXPECT_EQ(order.request.constraints[0].max, 1.5e8);
  EXPECT_EQ(order.request.constraints[1].min, 0.5);
}

TEST(SearchOrders, RefuseBadFiles) {
  const auto order = [](const Json& file) {
    return MessageOf([&] { MakeSearchOrder(SearchFlags(), file); });
  };
  EXPECT_THAT(order(Json::object()), HasSubstr("--model"));
  EXPECT_THAT(order({{"model", "m"}}), HasSubstr("--evaluations"));
  EXPECT_THAT(order({{"model", "m"}, {"evaluations", 3}, {"budget", 4}}), HasSubstr("budget"));
  EXPECT_THAT(order({{"model", "m"}, {"evaluations", "3"}}), HasSubstr("request.evaluations"));
  EXPECT_THAT(order({{"model", 7}, {"evaluations", 3}}), HasSubstr("model"));
  EXPECT_THAT(order({{"model", "m"}, {"evaluations", 3}, {"search_images", -1}}),
              HasSubstr("search_images"));
  EXPECT_THAT(order(Json::array()), HasSubstr("an object"));
}

// The fast scanner and the strict reader must agree on everything valid.
TEST(CostStream, ScannerAgreesWithTheStrictReader) {
  for (const std::string& name : space::PresetNames()) {
    const space::SearchSpace& space = space::Preset(name);
    RandomStream random(7, "test.cost_stream");
    Json array = Json::array();
    std::vector<space::Costs> expected;
    for (int i = 0; i < 200; ++i) {
      const space::Architecture a = space::SampleUniform(space, random);
      expected.push_back(space::CostsOf(space, a));
      array.push_back(space::ArchitectureToJson(a));
    }
    EXPECT_EQ(CostsFromJsonText(space, array.dump(), "f"), expected);
    EXPECT_EQ(CostsFromJsonText(space, array.dump(3), "f"), expected);
    EXPECT_EQ(CostsFromJsonText(space, "\r\n\t" + array[0].dump() + " ", "f").at(0), expected[0]);
  }
}

TEST(CostStream, TakesUnusualButValidJson) {
  const space::SearchSpace& space = space::Preset("tiny-mbv3");
  const Json json = space::ArchitectureToJson(space::Largest(space, 4));
  std::string text = json.dump();
  text.replace(text.find("bits"), 4, "b\\u0069ts");
  EXPECT_EQ(CostsFromJsonText(space, text, "f").at(0),
            space::CostsOf(space, space::Largest(space, 4)));
  EXPECT_TRUE(CostsFromJsonText(space, "[]", "f").empty());
}

TEST(CostStream, RefusalsNameFileElementAndField) {
  const space::SearchSpace& space = space::Preset("tiny-mbv3");
  const Json good = space::ArchitectureToJson(space::Largest(space, 4));
  const auto refused = [&](const Json& json) {
    return MessageOf([&] { CostsFromJsonText(space, json.dump(), "a.json"); });
  };
  Json bad = good;
  bad["kernels"][3] = 7;
  EXPECT_THAT(refused(Json{good, bad}),
              AllOf(StartsWith("a.json: [1].kernels[3]"), HasSubstr("7"), HasSubstr("3, 5")));
  bad = good;
  bad["depths"].push_back(2);
  EXPECT_THAT(refused(bad), AllOf(HasSubstr("depths"), HasSubstr("exactly 3")));
  bad = good;
  bad.erase("bits");
  EXPECT_THAT(refused(bad), AllOf(HasSubstr("bits"), HasSubstr("missing")));
  bad = good;
  bad["colour"] = 1;
  EXPECT_THAT(refused(bad), HasSubstr("colour"));
  bad = good;
  bad["resolution"] = 16.5;
  EXPECT_THAT(refused(bad), HasSubstr("resolution"));
  bad["resolution"] = 99999999999;
  EXPECT_THAT(refused(bad), HasSubstr("resolution"));
  EXPECT_THAT(refused(Json{1, 2}), HasSubstr("[0]"));
  for (std::string text : {"", "[", "[{}", "nonsense", "{\"bits\":4", "[01]"}) {
    EXPECT_THAT(MessageOf([&] { CostsFromJsonText(space, text, "a.json"); }),
                StartsWith("a.json: malformed JSON at byte"));
  }
  const std::string trailing = good.dump() + " x";
  EXPECT_THAT(MessageOf([&] { CostsFromJsonText(space, trailing, "a.json"); }),
              HasSubstr("malformed"));
  // Every prefix of a good text is refused.
  const std::string text = Json{good}.dump();
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_THROW(CostsFromJsonText(space, text.substr(0, length), "f"), Error);
  }
}

}  // namespace
}  // namespace oqat::clients
