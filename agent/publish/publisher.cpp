#include "agent/publish/publisher.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "agent/store/change_log.hpp"
#include "sqlite/table.hpp"

namespace towpath {
namespace {

// Where a segment is cut. Content that does not shrink still fits a segment (240 KB), and what the
// writer holds in memory stays near 5 MB: a first load's block of marks has some 40,000 rows.
constexpr std::size_t kCutBytes = 220 * 1024;
constexpr std::size_t kCutCells = 256 * 1024;
// Changed rows gathered before they are written; the day's changes of the largest school fit.
constexpr std::size_t kGatherRows = 8 * 1024;
// So many pupils are asked for by name; where more differ every row is looked at.
constexpr std::size_t kPupilsInQuery = 300;
// Contents kept as prefixes: the newest is the next segment's, the others are for re-sealing.
constexpr int kContentsKept = 4;

Hash256 hash_of(ByteView bytes) {
  Hash256 h;
  if (bytes.size() == h.bytes.size()) std::copy(bytes.begin(), bytes.end(), h.bytes.begin());
  return h;
}

}  // namespace

struct Publisher::Stream {
  bool exists = false;
  Head head;  // the last segment made
  std::int64_t published_run = 0;
  StreamSeq acked;
  Hash256 acked_segment;
  Epoch hub_epoch;     // the highest that the hub has spoken of
  std::string grants;  // the text of the specification that was last published; empty: not known any more
};

struct Publisher::Before {
  std::optional<Specification> spec;  // none: nothing was published, or nobody knows by what
  std::vector<ProjectedDataset> datasets;
  PupilStates states;
};

// Takes rows in order, cuts them into segments, seals and keeps each.
class Publisher::Cutter {
 public:
  Cutter(Publisher& publisher, Stream& stream, bool snapshot)
      : p_(publisher), stream_(stream), snapshot_(snapshot) {
    report_.snapshot = snapshot;
  }

  Result<void> begin(const Dataset& dataset, std::span<const WireField> fields, Operation operation) {
    // A segment's blocks ascend: many changes come a handful of insertions, updates and deletions at a
    // time, and each handful after the first begins another segment.
    const std::pair<std::uint16_t, Operation> block{dataset.id, operation};
    if (writer_.rows() > 0 && block <= last_block_) TP_TRY(cut(false));
    last_block_ = block;
    dataset_ = &dataset;
    fields_ = fields;
    operation_ = operation;
    return open_block();
  }
  // `cells`: whole projected rows; for kDelete the key.
  Result<void> row(RowView cells, std::span<const bool> changed = {}) {
    if (writer_.cells() + cells.size() > kCutCells || writer_.bytes_bound() > kCutBytes) {
      writer_.end();
      TP_TRY(cut(false));
      TP_TRY(open_block());
    }
    writer_.row(cells, changed);
    return {};
  }
  void end() { writer_.end(); }
  StateDigest& digest() { return digest_; }
  void start_digest(const Hash256& value) { digest_ = StateDigest(value); }

  // Seals what is left; a snapshot always ends in a segment, be it empty.
  Result<void> finish() {
    if (writer_.rows() == 0 && !snapshot_) return {};
    return cut(true);
  }
  // Likewise, and after it an empty segment that can be read with nothing that came before. All that went
  // before can be forgotten then, the keys of what was taken back included; here it is forgotten now.
  Result<void> finish_alone() {
    if (writer_.rows() > 0) TP_TRY(cut(false));
    named_ = true;
    prefix_.clear();
    reference_.reset();
    TP_TRY(cut(true));
    return p_.run(
        "DELETE FROM content WHERE audience=?1 AND seq<(SELECT max(seq) FROM content WHERE audience=?1)");
  }
  [[nodiscard]] PublishReport& report() { return report_; }

 private:
  // The last segment's content: what this one's is written and compressed against.
  Result<void> name_reference() {
    if (named_) return {};
    named_ = true;
    if (stream_.head.seq.number > 0 && !reference_) {
      auto before = p_.content(stream_.head.seq);
      if (!before) return fail(std::move(before).error());
      if (*before) {
        prefix_ = std::move(**before);
        reference_ = stream_.head.seq;
      }
    }
    writer_.reference(prefix_);
    return {};
  }

  Result<void> open_block() {
    TP_TRY(name_reference());
    std::span<const WireField> fields = fields_;
    const std::size_t keys = dataset_->key_count;
    if (operation_ == Operation::kDelete) fields = fields.first(keys);
    writer_.begin(dataset_->id, operation_, fields, keys);
    return {};
  }

