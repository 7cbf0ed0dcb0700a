#include <gmock/gmock.h>

#include <limits>

#include "tests/storage/support.h"

namespace oqat::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ContractTest : public StoreTest {
 protected:
  std::vector<std::string> Names(const std::vector<Search>& searches) {
    std::vector<std::string> names;
    for (const Search& search : searches) names.push_back(search.id);
    return names;
  }
};

TEST_P(ContractTest, ModelsAreListedByNameInPages) {
  const Model b{"b", "id-b", "{}", 1}, a{"a", "id-a", R"({"x":1})", 2}, c{"c", "id-c", "", 3};
  for (const Model& model : {b, a, c}) store->InsertModel(model);
  EXPECT_EQ(store->GetModel("a"), a);
  EXPECT_EQ(store->GetModel("none"), std::nullopt);
  EXPECT_THAT(store->ListModels("", 2), ElementsAre(a, b));
  EXPECT_THAT(store->ListModels("b", 2), ElementsAre(c));
  const Error taken = ErrorOf([&] { store->InsertModel({"a", "other", "", 9}); });
  EXPECT_EQ(taken.code(), Code::kAlreadyExists);
  EXPECT_THAT(taken.what(), HasSubstr("model a"));
  EXPECT_EQ(store->GetModel("a"), a);
  store->DeleteModel("a");
  EXPECT_EQ(store->GetModel("a"), std::nullopt);
  EXPECT_CODE(Code::kNotFound, store->DeleteModel("a"));
}

TEST_P(ContractTest, CountsTheSearchesOfAModel) {
  Search done = SampleSearch("s2");
  done.state = "SUCCEEDED";
  store->InsertSearch(SampleSearch("s1"));
  store->InsertSearch(done);
  EXPECT_EQ(store->CountSearchesOfModel("tiny", {}), 2);
  EXPECT_EQ(store->CountSearchesOfModel("tiny", {"PENDING", "RUNNING", "PAUSED"}), 1);
  EXPECT_EQ(store->CountSearchesOfModel("other", {}), 0);
}

TEST_P(ContractTest, ArtifactsAreInsertedOnce) {
  const std::string first = std::string(64, '1'), second = std::string(64, '2');
  EXPECT_TRUE(store->InsertArtifact({second, 20, 1}));
  EXPECT_TRUE(store->InsertArtifact({first, std::int64_t{1} << 40, 2}));
  EXPECT_FALSE(store->InsertArtifact({first, 99, 3}));
  EXPECT_TRUE(store->HasArtifact(first));
  EXPECT_THAT(store->ListArtifacts("", 10),
              ElementsAre(Artifact{first, std::int64_t{1} << 40, 2}, Artifact{second, 20, 1}));
  EXPECT_THAT(store->ListArtifacts(first, 10), ElementsAre(Artifact{second, 20, 1}));
  store->DeleteArtifact(first);
  EXPECT_FALSE(store->HasArtifact(first));
  EXPECT_CODE(Code::kNotFound, store->DeleteArtifact(first));
  EXPECT_CODE(Code::kInvalidArgument, store->InsertArtifact({"../../etc/passwd", 1, 1}));
}

TEST_P(ContractTest, SearchesKeepEveryField) {
  Search search = SampleSearch("s1");
  search.error = "it's \"quoted\"; DROP TABLE searches; \n \xc3\xa9";
  search.outcome_json = std::string("nul \0 inside", 12);
  search.end_time_ms = std::numeric_limits<std::int64_t>::max();
  store->InsertSearch(search);
  EXPECT_EQ(store->GetSearch("s1"), search);
  EXPECT_EQ(store->GetSearchByRequestId("request-s1"), search);
  EXPECT_EQ(store->GetSearch("s2"), std::nullopt);
  EXPECT_EQ(store->GetSearchByRequestId("request-s2"), std::nullopt);
}

