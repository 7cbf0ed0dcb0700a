#include "storage/sqlite_schema.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace oqat::storage {
namespace {

/// "OQAT" in ASCII, at byte 68 of the file: `file` and we can tell what it is.
constexpr std::int64_t kApplicationId = 0x4f514154;

/// Entry i brings schema version i to version i + 1. Never edit an entry that was released: append.
/// docs/STORAGE.md explains the tables.
constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
  name TEXT PRIMARY KEY,
  content_id TEXT NOT NULL,
  manifest_json TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE artifacts (
  sha256 TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  create_time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE searches (
  id TEXT PRIMARY KEY,
  request_id TEXT UNIQUE,
  model_name TEXT NOT NULL,
  model_content_id TEXT NOT NULL,
  request_json TEXT NOT NULL,
  state TEXT NOT NULL,
  error TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL,
  update_time_ms INTEGER NOT NULL,
  end_time_ms INTEGER NOT NULL,
  outcome_json TEXT NOT NULL
) STRICT;
CREATE INDEX searches_by_time ON searches (create_time_ms, id);
CREATE INDEX searches_by_model ON searches (model_name, state);

CREATE TABLE rounds (
  search_id TEXT NOT NULL REFERENCES searches (id) ON DELETE CASCADE,
  round INTEGER NOT NULL,
  note_json TEXT NOT NULL,
  PRIMARY KEY (search_id, round)
) STRICT, WITHOUT ROWID;

CREATE TABLE candidates (
  search_id TEXT NOT NULL,
  round INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  architecture_key TEXT NOT NULL,
  split TEXT NOT NULL,
  evaluation_key TEXT NOT NULL,
  PRIMARY KEY (search_id, round, idx),
  FOREIGN KEY (search_id, round) REFERENCES rounds (search_id, round) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE results (
  search_id TEXT NOT NULL,
  round INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  state TEXT NOT NULL,
  metrics_json TEXT NOT NULL,
  error TEXT NOT NULL,
  worker TEXT NOT NULL,
  finish_time_ms INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  PRIMARY KEY (search_id, round, idx),
  FOREIGN KEY (search_id, round, idx) REFERENCES candidates (search_id, round, idx)
    ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluations (
  key TEXT PRIMARY KEY,
  metrics_json TEXT NOT NULL,
  create_time_ms INTEGER NOT NULL,
  worker TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  search_id TEXT NOT NULL REFERENCES searches (id) ON DELETE CASCADE,
  sequence INTEGER NOT NULL,
  time_ms INTEGER NOT NULL,
  type TEXT NOT NULL,
  payload_json TEXT NOT NULL,
  PRIMARY KEY (search_id, sequence)
) STRICT, WITHOUT ROWID;
)sql",
};

std::int64_t Number(Database& database, std::string_view sql) {
  Query query(database, sql);
  query.Next();
  return query.Int(0);
}

/// The schema version of the file; 0 if it is new.
int CheckedVersion(Database& database) {
  const std::string where = "database " + database.path();
  const std::int64_t application = Number(database, "PRAGMA application_id");
  const std::int64_t version = Number(database, "PRAGMA user_version");
  const std::int64_t objects = Number(database, "SELECT count(*) FROM sqlite_master");
  if (application == 0 && version == 0 && objects == 0) return 0;
  if (application != kApplicationId) {
    throw Error(Code::kFailedPrecondition, where + ": belongs to another program (application_id " +
                                               std::to_string(application) + ", oqat's is " +
                                               std::to_string(kApplicationId) +
                                               "); give another data directory");
  }
  if (version > NewestSchemaVersion()) {
    throw Error(Code::kFailedPrecondition,
                where + ": has schema version " + std::to_string(version) +
                    ", this program knows versions up to " + std::to_string(NewestSchemaVersion()) +
                    "; use a newer oqat");
  }
  if (version < 1) {
    throw Error(Code::kDataLoss, where + ": has schema version " + std::to_string(version) +
                                     ", which no oqat ever wrote; the file is damaged");
  }
  Query check(database, "PRAGMA quick_check(1)");
  check.Next();  // always gives a row
  std::string verdict = check.Text(0);
  if (verdict != "ok") {
    std::replace(verdict.begin(), verdict.end(), '\n', ' ');
    throw Error(Code::kDataLoss, where + ": is damaged: " + verdict);
  }
  return static_cast<int>(version);
}

}  // namespace

int NewestSchemaVersion() { return static_cast<int>(std::size(kMigrations)); }

void PrepareSchema(Database& database) {
  const int version = CheckedVersion(database);
  // WAL: one flush per commit, and readers do not wait. FULL: that flush happens before a commit
  // returns, which is what lets the coordinator acknowledge a result.
  database.Run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
  for (int next = version; next < NewestSchemaVersion(); ++next) {
    database.InTransaction([&] {
      database.Run(kMigrations[next]);
      database.Run("PRAGMA application_id = " + std::to_string(kApplicationId) +
                   "; PRAGMA user_version = " + std::to_string(next + 1));
    });
  }
}

}  // namespace oqat::storage