  Result<void> cut(bool last) {
    TP_TRY(name_reference());
    report_.rows += writer_.rows();
    Bytes content = writer_.finish();
    SegmentHeader header;
    header.stream = p_.stream_;
    header.epoch = stream_.head.epoch;
    header.seq = StreamSeq{stream_.head.seq.number + 1};
    header.previous = stream_.head.segment;
    header.dictionary_version = p_.store_.dictionary().version;
    header.snapshot = snapshot_;
    header.snapshot_end = snapshot_ && last;
    header.digest = digest_.value();
    header.reference = reference_;
    auto sealed = seal_segment(header, content, prefix_, p_.audience_.signer);
    if (!sealed) return fail(std::move(sealed).error().during("sealing a segment"));

    Database& db = p_.store_.db();
    auto keep = db.prepare("INSERT INTO outbox(audience,seq,segment,bytes) VALUES(?1,?2,?3,?4)");
    if (!keep) return fail(std::move(keep).error());
    {
      auto use = keep->use();
      use.bind(1, std::string_view(p_.audience_.name));
      use.bind(2, static_cast<std::int64_t>(header.seq.number));
      use.bind_blob(3, sealed->hash.bytes);
      use.bind_blob(4, sealed->bytes);
      TP_TRY(use.run());
    }
    auto reference = db.prepare("INSERT INTO content(audience,seq,content) VALUES(?1,?2,?3)");
    if (!reference) return fail(std::move(reference).error());
    {
      auto use = reference->use();
      use.bind(1, std::string_view(p_.audience_.name));
      use.bind(2, static_cast<std::int64_t>(header.seq.number));
      use.bind_blob(3, content);
      TP_TRY(use.run());
    }
    auto forget = db.prepare("DELETE FROM content WHERE audience=?1 AND seq<=?2");
    if (!forget) return fail(std::move(forget).error());
    {
      auto use = forget->use();
      use.bind(1, std::string_view(p_.audience_.name));
      use.bind(2, static_cast<std::int64_t>(header.seq.number) - kContentsKept);
      TP_TRY(use.run());
    }
    stream_.head.seq = header.seq;
    stream_.head.segment = sealed->hash;
    stream_.head.digest = header.digest;
    ++report_.segments;
    report_.content_bytes += content.size();
    report_.body_bytes += sealed->header.body_size;
    prefix_ = std::move(content);
    reference_ = header.seq;
    named_ = false;
    return {};
  }

  Publisher& p_;
  Stream& stream_;
  bool snapshot_;
  ContentWriter writer_;
  Bytes prefix_;  // content of reference_; the writer looks into it
  std::optional<StreamSeq> reference_;
  bool named_ = false;  // to the writer, for the segment in hand
  StateDigest digest_;
  const Dataset* dataset_ = nullptr;
  std::span<const WireField> fields_;
  Operation operation_ = Operation::kInsert;
  std::pair<std::uint16_t, Operation> last_block_{};
  PublishReport report_;
};

// Compares what was shared (the projection of then over the rows of then) with what is shared now, a dataset
// at a time, in key order, and writes what differs. Memory holds some thousand differing rows, and one
// segment.
class Publisher::Difference {
 public:
  enum class Walk : std::uint8_t {
    kChanges,  // the projection is the same: only rows that the change log names
    kPupils,   // likewise, and every row of the pupils that are had otherwise
    kAll,
  };

  // `out`: null to look only.
  Difference(Publisher& publisher, const Before& before, const PupilStates& now, std::int64_t since,
             bool scope_changed, Cutter* out)
      : p_(publisher), before_(before), now_(now), since_(since), scope_changed_(scope_changed), out_(out) {}

  // How many rows of each dataset the audience has before: needed for rows() and worth_it(). `give_up`: when
  // it is not worth it, nothing more is written, only looked at.
  void start_counts(std::map<std::uint16_t, std::int64_t> rows, bool give_up) {
    rows_ = std::move(rows);
    give_up_ = give_up;
    for (const auto& [dataset, n] : *rows_) remaining_ += n;
  }
  [[nodiscard]] const std::optional<std::map<std::uint16_t, std::int64_t>>& rows() const { return rows_; }
  // Less differs than remains: else a new epoch is the smaller change.
  [[nodiscard]] bool worth_it() const { return !rows_ || differing_ <= remaining_; }
  // Something that was shared may not be any longer: by a decision; by time, or since a pupil left the scope.
  [[nodiscard]] bool withdrawn_now() const { return withdrawn_now_; }
  [[nodiscard]] bool withdrawn_later() const { return withdrawn_later_; }

  // Either may be null: the dataset was not shared, or is not any longer. `changed`: whom kPupils is about.
  Result<void> dataset(const ProjectedDataset* then, const ProjectedDataset* now, Walk walk,
                       const std::vector<std::int64_t>& changed) {
    const Dataset& d = (then != nullptr ? then : now)->dataset();
    Shape shape(d, then, now);
    shape_ = &shape;
    TP_TRY(walk_rows(d, walk, changed));
    TP_TRY(write());
    close();
    shape_ = nullptr;
    return {};
  }

 private:
  // The fields of both, and what else holds for one dataset.
  struct Shape {
    Shape(const Dataset& d, const ProjectedDataset* then_, const ProjectedDataset* now_)
        : dataset(d), then(then_), now(now_) {
      std::vector<std::uint8_t> ids;
      for (std::size_t p = 0; p < d.fields.size(); ++p) {
        if ((then == nullptr || !then->has(p)) && (now == nullptr || !now->has(p))) continue;
        positions.push_back(p);
        ids.push_back(d.fields[p].id);
        fields.push_back({d.fields[p].id, is_text(d.fields[p].type)});
      }
      hasher.emplace(d.id, ids);
      old.resize(positions.size());
      current.resize(positions.size());
      may.resize(positions.size());
      mask = std::make_unique<bool[]>(positions.size());
    }
    const Dataset& dataset;
    const ProjectedDataset *then, *now;
    std::vector<std::size_t> positions;
    std::vector<WireField> fields;
    std::optional<RowHasher> hasher;
    std::vector<Value> old, current, may;
    std::unique_ptr<bool[]> mask;
  };
  // Gathered, because a segment has a dataset's insertions before its updates and deletions. What a
  // row does to the digest is done when the row is written: a segment may be cut before any row.
  struct Gathered {
    OwnedRow row;
    std::optional<Hash256> minus, plus;
    std::vector<bool> changed;
  };

