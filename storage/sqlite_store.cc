#include "storage/sqlite_store.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "storage/file_lock.h"
#include "storage/sqlite_database.h"
#include "storage/sqlite_schema.h"

namespace oqat::storage {
namespace {

void CheckId(std::string_view field, std::string_view value) {
  if (value.empty()) throw InvalidField(field, "\"\"", "a non-empty identifier");
}

void CheckHash(std::string_view field, std::string_view value) {
  if (!IsSha256Hex(value)) throw InvalidField(field, value, "64 lower-case hex digits");
}

void CheckLimit(std::int64_t limit) {
  if (limit < 1) throw InvalidField("limit", std::to_string(limit), "at least 1");
}

void CheckNotNegative(std::string_view field, std::int64_t value) {
  if (value < 0) throw InvalidField(field, std::to_string(value), "0 or more");
}

void CheckOneOf(std::string_view field, std::string_view value,
                std::initializer_list<std::string_view> allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  std::string list;
  for (std::string_view one : allowed) list += (list.empty() ? "" : ", ") + std::string(one);
  throw InvalidField(field, value, list);
}

Error NotFound(const std::string& what) { return Error(Code::kNotFound, what + " does not exist"); }

Error AlreadyExists(const std::string& what) {
  return Error(Code::kAlreadyExists, what + " exists already");
}

std::string RoundName(const std::string& search_id, std::int64_t round) {
  return "search " + search_id + ", round " + std::to_string(round);
}

/// NULL for the empty text: a unique column holds any number of NULLs.
std::optional<std::string_view> NullIfEmpty(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return std::string_view(text);
}

/// For "IN (SELECT value FROM json_each(?))": one prepared statement for lists of any length.
std::string JsonList(const std::vector<std::string>& items) {
  return Json(items).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Model ReadModel(const Query& row) { return {row.Text(0), row.Text(1), row.Text(2), row.Int(3)}; }

Search ReadSearch(const Query& row) {
  return {row.Text(0), row.Text(1), row.Text(2), row.Text(3), row.Text(4), row.Text(5),
          row.Text(6), row.Int(7),  row.Int(8),  row.Int(9),  row.Text(10)};
}

#define OQAT_SEARCH_COLUMNS                                                                    \
  "id, request_id, model_name, model_content_id, request_json, state, error, create_time_ms, " \
  "update_time_ms, end_time_ms, outcome_json"

class SqliteStore : public Store {
 public:
  explicit SqliteStore(const SqliteOptions& options)
      : lock_(options.path == ":memory:" ? nullptr
                                         : std::make_unique<FileLock>(options.path + ".lock")),
        db_(options.path) {
    PrepareSchema(db_);
    if (options.max_bytes > 0) {
      Query size(db_, "PRAGMA page_size");
      size.Next();
      db_.Run("PRAGMA max_page_count = " +
              std::to_string(std::max<std::int64_t>(1, options.max_bytes / size.Int(0))));
    }
  }

  void InTransaction(const std::function<void()>& body) override { db_.InTransaction(body); }

  int SchemaVersion() override { return NewestSchemaVersion(); }

  void InsertModel(const Model& model) override {
    CheckId("model.name", model.name);
    std::lock_guard lock(db_.mutex());
    Query insert(db_, "INSERT INTO models VALUES (?, ?, ?, ?)", model.name, model.content_id,
                 model.manifest_json, model.create_time_ms);
    if (insert.Write() != WriteResult::kDone) throw AlreadyExists("model " + model.name);
  }

  std::optional<Model> GetModel(const std::string& name) override {
    std::lock_guard lock(db_.mutex());
    Query row(db_,
              "SELECT name, content_id, manifest_json, create_time_ms FROM models WHERE name = ?",
              name);
    if (!row.Next()) return std::nullopt;
    return ReadModel(row);
  }

  std::vector<Model> ListModels(const std::string& after_name, std::int64_t limit) override {
    CheckLimit(limit);
    std::lock_guard lock(db_.mutex());
    Query rows(db_,
               "SELECT name, content_id, manifest_json, create_time_ms FROM models "
               "WHERE name > ? ORDER BY name LIMIT ?",
               after_name, limit);
    std::vector<Model> models;
    while (rows.Next()) models.push_back(ReadModel(rows));
    return models;
  }

  void DeleteModel(const std::string& name) override {
    std::lock_guard lock(db_.mutex());
    Query erase(db_, "DELETE FROM models WHERE name = ?", name);
    erase.Write();
    if (erase.Changes() == 0) throw NotFound("model " + name);
  }

  std::int64_t CountSearchesOfModel(const std::string& model_name,
                                    const std::vector<std::string>& states) override {
    const std::string list = JsonList(states);
    std::lock_guard lock(db_.mutex());
    Query count(db_,
                "SELECT count(*) FROM searches WHERE model_name = ?1 "
                "AND (?2 = '[]' OR state IN (SELECT value FROM json_each(?2)))",
                model_name, list);
    count.Next();
    return count.Int(0);
  }

  bool InsertArtifact(const Artifact& artifact) override {
    CheckHash("artifact.sha256", artifact.sha256);
    std::lock_guard lock(db_.mutex());
    Query insert(db_, "INSERT INTO artifacts VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                 artifact.sha256, artifact.size, artifact.create_time_ms);
    insert.Write();
    return insert.Changes() > 0;
  }

  bool HasArtifact(const std::string& sha256) override {
    std::lock_guard lock(db_.mutex());
    return Query(db_, "SELECT 1 FROM artifacts WHERE sha256 = ?", sha256).Next();
  }

  void DeleteArtifact(const std::string& sha256) override {
    std::lock_guard lock(db_.mutex());
    Query erase(db_, "DELETE FROM artifacts WHERE sha256 = ?", sha256);
    erase.Write();
    if (erase.Changes() == 0) throw NotFound("artifact " + sha256);
  }

  std::vector<Artifact> ListArtifacts(const std::string& after_sha256,
                                      std::int64_t limit) override {
    CheckLimit(limit);
    std::lock_guard lock(db_.mutex());
    Query rows(db_,
               "SELECT sha256, size, create_time_ms FROM artifacts "
               "WHERE sha256 > ? ORDER BY sha256 LIMIT ?",
               after_sha256, limit);
    std::vector<Artifact> artifacts;
    while (rows.Next()) artifacts.push_back({rows.Text(0), rows.Int(1), rows.Int(2)});
    return artifacts;
  }

  void InsertSearch(const Search& search) override {
    CheckId("search.id", search.id);
    const auto request_id = NullIfEmpty(search.request_id);
    std::lock_guard lock(db_.mutex());
    Query insert(db_, "INSERT INTO searches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", search.id,
                 request_id, search.model_name, search.model_content_id, search.request_json,
                 search.state, search.error, search.create_time_ms, search.update_time_ms,
                 search.end_time_ms, search.outcome_json);
    const WriteResult result = insert.Write();
    if (result == WriteResult::kDuplicateUnique) {
      throw AlreadyExists("a search with request_id " + search.request_id);
    }
    if (result != WriteResult::kDone) throw AlreadyExists("search " + search.id);
  }

  std::optional<Search> GetSearch(const std::string& id) override {
    std::lock_guard lock(db_.mutex());
    Query row(db_, "SELECT " OQAT_SEARCH_COLUMNS " FROM searches WHERE id = ?", id);
    if (!row.Next()) return std::nullopt;
    return ReadSearch(row);
  }

  std::optional<Search> GetSearchByRequestId(const std::string& request_id) override {
    const auto key = NullIfEmpty(request_id);
    std::lock_guard lock(db_.mutex());
    Query row(db_, "SELECT " OQAT_SEARCH_COLUMNS " FROM searches WHERE request_id = ?", key);
    if (!row.Next()) return std::nullopt;
    return ReadSearch(row);
  }

  std::vector<Search> ListSearches(const std::vector<std::string>& states,
                                   const SearchCursor& after, std::int64_t limit) override {
    CheckLimit(limit);
    const std::string list = JsonList(states);
    std::lock_guard lock(db_.mutex());
    Query rows(db_,
               "SELECT " OQAT_SEARCH_COLUMNS
               " FROM searches WHERE (create_time_ms, id) < (?1, ?2) "
               "AND (?3 = '[]' OR state IN (SELECT value FROM json_each(?3))) "
               "ORDER BY create_time_ms DESC, id DESC LIMIT ?4",
               after.create_time_ms, after.id, list, limit);
    std::vector<Search> searches;
    while (rows.Next()) searches.push_back(ReadSearch(rows));
    return searches;
  }

  void UpdateSearchState(const SearchUpdate& update) override {
    std::lock_guard lock(db_.mutex());
    Query change(db_,
                 "UPDATE searches SET state = ?2, update_time_ms = ?3, error = ifnull(?4, error), "
                 "end_time_ms = ifnull(?5, end_time_ms), outcome_json = ifnull(?6, outcome_json) "
                 "WHERE id = ?1",
                 update.id, update.state, update.update_time_ms, update.error, update.end_time_ms,
                 update.outcome_json);
    change.Write();
    if (change.Changes() == 0) throw NotFound("search " + update.id);
  }

  void DeleteSearch(const std::string& id) override {
    std::lock_guard lock(db_.mutex());
    Query erase(db_, "DELETE FROM searches WHERE id = ?", id);
    erase.Write();
    if (erase.Changes() == 0) throw NotFound("search " + id);
  }

  void InsertRound(const Round& round) override {
    if (round.round != kEarlierRound) CheckNotNegative("round.round", round.round);
    for (const Candidate& candidate : round.candidates) {
      CheckNotNegative("candidate.index", candidate.index);
      CheckOneOf("candidate.split", candidate.split, {"search", "test"});
    }
    const std::string name = RoundName(round.search_id, round.round);
    InTransaction([&] {
      const WriteResult result = Query(db_, "INSERT INTO rounds VALUES (?, ?, ?)", round.search_id,
                                       round.round, round.note_json)
                                     .Write();
      if (result == WriteResult::kMissingParent) throw NotFound("search " + round.search_id);
      if (result != WriteResult::kDone) throw AlreadyExists(name);
      for (const Candidate& candidate : round.candidates) {
        Query insert(db_, "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?)", round.search_id,
                     round.round, candidate.index, candidate.architecture_key, candidate.split,
                     candidate.evaluation_key);
        if (insert.Write() != WriteResult::kDone) {
          throw AlreadyExists(name + ", candidate " + std::to_string(candidate.index));
        }
      }
    });
  }

  std::vector<Round> ListRounds(const std::string& search_id, std::int64_t after_round,
                                std::int64_t limit) override {
    CheckLimit(limit);
    std::lock_guard lock(db_.mutex());
    std::vector<Round> rounds;
    Query rows(db_,
               "SELECT round, note_json FROM rounds WHERE search_id = ? AND round > ? "
               "ORDER BY round LIMIT ?",
               search_id, after_round, limit);
    while (rows.Next()) {
      Round& round = rounds.emplace_back(Round{search_id, rows.Int(0), rows.Text(1), {}});
      Query members(db_,
                    "SELECT idx, architecture_key, split, evaluation_key FROM candidates "
                    "WHERE search_id = ? AND round = ? ORDER BY idx",
                    search_id, round.round);
      while (members.Next()) {
        round.candidates.push_back(
            {members.Int(0), members.Text(1), members.Text(2), members.Text(3)});
      }
    }
    return rounds;
  }

  bool RecordResult(const CandidateResult& result) override {
    CheckOneOf("result.state", result.state, {"done", "failed", "cached"});
    std::lock_guard lock(db_.mutex());
    Query insert(db_,
                 "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                 result.search_id, result.round, result.index, result.state, result.metrics_json,
                 result.error, result.worker, result.finish_time_ms, result.duration_ms);
    if (insert.Write() == WriteResult::kMissingParent) {
      throw NotFound(RoundName(result.search_id, result.round) + ", candidate " +
                     std::to_string(result.index));
    }
    return insert.Changes() > 0;
  }

  std::vector<CandidateResult> ListResults(const std::string& search_id, const ResultCursor& after,
                                           std::int64_t limit) override {
    CheckLimit(limit);
    std::lock_guard lock(db_.mutex());
    Query rows(db_,
               "SELECT round, idx, state, metrics_json, error, worker, finish_time_ms, "
               "duration_ms FROM results WHERE search_id = ? AND (round, idx) > (?, ?) "
               "ORDER BY round, idx LIMIT ?",
               search_id, after.round, after.index, limit);
    std::vector<CandidateResult> results;
    while (rows.Next()) {
      results.push_back({search_id, rows.Int(0), rows.Int(1), rows.Text(2), rows.Text(3),
                         rows.Text(4), rows.Text(5), rows.Int(6), rows.Int(7)});
    }
    return results;
  }

  bool PutEvaluation(const Evaluation& evaluation) override {
    CheckHash("evaluation.key", evaluation.key);
    std::lock_guard lock(db_.mutex());
    Query insert(db_, "INSERT INTO evaluations VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                 evaluation.key, evaluation.metrics_json, evaluation.create_time_ms,
                 evaluation.worker);
    insert.Write();
    return insert.Changes() > 0;
  }

  std::vector<Evaluation> GetEvaluations(const std::vector<std::string>& keys) override {
    std::lock_guard lock(db_.mutex());
    std::vector<Evaluation> evaluations;
    for (const std::string& key : keys) {
      Query row(db_, "SELECT metrics_json, create_time_ms, worker FROM evaluations WHERE key = ?",
                key);
      if (row.Next()) evaluations.push_back({key, row.Text(0), row.Int(1), row.Text(2)});
    }
    return evaluations;
  }

  std::int64_t AppendEvent(const Event& event) override {
    std::int64_t sequence = 0;
    InTransaction([&] {
      {
        Query last(db_, "SELECT ifnull(max(sequence), 0) FROM events WHERE search_id = ?",
                   event.search_id);
        last.Next();
        sequence = last.Int(0) + 1;
      }
      Query insert(db_, "INSERT INTO events VALUES (?, ?, ?, ?, ?)", event.search_id, sequence,
                   event.time_ms, event.type, event.payload_json);
      if (insert.Write() != WriteResult::kDone) throw NotFound("search " + event.search_id);
    });
    return sequence;
  }

  std::vector<Event> ListEvents(const std::string& search_id, std::int64_t after_sequence,
                                std::int64_t limit) override {
    CheckLimit(limit);
    std::lock_guard lock(db_.mutex());
    Query rows(db_,
               "SELECT sequence, time_ms, type, payload_json FROM events "
               "WHERE search_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
               search_id, after_sequence, limit);
    std::vector<Event> events;
    while (rows.Next()) {
      events.push_back({search_id, rows.Int(0), rows.Int(1), rows.Text(2), rows.Text(3)});
    }
    return events;
  }

  std::optional<std::string> GetMeta(const std::string& key) override {
    std::lock_guard lock(db_.mutex());
    Query row(db_, "SELECT value FROM meta WHERE key = ?", key);
    if (!row.Next()) return std::nullopt;
    return row.Text(0);
  }

  void PutMeta(const std::string& key, const std::string& value) override {
    CheckId("meta.key", key);
    std::lock_guard lock(db_.mutex());
    Query(db_, "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
          key, value)
        .Write();
  }

 private:
  std::unique_ptr<FileLock> lock_;  // first: it must outlive the connection
  Database db_;
};

#undef OQAT_SEARCH_COLUMNS

}  // namespace

std::unique_ptr<Store> OpenSqliteStore(const SqliteOptions& options) {
  CheckId("database path", options.path);
  return std::make_unique<SqliteStore>(options);
}

}  // namespace oqat::storage
