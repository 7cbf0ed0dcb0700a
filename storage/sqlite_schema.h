#pragma once

#include "storage/sqlite_database.h"

namespace oqat::storage {

/// The newest schema this program knows. Internal to storage/.
int NewestSchemaVersion();

/// Refuses a file that is not ours, is from a newer program, or is damaged, before anything of it
/// is changed; then sets the connection up for durable writes and brings the schema up to date.
/// Errors: see OpenSqliteStore.
void PrepareSchema(Database& database);

}  // namespace oqat::storage