  // Many rows of one kind in a row are one block, which the cutter cuts where a segment is full.
  Result<void> write_one(std::vector<Gathered>& rows, Operation operation) {
    if (rows.empty()) return {};
    if (open_ != operation) {
      close();
      TP_TRY(out_->begin(shape_->dataset, shape_->fields, operation));
      open_ = operation;
    }
    for (const Gathered& g : rows) {
      std::copy(g.changed.begin(), g.changed.end(), shape_->mask.get());
      TP_TRY(out_->row(g.row.view(), std::span<const bool>(shape_->mask.get(), g.changed.size())));
      if (g.minus) out_->digest().remove(*g.minus);
      if (g.plus) out_->digest().add(*g.plus);
    }
    rows.clear();
    return {};
  }
  void close() {
    if (open_ && out_ != nullptr) out_->end();
    open_.reset();
  }
  Result<void> write() {
    if (out_ != nullptr) {
      TP_TRY(write_one(inserted_, Operation::kInsert));
      TP_TRY(write_one(updated_, Operation::kUpdate));
      TP_TRY(write_one(deleted_, Operation::kDelete));
    }
    inserted_.clear();
    updated_.clear();
    deleted_.clear();
    return {};
  }

  void count(std::int64_t differing, std::int64_t more) {
    if (!rows_) return;
    differing_ += differing;
    remaining_ += more;
    (*rows_)[shape_->dataset.id] += more;
    if (give_up_ && !worth_it()) out_ = nullptr;
  }

  // The row as it was when it was last looked at, and as it is; either may be none.
  Result<void> row(const std::vector<Value>* was, const std::vector<Value>* is) {
    Shape& s = *shape_;
    const std::size_t n = s.positions.size();
    const std::size_t keys = s.dataset.key_count;
    const bool had =
        was != nullptr && s.then != nullptr && s.then->project(*was, before_.states, s.positions, s.old);
    const bool has = is != nullptr && s.now != nullptr && s.now->project(*is, now_, s.positions, s.current);
    if (had) look_for_withdrawn(*was);
    if (had && has) {
      std::vector<bool> changed(n);
      bool any = false;
      for (std::size_t i = keys; i < n; ++i) {
        changed[i] = !(s.old[i] == s.current[i]);
        any = any || changed[i];
      }
      if (!any) return {};
      count(1, 0);
      if (out_ != nullptr)
        updated_.push_back(
            {OwnedRow(s.current), (*s.hasher)(s.old), (*s.hasher)(s.current), std::move(changed)});
    } else if (has) {
      count(1, 1);
      if (out_ != nullptr)
        inserted_.push_back({OwnedRow(s.current), std::nullopt, (*s.hasher)(s.current), {}});
    } else if (had) {
      count(1, -1);
      if (out_ != nullptr)
        deleted_.push_back({OwnedRow(RowView(s.old).first(keys)), (*s.hasher)(s.old), std::nullopt, {}});
    }
    if (inserted_.size() + updated_.size() + deleted_.size() < kGatherRows) return {};
    return write();
  }

  // What was had of the row against what might be had of it now. What the MIS changes is no withdrawal.
  void look_for_withdrawn(const std::vector<Value>& was) {
    if (withdrawn_now_ || !differs_) return;
    Shape& s = *shape_;
    if (s.then->goes_with_own_row(was)) return;  // that row says it
    if (s.now == nullptr) {
      withdrawn_now_ = true;
      return;
    }
    if (s.now->project(was, now_, s.positions, s.may)) {
      for (std::size_t i = s.dataset.key_count; i < s.positions.size(); ++i) {
        if (s.old[i].is_null() || s.old[i] == s.may[i]) continue;
        const Field& field = s.dataset.fields[s.positions[i]];
        const auto origin = field.derived() ? s.dataset.position(field.derived_from) : std::nullopt;
        if (origin && s.now->has(*origin)) continue;  // the origin says as much
        withdrawn_now_ = true;                        // fields go by agreements and by rules
      }
      return;
    }
    const PupilState then = s.then->state(was, before_.states);
    const bool out = s.now->state(was, now_) == PupilState::kOut;
    const bool by_rule = s.now->by_rule(was, now_) < then;
    const bool by_age = s.now->too_old(was);
    const bool agreed_age = s.then->spec().years != s.now->spec().years;
    if ((out && !by_rule && !scope_changed_) || (!out && by_age && !agreed_age))
      withdrawn_later_ = true;
    else
      withdrawn_now_ = true;
  }