TEST_P(ContractTest, RequestIdsAreUniqueUnlessEmpty) {
  store->InsertSearch(SampleSearch("s1"));
  Search again = SampleSearch("s2");
  again.request_id = "request-s1";
  const Error error = ErrorOf([&] { store->InsertSearch(again); });
  EXPECT_EQ(error.code(), Code::kAlreadyExists);
  EXPECT_THAT(error.what(), HasSubstr("request-s1"));
  again.id = "s1";
  again.request_id = "fresh";
  EXPECT_THAT(ErrorOf([&] { store->InsertSearch(again); }).what(), HasSubstr("search s1"));
  for (const char* id : {"s3", "s4"}) {
    Search anonymous = SampleSearch(id);
    anonymous.request_id = "";
    store->InsertSearch(anonymous);
    EXPECT_EQ(store->GetSearch(id), anonymous);
  }
  EXPECT_EQ(store->GetSearchByRequestId(""), std::nullopt);
}

TEST_P(ContractTest, SearchesAreListedNewestFirstInPages) {
  for (int i = 0; i < 5; ++i) {
    // Two of them share a time: the id decides.
    Search search = SampleSearch("s" + std::to_string(i), 1000 + (i == 2 ? 1 : i));
    if (i % 2 == 1) search.state = "SUCCEEDED";
    store->InsertSearch(search);
  }
  EXPECT_THAT(Names(store->ListSearches({}, {}, 10)), ElementsAre("s4", "s3", "s2", "s1", "s0"));
  const auto page = store->ListSearches({}, {}, 3);
  EXPECT_THAT(Names(page), ElementsAre("s4", "s3", "s2"));
  EXPECT_THAT(Names(store->ListSearches({}, {page.back().create_time_ms, page.back().id}, 3)),
              ElementsAre("s1", "s0"));
  EXPECT_THAT(Names(store->ListSearches({"SUCCEEDED"}, {}, 10)), ElementsAre("s3", "s1"));
  EXPECT_THAT(Names(store->ListSearches({"RUNNING", "SUCCEEDED"}, {1001, "s2"}, 1)),
              ElementsAre("s1"));
  EXPECT_THAT(store->ListSearches({"'; --"}, {}, 10), IsEmpty());
}

TEST_P(ContractTest, UpdatesChangeOnlyWhatTheyName) {
  Search search = SampleSearch("s1");
  store->InsertSearch(search);
  store->UpdateSearchState({.id = "s1",
                            .state = "PAUSED",
                            .update_time_ms = 5,
                            .error = "paused",
                            .end_time_ms = {},
                            .outcome_json = {}});
  search.state = "PAUSED";
  search.update_time_ms = 5;
  search.error = "paused";
  EXPECT_EQ(store->GetSearch("s1"), search);
  store->UpdateSearchState({.id = "s1",
                            .state = "SUCCEEDED",
                            .update_time_ms = 6,
                            .error = {},
                            .end_time_ms = 7,
                            .outcome_json = "{}"});
  search.state = "SUCCEEDED";
  search.update_time_ms = 6;
  search.end_time_ms = 7;
  search.outcome_json = "{}";
  EXPECT_EQ(store->GetSearch("s1"), search);
  store->UpdateSearchState({.id = "s1",
                            .state = "SUCCEEDED",
                            .update_time_ms = 6,
                            .error = "",
                            .end_time_ms = {},
                            .outcome_json = {}});
  EXPECT_EQ(store->GetSearch("s1")->error, "");
  EXPECT_CODE(Code::kNotFound, store->UpdateSearchState({.id = "s9",
                                                         .state = "PAUSED",
                                                         .update_time_ms = 1,
                                                         .error = {},
                                                         .end_time_ms = {},
                                                         .outcome_json = {}}));
}

