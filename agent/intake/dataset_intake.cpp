#include "agent/intake/dataset_intake.hpp"

#include <algorithm>

#include "agent/store/restore.hpp"
#include "sqlite/table.hpp"

namespace towpath {
namespace {

std::string parameters(std::size_t n) {
  std::string list;
  for (std::size_t i = 1; i <= n; ++i) list += (i > 1 ? ",?" : "?") + std::to_string(i);
  return list;
}

Result<std::int64_t> rows_of_source(Store& store, std::int64_t src, const Dataset& dataset) {
  return store.db().integer("SELECT coalesce(sum(rows),0) FROM dataset_state WHERE source=" +
                            std::to_string(src) + " AND dataset=" + std::to_string(dataset.id));
}

}  // namespace

Result<std::unique_ptr<DatasetIntake>> DatasetIntake::begin(RunContext& run, const Dataset& dataset,
                                                            Completeness completeness, bool use_prints) {
  Database& db = run.store.db();
  const std::string table = table_name(dataset);
  auto any = db.integer("SELECT EXISTS(SELECT 1 FROM " + table +
                        ") OR EXISTS(SELECT 1 FROM change WHERE dataset=" + std::to_string(dataset.id) + ")");
  if (!any) return fail(std::move(any).error());
  const bool full = completeness == Completeness::kFull;
  Way way = Way::kCompare;
  if (*any == 0) {
    way = Way::kLoad;
  } else if (full && use_prints) {
    auto has = PrintList::exists(run.store, run.src, dataset.id);
    if (!has) return fail(std::move(has).error());
    if (*has) way = Way::kPrints;
  }
  std::unique_ptr<DatasetIntake> intake(new DatasetIntake(run, dataset, completeness, way));
  auto before = rows_of_source(run.store, run.src, dataset);
  if (!before) return fail(std::move(before).error());
  intake->rows_before_ = static_cast<std::uint64_t>(*before);
  auto held = db.integer("SELECT coalesce(sum(guarded),0) FROM dataset_state WHERE source=" +
                         std::to_string(run.src) + " AND dataset=" + std::to_string(dataset.id));
  if (!held) return fail(std::move(held).error());
  intake->held_before_ = *held > 0;
  if (full) {
    auto prints = PrintList::open(run.store, run.src, dataset.id, way == Way::kPrints);
    if (!prints) return fail(std::move(prints).error());
    intake->prints_.emplace(std::move(*prints));
  }
  if (way == Way::kLoad) TP_TRY(run.log.record_all_new(dataset, run.run));

  const std::string columns = column_list(dataset) + ",src,print";
  const std::string values = parameters(dataset.fields.size() + 2);
  const auto prepare = [&](std::optional<Statement>& into, const std::string& sql) -> Result<void> {
    auto statement = db.prepare(sql);
    if (!statement) return fail(std::move(statement).error());
    into.emplace(std::move(*statement));
    return {};
  };
  TP_TRY(prepare(intake->insert_, "INSERT INTO " + table + "(" + columns + ") VALUES(" + values + ")"));
  TP_TRY(prepare(intake->replace_, "REPLACE INTO " + table + "(" + columns + ") VALUES(" + values + ")"));
  TP_TRY(
      prepare(intake->select_, "SELECT " + columns + " FROM " + table + " WHERE " + key_condition(dataset)));
  TP_TRY(prepare(intake->delete_, "DELETE FROM " + table + " WHERE " + key_condition(dataset)));
  TP_TRY(prepare(intake->touch_, "UPDATE " + table + " SET print=?" + std::to_string(dataset.key_count + 1) +
                                     " WHERE " + key_condition(dataset)));
  return intake;
}

Result<bool> DatasetIntake::unchanged(Fingerprint print) {
  if (way_ != Way::kPrints) return false;
  auto matched = prints_->match(print);
  if (matched && *matched) ++counts_.read;
  return matched;
}

std::uint64_t DatasetIntake::key_hash(RowView key) {
  scratch_.clear();
  pack(key, scratch_);
  return fingerprint(text_of(scratch_));
}

Result<bool> DatasetIntake::is_of_erased(std::span<const InCell> cells) {
  for (const std::size_t at : pupils_) {
    const Field& field = dataset_.fields[at];
    const InCell& cell = cells[at];
    if (cell.kind != InCell::Kind::kRef) continue;
    std::optional<std::int64_t> number;
    if (field.type == Type::kEntity) {
      auto own = run_.references.identities().find(dataset_, run_.references.space(cell.ref), cell.ref.id);
      if (!own) return fail(std::move(own).error());
      number = *own;
    } else {
      auto answer = run_.references.find(field, cell.ref);
      if (!answer) return fail(std::move(answer).error());
      number = answer->number;
    }
    if (number && run_.erased.contains(*number)) return true;
    if (!number && !cell.ref.by.empty()) {
      auto named = run_.erased.contains(cell.ref.by, cell.ref.id);
      if (!named || *named) return named;
    }
  }
  return false;
}

Result<bool> DatasetIntake::give_number() {
  const SourceRef& own = check_.own();
  auto number = run_.references.identities().number(dataset_, run_.references.space(own), own.id, run_.today,
                                                    run_.run, run_.src, run_.log);
  if (!number) return fail(std::move(number).error());
  values_[0] = Value{*number};
  return true;
}

Result<bool> DatasetIntake::duplicate(const Origin& origin) {
  TP_TRY(run_.quarantine(
      dataset_, origin,
      Problem{"duplicate", "", "another record of this source has the same key; the first one was taken"},
      std::nullopt));
  ++counts_.quarantined;
  return false;
}

Result<void> DatasetIntake::write(Statement& statement, RowView row, Fingerprint print) {
  auto use = statement.use();
  int at = 0;
  for (const Value& v : row) {
    ++at;
    use.bind(at, v, dataset_.fields[static_cast<std::size_t>(at - 1)].type == Type::kUuid);
  }
  use.bind(at + 1, run_.src);
  use.bind(at + 2, static_cast<std::int64_t>(print));
  return use.run();
}

Result<bool> DatasetIntake::row(const Origin& origin, Fingerprint print, std::span<const InCell> cells) {
  ++counts_.read;
  auto erased = is_of_erased(cells);
  if (!erased) return erased;
  if (*erased) {
    run_.drop(origin);
    return false;
  }
  auto bad = check_.check(cells, values_);
  if (!bad) return fail(std::move(bad).error());
  if (!*bad) *bad = run_.quality.row(dataset_, values_);
  if (*bad) {
    TP_TRY(run_.quarantine(dataset_, origin, **bad, known_key()));
    ++counts_.quarantined;
    TP_TRY(keep_old_of_bad_row());
    return false;
  }
  if (dataset_.entity) {
    if (auto given = give_number(); !given) return given;
    // One that came back from the hub is known by its number only now.
    if (!pupils_.empty() && run_.erased.contains(values_[0].as_int())) {
      run_.drop(origin);
      return false;
    }
  }
  if (completeness_ == Completeness::kDelta)
    TP_TRY(run_.mended(dataset_, RowView(values_).first(dataset_.key_count)));
  return way_ == Way::kLoad ? load(origin, print) : against_table(origin, print);
}

// Of a bad row, if it can be told without handing out a number.
std::optional<RowView> DatasetIntake::known_key() {
  if (!check_.key_known()) return std::nullopt;
  if (dataset_.entity) {
    const SourceRef& own = check_.own();
    auto number = run_.references.identities().find(dataset_, run_.references.space(own), own.id);
    if (!number || !*number) return std::nullopt;
    values_[0] = Value{**number};
  }
  return RowView(values_).first(dataset_.key_count);
}

void DatasetIntake::unreadable() {
  if (run_.accept_deletions) return;  // a person has said that what seems gone is gone
  if (way_ == Way::kPrints) prints_->unreadable();
  if (way_ == Way::kCompare) ++unreadable_;
}

Result<void> DatasetIntake::keep_old_of_bad_row() {
  if (way_ == Way::kLoad || completeness_ != Completeness::kFull) return {};
  bool known = check_.key_known();
  if (known && dataset_.entity) {
    const SourceRef& own = check_.own();
    auto number = run_.references.identities().find(dataset_, run_.references.space(own), own.id);
    if (!number) return fail(std::move(number).error());
    if (!*number) return {};  // never taken before: there is nothing to keep
    values_[0] = Value{**number};
  }
  if (!known) {
    unreadable();
    return {};
  }
  const RowView key = RowView(values_).first(dataset_.key_count);
  if (!seen_.insert(key_hash(key)).second) return {};  // a good row with this key came first
  spoilt_.insert(key_hash(key));
  auto use = select_->use();
  for (std::size_t i = 0; i < key.size(); ++i) use.bind(static_cast<int>(i) + 1, key[i]);
  auto found = use.step();
  if (!found) return fail(std::move(found).error());
  const int n = static_cast<int>(dataset_.fields.size());
  if (!*found || use.integer(n) != run_.src) return {};
  const auto old_print = static_cast<Fingerprint>(use.integer(n + 1));
  if (way_ == Way::kPrints) {
    if (!prints_->may_vanish(old_print)) return {};  // its good record was met already
    pending_.push_back({OwnedRow{}, old_print, old_print, {}, {}, true, true, true});
  }
  return prints_->append(old_print);
}

Result<bool> DatasetIntake::load(const Origin& origin, Fingerprint print) {
  auto done = write(*insert_, values_, print);
  if (!done) {
    if (done.error().code() == Code::kRepeated) return duplicate(origin);
    return fail(std::move(done).error());
  }
  ++counts_.added;
  if (prints_) TP_TRY(prints_->append(print));
  return true;
}

Result<bool> DatasetIntake::against_table(const Origin& origin, Fingerprint print) {
  const RowView key = RowView(values_).first(dataset_.key_count);
  if (!seen_.insert(key_hash(key)).second) {
    if (spoilt_.erase(key_hash(key)) == 0) return duplicate(origin);
    // Only bad records of this key came before, and nothing of them was taken. Which of the prints
    // listed for them still counts is not worth to keep track of.
    if (way_ == Way::kPrints) return fail(Code::kTooLarge, "a good record follows a bad one of its key");
    distrust_prints_ = true;
  }

  auto use = select_->use();
  for (std::size_t i = 0; i < key.size(); ++i) use.bind(static_cast<int>(i) + 1, key[i]);
  auto found = use.step();
  if (!found) return fail(std::move(found).error());
  if (!*found) {
    TP_TRY(run_.log.record(dataset_, run_.run, key, std::nullopt));
    TP_TRY(write(*insert_, values_, print));
    ++counts_.added;
    if (prints_) TP_TRY(prints_->append(print));
    return true;
  }
  const int n = static_cast<int>(dataset_.fields.size());
  if (const std::int64_t owner = use.integer(n); owner != run_.src) {
    auto back = is_restored(owner);
    if (!back) return fail(std::move(back).error());
    if (*back) {
      // It came back from the hub; from now on it is this source's, as this source has it.
      std::vector<Value> held(dataset_.fields.size());
      for (int i = 0; i < n; ++i) held[static_cast<std::size_t>(i)] = use.value(i);
      if (!std::equal(held.begin(), held.end(), values_.begin()))
        TP_TRY(run_.log.record(dataset_, run_.run, key, RowView(held)));
      TP_TRY(write(*replace_, values_, print));
      ++counts_.added;
      if (prints_) TP_TRY(prints_->append(print));
      return true;
    }
    TP_TRY(run_.quarantine(
        dataset_, origin,
        Problem{"duplicate", "", "another source gives a record with the same key; that one is kept"},
        std::nullopt));
    ++counts_.quarantined;
    return false;
  }
  const auto old_print = static_cast<Fingerprint>(use.integer(n + 1));
  std::vector<Value> old(dataset_.fields.size());
  for (int i = 0; i < n; ++i) old[static_cast<std::size_t>(i)] = use.value(i);
  const bool same = std::equal(old.begin(), old.end(), values_.begin());

  if (way_ == Way::kPrints) {
    // Whether this is a change or a duplicate is known when it is known what has vanished.
    if (pending_.size() >= kPendingRowsMax) return fail(Code::kTooLarge, "too many changed rows");
    // If the old row was met unchanged already, this one is a second one: its print must not be listed.
    const bool listed = prints_->may_vanish(old_print);
    pending_.push_back({OwnedRow(values_), print, old_print, origin, std::string(origin.raw),
                        same && old_print == print, listed, false});
    if (listed) TP_TRY(prints_->append(print));
    return true;
  }
  if (!same || old_print != print) TP_TRY(replace(values_, print, RowView(old), !same));
  if (prints_) TP_TRY(prints_->append(print));
  return true;
}

Result<bool> DatasetIntake::is_restored(std::int64_t owner) {
  if (!restored_) {
    auto id = run_.store.db().integer("SELECT coalesce((SELECT id FROM source WHERE name='" +
                                      std::string(kRestoredSource) + "'),-1)");
    if (!id) return fail(std::move(id).error());
    restored_ = *id;
  }
  return owner == *restored_;
}

Result<void> DatasetIntake::replace(RowView row, Fingerprint print, std::optional<RowView> old,
                                    bool content_changed) {
  const RowView key = row.first(dataset_.key_count);
  if (!content_changed) {
    auto use = touch_->use();
    for (std::size_t i = 0; i < key.size(); ++i) use.bind(static_cast<int>(i) + 1, key[i]);
    use.bind(static_cast<int>(key.size()) + 1, static_cast<std::int64_t>(print));
    return use.run();
  }
  TP_TRY(run_.log.record(dataset_, run_.run, key, old));
  TP_TRY(write(*replace_, row, print));
  ++counts_.changed;
  return {};
}

Result<void> DatasetIntake::resolve_pending() {
  for (Pending& p : pending_) {
    p.origin.raw = p.raw;
    if (!prints_->take_vanished(p.old_print)) {
      if (p.keep) {  // its good record came later: it is in the list twice
        distrust_prints_ = true;
        continue;
      }
      // The row that stands in the table was given again, unchanged: this one is a second one.
      if (p.listed) distrust_prints_ = true;
      run_.untake(p.origin);
      if (auto second = duplicate(p.origin); !second) return fail(std::move(second).error());
      continue;
    }
    if (!p.listed) TP_TRY(prints_->append(p.print));
    if (p.same) continue;
    const RowView row = p.row.view();
    const RowView key = row.first(dataset_.key_count);
    std::vector<Value> old(dataset_.fields.size());
    bool same = false;
    auto use = select_->use();
    for (std::size_t i = 0; i < key.size(); ++i) use.bind(static_cast<int>(i) + 1, key[i]);
    auto found = use.step();
    if (!found) return fail(std::move(found).error());
    TP_ASSERT(*found);
    for (std::size_t i = 0; i < old.size(); ++i) old[i] = use.value(static_cast<int>(i));
    same = std::equal(old.begin(), old.end(), row.begin());
    TP_TRY(replace(row, p.print, RowView(old), !same));
  }
  pending_.clear();
  return {};
}

bool DatasetIntake::must_hold(std::uint64_t removals, bool hold) const {
  if (removals == 0 || run_.accept_deletions) return false;
  if (hold || held_before_ || unreadable_ > 0) return true;
  if (dataset_.name == "pupil" && removals * 100 > rows_before_ * kShrinkPercent) return true;
  if (rows_before_ >= kGuardedRows && removals * 2 > rows_before_) return true;
  return rows_before_ + counts_.added <= removals;  // nothing would be left
}

Result<void> DatasetIntake::remove_rows(const std::function<bool(Fingerprint, std::uint64_t)>& gone) {
  const bool by_key = way_ == Way::kCompare;
  std::vector<OwnedRow> rows;
  {
    auto all = run_.store.db().prepare("SELECT " + column_list(dataset_) + ",print FROM " +
                                       table_name(dataset_) + " WHERE src=?1");
    if (!all) return fail(std::move(all).error());
    auto use = all->use();
    use.bind(1, run_.src);
    std::vector<Value> row(dataset_.fields.size());
    for (;;) {
      auto more = use.step();
      if (!more) return fail(std::move(more).error());
      if (!*more) break;
      const auto print = static_cast<Fingerprint>(use.integer(static_cast<int>(row.size())));
      if (by_key)
        for (std::size_t i = 0; i < dataset_.key_count; ++i) row[i] = use.value(static_cast<int>(i));
      if (!gone(print, by_key ? key_hash(RowView(row).first(dataset_.key_count)) : 0)) continue;
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = use.value(static_cast<int>(i));
      rows.emplace_back(RowView(row));
    }
  }
  for (const OwnedRow& row : rows) {
    const RowView key = row.view().first(dataset_.key_count);
    TP_TRY(run_.log.record(dataset_, run_.run, key, row.view()));
    auto use = delete_->use();
    for (std::size_t i = 0; i < key.size(); ++i) use.bind(static_cast<int>(i) + 1, key[i]);
    TP_TRY(use.run());
    ++counts_.removed;
  }
  return {};
}

Result<void> DatasetIntake::settle_removals(bool hold) {
  if (completeness_ != Completeness::kFull || way_ == Way::kLoad) return {};
  if (way_ == Way::kPrints) {
    counts_.held = prints_->kept_count();
    const std::uint64_t gone = prints_->vanished_count();
    if (must_hold(gone, hold)) {
      guarded_ = true;
      counts_.held += gone;
      return prints_->keep_vanished();
    }
    if (gone == 0) return {};
    return remove_rows([&](Fingerprint print, std::uint64_t) { return prints_->take_vanished(print); });
  }
  // Rows of this source that were not among those read.
  std::uint64_t gone = 0;
  std::vector<Fingerprint> gone_prints;
  {
    auto all = run_.store.db().prepare("SELECT " + key_order(dataset_) + ",print FROM " +
                                       table_name(dataset_) + " WHERE src=?1");
    if (!all) return fail(std::move(all).error());
    auto use = all->use();
    use.bind(1, run_.src);
    std::vector<Value> key(dataset_.key_count);
    for (;;) {
      auto more = use.step();
      if (!more) return fail(std::move(more).error());
      if (!*more) break;
      for (std::size_t i = 0; i < key.size(); ++i) key[i] = use.value(static_cast<int>(i));
      if (seen_.contains(key_hash(key))) continue;
      ++gone;
      gone_prints.push_back(static_cast<Fingerprint>(use.integer(static_cast<int>(key.size()))));
    }
  }
  if (must_hold(gone, hold)) {
    guarded_ = held_before_ || unreadable_ == 0;  // what only cannot be told apart waits only as long
    counts_.held = gone;
    for (const Fingerprint print : gone_prints) TP_TRY(prints_->append(print));
    return {};
  }
  if (gone == 0) return {};
  return remove_rows([&](Fingerprint, std::uint64_t key) { return !seen_.contains(key); });
}

Result<void> DatasetIntake::remove(std::span<const InCell> key) {
  TP_ASSERT(completeness_ == Completeness::kDelta);
  ++counts_.read;
  std::vector<InCell> cells(dataset_.fields.size());
  std::copy(key.begin(), key.end(), cells.begin());
  // Only the key is given: the row's other requirements do not apply to a row that goes.
  std::vector<Value> values(dataset_.key_count);
  for (std::size_t i = 0; i < dataset_.key_count; ++i) {
    const Field& field = dataset_.fields[i];
    const InCell& cell = key[i];
    if (field.type == Type::kEntity || field.type == Type::kRef) {
      std::optional<std::int64_t> number;
      if (field.type == Type::kEntity) {
        auto own = run_.references.identities().find(dataset_, run_.references.space(cell.ref), cell.ref.id);
        if (!own) return fail(std::move(own).error());
        number = *own;
      } else {
        auto answer = run_.references.find(field, cell.ref);
        if (!answer) return fail(std::move(answer).error());
        number = answer->number;
      }
      if (!number) return {};  // never seen: there is nothing to remove
      values[i] = Value{*number};
    } else if (cell.kind == InCell::Kind::kInt) {
      values[i] = Value{cell.number};
    } else if (field.type == Type::kEnum) {
      for (std::size_t k = 0; k < field.values.size(); ++k)
        if (field.values[k] == cell.text) values[i] = Value{static_cast<std::int64_t>(k)};
    } else {
      values[i] = Value{cell.text};
    }
    if (values[i].is_null()) return {};
  }
  std::vector<Value> old(dataset_.fields.size());
  {
    auto use = select_->use();
    for (std::size_t i = 0; i < values.size(); ++i) use.bind(static_cast<int>(i) + 1, values[i]);
    auto found = use.step();
    if (!found) return fail(std::move(found).error());
    if (!*found || use.integer(static_cast<int>(old.size())) != run_.src) return {};
    for (std::size_t i = 0; i < old.size(); ++i) old[i] = use.value(static_cast<int>(i));
    TP_TRY(run_.log.record(dataset_, run_.run, RowView(old).first(dataset_.key_count), RowView(old)));
  }
  auto use = delete_->use();
  for (std::size_t i = 0; i < values.size(); ++i) use.bind(static_cast<int>(i) + 1, values[i]);
  TP_TRY(use.run());
  ++counts_.removed;
  return {};
}

Result<void> DatasetIntake::end(bool hold) {
  if (way_ == Way::kPrints) {
    TP_TRY(prints_->finish());
    TP_TRY(resolve_pending());
  }
  TP_TRY(settle_removals(hold));
  const std::uint64_t changes = counts_.added + counts_.changed + counts_.removed;
  if (prints_) {
    if (way_ == Way::kPrints && prints_->vanished_count() > 0 && counts_.held == prints_->kept_count())
      distrust_prints_ = true;
    TP_TRY(prints_->save());
  }
  if (distrust_prints_ || (prints_ && prints_->wrong()) || (!prints_ && changes > 0))
    TP_TRY(PrintList::drop(run_.store, run_.src, dataset_.id));
  if (changes > 0) run_.references.forget(dataset_);

  auto state = run_.store.db().prepare(
      "INSERT INTO dataset_state(source,dataset,rows,held,guarded,last_read,last_changed) "
      "VALUES(?1,?2,?3,?4,?7,?5,?5) "
      "ON CONFLICT DO UPDATE SET rows=?3,held=iif(?8,?4,held),guarded=iif(?8,?7,guarded),"
      "last_read=?5,last_changed=iif(?6,?5,last_changed)");
  if (!state) return fail(std::move(state).error());
  auto use = state->use();
  use.bind(1, run_.src);
  use.bind(2, std::int64_t{dataset_.id});
  use.bind(3, static_cast<std::int64_t>(rows_before_ + counts_.added - counts_.removed));
  use.bind(4, static_cast<std::int64_t>(counts_.held));
  use.bind(5, std::int64_t{run_.started.time_since_epoch().count()});
  use.bind(6, std::int64_t{changes > 0});
  use.bind(7, std::int64_t{guarded_});
  // A delta says nothing about what is missing: what waited for a person waits on.
  use.bind(8, std::int64_t{completeness_ == Completeness::kFull});
  return use.run();
}

}  // namespace towpath