  Result<void> walk_rows(const Dataset& d, Walk walk, const std::vector<std::int64_t>& changed) {
    differs_ = walk != Walk::kChanges;
    Database& db = p_.store_.db();
    const std::string select = "SELECT " + column_list(d) + " FROM " + table_name(d);
    auto changes = db.prepare("SELECT key,old FROM change WHERE dataset=?1 AND run>?2 ORDER BY key,run");
    if (!changes) return fail(std::move(changes).error());
    auto one = db.prepare(select + " WHERE " + key_condition(d));
    if (!one) return fail(std::move(one).error());
    std::string where;
    if (walk == Walk::kPupils) {
      std::string list;
      for (const std::int64_t number : changed) list += (list.empty() ? "" : ",") + std::to_string(number);
      for (const std::size_t at : pupil_positions(d))
        where += (where.empty() ? " WHERE " : " OR ") + column_name(d.fields[at]) + " IN (" + list + ")";
      if (where.empty()) walk = Walk::kChanges;
    }
    std::optional<Statement> rows;
    if (walk != Walk::kChanges) {
      auto prepared = db.prepare(select + where + " ORDER BY " + key_order(d));
      if (!prepared) return fail(std::move(prepared).error());
      rows = std::move(*prepared);
    }

    const std::size_t n = d.fields.size(), keys = d.key_count;
    std::vector<Value> table(n), key(keys), was(n), is(n);
    Bytes last_key, key_text, old_bytes;
    const auto damaged = [&]() -> Result<void> {
      return fail(Code::kDamaged, db.path() + ": the change log is damaged", "Run: towpath verify");
    };

    // The cursor on the table: `table` is its row, if `at_row`.
    std::optional<Statement::Use> reading;
    bool at_row = false;
    const auto next_row = [&]() -> Result<void> {
      auto more = reading->step();
      if (!more) return fail(std::move(more).error());
      at_row = *more;
      if (at_row)
        for (std::size_t i = 0; i < n; ++i) table[i] = reading->value(static_cast<int>(i));
      return {};
    };
    if (rows) {
      reading.emplace(*rows);
      TP_TRY(next_row());
    }

    auto use = changes->use();
    use.bind(1, std::int64_t{d.id});
    use.bind(2, since_);
    for (bool first = true;; first = false) {
      auto more = use.step();
      if (!more) return fail(std::move(more).error());
      if (!*more) break;
      const ByteView packed = use.blob(0);
      if (packed.empty() && first) return all_new(d, select);
      if (!first && std::equal(packed.begin(), packed.end(), last_key.begin(), last_key.end()))
        continue;  // a later change of it
      last_key.assign(packed.begin(), packed.end());
      if (!read_ordered_key(packed, key, key_text)) return damaged();
      const bool existed = !use.is_null(1);
      if (existed && !unpack(use.blob(1), was)) return damaged();
      // Rows before it have not changed.
      while (at_row && compare_keys(table, key, keys) < 0) {
        TP_TRY(row(&table, &table));
        TP_TRY(next_row());
      }
      if (at_row && compare_keys(table, key, keys) == 0) {
        TP_TRY(row(existed ? &was : nullptr, &table));
        TP_TRY(next_row());
        continue;
      }
      if (walk == Walk::kAll) {
        TP_TRY(row(existed ? &was : nullptr, nullptr));
        continue;
      }
      auto look = one->use();
      for (std::size_t i = 0; i < keys; ++i) look.bind(static_cast<int>(i) + 1, key[i]);
      auto has = look.step();
      if (!has) return fail(std::move(has).error());
      if (*has)
        for (std::size_t i = 0; i < n; ++i) is[i] = look.value(static_cast<int>(i));
      TP_TRY(row(existed ? &was : nullptr, *has ? &is : nullptr));
    }
    while (at_row) {
      TP_TRY(row(&table, &table));
      TP_TRY(next_row());
    }
    return {};
  }

  // The whole table is new: nothing that happened to its rows since matters.
  Result<void> all_new(const Dataset& d, const std::string& select) {
    auto rows = p_.store_.db().prepare(select + " ORDER BY " + key_order(d));
    if (!rows) return fail(std::move(rows).error());
    auto use = rows->use();
    std::vector<Value> is(d.fields.size());
    for (;;) {
      auto more = use.step();
      if (!more) return fail(std::move(more).error());
      if (!*more) return {};
      for (std::size_t i = 0; i < is.size(); ++i) is[i] = use.value(static_cast<int>(i));
      TP_TRY(row(nullptr, &is));
    }
  }

  Publisher& p_;
  const Before& before_;
  const PupilStates& now_;
  std::int64_t since_;
  bool scope_changed_;
  Cutter* out_;
  Shape* shape_ = nullptr;
  bool differs_ = false;
  std::vector<Gathered> inserted_, updated_, deleted_;
  std::optional<Operation> open_;  // the block that the last row went to
  std::optional<std::map<std::uint16_t, std::int64_t>> rows_;
  bool give_up_ = false;
  std::int64_t differing_ = 0, remaining_ = 0;
  bool withdrawn_now_ = false, withdrawn_later_ = false;
};

Publisher::Publisher(Store& store, Audience audience)
    : store_(store),
      audience_(std::move(audience)),
      spec_(specify(store.dictionary(), audience_)),
      leaver_years_(leaver_years(store.dictionary(), audience_)),
      stream_(stream_id(store.school_urn(), audience_.name)) {
  auto datasets = project_by(store.dictionary(), spec_);
  TP_ASSERT(datasets.has_value());
  datasets_ = std::move(*datasets);
}

Result<Publisher::Stream> Publisher::load() {
  auto statement = store_.db().prepare(
      "SELECT grants,epoch,seq,segment,digest,published_run,acked_seq,acked_segment,hub_epoch FROM stream "
      "WHERE audience=?1");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, std::string_view(audience_.name));
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  Stream s;
  s.head.epoch = Epoch{1};
  s.head.complete = true;
  if (!*row) {
    // An audience that had a stream before goes on after it: its numbers are not used twice.
    auto ended = store_.db().prepare("SELECT epoch FROM ended_stream WHERE audience=?1");
    if (!ended) return fail(std::move(ended).error());
    auto look = ended->use();
    look.bind(1, std::string_view(audience_.name));
    auto any = look.step();
    if (!any) return fail(std::move(any).error());
    if (*any) s.head.epoch = Epoch{static_cast<std::uint32_t>(look.integer(0)) + 1};
    return s;
  }
  s.exists = true;
  s.grants = use.text(0);
  s.head.epoch = Epoch{static_cast<std::uint32_t>(use.integer(1))};
  s.head.seq = StreamSeq{static_cast<std::uint64_t>(use.integer(2))};
  s.head.segment = hash_of(use.blob(3));
  s.head.digest = hash_of(use.blob(4));
  s.published_run = use.integer(5);
  s.acked = StreamSeq{static_cast<std::uint64_t>(use.integer(6))};
  s.acked_segment = hash_of(use.blob(7));
  s.hub_epoch = Epoch{static_cast<std::uint32_t>(use.integer(8))};
  return s;
}

