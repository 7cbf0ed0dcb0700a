#include "artifacts/evaluation_table.h"

#include <gmock/gmock.h>

#include "artifacts/gzip.h"
#include "base/error.h"
#include "base/files.h"
#include "space/metric.h"
#include "tests/artifacts/mutation.h"

namespace oqat::artifacts {
namespace {

using testing::HasSubstr;

EvaluationTable Sample() {
  EvaluationTable table;
  table.space = space::Preset("tiny-mbv3");
  table.provenance = {"tiny",
                      {{4, std::string(64, '4')}, {2, std::string(64, '2')}},
                      std::string(64, 'e'),
                      "int8",
                      512,
                      2000,
                      1000,
                      100};
  table.rows = {{"r16-b2-k3e2-k3e2-k3e2", 0.25, 0.5}, {"r24-b4-k5e4.k5e4-k3e2-k3e3", 1, 0}};
  return table;
}

std::string TextOf(const EvaluationTable& table) {
  std::string text = TableHeader(table.space, table.provenance);
  for (const EvaluationTable::Row& row : table.rows) text += TableRow(table.space, row);
  return text;
}

std::string Complaint(const std::string& text) {
  try {
    ParseEvaluationTable(text, "table.csv");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kDataLoss) << error.what();
    return error.what();
  }
  return "";
}

std::string With(const std::string& from, const std::string& to) {
  std::string text = TextOf(Sample());
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(EvaluationTable, ComesBackPlainAndPacked) {
  TempFolder folder;
  for (const char* name : {"table.csv", "table.csv.gz"}) {
    const std::string path = (folder.path() / name).string();
    EvaluationTable table = Sample();
    std::swap(table.rows[0], table.rows[1]);
    WriteEvaluationTable(path, table);
    const EvaluationTable read = ReadEvaluationTable(path);
    EXPECT_EQ(read.space, table.space);
    EXPECT_EQ(read.provenance, table.provenance);
    ASSERT_EQ(read.rows.size(), 2u);
    EXPECT_EQ(read.rows[0].key, "r16-b2-k3e2-k3e2-k3e2");
    const EvaluationTable::Row* found = read.Find("r24-b4-k5e4.k5e4-k3e2-k3e3");
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->search_top1, 1);
    EXPECT_EQ(found->test_top1, 0);
    EXPECT_EQ(read.Find("r24-b4-k5e4.k5e4-k3e2-k3e2"), nullptr);
  }
  EXPECT_TRUE(IsGzip(ReadFile((folder.path() / "table.csv.gz").string())));
}

TEST(EvaluationTable, RefusesWhatIsNotTrue) {
  EXPECT_EQ(Complaint(TextOf(Sample())), "");
  EXPECT_THAT(Complaint(""), HasSubstr("an early end"));
  EXPECT_THAT(Complaint("key,macs\n"), HasSubstr("line 1: header"));
  EXPECT_THAT(Complaint(With("search_top1", "searched")), HasSubstr("line 2: columns"));
  EXPECT_THAT(Complaint(With("r16-b2-k3e2", "r17-b2-k3e2")), HasSubstr("line 3: "));
  EXPECT_THAT(Complaint(With(",0.25,", ",1.25,")), HasSubstr("search_top1: got 1.25"));
  EXPECT_THAT(Complaint(With(",0.5\n", ",nan\n")), HasSubstr("test_top1: got nan"));
  EXPECT_THAT(Complaint(With(",0.5\n", "\n")), HasSubstr("line 3: "));
  EXPECT_THAT(Complaint(With(std::string(64, 'e'), "eee")), HasSubstr("evaluation_set"));
  EvaluationTable twice = Sample();
  twice.rows.push_back(twice.rows.front());
  EXPECT_THAT(Complaint(TextOf(twice)), HasSubstr("key: got r16"));
}

TEST(EvaluationTable, RefusesCostsOfAnotherCostModel) {
  const space::SearchSpace& space = space::Preset("tiny-mbv3");
  const double macs = space::CostMetrics(space, space::FromKey(space, "r16-b2-k3e2-k3e2-k3e2"))
                          .at(space::Metric::kMacs);
  const std::string written = Json(macs).dump();
  EXPECT_THAT(Complaint(With(written, Json(macs + 1).dump())), HasSubstr("costs: got"));
}

TEST(Mutation, EvaluationTables) {
  Survives(
      TextOf(Sample()), [](const std::string& bytes) { ParseEvaluationTable(bytes, "x"); }, 17);
  Survives(
      Gzip(TextOf(Sample()), "x"),
      [](const std::string& bytes) { ParseEvaluationTable(bytes, "x"); }, 18);
}

}  // namespace
}  // namespace oqat::artifacts
