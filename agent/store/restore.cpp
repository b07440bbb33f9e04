#include "agent/store/restore.hpp"

#include <algorithm>

#include "sqlite/table.hpp"

namespace towpath {

Result<bool> has_extracted(Store& store) {
  auto found = store.db().integer(
      "SELECT EXISTS(SELECT 1 FROM run r JOIN source s ON s.id=r.source WHERE r.finished IS NOT NULL AND "
      "s.name<>'" +
      std::string(kRestoredSource) + "')");
  if (!found) return fail(std::move(found).error());
  return *found != 0;
}

Result<Restore> Restore::begin(Store& store, Instant now) {
  Database& db = store.db();
  auto transaction = db.begin();
  if (!transaction) return fail(std::move(transaction).error());
  auto log = ChangeLog::open(store);
  if (!log) return fail(std::move(log).error());
  Restore restore(store, std::move(*transaction), std::move(*log));
  restore.now_ = now;
  auto src = source_id(store, kRestoredSource);
  if (!src) return fail(std::move(src).error());
  restore.src_ = *src;
  auto run = db.integer("SELECT max(id) FROM run");
  if (!run) return fail(std::move(run).error());
  restore.run_ = *run + 1;
  const std::string entities = table_name(*store.dictionary().find(kEntityDataset));
  auto highest = db.integer(
      "SELECT max(coalesce((SELECT max(number) FROM identity),0),"
      "coalesce((SELECT max(\"number\") FROM " +
      entities + "),0))");
  if (!highest) return fail(std::move(highest).error());
  restore.next_ = *highest + 1;
  return restore;
}

Result<Restore::Statements*> Restore::statements(const Dataset& dataset) {
  const auto at = statements_.find(dataset.id);
  if (at != statements_.end()) return &at->second;
  std::string values;
  for (std::size_t i = 1; i <= dataset.fields.size() + 1; ++i) values += "?" + std::to_string(i) + ",";
  const bool entity = dataset.name == kEntityDataset;
  auto find = store_->db().prepare(
      entity ? "SELECT \"number\" FROM " + table_name(dataset) + " WHERE \"uuid\"=?1"
             : "SELECT 1 FROM " + table_name(dataset) + " WHERE " + key_condition(dataset));
  if (!find) return fail(std::move(find).error());
  auto insert = store_->db().prepare("INSERT INTO " + table_name(dataset) + "(" + column_list(dataset) +
                                     ",src,print) VALUES(" + values + "0)");
  if (!insert) return fail(std::move(insert).error());
  return &statements_.emplace(dataset.id, Statements{std::move(*find), std::move(*insert)}).first->second;
}

Result<void> Restore::row(const Dataset& dataset, RowView row) {
  if (dataset.name == kEntityDataset) return entity(row);
  std::vector<Value> cells(row.begin(), row.end());
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Type type = dataset.fields[i].type;
    if (cells[i].is_null() || (type != Type::kEntity && type != Type::kRef)) continue;
    const auto ours = numbers_.find(cells[i].as_int());
    if (ours == numbers_.end())
      return fail(Code::kDamaged, "a row of " + std::string(dataset.name) +
                                      " that the hub gave back speaks of an entity that it did not give");
    cells[i] = Value{ours->second};
  }
  auto statements = this->statements(dataset);
  if (!statements) return fail(std::move(statements).error());
  const RowView key = RowView(cells).first(dataset.key_count);
  {
    auto use = (*statements)->find.use();
    for (std::size_t k = 0; k < key.size(); ++k) use.bind(static_cast<int>(k) + 1, key[k]);
    auto found = use.step();
    if (!found) return fail(std::move(found).error());
    if (*found) {
      ++counts_.kept;
      return {};
    }
  }
  TP_TRY(log_.record(dataset, run_, key, std::nullopt));
  auto use = (*statements)->insert.use();
  int at = 0;
  for (const Value& v : cells) {
    ++at;
    use.bind(at, v, dataset.fields[static_cast<std::size_t>(at - 1)].type == Type::kUuid);
  }
  use.bind(at + 1, src_);
  TP_TRY(use.run());
  ++counts_.rows[std::string(dataset.name)];
  return {};
}

// number, kind, uuid
Result<void> Restore::entity(RowView row) {
  const Dataset& dataset = *store_->dictionary().find(kEntityDataset);
  const std::string_view uuid = row[2].as_text();
  if (row.size() != 3 || row[0].kind() != Value::Kind::kInt || row[1].kind() != Value::Kind::kInt ||
      uuid.size() != sizeof(Uuid::bytes))
    return fail(Code::kDamaged, "an entity that the hub gave back is not made as it should be");
  auto statements = this->statements(dataset);
  if (!statements) return fail(std::move(statements).error());
  {
    auto use = (*statements)->find.use();
    use.bind_blob(1, bytes_of(uuid));
    auto found = use.step();
    if (!found) return fail(std::move(found).error());
    if (*found) {
      numbers_[row[0].as_int()] = use.integer(0);
      return {};
    }
  }
  const std::int64_t number = next_++;
  const Value key{number};
  TP_TRY(log_.record(dataset, run_, RowView(&key, 1), std::nullopt));
  {
    auto use = (*statements)->insert.use();
    use.bind(1, number);
    use.bind(2, row[1]);
    use.bind_blob(3, bytes_of(uuid));
    use.bind(4, src_);
    TP_TRY(use.run());
  }
  auto note = store_->db().prepare("INSERT INTO restored(uuid,number) VALUES(?1,?2)");
  if (!note) return fail(std::move(note).error());
  auto use = note->use();
  use.bind_blob(1, bytes_of(uuid));
  use.bind(2, number);
  TP_TRY(use.run());
  numbers_[row[0].as_int()] = number;
  ++counts_.entities;
  return {};
}

Result<RestoreCounts> Restore::commit() {
  statements_.clear();
  auto record =
      store_->db().prepare("INSERT INTO run(id,source,started,finished,ok,summary) VALUES(?1,?2,?3,?3,1,'')");
  if (!record) return fail(std::move(record).error());
  {
    auto use = record->use();
    use.bind(1, run_);
    use.bind(2, src_);
    use.bind(3, std::int64_t{now_.time_since_epoch().count()});
    TP_TRY(use.run());
  }
  TP_TRY(transaction_.commit());
  return counts_;
}

}  // namespace towpath
