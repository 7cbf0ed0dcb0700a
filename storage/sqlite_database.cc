#include "storage/sqlite_database.h"

#include <sqlite3.h>

#include <cerrno>
#include <system_error>

namespace oqat::storage {
namespace {

/// How long to wait for someone who inspects the database with the sqlite3 shell.
constexpr int kBusyTimeoutMs = 5000;

Code CodeOf(int result_code, int system_error) {
  switch (result_code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
    case SQLITE_NOMEM: return Code::kResourceExhausted;
    case SQLITE_IOERR:
      // SQLite knows ENOSPC as SQLITE_FULL; a quota or a file size limit is the same to us.
      if (system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG) {
        return Code::kResourceExhausted;
      }
      return Code::kInternal;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Code::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Code::kDataLoss;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return Code::kPermissionDenied;
    case SQLITE_CANTOPEN:
      if (system_error == EACCES || system_error == EPERM || system_error == EROFS) {
        return Code::kPermissionDenied;
      }
      return Code::kNotFound;
    default: return Code::kInternal;
  }
}

}  // namespace

void Database::CloseConnection::operator()(sqlite3* connection) const { sqlite3_close(connection); }

void Database::FinalizeStatement::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Database::Database(const std::string& path) : path_(path) {
  sqlite3* connection = nullptr;
  errno = 0;
  // Calls are serialised by mutex_, so SQLite's own mutexes would only cost time.
  const int result =
      sqlite3_open_v2(path.c_str(), &connection,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  connection_.reset(connection);
  if (connection == nullptr) throw Error(Code::kResourceExhausted, path + ": out of memory");
  sqlite3_extended_result_codes(connection, 1);
  if (result != SQLITE_OK) throw Failure(result);
  sqlite3_busy_timeout(connection, kBusyTimeoutMs);
}

Database::~Database() { statements_.clear(); }

Error Database::Failure(int result_code) const {
  sqlite3* connection = connection_.get();
  // SQLite notes the cause of a failing statement but not that of a failing commit; there, errno is
  // still the one of the failed system call, because every call starts with errno = 0.
  int system_error = errno;
  if (const int noted = sqlite3_system_errno(connection); noted != 0) system_error = noted;
  std::string message = "database " + path_ + ": " + sqlite3_errmsg(connection);
  const int kind = result_code & 0xff;
  if ((kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN) && system_error != 0) {
    message += " (" + std::generic_category().message(system_error) + ")";
  }
  return Error(CodeOf(result_code, system_error), message);
}

void Database::Run(const std::string& sql) {
  errno = 0;
  const int result = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) throw Failure(result);
}

bool Database::InsideSqlTransaction() const {
  return sqlite3_get_autocommit(connection_.get()) == 0;
}

void Database::CheckTransaction() {
  if (depth_ > 0 && !InsideSqlTransaction()) {
    throw Error(Code::kAborted,
                "database " + path_ + ": the transaction was rolled back after an earlier fault");
  }
}

void Database::InTransaction(const std::function<void()>& body) {
  std::lock_guard lock(mutex_);
  if (depth_ > 0) return Nested(body);
  Run("BEGIN IMMEDIATE");
  depth_ = 1;
  try {
    body();
    CheckTransaction();
    Run("COMMIT");
    depth_ = 0;
  } catch (...) {
    depth_ = 0;
    // After a grave fault SQLite has rolled back already.
    if (InsideSqlTransaction()) {
      sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
    throw;
  }
}

void Database::Nested(const std::function<void()>& body) {
  CheckTransaction();
  Run("SAVEPOINT inner");
  ++depth_;
  try {
    body();
    CheckTransaction();
    Run("RELEASE inner");
    --depth_;
  } catch (...) {
    --depth_;
    if (InsideSqlTransaction()) {
      const int result = sqlite3_exec(connection_.get(), "ROLLBACK TO inner; RELEASE inner",
                                      nullptr, nullptr, nullptr);
      // Keeping half of it is worse than losing the whole transaction, which callers can repeat.
      if (result != SQLITE_OK) {
        sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      }
    }
    throw;
  }
}

sqlite3_stmt* Database::Prepared(std::string_view sql) {
  CheckTransaction();
  errno = 0;
  auto& statement = statements_[sql];
  if (statement == nullptr) {
    sqlite3_stmt* fresh = nullptr;
    const int result =
        sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &fresh, nullptr);
    if (result != SQLITE_OK) throw Failure(result);
    statement.reset(fresh);
  }
  return statement.get();
}

Query::~Query() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool Query::Next() {
  errno = 0;
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  throw database_.Failure(result);
}

std::int64_t Query::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Query::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return "";
  return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

WriteResult Query::Write() {
  errno = 0;
  const int result = sqlite3_step(statement_);
  switch (result) {
    case SQLITE_DONE: return WriteResult::kDone;
    case SQLITE_CONSTRAINT_PRIMARYKEY: return WriteResult::kDuplicateKey;
    case SQLITE_CONSTRAINT_UNIQUE: return WriteResult::kDuplicateUnique;
    case SQLITE_CONSTRAINT_FOREIGNKEY: return WriteResult::kMissingParent;
    default: throw database_.Failure(result);
  }
}

std::int64_t Query::Changes() const { return sqlite3_changes64(database_.connection_.get()); }

void Query::Bind(int position, std::int64_t value) {
  CheckBind(sqlite3_bind_int64(statement_, position, value));
}

void Query::Bind(int position, std::string_view value) {
  // A null pointer would bind NULL instead of the empty text.
  const char* data = value.data() == nullptr ? "" : value.data();
  CheckBind(
      sqlite3_bind_text64(statement_, position, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Query::CheckBind(int result_code) {
  if (result_code == SQLITE_OK) return;
  const Error error = database_.Failure(result_code);
  // The destructor of a half-made object does not run.
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  throw error;
}

}  // namespace oqat::storage
