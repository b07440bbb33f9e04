#include "agent/publish/publisher.hpp"

#include <algorithm>
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
  Epoch hub_epoch;  // the highest that the hub has spoken of
  std::string grants;
};

// Takes rows in order, cuts them into segments, seals and keeps each.
class Publisher::Cutter {
 public:
  Cutter(Publisher& publisher, Stream& stream, bool snapshot)
      : p_(publisher), stream_(stream), snapshot_(snapshot) {
    report_.snapshot = snapshot;
  }

  Result<void> begin(ProjectedDataset& dataset, Operation operation) {
    // A segment's blocks ascend: many changes come a handful of insertions, updates and deletions at a
    // time, and each handful after the first begins another segment.
    const std::pair<std::uint16_t, Operation> block{dataset.dataset().id, operation};
    if (writer_.rows() > 0 && block <= last_block_) TP_TRY(cut(false));
    last_block_ = block;
    dataset_ = &dataset;
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
    std::span<const WireField> fields = dataset_->fields();
    const std::size_t keys = dataset_->dataset().key_count;
    if (operation_ == Operation::kDelete) fields = fields.first(keys);
    writer_.begin(dataset_->dataset().id, operation_, fields, keys);
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
    auto sealed = seal_segment(header, content, prefix_);
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
  ProjectedDataset* dataset_ = nullptr;
  Operation operation_ = Operation::kInsert;
  std::pair<std::uint16_t, Operation> last_block_{};
  PublishReport report_;
};

Publisher::Publisher(Store& store, Audience audience)
    : store_(store),
      audience_(std::move(audience)),
      stream_(stream_id(store.school_urn(), audience_.name)),
      datasets_(project_dictionary(store.dictionary(), audience_.grants)) {
  // What a segment may hold: a change of grants or of the dictionary's fields is a new epoch.
  for (const ProjectedDataset& d : datasets_) {
    grants_ += std::to_string(d.dataset().id) + ":";
    for (const WireField& f : d.fields()) grants_ += std::to_string(f.id) + ",";
    grants_ += ";";
  }
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
  s.grants = grants_;
  if (!*row) return s;
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

Result<PublishReport> Publisher::publish() {
  auto stream = load();
  if (!stream) return fail(std::move(stream).error());
  if (stream->exists && stream->grants != grants_) {
    TP_TRY(new_epoch(stream->head.epoch, "what the audience may have has changed"));
    stream = load();
    if (!stream) return fail(std::move(stream).error());
  }
  auto newest = store_.db().integer("SELECT max(run) FROM change");
  if (!newest) return fail(std::move(newest).error());
  const bool first = stream->head.seq.number == 0;
  PublishReport nothing;
  nothing.epoch = stream->head.epoch;
  if (!first && *newest <= stream->published_run) return nothing;

  auto transaction = store_.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  Cutter out(*this, *stream, first);
  out.start_digest(stream->head.digest);
  if (first)
    TP_TRY(snapshot(out));
  else
    TP_TRY(delta(out, stream->published_run));
  TP_TRY(out.finish());
  stream->published_run = std::max(stream->published_run, *newest);
  TP_TRY(save(*stream));
  // What every stream has in a segment need not be remembered as a change.
  TP_TRY(store_.db().exec("DELETE FROM change WHERE run<=(SELECT min(published_run) FROM stream)"));
  TP_TRY(transaction->commit());
  PublishReport report = out.report();
  report.epoch = stream->head.epoch;
  return report;
}

Result<void> Publisher::whole(Cutter& out, ProjectedDataset& dataset) {
  auto rows = store_.db().prepare(dataset.select() + " ORDER BY " + key_order(dataset.dataset()));
  if (!rows) return fail(std::move(rows).error());
  auto use = rows->use();
  const std::size_t n = dataset.fields().size();
  std::vector<Value> cells(n);
  bool begun = false;
  for (;;) {
    auto more = use.step();
    if (!more) return fail(std::move(more).error());
    if (!*more) break;
    for (std::size_t i = 0; i < n; ++i) cells[i] = use.value(static_cast<int>(i));
    if (!begun) TP_TRY(out.begin(dataset, Operation::kInsert));
    begun = true;
    TP_TRY(out.row(cells));
    out.digest().add(dataset.hash(cells));
  }
  if (begun) out.end();
  return {};
}

Result<void> Publisher::snapshot(Cutter& out) {
  for (ProjectedDataset& dataset : datasets_) TP_TRY(whole(out, dataset));
  return {};
}

Result<void> Publisher::delta(Cutter& out, std::int64_t since) {
  for (ProjectedDataset& dataset : datasets_) TP_TRY(delta_of(out, dataset, since));
  return {};
}

Result<void> Publisher::delta_of(Cutter& out, ProjectedDataset& projected, std::int64_t since) {
  const Dataset& dataset = projected.dataset();
  Database& db = store_.db();
  auto changes = db.prepare("SELECT key,old FROM change WHERE dataset=?1 AND run>?2 ORDER BY key,run");
  if (!changes) return fail(std::move(changes).error());
  auto current = db.prepare(projected.select() + " WHERE " + key_condition(dataset));
  if (!current) return fail(std::move(current).error());

  const std::size_t n = projected.fields().size();
  const std::size_t keys = dataset.key_count;
  // Gathered, because a segment has a dataset's insertions before its updates and deletions. What a
  // row does to the digest is done when the row is written: a segment may be cut before any row.
  struct Gathered {
    OwnedRow row;
    std::optional<Hash256> minus, plus;
    std::vector<bool> changed;
  };
  std::vector<Gathered> inserted, updated, deleted;
  const auto mask = std::make_unique<bool[]>(n);
  const auto write_one = [&](std::vector<Gathered>& rows, Operation operation) -> Result<void> {
    if (rows.empty()) return {};
    TP_TRY(out.begin(projected, operation));
    for (const Gathered& g : rows) {
      std::copy(g.changed.begin(), g.changed.end(), mask.get());
      TP_TRY(out.row(g.row.view(), std::span<const bool>(mask.get(), g.changed.size())));
      if (g.minus) out.digest().remove(*g.minus);
      if (g.plus) out.digest().add(*g.plus);
    }
    out.end();
    rows.clear();
    return {};
  };
  const auto write = [&]() -> Result<void> {
    TP_TRY(write_one(inserted, Operation::kInsert));
    TP_TRY(write_one(updated, Operation::kUpdate));
    return write_one(deleted, Operation::kDelete);
  };

  auto use = changes->use();
  use.bind(1, std::int64_t{dataset.id});
  use.bind(2, since);
  std::vector<Value> key(keys), old_row(dataset.fields.size()), old(n), now(n);
  Bytes last_key, key_text;
  for (;;) {
    auto more = use.step();
    if (!more) return fail(std::move(more).error());
    if (!*more) break;
    const ByteView packed = use.blob(0);
    // The whole table is new to the audience: nothing that happened to its rows since matters.
    if (packed.empty()) return whole(out, projected);
    if (std::equal(packed.begin(), packed.end(), last_key.begin(), last_key.end()))
      continue;  // a later change of it
    last_key.assign(packed.begin(), packed.end());
    if (!read_ordered_key(packed, key, key_text))
      return fail(Code::kDamaged, db.path() + ": the change log is damaged", "Run: towpath verify");
    const bool had = !use.is_null(1);
    if (had) {
      if (!unpack(use.blob(1), old_row))
        return fail(Code::kDamaged, db.path() + ": the change log is damaged", "Run: towpath verify");
      projected.project(old_row, old);
    }
    auto look = current->use();
    for (std::size_t i = 0; i < keys; ++i) look.bind(static_cast<int>(i) + 1, key[i]);
    auto has = look.step();
    if (!has) return fail(std::move(has).error());
    if (*has)
      for (std::size_t i = 0; i < n; ++i) now[i] = look.value(static_cast<int>(i));

    if (had && *has) {
      std::vector<bool> changed(n);
      bool any = false;
      for (std::size_t i = keys; i < n; ++i) {
        changed[i] = !(old[i] == now[i]);
        any = any || changed[i];
      }
      if (any)
        updated.push_back({OwnedRow(now), projected.hash(old), projected.hash(now), std::move(changed)});
    } else if (*has) {
      inserted.push_back({OwnedRow(now), std::nullopt, projected.hash(now), {}});
    } else if (had) {
      deleted.push_back({OwnedRow(key), projected.hash(old), std::nullopt, {}});
    }
    if (inserted.size() + updated.size() + deleted.size() >= kGatherRows) TP_TRY(write());
  }
  return write();
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
  if (s->head.seq.number == 0 || s->grants != grants_) return true;
  auto any = store_.db().integer("SELECT EXISTS(SELECT 1 FROM change WHERE run>" +
                                 std::to_string(s->published_run) + ")");
  if (!any) return fail(std::move(any).error());
  return *any != 0;
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

Result<void> Publisher::new_epoch(Epoch at_least, std::string_view) {
  auto s = load();
  if (!s) return fail(std::move(s).error());
  auto transaction = store_.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  Stream next;
  next.head.epoch = Epoch{std::max({s->head.epoch.number, at_least.number, s->hub_epoch.number}) + 1};
  next.hub_epoch = s->hub_epoch;
  next.published_run = s->published_run;
  next.grants = grants_;
  TP_TRY(save(next));
  for (const char* table : {"outbox", "content"}) {
    auto forget = store_.db().prepare("DELETE FROM " + std::string(table) + " WHERE audience=?1");
    if (!forget) return fail(std::move(forget).error());
    auto use = forget->use();
    use.bind(1, std::string_view(audience_.name));
    TP_TRY(use.run());
  }
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
    auto sealed = seal_segment(header, *unpacked, header.reference ? ByteView(prefix) : ByteView{});
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
    TP_TRY(each_row(dataset.dataset(), [&](RowView row) -> Result<void> {
      digest.add(dataset.hash(row));
      ++rows;
      return {};
    }));
    out.push_back({dataset.dataset().id, rows, digest.value()});
  }
  return out;
}

Result<void> Publisher::each_row(const Dataset& dataset, const std::function<Result<void>(RowView)>& visit) {
  const auto found = std::find_if(datasets_.begin(), datasets_.end(),
                                  [&](const auto& d) { return &d.dataset() == &dataset; });
  if (found == datasets_.end()) return {};
  auto rows = store_.db().prepare(found->select() + " ORDER BY " + key_order(dataset));
  if (!rows) return fail(std::move(rows).error());
  auto use = rows->use();
  std::vector<Value> cells(found->fields().size());
  for (;;) {
    auto more = use.step();
    if (!more) return fail(std::move(more).error());
    if (!*more) return {};
    for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = use.value(static_cast<int>(i));
    TP_TRY(visit(cells));
  }
}

}  // namespace towpath