TEST_P(ContractTest, RoundsComeBackInOrderWithTheirCandidates) {
  store->InsertSearch(SampleSearch("s1"));
  store->InsertSearch(SampleSearch("s2"));
  const Round r0 = SampleRound("s1", 0, 12), r1 = SampleRound("s1", 1, 0);
  Round shuffled = r0;
  std::swap(shuffled.candidates[2], shuffled.candidates[10]);
  store->InsertRound(r1);
  store->InsertRound(shuffled);
  const Round earlier = SampleRound("s2", kEarlierRound, 2);
  const CandidateResult known = SampleResult("s2", kEarlierRound, 0);
  store->InsertRound(SampleRound("s2", 0));
  store->InsertRound(earlier);
  store->RecordResult(known);
  EXPECT_THAT(store->ListRounds("s2"), ElementsAre(earlier, SampleRound("s2", 0)));
  EXPECT_THAT(store->ListResults("s2"), ElementsAre(known));
  EXPECT_THAT(store->ListRounds("s1"), ElementsAre(r0, r1));
  EXPECT_THAT(store->ListRounds("s1", 0), ElementsAre(r1));
  EXPECT_THAT(store->ListRounds("s1", -1, 1), ElementsAre(r0));
  EXPECT_THAT(store->ListRounds("none"), IsEmpty());
}

TEST_P(ContractTest, ARefusedRoundLeavesNothing) {
  store->InsertSearch(SampleSearch("s1"));
  const Round round = SampleRound("s1", 0);
  store->InsertRound(round);
  EXPECT_CODE(Code::kAlreadyExists, store->InsertRound(SampleRound("s1", 0, 5)));
  EXPECT_CODE(Code::kNotFound, store->InsertRound(SampleRound("s2", 0)));
  Round twice = SampleRound("s1", 1, 3);
  twice.candidates[2].index = 0;
  EXPECT_THAT(ErrorOf([&] { store->InsertRound(twice); }).what(),
              HasSubstr("search s1, round 1, candidate 0"));
  Round odd = SampleRound("s1", 1);
  odd.candidates[1].split = "train";
  EXPECT_THAT(ErrorOf([&] { store->InsertRound(odd); }).what(), HasSubstr("search, test"));
  EXPECT_CODE(Code::kInvalidArgument, store->InsertRound(SampleRound("s1", -2)));
  EXPECT_THAT(store->ListRounds("s1"), ElementsAre(round));
}

TEST_P(ContractTest, TheFirstResultWins) {
  store->InsertSearch(SampleSearch("s1"));
  store->InsertRound(SampleRound("s1", 0));
  store->InsertRound(SampleRound("s1", 1));
  const CandidateResult late = SampleResult("s1", 1, 0), early = SampleResult("s1", 0, 1);
  EXPECT_TRUE(store->RecordResult(late));
  EXPECT_TRUE(store->RecordResult(early));
  CandidateResult other = early;
  other.state = "failed";
  other.error = "worker died";
  EXPECT_FALSE(store->RecordResult(other));
  EXPECT_THAT(store->ListResults("s1"), ElementsAre(early, late));
  EXPECT_THAT(store->ListResults("s1", {}, 1), ElementsAre(early));
  EXPECT_THAT(store->ListResults("s1", {0, 1}), ElementsAre(late));
  EXPECT_CODE(Code::kNotFound, store->RecordResult(SampleResult("s1", 0, 7)));
  EXPECT_CODE(Code::kNotFound, store->RecordResult(SampleResult("s1", 9, 0)));
  other.state = "lost";
  EXPECT_CODE(Code::kInvalidArgument, store->RecordResult(other));
}

TEST_P(ContractTest, EvaluationsAreCachedUnderTheirKey) {
  const Evaluation a{Sha256Hex("a"), R"({"top1":1})", 10, "w1"}, b{Sha256Hex("b"), "{}", 11, "w2"};
  EXPECT_TRUE(store->PutEvaluation(a));
  EXPECT_TRUE(store->PutEvaluation(b));
  EXPECT_FALSE(store->PutEvaluation({a.key, "{}", 99, "w3"}));
  EXPECT_THAT(store->GetEvaluations({b.key, Sha256Hex("c"), a.key}), ElementsAre(b, a));
  EXPECT_THAT(store->GetEvaluations({}), IsEmpty());
  EXPECT_CODE(Code::kInvalidArgument, store->PutEvaluation({"short", "{}", 1, "w"}));
}

