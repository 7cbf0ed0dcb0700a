// SPDX-License-Identifier: Apache-2.0
// Resource names and page tokens: what goes out comes back, and nothing else comes in.
#include "rpc/names.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "rpc/page_token.h"

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

TEST(Names, RoundTrip) {
  EXPECT_EQ(ModelName("m-1"), "models/m-1");
  EXPECT_EQ(ParseModelName("models/m-1", "name"), "m-1");
  EXPECT_EQ(ParseSearchName(SearchName("0"), "name"), "0");
  const EvaluationName name{"s", 12, 0};
  EXPECT_EQ(EvaluationNameText(name), "searches/s/evaluations/12-0");
  EXPECT_EQ(ParseEvaluationName("searches/s/evaluations/12-0", "name"), name);
  const EvaluationName known{"s", -1, 3};
  EXPECT_EQ(EvaluationNameText(known), "searches/s/evaluations/warm-3");
  EXPECT_EQ(ParseEvaluationName("searches/s/evaluations/warm-3", "name"), known);
}

TEST(Names, RefuseEverythingElseNamingTheField) {
  const std::string longest(63, 'a');
  EXPECT_EQ(ParseModelName("models/" + longest, "f"), longest);
  for (const std::string& bad :
       {std::string(), std::string("models/"), std::string("m"), std::string("searches/m"),
        std::string("models/A"), std::string("models/-a"), std::string("models/a/b"),
        std::string("models/a\0b", 10), std::string("models/../x"), "models/" + longest + "a"}) {
    EXPECT_THAT(Refusal([&] { ParseModelName(bad, "the.field"); }), HasSubstr("the.field: got"));
  }
  for (const char* bad : {"searches/s", "searches/s/evaluations/", "searches/s/evaluations/1",
                          "searches/s/evaluations/1-", "searches/s/evaluations/-1-2",
                          "searches/s/evaluations/01-2", "searches/s/evaluations/1-2-3",
                          "searches/s/evaluations/1-+2", "searches/s/evaluations/9999999999-1",
                          "searches/S/evaluations/1-2", "models/s/evaluations/1-2"}) {
    EXPECT_THAT(Refusal([&] { ParseEvaluationName(bad, "name"); }), HasSubstr("name: got")) << bad;
  }
  EXPECT_THAT(Refusal([] { CheckId("a b", "search_id"); }), HasSubstr("search_id"));
}

TEST(PageTokens, GoBackToTheirOwnListOnly) {
  const Json position = {{"round", 3}, {"id", "x/y?z"}};
  const std::string token = EncodePageToken("evaluations of s", position);
  EXPECT_EQ(DecodePageToken("evaluations of s", token), position);
  EXPECT_EQ(token.find_first_of("+/= "), std::string::npos);  // safe in a URL
  EXPECT_THAT(Refusal([&] { DecodePageToken("evaluations of t", token); }),
              HasSubstr("page_token"));
  for (std::size_t length = 0; length < token.size(); ++length) {
    EXPECT_NE(Refusal([&] { DecodePageToken("evaluations of s", token.substr(0, length)); }),
              "accepted")
        << length;
  }
  // Nothing is skipped, and one that we would never make is not even read.
  EXPECT_THAT(Refusal([&] { DecodePageToken("evaluations of s", token + "="); }),
              HasSubstr("page_token"));
  const std::string huge = EncodePageToken("x", std::string(2000, 'a'));
  EXPECT_THAT(Refusal([&] { DecodePageToken("x", huge); }), HasSubstr("page_token"));
  for (const std::string& bad : {std::string("!"), std::string("bnVsbA"), std::string(5000, 'A')}) {
    EXPECT_THAT(Refusal([&] { DecodePageToken("x", bad); }), HasSubstr("page_token"));
  }
}

TEST(PageSize, HasADefaultAndALimit) {
  EXPECT_EQ(PageSize(0, 50), 50);
  EXPECT_EQ(PageSize(7, 50), 7);
  EXPECT_EQ(PageSize(100000, 50), 1000);
  EXPECT_THAT(Refusal([] { PageSize(-1, 50); }), HasSubstr("page_size: got -1"));
}

}  // namespace
}  // namespace oqat::rpc
