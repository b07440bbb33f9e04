#include "replica/layout.hpp"

#include <algorithm>

#include "sqlite/table.hpp"

namespace towpath::replica {
namespace {

// Rows moved in at a time: bounds memory, whatever was kept aside.
constexpr int kMoveRows = 1000;

std::string quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

std::string sql_type(const Field& field) {
  return field.type == Type::kUuid ? " BLOB" : is_text(field.type) ? " TEXT" : " INTEGER";
}

Error damaged_aside(const Database& database) {
  return Error{Code::kDamaged, database.path() + ": a row kept aside cannot be read",
               "Restore the file from a backup, or delete it: the school's next exchange begins a new epoch"};
}

// The layout as recorded in the file, so that a later dictionary knows what it finds.
Result<void> record_dataset(Database& database, const Dataset& dataset) {
  auto put = database.prepare(
      "INSERT INTO layout(dataset,field,name,dataset_name,text,in_key) VALUES(?1,?2,?3,?4,?5,?6)"
      " ON CONFLICT DO UPDATE SET name=?3,dataset_name=?4,text=?5,in_key=?6");
  if (!put) return fail(std::move(put).error());
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    auto use = put->use();
    use.bind(1, std::int64_t{dataset.id});
    use.bind(2, std::int64_t{dataset.fields[i].id});
    use.bind(3, dataset.fields[i].name);
    use.bind(4, dataset.name);
    use.bind(5, std::int64_t{is_text(dataset.fields[i].type)});
    use.bind(6, static_cast<std::int64_t>(i < dataset.key_count ? i + 1 : 0));
    TP_TRY(use.run());
  }
  return {};
}

struct Recorded {
  std::uint8_t field;
  std::string name, dataset_name;
  bool text;
  std::int64_t in_key;
};

Result<std::vector<Recorded>> recorded(Database& database, std::uint16_t dataset) {
  auto read = database.prepare(
      "SELECT field,name,dataset_name,text,in_key FROM layout WHERE dataset=?1 ORDER BY field");
  if (!read) return fail(std::move(read).error());
  std::vector<Recorded> fields;
  auto use = read->use();
  use.bind(1, std::int64_t{dataset});
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return fields;
    fields.push_back({static_cast<std::uint8_t>(use.integer(0)), std::string(use.text(1)),
                      std::string(use.text(2)), use.integer(3) != 0, use.integer(4)});
  }
}

// Datasets and fields are only ever added to the dictionary, and may be renamed.
Result<void> bring_up_dataset(Database& database, const Dictionary& dictionary, const Dataset& dataset,
                              const std::vector<Recorded>& was, AsideFields& aside) {
  const std::string table = table_name(dataset);
  const auto cannot = [&](const std::string& why) {
    return fail(Code::kUnknownVersion,
                database.path() + ": dictionary version " + std::to_string(dictionary.version) + " " + why +
                    " of dataset " + std::string(dataset.name),
                "Delete the file: the school's next exchange begins a new epoch");
  };
  const std::string old_table = "d_" + was.front().dataset_name;
  if (old_table != table) TP_TRY(database.exec("ALTER TABLE " + old_table + " RENAME TO " + table));
  for (const Recorded& r : was) {
    const auto at = dataset.position_of_id(r.field);
    if (!at) return cannot("lacks field " + std::to_string(r.field));
    const Field& f = dataset.fields[*at];
    if (is_text(f.type) != r.text) return cannot("changes the kind of field " + std::string(f.name));
    if (static_cast<std::int64_t>(*at < dataset.key_count ? *at + 1 : 0) != r.in_key)
      return cannot("changes the key");
    if (r.name != f.name)
      TP_TRY(database.exec("ALTER TABLE " + table + " RENAME COLUMN " + quoted(r.name) + " TO " +
                           column_name(f)));
  }
  for (std::size_t i = 0; i < dataset.fields.size(); ++i) {
    const Field& f = dataset.fields[i];
    if (std::any_of(was.begin(), was.end(), [&](const Recorded& r) { return r.field == f.id; })) continue;
    if (i < dataset.key_count) return cannot("changes the key");
    const AsideField kept{dataset.id, f.id, is_text(f.type)};
    const bool held = aside.contains(kept);
    if (held && (!kept.text || f.type == Type::kUuid)) {  // stored as it will be: the name is all
      TP_TRY(database.exec("ALTER TABLE " + table + " RENAME COLUMN " + aside_column(kept) + " TO " +
                           column_name(f)));
    } else {
      TP_TRY(database.exec("ALTER TABLE " + table + " ADD COLUMN " + column_name(f) + sql_type(f)));
      if (held) {
        const std::string from = aside_column(kept);
        TP_TRY(database.exec("UPDATE " + table + " SET " + column_name(f) + "=CAST(" + from +
                             " AS TEXT) WHERE " + from + " IS NOT NULL"));
        TP_TRY(database.exec("ALTER TABLE " + table + " DROP COLUMN " + from));
      }
    }
    if (held) {
      aside.erase(kept);
      TP_TRY(database.exec("DELETE FROM aside_field WHERE dataset=" + std::to_string(dataset.id) +
                           " AND field=" + std::to_string(f.id) + " AND text=" + (kept.text ? "1" : "0")));
    }
  }
  return record_dataset(database, dataset);
}

