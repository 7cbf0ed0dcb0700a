#include <gmock/gmock.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/files.h"
#include "tests/storage/support.h"

namespace oqat::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class SqliteFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> Open() { return OpenSqliteStore({path}); }
  Error OpenError() {
    return ErrorOf([&] { Open(); });
  }

  /// Overwrites bytes of the closed database; the offsets are those of SQLite's file format.
  void Patch(std::int64_t offset, const std::string& bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  TempFolder folder;
  std::string path = folder.File("oqat.db");
};

constexpr int kUserVersionOffset = 60;
constexpr int kApplicationIdOffset = 68;

TEST_F(SqliteFileTest, ReopeningKeepsEverything) {
  const Model model{"tiny", "id", "{}", 1};
  const Artifact artifact{Sha256Hex("file"), 3, 1};
  const Evaluation evaluation{Sha256Hex("key"), "{}", 1, "w"};
  const Round round = SampleRound("s1", 0);
  const CandidateResult result = SampleResult("s1", 0, 1);
  {
    auto store = Open();
    store->InsertModel(model);
    store->InsertArtifact(artifact);
    store->InsertSearch(SampleSearch("s1"));
    store->InsertRound(round);
    store->RecordResult(result);
    store->PutEvaluation(evaluation);
    store->AppendEvent({"s1", 0, 5, "created", "{}"});
    store->PutMeta("instance_id", "me");
  }
  auto store = Open();
  EXPECT_EQ(store->GetModel("tiny"), model);
  EXPECT_EQ(store->ListArtifacts("", 9), std::vector{artifact});
  EXPECT_EQ(store->GetSearch("s1"), SampleSearch("s1"));
  EXPECT_EQ(store->ListRounds("s1"), std::vector{round});
  EXPECT_EQ(store->ListResults("s1"), std::vector{result});
  EXPECT_EQ(store->GetEvaluations({evaluation.key}), std::vector{evaluation});
  EXPECT_EQ(store->AppendEvent({"s1", 0, 6, "started", "{}"}), 2);
  EXPECT_EQ(store->GetMeta("instance_id"), "me");
}

TEST_F(SqliteFileTest, ASecondOpenerIsRefused) {
  auto store = Open();
  const Error error = OpenError();
  EXPECT_EQ(error.code(), Code::kFailedPrecondition);
  EXPECT_EQ(error.what(), "data directory " + folder.path().string() + " is in use by process " +
                              std::to_string(getpid()));
  store->PutMeta("still", "writable");
  store.reset();
  EXPECT_EQ(Open()->GetMeta("still"), "writable");
}

TEST_F(SqliteFileTest, ANewerSchemaIsRefusedUnchanged) {
  Open();
  Patch(kUserVersionOffset, std::string("\0\0\0\7", 4));
  const std::string before = ReadFile(path);
  const Error error = OpenError();
  EXPECT_EQ(error.code(), Code::kFailedPrecondition);
  EXPECT_THAT(error.what(), AllOf(HasSubstr(path), HasSubstr("schema version 7"),
                                  HasSubstr("versions up to 1"), HasSubstr("newer oqat")));
  EXPECT_TRUE(ReadFile(path) == before);
}

TEST_F(SqliteFileTest, AnotherProgramsDatabaseIsRefusedUnchanged) {
  Open();
  for (const std::string& id : {std::string("\0\0\0\0", 4), std::string("ABCD")}) {
    Patch(kApplicationIdOffset, id);
    const std::string before = ReadFile(path);
    const Error error = OpenError();
    EXPECT_EQ(error.code(), Code::kFailedPrecondition);
    EXPECT_THAT(error.what(), AllOf(HasSubstr(path), HasSubstr("another program")));
    EXPECT_TRUE(ReadFile(path) == before);
  }
}

TEST_F(SqliteFileTest, GarbageIsRefusedUnchanged) {
  for (const std::string& garbage :
       {std::string("xy"), std::string("not a database\n"), std::string(10000, '\xff'),
        std::string("SQLite format 3\0", 16) + std::string(5000, '\xff')}) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << garbage;
    const Error error = OpenError();
    EXPECT_EQ(CodeName(error.code()), "DATA_LOSS") << error.what();
    EXPECT_THAT(error.what(), AllOf(HasSubstr(path), Not(HasSubstr("\n"))));
    EXPECT_TRUE(ReadFile(path) == garbage);
  }
}

TEST_F(SqliteFileTest, DamagedPagesAreFoundWhenOpening) {
  {
    auto store = Open();
    store->InsertSearch(SampleSearch("s1"));
    for (int i = 0; i < 100; ++i) {
      store->AppendEvent({"s1", 0, i, "fill", std::string(2000, 'x')});
    }
  }
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
  ASSERT_GT(size, 100'000);
  Patch(size / 2, std::string(20'000, '\xa5'));
  const Error error = OpenError();
  EXPECT_EQ(CodeName(error.code()), "DATA_LOSS") << error.what();
  EXPECT_THAT(error.what(), AllOf(HasSubstr(path), Not(HasSubstr("\n"))));
}

TEST_F(SqliteFileTest, ATruncatedDatabaseIsRefused) {
  {
    auto store = Open();
    store->InsertSearch(SampleSearch("s1"));
  }
  std::filesystem::resize_file(path, 8192);
  EXPECT_EQ(CodeName(OpenError().code()), "DATA_LOSS");
}

TEST_F(SqliteFileTest, AnEmptyFileIsANewDatabase) {
  std::ofstream(path).flush();
  Open()->PutMeta("a", "b");
  EXPECT_EQ(Open()->GetMeta("a"), "b");
}

TEST_F(SqliteFileTest, PlacesThatCannotBeOpenedAreNamed) {
  path = folder.File("missing/oqat.db");
  const Error error = OpenError();
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_THAT(error.what(), HasSubstr(path));
  path = "";
  EXPECT_EQ(OpenError().code(), Code::kInvalidArgument);
}

/// The operating system refuses to let files grow, as a full disk does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(SqliteFileTest, AFileThatCannotGrowIsAFullDisk) {
  auto store = Open();
  store->InsertSearch(SampleSearch("s1"));
  std::size_t accepted = 0;
  {
    FileSizeLimit limit(256 << 10);
    try {
      for (;; ++accepted) {
        ASSERT_LT(accepted, 10'000u);
        store->AppendEvent({"s1", 0, 0, "fill", std::string(5000, 'x')});
      }
    } catch (const Error& error) {
      EXPECT_EQ(CodeName(error.code()), "RESOURCE_EXHAUSTED") << error.what();
      EXPECT_THAT(error.what(), HasSubstr(path));
    }
    EXPECT_THAT(store->ListEvents("s1", 0, 10'000), SizeIs(accepted));
  }
  // There is room again: the same connection goes on, and nothing was lost.
  EXPECT_EQ(store->AppendEvent({"s1", 0, 0, "more", ""}), static_cast<std::int64_t>(accepted) + 1);
  store.reset();
  EXPECT_THAT(Open()->ListEvents("s1", 0, 10'000), SizeIs(accepted + 1));
}

}  // namespace
}  // namespace oqat::storage
