#include "sqlite/table.hpp"

namespace towpath {

std::string table_name(const Dataset& dataset) { return "d_" + std::string(dataset.name); }

std::string column_name(const Field& field) { return "\"" + std::string(field.name) + "\""; }

std::string create_table_sql(const Dataset& dataset, const std::vector<std::string>& extra) {
  std::string sql = "CREATE TABLE IF NOT EXISTS " + table_name(dataset) + "(";
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const Field& f = dataset.fields[i];
    sql += column_name(f);
    sql += f.type == Type::kUuid ? " BLOB" : is_text(f.type) ? " TEXT" : " INTEGER";
    // Other required fields are intake's check: an audience may be without their grant.
    if (i < dataset.key_count) sql += " NOT NULL";
    sql += ",";
  }
  for (const std::string& column : extra) sql += column + ",";
  return sql + "PRIMARY KEY(" + key_order(dataset) + ")) STRICT, WITHOUT ROWID";
}

std::string column_list(const Dataset& dataset) {
  std::string list;
  for (const Field& f : dataset.fields) list += (list.empty() ? "" : ",") + column_name(f);
  return list;
}

std::string key_condition(const Dataset& dataset, int first_parameter) {
  std::string condition;
  for (const Field& f : dataset.key())
    condition +=
        (condition.empty() ? "" : " AND ") + column_name(f) + "=?" + std::to_string(first_parameter++);
  return condition;
}

std::string key_order(const Dataset& dataset) {
  std::string order;
  for (const Field& f : dataset.key()) order += (order.empty() ? "" : ",") + column_name(f);
  return order;
}

}  // namespace towpath
