#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "storage/store.h"

namespace oqat::storage {

struct SqliteOptions {
  /// The database file, made if it is not there (its folder must exist), or ":memory:" for one
  /// that lives as long as the store.
  std::string path;

  /// The size the database may grow to, in bytes; 0 for no limit. Writes beyond it fail with
  /// RESOURCE_EXHAUSTED, exactly as on a full disk.
  std::int64_t max_bytes = 0;
};

/// Opens the store, bringing an older schema up to date. One process has a data directory for
/// itself: `path`.lock is held from here until the store is destroyed.
///
/// Throws Error: FAILED_PRECONDITION "data directory D is in use by process P", or if the file
/// belongs to another program or to a newer oqat; DATA_LOSS if it is damaged or no database at all;
/// NOT_FOUND, PERMISSION_DENIED if it cannot be opened; RESOURCE_EXHAUSTED on a full disk. A file
/// that is refused is not changed.
std::unique_ptr<Store> OpenSqliteStore(const SqliteOptions& options);

}  // namespace oqat::storage