// Whole rows of a dataset that is known now.
Result<void> move_rows_in(Database& database, const Dataset& dataset, AsideFields& aside) {
  AsideRows rows(database);
  auto next =
      database.prepare("SELECT key,rest FROM aside_row WHERE dataset=?1 AND key>?2 ORDER BY key LIMIT " +
                       std::to_string(kMoveRows));
  if (!next) return fail(std::move(next).error());
  Bytes after;
  for (;;) {
    std::vector<std::pair<Bytes, Bytes>> batch;
    {
      auto use = next->use();
      use.bind(1, std::int64_t{dataset.id});
      use.bind_blob(2, after);
      for (;;) {
        auto row = use.step();
        if (!row) return fail(std::move(row).error());
        if (!*row) break;
        const ByteView key = use.blob(0), rest = use.blob(1);
        batch.emplace_back(Bytes(key.begin(), key.end()), Bytes(rest.begin(), rest.end()));
      }
    }
    if (batch.empty()) return {};
    after = batch.back().first;
    std::vector<AsideRows::Row> decoded(batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!AsideRows::decode(batch[i].first, decoded[i].key) ||
          !AsideRows::decode(batch[i].second, decoded[i].rest))
        return fail(damaged_aside(database));
      // Columns first: a table's statements are compiled for the columns that it has.
      for (const AsideRows::Cell& cell : decoded[i].rest) {
        const auto at = dataset.position_of_id(cell.field.id);
        if (at && is_text(dataset.fields[*at].type) == cell.field.text) continue;
        const AsideField field{dataset.id, cell.field.id, cell.field.text};
        if (!aside.insert(field).second) continue;
        TP_TRY(add_aside_field(database, dataset, field));
      }
    }
    Table table(database, dataset, aside);
    std::vector<Value> cells(table.columns().size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const AsideRows::Row& row = decoded[i];
      bool same_key = row.key.size() == dataset.key_count;
      for (std::size_t k = 0; same_key && k < row.key.size(); ++k)
        same_key = row.key[k].field.id == dataset.fields[k].id &&
                   row.key[k].field.text == is_text(dataset.fields[k].type);
      if (!same_key) continue;  // still unknown in this shape
      std::fill(cells.begin(), cells.end(), Value{});
      for (std::size_t k = 0; k < row.key.size(); ++k) cells[k] = row.key[k].value;
      for (const AsideRows::Cell& cell : row.rest)
        cells[table.position(cell.field.id, cell.field.text).value()] = cell.value;
      auto inserted = table.insert(cells);
      if (!inserted) return fail(std::move(inserted).error());
      if (*inserted) TP_TRY(rows.erase(dataset.id, batch[i].first));
    }
  }
}

}  // namespace

std::string aside_column(const AsideField& field) {
  return "aside_" + std::to_string(field.field) + (field.text ? "_text" : "_int");
}

Hash256 shape_of(const Dictionary& dictionary) {
  Bytes bytes;
  Writer w(bytes);
  w.u32(dictionary.version);
  for (const Dataset& d : dictionary.datasets) {
    w.u16(d.id);
    w.sized(d.name);
    w.u8(d.key_count);
    w.varint(d.fields.size());
    for (const Field& f : d.fields) {
      w.u8(f.id);
      w.sized(f.name);
      w.u8(f.type == Type::kUuid ? 2 : is_text(f.type) ? 1 : 0);
    }
  }
  return hash256("towpath.shape", bytes);
}