Result<void> Publisher::save(const Stream& s) {
  auto statement = store_.db().prepare(
      "INSERT INTO "
      "stream(audience,grants,epoch,seq,segment,digest,published_run,acked_seq,acked_segment,hub_epoch,equal)"
      " "
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,0) ON CONFLICT DO UPDATE SET "
      "grants=?2,epoch=?3,seq=?4,segment=?5,digest=?6,"
      "published_run=?7,acked_seq=?8,acked_segment=?9,hub_epoch=?10");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, std::string_view(audience_.name));
  use.bind(2, std::string_view(s.grants));
  use.bind(3, std::int64_t{s.head.epoch.number});
  use.bind(4, static_cast<std::int64_t>(s.head.seq.number));
  use.bind_blob(5, s.head.segment.bytes);
  use.bind_blob(6, s.head.digest.bytes);
  use.bind(7, s.published_run);
  use.bind(8, static_cast<std::int64_t>(s.acked.number));
  use.bind_blob(9, s.acked_segment.bytes);
  use.bind(10, std::int64_t{s.hub_epoch.number});
  return use.run();
}

Result<void> Publisher::run(const char* sql) {
  auto statement = store_.db().prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, std::string_view(audience_.name));
  return use.run();
}

Result<PupilStates> Publisher::states_now() {
  auto states = pupil_states(store_, audience_.name, audience_.scope, leaver_years_);
  if (!states) return states;
  std::vector<std::int64_t> introduced;
  for (const ProjectedDataset& dataset : datasets_) {
    const Dataset& d = dataset.dataset();
    if (!is_about_pupil(d)) continue;
    std::vector<Value> row(d.fields.size()), cells(dataset.fields().size());
    TP_TRY(store_.db().each("SELECT " + column_list(d) + " FROM " + table_name(d), [&](Statement::Use& use) {
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = use.value(static_cast<int>(i));
      if (dataset.project(row, *states, cells)) introduced.push_back(row[0].as_int());
    }));
  }
  states->introduce(std::move(introduced));
  return states;
}

Result<Publisher::Before> Publisher::last_published(const Stream& stream) {
  Before out;
  if (!stream.exists) return out;
  out.spec = Specification::parse(stream.grants);
  if (!out.spec) return out;
  auto datasets = project_by(store_.dictionary(), *out.spec);
  if (!datasets) {
    out.spec.reset();
    return out;
  }
  out.datasets = std::move(*datasets);
  auto states = shared_states(store_, audience_.name, out.spec->listed);
  if (!states) return fail(std::move(states).error());
  out.states = std::move(*states);
  return out;
}

Result<std::map<std::uint16_t, std::int64_t>> Publisher::counts() {
  std::map<std::uint16_t, std::int64_t> out;
  auto statement = store_.db().prepare("SELECT dataset,rows FROM stream_dataset WHERE audience=?1");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, std::string_view(audience_.name));
  for (;;) {
    auto more = use.step();
    if (!more) return fail(std::move(more).error());
    if (!*more) return out;
    out[static_cast<std::uint16_t>(use.integer(0))] = use.integer(1);
  }
}

Result<void> Publisher::keep_counts(const std::map<std::uint16_t, std::int64_t>& rows) {
  TP_TRY(run("DELETE FROM stream_dataset WHERE audience=?1"));
  auto keep = store_.db().prepare("INSERT INTO stream_dataset(audience,dataset,rows) VALUES(?1,?2,?3)");
  if (!keep) return fail(std::move(keep).error());
  for (const auto& [dataset, n] : rows) {
    auto use = keep->use();
    use.bind(1, std::string_view(audience_.name));
    use.bind(2, std::int64_t{dataset});
    use.bind(3, n);
    TP_TRY(use.run());
  }
  return {};
}

Result<void> Publisher::recall(const Head& head, std::int64_t due) {
  auto statement = store_.db().prepare(
      "INSERT INTO recall(audience,epoch,seq,due) VALUES(?1,?2,?3,?4) ON CONFLICT DO UPDATE SET "
      "due=min(due,?4)");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, std::string_view(audience_.name));
  use.bind(2, std::int64_t{head.epoch.number});
  use.bind(3, static_cast<std::int64_t>(head.seq.number));
  use.bind(4, due);
  return use.run();
}

// The newest place of this epoch before which something is to be forgotten some day.
Result<std::optional<StreamSeq>> Publisher::recalled_later(const Stream& stream) {
  auto statement =
      store_.db().prepare("SELECT max(seq) FROM recall WHERE audience=?1 AND epoch=?2 AND due>0");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, std::string_view(audience_.name));
  use.bind(2, std::int64_t{stream.head.epoch.number});
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row || use.is_null(0)) return std::optional<StreamSeq>{};
  return std::optional(StreamSeq{static_cast<std::uint64_t>(use.integer(0))});
}

