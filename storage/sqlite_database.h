#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace oqat::storage {

/// How a write met the constraints of its table.
enum class WriteResult { kDone, kDuplicateKey, kDuplicateUnique, kMissingParent };

/// One SQLite connection: statements are prepared once and reused, and every failure becomes an
/// Error that names the file. Internal to storage/.
///
/// Threads: whoever uses it holds mutex() for as long as statements and results are in use.
class Database {
 public:
  /// Opens or makes the file. Sets nothing that would change an existing one.
  explicit Database(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs statements that return nothing, without preparing them for reuse.
  void Run(const std::string& sql);

  /// See Store::InTransaction. Takes mutex().
  void InTransaction(const std::function<void()>& body);

  std::recursive_mutex& mutex() { return mutex_; }
  const std::string& path() const { return path_; }

 private:
  friend class Query;

  struct CloseConnection {
    void operator()(sqlite3* connection) const;
  };
  struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const;
  };

  /// The statement for `sql`, which must live for ever (a literal). Throws ABORTED inside a
  /// transaction that SQLite has given up: the statement would otherwise commit on its own.
  sqlite3_stmt* Prepared(std::string_view sql);
  void CheckTransaction();
  bool InsideSqlTransaction() const;
  void Nested(const std::function<void()>& body);
  Error Failure(int result_code) const;

  std::string path_;
  std::recursive_mutex mutex_;
  int depth_ = 0;  // InTransaction calls in progress
  std::unique_ptr<sqlite3, CloseConnection> connection_;
  std::unordered_map<std::string_view, std::unique_ptr<sqlite3_stmt, FinalizeStatement>>
      statements_;
};

/// One use of a prepared statement, from binding to reset. Texts that are bound must live as long.
class Query {
 public:
  template <typename... Values>
  Query(Database& database, std::string_view sql, const Values&... values)
      : database_(database), statement_(database.Prepared(sql)) {
    int position = 0;
    (Bind(++position, values), ...);
  }
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  /// Moves to the next row; false after the last.
  bool Next();
  std::int64_t Int(int column) const;
  std::string Text(int column) const;

  /// Carries out a write. Only violated keys and references are told by value.
  WriteResult Write();
  /// Rows that the last write inserted, changed or deleted (not counting cascades).
  std::int64_t Changes() const;

 private:
  void Bind(int position, std::int64_t value);
  void Bind(int position, int value) { Bind(position, std::int64_t{value}); }
  void Bind(int position, std::string_view value);
  template <typename T>
  void Bind(int position, const std::optional<T>& value) {
    if (value) Bind(position, *value);  // what is not bound is NULL
  }
  void CheckBind(int result_code);

  Database& database_;
  sqlite3_stmt* statement_;
};

}  // namespace oqat::storage