Result<void> create_tables(Database& database, const Dictionary& dictionary) {
  TP_TRY(database.exec(
      // One row: whose file this is and where it stands.
      "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id=1), format INTEGER NOT NULL, stream BLOB NOT NULL,"
      " epoch INTEGER NOT NULL, seq INTEGER NOT NULL, segment BLOB NOT NULL, digest BLOB NOT NULL,"
      " complete INTEGER NOT NULL, dictionary INTEGER NOT NULL, shape BLOB NOT NULL) STRICT;"
      // Every segment's hash, so that a repeated one is told from a forked one for ever; the
      // last few contents, as prefixes of bodies to come.
      "CREATE TABLE segment(seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, content BLOB) STRICT;"
      // Rows and digest of each dataset, as counted while applying.
      "CREATE TABLE tally(dataset INTEGER PRIMARY KEY, row_count INTEGER NOT NULL, digest BLOB NOT NULL) "
      "STRICT;"
      "CREATE TABLE layout(dataset INTEGER NOT NULL, field INTEGER NOT NULL, name TEXT NOT NULL,"
      " dataset_name TEXT NOT NULL, text INTEGER NOT NULL, in_key INTEGER NOT NULL,"
      " PRIMARY KEY(dataset,field)) STRICT, WITHOUT ROWID;"
      "CREATE TABLE aside_field(dataset INTEGER NOT NULL, field INTEGER NOT NULL, text INTEGER NOT NULL,"
      " PRIMARY KEY(dataset,field,text)) STRICT, WITHOUT ROWID;"
      "CREATE TABLE aside_row(dataset INTEGER NOT NULL, key BLOB NOT NULL, rest BLOB NOT NULL,"
      " PRIMARY KEY(dataset,key)) STRICT, WITHOUT ROWID"));
  for (const Dataset& d : dictionary.datasets) {
    TP_TRY(database.exec(create_table_sql(d)));
    TP_TRY(record_dataset(database, d));
  }
  return {};
}

Result<void> bring_up(Database& database, const Dictionary& dictionary) {
  auto aside = read_aside_fields(database);
  if (!aside) return fail(std::move(aside).error());
  for (const Dataset& d : dictionary.datasets) {
    auto was = recorded(database, d.id);
    if (!was) return fail(std::move(was).error());
    if (was->empty()) {
      TP_TRY(database.exec(create_table_sql(d)));
      TP_TRY(record_dataset(database, d));
    } else {
      TP_TRY(bring_up_dataset(database, dictionary, d, *was, *aside));
    }
    TP_TRY(move_rows_in(database, d, *aside));
  }
  return {};
}

Result<AsideFields> read_aside_fields(Database& database) {
  auto read = database.prepare("SELECT dataset,field,text FROM aside_field");
  if (!read) return fail(std::move(read).error());
  AsideFields fields;
  auto use = read->use();
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return fields;
    fields.insert({static_cast<std::uint16_t>(use.integer(0)), static_cast<std::uint8_t>(use.integer(1)),
                   use.integer(2) != 0});
  }
}

Result<void> add_aside_field(Database& database, const Dataset& dataset, const AsideField& field) {
  TP_TRY(database.exec("ALTER TABLE " + table_name(dataset) + " ADD COLUMN " + aside_column(field) +
                       (field.text ? " BLOB" : " INTEGER")));
  return database.exec("INSERT INTO aside_field(dataset,field,text) VALUES(" + std::to_string(field.dataset) +
                       "," + std::to_string(field.field) + "," + (field.text ? "1" : "0") + ")");
}

// --- Table ---------------------------------------------------------------------------------

namespace {

std::vector<Column> columns_of(const Dataset& dataset, const AsideFields& aside) {
  std::vector<Column> columns;
  for (const Field& f : dataset.fields)
    columns.push_back({f.id, is_text(f.type), f.type == Type::kUuid, column_name(f)});
  for (auto at = aside.lower_bound({dataset.id, 0, false}); at != aside.end() && at->dataset == dataset.id;
       ++at)
    columns.push_back({at->field, at->text, at->text, aside_column(*at)});
  return columns;
}

// Each once.
std::vector<std::uint8_t> ids_of(const std::vector<Column>& columns) {
  std::vector<std::uint8_t> ids;
  for (const Column& c : columns)
    if (std::find(ids.begin(), ids.end(), c.id) == ids.end()) ids.push_back(c.id);
  return ids;
}

}  // namespace