Result<PublishReport> Publisher::publish() {
  auto stream = load();
  if (!stream) return fail(std::move(stream).error());
  auto newest = store_.db().integer("SELECT max(run) FROM change");
  if (!newest) return fail(std::move(newest).error());
  auto before = last_published(*stream);
  if (!before) return fail(std::move(before).error());
  auto states = states_now();
  if (!states) return fail(std::move(states).error());
  const bool same = before->spec && *before->spec == spec_ && before->states.same(*states);
  bool first = stream->head.seq.number == 0;
  PublishReport nothing;
  nothing.epoch = stream->head.epoch;
  if (!first && same && *newest <= stream->published_run) return nothing;

  // What is shared differs: which rows have to be looked at.
  const bool scope_changed = before->spec && before->spec->scope != spec_.scope;
  std::vector<std::int64_t> changed, entities;  // pupils; and beside them who is introduced otherwise
  if (before->spec && !same) {
    changed = states->differing(before->states);
    entities = states->introduced_differently(before->states);
    entities.insert(entities.end(), changed.begin(), changed.end());
  }
  const auto compare = [&](Difference& difference) -> Result<void> {
    auto then = before->datasets.begin();
    auto now = datasets_.begin();
    while (then != before->datasets.end() || now != datasets_.end()) {
      const auto of = [](auto at, auto end) {
        return at == end ? std::numeric_limits<std::uint32_t>::max() : std::uint32_t{at->dataset().id};
      };
      const std::uint32_t t = of(then, before->datasets.end()), n = of(now, datasets_.end());
      const Dataset& d = (t <= n ? then : now)->dataset();
      const auto& whom = d.name == kEntityDataset ? entities : changed;
      auto walk = Difference::Walk::kAll;
      if (t == n && then->spec() == now->spec())
        walk = whom.empty()                    ? Difference::Walk::kChanges
               : whom.size() <= kPupilsInQuery ? Difference::Walk::kPupils
               : pupil_positions(d).empty()    ? Difference::Walk::kChanges
                                               : Difference::Walk::kAll;
      TP_TRY(difference.dataset(t <= n ? &*then : nullptr, n <= t ? &*now : nullptr, walk, whom));
      if (t <= n) ++then;
      if (n <= t) ++now;
    }
    return {};
  };

  auto transaction = std::make_optional(store_.db().begin());
  if (!*transaction) return fail(std::move(*transaction).error());
  PublishReport report;
  bool recall_now = false, looked = false;
  if (!first && before->spec) {
    // Before anything is cut, which moves the head.
    const bool waiting = stream->acked.number < stream->head.seq.number;
    Cutter out(*this, *stream, false);
    out.start_digest(stream->head.digest);
    Difference difference(*this, *before, *states, stream->published_run, scope_changed, &out);
    auto rows = counts();
    if (!rows) return fail(std::move(rows).error());
    // Streams of earlier programs have no counts: they get them with their next snapshot.
    const bool counted = !rows->empty();
    if (counted) difference.start_counts(std::move(*rows), !same);
    TP_TRY(compare(difference));
    looked = true;
    recall_now = difference.withdrawn_now();
    // Of whom less may be had than before, but who had left the scope already: what was to be forgotten some
    // day is forgotten now.
    bool sooner = false;
    if (!same && states->tightened_since(before->states)) {
      auto later = recalled_later(*stream);
      if (!later) return fail(std::move(later).error());
      sooner = later->has_value();
      recall_now = recall_now || (sooner && stream->acked < **later);
    }
    // What has not left yet is not sent only to be taken back.
    if ((same || (difference.worth_it() && counted)) && !(recall_now && waiting)) {
      const bool recalls = recall_now || difference.withdrawn_later();
      if (sooner) TP_TRY(run("UPDATE recall SET due=0 WHERE audience=?1"));
      TP_TRY(recalls ? out.finish_alone() : out.finish());
      if (recalls)
        TP_TRY(recall(stream->head,
                      recall_now ? 0
                                 : (audience_.scope.today.value_or(Date{}).plus(kRecallAfterDays).days *
                                    std::int64_t{86'400'000})));
      if (difference.rows()) TP_TRY(keep_counts(*difference.rows()));
      report = out.report();
      report.recalls = recalls || sooner;
    } else {
      transaction.reset();  // takes back what was written
      transaction.emplace(store_.db().begin());
      if (!*transaction) return fail(std::move(*transaction).error());
      stream = load();
      if (!stream) return fail(std::move(stream).error());
      first = true;
    }
  } else if (!first) {
    first = true;  // nobody knows by what it was published
  }
  if (first) {
    if (stream->head.seq.number > 0) TP_TRY(begin_epoch(*stream, stream->head.epoch));
    if (before->spec && !same && !looked) {
      // The epoch before this one had been sent: what of it may not be had any longer.
      Difference difference(*this, *before, *states, stream->published_run, scope_changed, nullptr);
      TP_TRY(compare(difference));
      recall_now = difference.withdrawn_now();
    }
    Cutter out(*this, *stream, true);
    out.start_digest(stream->head.digest);
    TP_TRY(snapshot(out, *states));
    TP_TRY(out.finish());
    if (recall_now) TP_TRY(recall(stream->head, 0));
    report = out.report();
    report.recalls = recall_now;
  }
  stream->published_run = std::max(stream->published_run, *newest);
  stream->grants = spec_.text();
  TP_TRY(save(*stream));
  if (!before->spec || !before->states.same(*states))
    TP_TRY(keep_shared_states(store_, audience_.name, *states));
  // What every stream has in a segment need not be remembered as a change.
  TP_TRY(store_.db().exec("DELETE FROM change WHERE run<=(SELECT min(published_run) FROM stream)"));
  TP_TRY((**transaction).commit());
  report.epoch = stream->head.epoch;
  return report;
}

Result<void> Publisher::snapshot(Cutter& out, const PupilStates& states) {
  std::map<std::uint16_t, std::int64_t> rows;
  for (ProjectedDataset& dataset : datasets_) {
    const Dataset& d = dataset.dataset();
    auto statement = store_.db().prepare("SELECT " + column_list(d) + " FROM " + table_name(d) +
                                         " ORDER BY " + key_order(d));
    if (!statement) return fail(std::move(statement).error());
    auto use = statement->use();
    std::vector<Value> row(d.fields.size()), cells(dataset.fields().size());
    std::int64_t& n = rows[d.id];
    for (;;) {
      auto more = use.step();
      if (!more) return fail(std::move(more).error());
      if (!*more) break;
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = use.value(static_cast<int>(i));
      if (!dataset.project(row, states, cells)) continue;
      if (n++ == 0) TP_TRY(out.begin(d, dataset.fields(), Operation::kInsert));
      TP_TRY(out.row(cells));
      out.digest().add(dataset.hash(cells));
    }
    if (n > 0) out.end();
  }
  return keep_counts(rows);
}

