#include "agent/store/identities.hpp"

#include "sqlite/table.hpp"

namespace towpath {

Result<Identities> Identities::open(Store& store) {
  auto insert =
      store.db().prepare("INSERT INTO identity(dataset,space,source_id,number,since) VALUES(?1,?2,?3,?4,?5)");
  if (!insert) return fail(std::move(insert).error());
  const Dataset* entity = store.dictionary().find(kEntityDataset);
  TP_ASSERT(entity != nullptr && entity->fields.size() == 3);  // number, kind, uuid
  auto introduce = store.db().prepare("INSERT INTO " + table_name(*entity) + "(" + column_list(*entity) +
                                      ",src,print) VALUES(?1,?2,?3,?4,0)");
  if (!introduce) return fail(std::move(introduce).error());
  return Identities(store, std::move(*insert), std::move(*introduce));
}

Result<Identities::Space*> Identities::space(const Dataset& dataset, std::string_view name) {
  for (const auto& s : spaces_)
    if (s->dataset == dataset.id && s->name == name) return s.get();
  auto made = std::make_unique<Space>(Space{dataset.id, std::string(name), {}});
  auto statement =
      store_->db().prepare("SELECT source_id,number FROM identity WHERE dataset=?1 AND space=?2");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, std::int64_t{dataset.id});
  use.bind(2, name);
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) break;
    made->numbers.emplace(use.text(0), use.integer(1));
  }
  spaces_.push_back(std::move(made));
  return spaces_.back().get();
}

Result<std::optional<std::int64_t>> Identities::find(const Dataset& dataset, std::string_view name,
                                                     std::string_view id) {
  auto in = space(dataset, name);
  if (!in) return fail(std::move(in).error());
  const auto found = (*in)->numbers.find(id);
  if (found == (*in)->numbers.end()) return std::nullopt;
  return found->second;
}

Result<std::int64_t> Identities::number(const Dataset& dataset, std::string_view name, std::string_view id,
                                        Date today, std::int64_t run, std::int64_t src, ChangeLog& log) {
  auto in = space(dataset, name);
  if (!in) return fail(std::move(in).error());
  const auto found = (*in)->numbers.find(id);
  if (found != (*in)->numbers.end()) return found->second;

  const Dataset& entity = *store_->dictionary().find(kEntityDataset);
  if (next_ == 0) {
    // identity outlives the rows: the highest number there, or of a restored entity, is the highest
    // ever handed out.
    auto highest = store_->db().integer(
        "SELECT max(coalesce((SELECT max(number) FROM identity),0),"
        "coalesce((SELECT max(pupil) FROM pupil_rule),0),"  // an erased pupil's stays its own
        "coalesce((SELECT max(\"number\") FROM " +
        table_name(entity) + "),0))");
    if (!highest) return fail(std::move(highest).error());
    next_ = *highest + 1;
    all_new_ = *highest == 0;
    if (*all_new_) TP_TRY(log.record_all_new(entity, run));
  }
  // Lengths keep ("ab","c") and ("a","bc") apart.
  Bytes what;
  Writer w(what);
  w.sized(store_->school_urn());
  w.sized(dataset.name);
  w.sized(name);
  w.sized(id);
  const Uuid uuid = Uuid::named(kTowpathSpace, text_of(what));
  auto known = restored(uuid);
  if (!known) return fail(std::move(known).error());
  const std::int64_t number = known->value_or(next_);
  {
    auto use = insert_.use();
    use.bind(1, std::int64_t{dataset.id});
    use.bind(2, name);
    use.bind(3, id);
    use.bind(4, number);
    use.bind(5, std::int64_t{today.days});
    TP_TRY(use.run());
  }
  if (*known) {  // introduced when it was restored
    (*in)->numbers.emplace(id, number);
    return number;
  }
  {
    auto use = introduce_.use();
    use.bind(1, number);
    use.bind(2, std::int64_t{dataset.id});
    use.bind_blob(3, uuid.bytes);
    use.bind(4, src);
    TP_TRY(use.run());
  }
  if (!*all_new_) {
    const Value key{number};
    TP_TRY(log.record(entity, run, RowView(&key, 1), std::nullopt));
  }
  ++next_;
  ++introduced_;
  (*in)->numbers.emplace(id, number);
  return number;
}

// The number of an entity that came back from the hub; from now on its source names it.
Result<std::optional<std::int64_t>> Identities::restored(const Uuid& uuid) {
  if (!any_restored_) {
    auto any = store_->db().integer("SELECT EXISTS(SELECT 1 FROM restored)");
    if (!any) return fail(std::move(any).error());
    any_restored_ = *any != 0;
  }
  if (!*any_restored_) return std::nullopt;
  auto take = store_->db().prepare("DELETE FROM restored WHERE uuid=?1 RETURNING number");
  if (!take) return fail(std::move(take).error());
  auto use = take->use();
  use.bind_blob(1, uuid.bytes);
  std::optional<std::int64_t> number;
  for (;;) {  // to its end: only then has the row been removed
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return number;
    number = use.integer(0);
  }
}

void Identities::forget() {
  spaces_.clear();
  any_restored_.reset();
  next_ = 0;
  all_new_.reset();
  introduced_ = 0;
}

}  // namespace towpath