Table::Table(Database& database, const Dataset& dataset, const AsideFields& aside)
    : database_(database),
      dataset_(dataset),
      columns_(columns_of(dataset, aside)),
      hasher_(dataset.id, ids_of(columns_)),
      found_(columns_.size()) {
  const std::vector<std::uint8_t> ids = ids_of(columns_);
  if (ids.size() == columns_.size()) return;
  merged_.resize(ids.size());
  for (std::size_t i = 0; i < columns_.size(); ++i)
    twins_.emplace_back(
        i, static_cast<std::size_t>(std::find(ids.begin(), ids.end(), columns_[i].id) - ids.begin()));
}

Hash256 Table::hash(RowView cells) {
  if (twins_.empty()) return hasher_(cells);
  std::fill(merged_.begin(), merged_.end(), Value{});
  for (const auto& [column, at] : twins_)
    if (!cells[column].is_null()) merged_[at] = cells[column];
  return hasher_(merged_);
}

std::optional<std::size_t> Table::position(std::uint8_t field, bool text) const {
  for (std::size_t i = 0; i < columns_.size(); ++i)
    if (columns_[i].id == field && columns_[i].text == text) return i;
  return std::nullopt;
}

std::string Table::names() const {
  std::string list;
  for (const Column& c : columns_) list += (list.empty() ? "" : ",") + c.name;
  return list;
}
std::string Table::insert_sql() const {
  std::string values;
  for (std::size_t i = 1; i <= columns_.size(); ++i) values += (i == 1 ? "?" : ",?") + std::to_string(i);
  // One lookup tells whether the row is new, which most are.
  return "INSERT INTO " + table_name(dataset_) + "(" + names() + ") VALUES(" + values +
         ") ON CONFLICT DO NOTHING";
}
std::string Table::find_sql() const {
  return "SELECT " + names() + " FROM " + table_name(dataset_) + " WHERE " + key_condition(dataset_);
}
std::string Table::update_sql() const {
  std::string sets;
  for (std::size_t i = dataset_.key_count; i < columns_.size(); ++i)
    sets += (sets.empty() ? "" : ",") + columns_[i].name + "=?" + std::to_string(i + 1);
  return "UPDATE " + table_name(dataset_) + " SET " + sets + " WHERE " + key_condition(dataset_);
}
std::string Table::erase_sql() const {
  return "DELETE FROM " + table_name(dataset_) + " WHERE " + key_condition(dataset_);
}

Result<Statement*> Table::ready(std::optional<Statement>& statement, std::string (Table::*sql)() const) {
  if (!statement) {
    auto made = database_.prepare((this->*sql)());
    if (!made) return fail(std::move(made).error());
    statement.emplace(std::move(*made));
  }
  return &*statement;
}