Result<std::optional<Bytes>> Publisher::content(StreamSeq seq) {
  auto statement = store_.db().prepare("SELECT content FROM content WHERE audience=?1 AND seq=?2");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, std::string_view(audience_.name));
  use.bind(2, static_cast<std::int64_t>(seq.number));
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row) return std::nullopt;
  const ByteView b = use.blob(0);
  return Bytes(b.begin(), b.end());
}

Result<Head> Publisher::head() {
  auto s = load();
  if (!s) return fail(std::move(s).error());
  return s->head;
}

Result<Head> Publisher::acknowledged() {
  auto s = load();
  if (!s) return fail(std::move(s).error());
  Head h;
  h.epoch = s->head.epoch;
  h.seq = s->acked;
  h.segment = s->acked_segment;
  h.complete = s->acked.number > 0;
  if (s->acked == s->head.seq) h.digest = s->head.digest;
  return h;
}

Result<std::vector<Bytes>> Publisher::waiting(std::size_t bytes_max) {
  auto s = load();
  if (!s) return fail(std::move(s).error());
  auto statement = store_.db().prepare("SELECT bytes FROM outbox WHERE audience=?1 AND seq>?2 ORDER BY seq");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, std::string_view(audience_.name));
  use.bind(2, static_cast<std::int64_t>(s->acked.number));
  std::vector<Bytes> out;
  std::size_t size = 0;
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return out;
    const ByteView b = use.blob(0);
    if (!out.empty() && size + b.size() > bytes_max) return out;
    size += b.size();
    out.emplace_back(b.begin(), b.end());
  }
}

Result<std::uint64_t> Publisher::waiting_count() {
  auto s = load();
  if (!s) return fail(std::move(s).error());
  return s->head.seq.number - s->acked.number;
}

Result<bool> Publisher::pending() {
  auto s = load();
  if (!s) return fail(std::move(s).error());
  if (s->head.seq.number == 0) return true;
  auto any = store_.db().integer("SELECT EXISTS(SELECT 1 FROM change WHERE run>" +
                                 std::to_string(s->published_run) + ")");
  if (!any) return fail(std::move(any).error());
  if (*any != 0) return true;
  auto before = last_published(*s);
  if (!before) return fail(std::move(before).error());
  auto now = states_now();
  if (!now) return fail(std::move(now).error());
  return !before->spec || *before->spec != spec_ || !before->states.same(*now);
}

Result<Publisher::Next> Publisher::heard(const Head& hub) {
  auto s = load();
  if (!s) return fail(std::move(s).error());
  if (hub.epoch > s->hub_epoch) s->hub_epoch = hub.epoch;
  const auto new_epoch_needed = [&]() -> Result<Next> {
    TP_TRY(save(*s));
    return Next::kNewEpoch;
  };
  if (hub.epoch > s->head.epoch) return new_epoch_needed();
  if (hub.epoch <
      s->head.epoch)  // it has not heard of our epoch; if it had acknowledged some of it, it lost it
    return s->acked.number > 0 ? new_epoch_needed() : Result<Next>{Next::kGoOn};
  if (hub.seq < s->acked || hub.seq > s->head.seq) return new_epoch_needed();
  if (hub.seq == s->head.seq && hub.seq.number > 0 && hub.digest != s->head.digest) return new_epoch_needed();

  Hash256 ours = s->acked_segment;
  if (hub.seq != s->acked) {
    auto statement = store_.db().prepare("SELECT segment FROM outbox WHERE audience=?1 AND seq=?2");
    if (!statement) return fail(std::move(statement).error());
    auto use = statement->use();
    use.bind(1, std::string_view(audience_.name));
    use.bind(2, static_cast<std::int64_t>(hub.seq.number));
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row)
      return fail(Code::kDamaged, "the outbox lacks a segment that was not acknowledged",
                  "Run: towpath verify");
    ours = hash_of(use.blob(0));
  }
  if (hub.segment != ours) return new_epoch_needed();
  if (hub.seq == s->acked) return Next::kGoOn;

  auto transaction = store_.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  s->acked = hub.seq;
  s->acked_segment = ours;
  TP_TRY(save(*s));
  auto forget = store_.db().prepare("DELETE FROM outbox WHERE audience=?1 AND seq<=?2");
  if (!forget) return fail(std::move(forget).error());
  {
    auto use = forget->use();
    use.bind(1, std::string_view(audience_.name));
    use.bind(2, static_cast<std::int64_t>(hub.seq.number));
    TP_TRY(use.run());
  }
  TP_TRY(transaction->commit());
  return Next::kGoOn;
}

Result<void> Publisher::begin_epoch(Stream& s, Epoch at_least) {
  Stream next;
  next.exists = true;
  next.head.epoch = Epoch{std::max({s.head.epoch.number, at_least.number, s.hub_epoch.number}) + 1};
  next.head.complete = true;
  next.hub_epoch = s.hub_epoch;
  next.published_run = s.published_run;
  next.grants = s.grants;  // what the epoch before had: the snapshot is compared with it
  TP_TRY(save(next));
  TP_TRY(run("DELETE FROM outbox WHERE audience=?1"));
  TP_TRY(run("DELETE FROM content WHERE audience=?1"));
  // Who gets the new epoch drops the old one: what was to be forgotten some day is forgotten by that.
  TP_TRY(run("DELETE FROM recall WHERE audience=?1 AND due>0"));
  s = std::move(next);
  return {};
}

Result<void> Publisher::new_epoch(Epoch at_least, std::string_view) {
  auto s = load();
  if (!s) return fail(std::move(s).error());
  auto transaction = store_.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  TP_TRY(begin_epoch(*s, at_least));
  return transaction->commit();
}