TEST_P(ContractTest, EventsAreNumberedPerSearch) {
  store->InsertSearch(SampleSearch("s1"));
  store->InsertSearch(SampleSearch("s2"));
  EXPECT_EQ(store->AppendEvent({"s1", 77, 10, "created", "{}"}), 1);
  EXPECT_EQ(store->AppendEvent({"s1", 0, 11, "round", "{}"}), 2);
  EXPECT_EQ(store->AppendEvent({"s2", 0, 12, "created", "{}"}), 1);
  EXPECT_EQ(store->AppendEvent({"s1", 0, 13, "done", "{}"}), 3);
  EXPECT_THAT(store->ListEvents("s1", 1, 10),
              ElementsAre(Event{"s1", 2, 11, "round", "{}"}, Event{"s1", 3, 13, "done", "{}"}));
  EXPECT_THAT(store->ListEvents("s1", 0, 1), ElementsAre(Event{"s1", 1, 10, "created", "{}"}));
  EXPECT_CODE(Code::kNotFound, store->AppendEvent({"s3", 0, 1, "created", "{}"}));
}

TEST_P(ContractTest, DeletingASearchTakesItsRowsAndNoOthers) {
  const Evaluation evaluation{Sha256Hex("a"), "{}", 1, "w"};
  store->PutEvaluation(evaluation);
  for (const char* id : {"s1", "s2"}) {
    store->InsertSearch(SampleSearch(id));
    store->InsertRound(SampleRound(id, 0));
    store->RecordResult(SampleResult(id, 0, 0));
    store->AppendEvent({id, 0, 1, "created", "{}"});
  }
  store->DeleteSearch("s1");
  EXPECT_EQ(store->GetSearch("s1"), std::nullopt);
  EXPECT_THAT(store->ListRounds("s1"), IsEmpty());
  EXPECT_THAT(store->ListResults("s1"), IsEmpty());
  EXPECT_THAT(store->ListEvents("s1", 0, 10), IsEmpty());
  EXPECT_EQ(store->ListRounds("s2").size(), 1u);
  EXPECT_EQ(store->ListResults("s2").size(), 1u);
  EXPECT_EQ(store->ListEvents("s2", 0, 10).size(), 1u);
  EXPECT_EQ(store->GetEvaluations({evaluation.key}).size(), 1u);
  EXPECT_CODE(Code::kNotFound, store->DeleteSearch("s1"));
  // Its request id is free again.
  store->InsertSearch(SampleSearch("s1"));
}

TEST_P(ContractTest, MetaIsOverwritten) {
  EXPECT_EQ(store->GetMeta("instance_id"), std::nullopt);
  store->PutMeta("instance_id", "one");
  store->PutMeta("instance_id", "two");
  EXPECT_EQ(store->GetMeta("instance_id"), "two");
  EXPECT_EQ(store->SchemaVersion(), 1);
}

TEST_P(ContractTest, RefusesEmptyIdentifiersAndLimits) {
  EXPECT_CODE(Code::kInvalidArgument, store->InsertModel({"", "id", "{}", 1}));
  EXPECT_CODE(Code::kInvalidArgument, store->InsertSearch(SampleSearch("")));
  EXPECT_CODE(Code::kInvalidArgument, store->PutMeta("", "x"));
  for (const std::int64_t limit : {0, -1}) {
    EXPECT_CODE(Code::kInvalidArgument, store->ListModels("", limit));
    EXPECT_CODE(Code::kInvalidArgument, store->ListArtifacts("", limit));
    EXPECT_CODE(Code::kInvalidArgument, store->ListSearches({}, {}, limit));
    EXPECT_CODE(Code::kInvalidArgument, store->ListRounds("s", -1, limit));
    EXPECT_CODE(Code::kInvalidArgument, store->ListResults("s", {}, limit));
    EXPECT_CODE(Code::kInvalidArgument, store->ListEvents("s", 0, limit));
  }
  EXPECT_THAT(ErrorOf([&] { store->ListModels("", 0); }).what(), HasSubstr("limit: got 0"));
}

INSTANTIATE_TEST_SUITE_P(Backends, ContractTest, ::testing::Values("file", "memory"), BackendName);

}  // namespace
}  // namespace oqat::storage