Result<bool> Table::insert(RowView cells) {
  auto statement = ready(insert_, &Table::insert_sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = (*statement)->use();
  for (std::size_t i = 0; i < columns_.size(); ++i)
    use.bind(static_cast<int>(i) + 1, cells[i], columns_[i].blob);
  TP_TRY(use.run());
  return database_.changes() != 0;
}

Result<std::optional<OwnedRow>> Table::find(RowView cells) {
  auto statement = ready(find_, &Table::find_sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = (*statement)->use();
  for (std::size_t i = 0; i < dataset_.key_count; ++i)
    use.bind(static_cast<int>(i) + 1, cells[i], columns_[i].blob);
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row) return std::optional<OwnedRow>{};
  for (std::size_t i = 0; i < columns_.size(); ++i) found_[i] = use.value(static_cast<int>(i));
  return std::optional<OwnedRow>(OwnedRow(found_));
}

Result<void> Table::update(RowView cells) {
  if (columns_.size() == dataset_.key_count) return {};  // a row of key fields only is what it is
  auto statement = ready(update_, &Table::update_sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = (*statement)->use();
  for (std::size_t i = 0; i < columns_.size(); ++i)
    use.bind(static_cast<int>(i) + 1, cells[i], columns_[i].blob);
  return use.run();
}

Result<void> Table::erase(RowView cells) {
  auto statement = ready(erase_, &Table::erase_sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = (*statement)->use();
  for (std::size_t i = 0; i < dataset_.key_count; ++i)
    use.bind(static_cast<int>(i) + 1, cells[i], columns_[i].blob);
  return use.run();
}

Result<void> Table::each(const std::function<Result<void>(RowView)>& visit) {
  auto statement = database_.prepare("SELECT " + names() + " FROM " + table_name(dataset_) + " ORDER BY " +
                                     key_order(dataset_));
  if (!statement) return fail(std::move(statement).error());
  std::vector<Value> cells(columns_.size());
  auto use = statement->use();
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return {};
    for (std::size_t i = 0; i < columns_.size(); ++i) cells[i] = use.value(static_cast<int>(i));
    TP_TRY(visit(cells));
  }
}

// --- AsideRows -----------------------------------------------------------------------------

Bytes AsideRows::encode(const std::vector<Cell>& cells) {
  Bytes out;
  Writer w(out);
  for (const Cell& cell : cells) {
    w.varint(std::uint64_t{cell.field.id} * 2 + (cell.field.text ? 1 : 0));
    if (cell.field.text)
      w.sized(cell.value.as_text());
    else
      w.signed_varint(cell.value.as_int());
  }
  return out;
}

bool AsideRows::decode(ByteView bytes, std::vector<Cell>& cells) {
  cells.clear();
  Reader r(bytes);
  while (!r.at_end()) {
    const std::uint64_t head = r.varint();
    if (!r.ok() || head / 2 > 255) return false;
    const WireField field{static_cast<std::uint8_t>(head / 2), head % 2 == 1};
    if (field.text)
      cells.push_back({field, Value{text_of(r.sized())}});
    else
      cells.push_back({field, Value{r.signed_varint()}});
  }
  return r.ok();
}

Hash256 AsideRows::hash(std::uint16_t dataset, const Row& row) {
  std::vector<std::uint8_t> ids;
  std::vector<Value> cells;
  for (const auto* part : {&row.key, &row.rest})
    for (const Cell& cell : *part) {
      ids.push_back(cell.field.id);
      cells.push_back(cell.value);
    }
  return RowHasher(dataset, ids)(cells);
}

Result<Statement*> AsideRows::ready(std::optional<Statement>& statement, const char* sql) {
  if (!statement) {
    auto made = database_.prepare(sql);
    if (!made) return fail(std::move(made).error());
    statement.emplace(std::move(*made));
  }
  return &*statement;
}

Result<std::optional<Bytes>> AsideRows::find(std::uint16_t dataset, ByteView key) {
  auto statement = ready(find_, "SELECT rest FROM aside_row WHERE dataset=?1 AND key=?2");
  if (!statement) return fail(std::move(statement).error());
  auto use = (*statement)->use();
  use.bind(1, std::int64_t{dataset});
  use.bind_blob(2, key);
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row) return std::optional<Bytes>{};
  const ByteView rest = use.blob(0);
  return std::optional<Bytes>(Bytes(rest.begin(), rest.end()));
}

Result<void> AsideRows::put(std::uint16_t dataset, ByteView key, ByteView rest) {
  auto statement = ready(put_, "INSERT OR REPLACE INTO aside_row(dataset,key,rest) VALUES(?1,?2,?3)");
  if (!statement) return fail(std::move(statement).error());
  auto use = (*statement)->use();
  use.bind(1, std::int64_t{dataset});
  use.bind_blob(2, key);
  use.bind_blob(3, rest);
  return use.run();
}

Result<void> AsideRows::erase(std::uint16_t dataset, ByteView key) {
  auto statement = ready(erase_, "DELETE FROM aside_row WHERE dataset=?1 AND key=?2");
  if (!statement) return fail(std::move(statement).error());
  auto use = (*statement)->use();
  use.bind(1, std::int64_t{dataset});
  use.bind_blob(2, key);
  return use.run();
}

Result<std::vector<std::uint16_t>> AsideRows::datasets() {
  auto statement = database_.prepare("SELECT DISTINCT dataset FROM aside_row ORDER BY dataset");
  if (!statement) return fail(std::move(statement).error());
  std::vector<std::uint16_t> ids;
  auto use = statement->use();
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return ids;
    ids.push_back(static_cast<std::uint16_t>(use.integer(0)));
  }
}

Result<void> AsideRows::each(std::uint16_t dataset, const std::function<Result<void>(const Row&)>& visit) {
  auto statement = database_.prepare("SELECT key,rest FROM aside_row WHERE dataset=?1 ORDER BY key");
  if (!statement) return fail(std::move(statement).error());
  Row decoded;
  auto use = statement->use();
  use.bind(1, std::int64_t{dataset});
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return {};
    if (!decode(use.blob(0), decoded.key) || !decode(use.blob(1), decoded.rest))
      return fail(damaged_aside(database_));
    TP_TRY(visit(decoded));
  }
}

}  // namespace towpath::replica
