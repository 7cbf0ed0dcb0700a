#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/hash.h"
#include "storage/sqlite_store.h"

namespace oqat::storage {

/// A folder that goes away with the test.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "oqat-storage-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string File(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The error that `body` throws; fails the test if there is none.
inline Error ErrorOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "expected an oqat::Error";
  return Error(Code::kInternal, "none was thrown");
}

#define EXPECT_CODE(code_, statement) \
  EXPECT_EQ(CodeName(ErrorOf([&] { statement; }).code()), CodeName(code_)) << #statement

/// A contract that every backend keeps: each test runs on each of them.
class StoreTest : public ::testing::TestWithParam<const char*> {
 protected:
  bool on_disk() const { return std::string(GetParam()) == "file"; }
  void Open(std::int64_t max_bytes = 0) {
    store.reset();
    store = OpenSqliteStore({on_disk() ? folder.File("oqat.db") : ":memory:", max_bytes});
  }
  void SetUp() override { Open(); }

  TempFolder folder;
  std::unique_ptr<Store> store;
};

inline std::string BackendName(const ::testing::TestParamInfo<const char*>& info) {
  return info.param;
}

inline Search SampleSearch(const std::string& id, std::int64_t create_time_ms = 1000) {
  return {.id = id,
          .request_id = "request-" + id,
          .model_name = "tiny",
          .model_content_id = Sha256Hex("tiny"),
          .request_json = R"({"budget":10})",
          .state = "RUNNING",
          .error = "",
          .create_time_ms = create_time_ms,
          .update_time_ms = create_time_ms,
          .end_time_ms = 0,
          .outcome_json = ""};
}

inline Round SampleRound(const std::string& search_id, std::int64_t number, int candidates = 2) {
  Round round{search_id, number, R"({"why":"explore"})", {}};
  for (int i = 0; i < candidates; ++i) {
    const std::string key = search_id + "/" + std::to_string(number) + "/" + std::to_string(i);
    round.candidates.push_back({i, "arch " + key, "search", Sha256Hex(key)});
  }
  return round;
}

inline CandidateResult SampleResult(const std::string& search_id, std::int64_t round,
                                    std::int64_t index) {
  return {search_id, round, index, "done", R"({"top1":0.5})", "", "worker-1", 2000, 150};
}

}  // namespace oqat::storage