Result<bool> Publisher::without_reference(StreamSeq seq) {
  auto s = load();
  if (!s) return fail(std::move(s).error());
  if (seq <= s->acked || seq > s->head.seq) return true;  // not one of those that wait
  auto transaction = store_.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  auto read = store_.db().prepare("SELECT bytes FROM outbox WHERE audience=?1 AND seq=?2");
  if (!read) return fail(std::move(read).error());
  auto write = store_.db().prepare("UPDATE outbox SET segment=?3,bytes=?4 WHERE audience=?1 AND seq=?2");
  if (!write) return fail(std::move(write).error());
  auto before = content(StreamSeq{seq.number - 1});
  if (!before) return fail(std::move(before).error());
  Bytes prefix = *before ? std::move(**before) : Bytes{};
  Hash256 previous{};
  for (StreamSeq at = seq; at <= s->head.seq; at.number += 1) {
    Bytes bytes;
    {
      auto use = read->use();
      use.bind(1, std::string_view(audience_.name));
      use.bind(2, static_cast<std::int64_t>(at.number));
      auto row = use.step();
      if (!row) return fail(std::move(row).error());
      if (!*row)
        return fail(Code::kDamaged, "the outbox lacks a segment that was not acknowledged",
                    "Run: towpath verify");
      const ByteView b = use.blob(0);
      bytes.assign(b.begin(), b.end());
    }
    auto opened = open_segment(bytes);
    if (!opened) return fail(std::move(opened).error());
    if (at == seq && opened->header.reference && !*before) return false;
    auto unpacked = unpack_segment(*opened, opened->header.reference ? ByteView(prefix) : ByteView{});
    if (!unpacked) return fail(std::move(unpacked).error());
    SegmentHeader header = opened->header;
    if (at == seq)
      header.reference.reset();
    else
      header.previous = previous;
    auto sealed =
        seal_segment(header, *unpacked, header.reference ? ByteView(prefix) : ByteView{}, audience_.signer);
    if (!sealed) return fail(std::move(sealed).error());
    auto use = write->use();
    use.bind(1, std::string_view(audience_.name));
    use.bind(2, static_cast<std::int64_t>(at.number));
    use.bind_blob(3, sealed->hash.bytes);
    use.bind_blob(4, sealed->bytes);
    TP_TRY(use.run());
    previous = sealed->hash;
    prefix = std::move(*unpacked);
  }
  s->head.segment = previous;
  TP_TRY(save(*s));
  TP_TRY(transaction->commit());
  return true;
}

Result<std::vector<Publisher::State>> Publisher::states() {
  std::vector<State> out;
  for (ProjectedDataset& dataset : datasets_) {
    StateDigest digest;
    std::uint64_t rows = 0;
    TP_TRY(each_hash(dataset.dataset(), [&](RowView, const Hash256& hash) -> Result<void> {
      digest.add(hash);
      ++rows;
      return {};
    }));
    out.push_back({dataset.dataset().id, rows, digest.value()});
  }
  return out;
}

Result<void> Publisher::each_hash(const Dataset& dataset,
                                  const std::function<Result<void>(RowView, const Hash256&)>& visit) {
  const auto found = std::find_if(datasets_.begin(), datasets_.end(),
                                  [&](const auto& d) { return &d.dataset() == &dataset; });
  if (found == datasets_.end()) return {};
  return each_row(dataset,
                  [&](RowView row) { return visit(row.first(dataset.key_count), found->hash(row)); });
}

Result<void> Publisher::each_row(const Dataset& dataset, const std::function<Result<void>(RowView)>& visit,
                                 std::optional<std::int64_t> pupil) {
  const auto found = std::find_if(datasets_.begin(), datasets_.end(),
                                  [&](const auto& d) { return &d.dataset() == &dataset; });
  if (found == datasets_.end()) return {};
  std::string where;
  if (pupil) {
    for (const std::size_t at : pupil_positions(dataset))
      where += (where.empty() ? " WHERE " : " OR ") + column_name(dataset.fields[at]) + "=" +
               std::to_string(*pupil);
    if (where.empty()) return {};
  }
  auto states = states_now();
  if (!states) return fail(std::move(states).error());
  auto rows = store_.db().prepare("SELECT " + column_list(dataset) + " FROM " + table_name(dataset) + where +
                                  " ORDER BY " + key_order(dataset));
  if (!rows) return fail(std::move(rows).error());
  auto use = rows->use();
  std::vector<Value> row(dataset.fields.size()), cells(found->fields().size());
  for (;;) {
    auto more = use.step();
    if (!more) return fail(std::move(more).error());
    if (!*more) return {};
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = use.value(static_cast<int>(i));
    if (found->project(row, *states, cells)) TP_TRY(visit(cells));
  }
}

Result<std::vector<Publisher::Shared>> Publisher::shared() {
  auto rows = counts();
  if (!rows) return fail(std::move(rows).error());
  std::vector<Shared> out;
  for (const ProjectedDataset& dataset : datasets_) {
    Shared one;
    one.dataset = &dataset.dataset();
    for (const std::size_t p : dataset.positions()) one.fields.push_back(&one.dataset->fields[p]);
    if (const auto n = rows->find(one.dataset->id); n != rows->end())
      one.rows = static_cast<std::uint64_t>(n->second);
    out.push_back(std::move(one));
  }
  return out;
}

Result<std::optional<Instant>> Publisher::last_exchange() {
  auto statement = store_.db().prepare("SELECT last_exchange FROM stream WHERE audience=?1");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, std::string_view(audience_.name));
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row || use.is_null(0)) return std::nullopt;
  return Instant{std::chrono::milliseconds{use.integer(0)}};
}

}  // namespace towpath
