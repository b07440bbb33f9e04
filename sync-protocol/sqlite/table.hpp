// The dictionary's tables in SQLite: names, columns, and the statements that every holder
// of rows needs. Used by agent/store (with columns of its own) and by replica.
//
// STRICT, WITHOUT ROWID, keyed by the dataset's key in the dictionary's order.
#pragma once

#include <string>
#include <vector>

#include "dictionary/dictionary.hpp"
#include "sqlite/database.hpp"

namespace towpath {

// "session_mark" -> "d_session_mark": dataset names never meet SQL words or our own tables.
[[nodiscard]] std::string table_name(const Dataset& dataset);
// The quoted column name of a field.
[[nodiscard]] std::string column_name(const Field& field);
// CREATE TABLE IF NOT EXISTS ... ; `extra` are further column definitions, e.g. "src INTEGER NOT NULL".
[[nodiscard]] std::string create_table_sql(const Dataset& dataset,
                                           const std::vector<std::string>& extra = {});
// Comma-separated column list in dictionary order, and "k1=?1 AND k2=?2".
[[nodiscard]] std::string column_list(const Dataset& dataset);
[[nodiscard]] std::string key_condition(const Dataset& dataset, int first_parameter = 1);
[[nodiscard]] std::string key_order(const Dataset& dataset);

}  // namespace towpath
