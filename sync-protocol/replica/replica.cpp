#include "replica/replica.hpp"

#include <algorithm>
#include <map>

#include "replica/layout.hpp"

namespace towpath {
namespace {

using replica::AsideField;
using replica::AsideFields;
using replica::AsideRows;
using replica::Table;

struct Tally {
  std::uint64_t rows = 0;
  StateDigest digest;
};

Hash256 hash_from(ByteView bytes) {
  Hash256 h;
  if (bytes.size() == h.bytes.size()) std::copy(bytes.begin(), bytes.end(), h.bytes.begin());
  return h;
}

std::string where(const SegmentHeader& h) {
  return "segment " + std::to_string(h.epoch.number) + "/" + std::to_string(h.seq.number);
}

}  // namespace

struct Replica::State {
  State(Database&& db, const Dictionary& d, StreamId s, Epoch e)
      : database(std::move(db)), dictionary(d), stream(s), aside_rows(database) {
    now.head.epoch = e;
    tables.resize(dictionary.datasets.size());
  }

  Database database;
  const Dictionary& dictionary;
  StreamId stream;

  // All that a transaction or a segment changes in memory; copied to be put back.
  struct Moving {
    Head head;
    std::map<std::uint16_t, Tally> tallies;
    AsideFields aside;

    [[nodiscard]] Hash256 digest() const {
      StateDigest total;
      for (const auto& [dataset, tally] : tallies) total.add(tally.digest.value());
      return total.value();
    }
  };
  Moving now, committed;

  struct Applied {
    StreamSeq seq;
    Hash256 hash;
    Bytes content;  // emptied once it is too old to be a reference
  };
  std::vector<Applied> applied;  // in this transaction

  std::vector<std::unique_ptr<Table>> tables;
  AsideRows aside_rows;
  std::optional<Statement> find_content, find_hash, savepoint, release, read_meta;
  std::optional<Transaction> transaction;  // goes first
  bool reading = false;

  Result<void> load();
  Result<Table*> table(std::size_t at);
  void forget_tables() {
    for (auto& t : tables) t.reset();
  }

  Result<void> check_chain(const OpenedSegment& segment);
  Result<std::optional<Bytes>> content_of(StreamSeq seq);
  Result<std::optional<Hash256>> hash_of(StreamSeq seq);
  Result<Statement*> ready(std::optional<Statement>& statement, const char* sql);
  Result<void> run(std::optional<Statement>& statement, const char* sql);

  Result<void> apply_content(const SegmentHeader& header, ByteView content, ApplyCounts& counts);
  Result<void> apply_block(const SegmentHeader& header, const Block& block, ApplyCounts& counts);
  Result<void> apply_aside(const SegmentHeader& header, const Block& block, ApplyCounts& counts);
  void add(Tally& tally, const Hash256& row) {
    ++tally.rows;
    tally.digest.add(row);
  }
  void remove(Tally& tally, const Hash256& row) {
    --tally.rows;
    tally.digest.remove(row);
  }
  Error lacks_row(const SegmentHeader& header, std::uint16_t dataset, const char* verb) const {
    const Dataset* d = dictionary.find(dataset);
    return Error{Code::kDigestDiffers,
                 where(header) + " " + verb + " a row of " +
                     (d != nullptr ? std::string(d->name) : "dataset " + std::to_string(dataset)) +
                     " that is not held here: the two ends differ",
                 "The school's next exchange begins a new epoch"};
  }
  Error damaged(const SegmentHeader& header, const std::string& why) const {
    return Error{Code::kDamaged, where(header) + " " + why,
                 "The writer has to send it again, or begin a new epoch"};
  }
};

Result<Statement*> Replica::State::ready(std::optional<Statement>& statement, const char* sql) {
  if (!statement) {
    auto made = database.prepare(sql);
    if (!made) return fail(std::move(made).error());
    statement.emplace(std::move(*made));
  }
  return &*statement;
}

Result<void> Replica::State::run(std::optional<Statement>& statement, const char* sql) {
  auto s = ready(statement, sql);
  if (!s) return fail(std::move(s).error());
  auto use = (*s)->use();
  return use.run();
}

// --- open ----------------------------------------------------------------------------------

Replica::Replica(std::unique_ptr<State> state) : state_(std::move(state)) {}
Replica::Replica(Replica&&) noexcept = default;
Replica& Replica::operator=(Replica&&) noexcept = default;
Replica::~Replica() = default;

Result<Replica> Replica::open(const Database::Options& options, const Dictionary& dictionary, StreamId stream,
                              Epoch epoch) {
  auto database = Database::open(options);
  if (!database) return fail(std::move(database).error());
  auto state = std::make_unique<State>(std::move(*database), dictionary, stream, epoch);
  Database& db = state->database;
  const Hash256 shape = replica::shape_of(dictionary);

  auto formed = db.integer("SELECT count(*) FROM sqlite_schema WHERE name='meta'");
  if (!formed) return fail(std::move(formed).error());
  if (*formed == 0) {
    if (options.read_only)
      return fail(Code::kNotFound, options.path + " holds nothing yet",
                  "Wait for the school's first exchange");
    // Whole or not at all: a process killed here leaves a file that is made again.
    auto tx = db.begin();
    if (!tx) return fail(std::move(tx).error());
    TP_TRY(replica::create_tables(db, dictionary));
    auto put = db.prepare(
        "INSERT INTO meta(id,format,stream,epoch,seq,segment,digest,complete,dictionary,shape)"
        " VALUES(1,?1,?2,?3,0,?4,?4,0,?5,?6)");
    if (!put) return fail(std::move(put).error());
    {
      auto use = put->use();
      use.bind(1, replica::kFormat);
      use.bind_blob(2, stream.uuid.bytes);
      use.bind(3, std::int64_t{epoch.number});
      const Hash256 zero;
      use.bind_blob(4, zero.bytes);
      use.bind(5, std::int64_t{dictionary.version});
      use.bind_blob(6, shape.bytes);
      TP_TRY(use.run());
    }
    TP_TRY(tx->commit());
  }

  bool older = false;
  {
    auto read = db.prepare("SELECT format,stream,epoch,dictionary,shape FROM meta");
    if (!read) return fail(std::move(read).error());
    auto use = read->use();
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row)
      return fail(
          Code::kDamaged, options.path + ": its first record is missing",
          "Restore the file from a backup, or delete it: the school's next exchange begins a new epoch");
    if (use.integer(0) != replica::kFormat)
      return fail(Code::kUnknownVersion,
                  options.path + " has format " + std::to_string(use.integer(0)) + "; this program knows " +
                      std::to_string(replica::kFormat),
                  "Install the version of towpath that wrote it, or a newer one");
    const ByteView held = use.blob(1);
    if (!std::equal(held.begin(), held.end(), stream.uuid.bytes.begin(), stream.uuid.bytes.end()) ||
        use.integer(2) != std::int64_t{epoch.number})
      return fail(
          Code::kWrongStream,
          options.path + " holds epoch " + std::to_string(use.integer(2)) + " of " +
              (std::equal(held.begin(), held.end(), stream.uuid.bytes.begin(), stream.uuid.bytes.end())
                   ? "this stream"
                   : "another stream"),
          "A file of the data folder has been moved or copied: put it back");
    if (use.integer(3) > std::int64_t{dictionary.version})
      return fail(Code::kUnknownVersion,
                  options.path + " was written with dictionary version " + std::to_string(use.integer(3)) +
                      "; this program knows version " + std::to_string(dictionary.version),
                  "Install the newer version of towpath again");
    older = hash_from(use.blob(4)) != shape;
  }
  if (older) {
    if (options.read_only)
      return fail(Code::kUnknownVersion, options.path + " was written with an older dictionary",
                  "Start the program that writes it once with this version; it brings the file up");
    auto tx = db.begin();
    if (!tx) return fail(std::move(tx).error());
    if (auto done = replica::bring_up(db, dictionary); !done)
      return fail(std::move(done).error().during("bringing " + options.path + " up to dictionary version " +
                                                 std::to_string(dictionary.version)));
    auto put = db.prepare("UPDATE meta SET dictionary=?1,shape=?2");
    if (!put) return fail(std::move(put).error());
    {
      auto use = put->use();
      use.bind(1, std::int64_t{dictionary.version});
      use.bind_blob(2, shape.bytes);
      TP_TRY(use.run());
    }
    TP_TRY(tx->commit());
  }
  TP_TRY(state->load());
  return Replica(std::move(state));
}

Result<void> Replica::State::load() {
  Moving fresh;
  fresh.head.epoch = now.head.epoch;
  {
    auto statement = ready(read_meta, "SELECT seq,segment,digest,complete FROM meta");
    if (!statement) return fail(std::move(statement).error());
    auto use = (*statement)->use();
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    fresh.head.seq = StreamSeq{static_cast<std::uint64_t>(use.integer(0))};
    fresh.head.segment = hash_from(use.blob(1));
    fresh.head.digest = hash_from(use.blob(2));
    fresh.head.complete = use.integer(3) != 0;
  }
  {
    auto statement = database.prepare("SELECT dataset,row_count,digest FROM tally");
    if (!statement) return fail(std::move(statement).error());
    auto use = statement->use();
    for (;;) {
      auto row = use.step();
      if (!row) return fail(std::move(row).error());
      if (!*row) break;
      Tally& t = fresh.tallies[static_cast<std::uint16_t>(use.integer(0))];
      t.rows = static_cast<std::uint64_t>(use.integer(1));
      t.digest = StateDigest(hash_from(use.blob(2)));
    }
  }
  auto aside = replica::read_aside_fields(database);
  if (!aside) return fail(std::move(aside).error());
  fresh.aside = std::move(*aside);
  if (fresh.aside != now.aside) forget_tables();
  now = fresh;
  committed = std::move(fresh);
  return {};
}

Result<Table*> Replica::State::table(std::size_t at) {
  if (!tables[at]) tables[at] = std::make_unique<Table>(database, dictionary.datasets[at], now.aside);
  return tables[at].get();
}

// --- transactions --------------------------------------------------------------------------

const Head& Replica::head() const { return state_->now.head; }
Database& Replica::database() { return state_->database; }
std::size_t Replica::fields_aside() const { return state_->now.aside.size(); }

Result<void> Replica::begin() {
  State& s = *state_;
  TP_ASSERT(!s.transaction && !s.reading);
  auto tx = s.database.begin();
  if (!tx) return fail(std::move(tx).error());
  s.transaction.emplace(std::move(*tx));
  return {};
}

Result<void> Replica::commit() {
  State& s = *state_;
  TP_ASSERT(s.transaction);
  if (!s.applied.empty()) {
    const Head& head = s.now.head;
    const std::uint64_t before = s.committed.head.seq.number;
    {
      auto put = s.database.prepare("INSERT INTO segment(seq,hash,content) VALUES(?1,?2,?3)");
      if (!put) return fail(std::move(put).error());
      for (const State::Applied& a : s.applied) {
        auto use = put->use();
        use.bind(1, static_cast<std::int64_t>(a.seq.number));
        use.bind_blob(2, a.hash.bytes);
        if (a.seq.number + kReferencesKept > head.seq.number)
          use.bind_blob(3, a.content);
        else
          use.bind_null(3);
        TP_TRY(use.run());
      }
    }
    TP_TRY(s.database.exec(
        "UPDATE segment SET content=NULL WHERE seq>" +
        std::to_string(before > kReferencesKept ? before - kReferencesKept : 0) + " AND seq<=" +
        std::to_string(
            std::min(before, head.seq.number > kReferencesKept ? head.seq.number - kReferencesKept : 0))));
    {
      auto put = s.database.prepare(
          "INSERT INTO tally(dataset,row_count,digest) VALUES(?1,?2,?3)"
          " ON CONFLICT DO UPDATE SET row_count=?2,digest=?3");
      if (!put) return fail(std::move(put).error());
      for (const auto& [dataset, tally] : s.now.tallies) {
        if (const auto old = s.committed.tallies.find(dataset); old != s.committed.tallies.end() &&
                                                                old->second.digest == tally.digest &&
                                                                old->second.rows == tally.rows)
          continue;
        const Hash256 digest = tally.digest.value();
        auto use = put->use();
        use.bind(1, std::int64_t{dataset});
        use.bind(2, static_cast<std::int64_t>(tally.rows));
        use.bind_blob(3, digest.bytes);
        TP_TRY(use.run());
      }
    }
    auto put = s.database.prepare("UPDATE meta SET seq=?1,segment=?2,digest=?3,complete=?4");
    if (!put) return fail(std::move(put).error());
    auto use = put->use();
    use.bind(1, static_cast<std::int64_t>(head.seq.number));
    use.bind_blob(2, head.segment.bytes);
    use.bind_blob(3, head.digest.bytes);
    use.bind(4, std::int64_t{head.complete});
    TP_TRY(use.run());
  }
  TP_TRY(s.transaction->commit());
  s.transaction.reset();
  s.applied.clear();
  s.committed = s.now;
  return {};
}

void Replica::rollback() {
  State& s = *state_;
  s.forget_tables();  // their statements may be for columns that are taken back
  s.transaction.reset();
  s.applied.clear();
  s.now = s.committed;
}

Result<std::uint64_t> Replica::contents_before(StreamSeq before) {
  auto count = state_->database.prepare("SELECT count(*) FROM segment WHERE seq<?1 AND content IS NOT NULL");
  if (!count) return fail(std::move(count).error());
  auto use = count->use();
  use.bind(1, static_cast<std::int64_t>(before.number));
  const auto row = use.step();
  if (!row) return fail(row.error());
  return static_cast<std::uint64_t>(use.integer(0));
}

Result<std::uint64_t> Replica::forget_contents(StreamSeq before) {
  State& s = *state_;
  TP_ASSERT(!s.transaction && !s.reading);
  // Before anything is changed: who is told to come again is to hear then how much it was.
  TP_TRY(s.database.checkpoint());
  std::uint64_t forgotten = 0;
  {
    auto forget = s.database.prepare("UPDATE segment SET content=NULL WHERE seq<?1 AND content IS NOT NULL");
    if (!forget) return fail(std::move(forget).error());
    auto use = forget->use();
    use.bind(1, static_cast<std::int64_t>(before.number));
    TP_TRY(use.run());
    forgotten = static_cast<std::uint64_t>(s.database.changes());
  }
  TP_TRY(s.database.checkpoint());
  return forgotten;
}

Result<void> Replica::begin_reading() {
  State& s = *state_;
  TP_ASSERT(!s.transaction && !s.reading);
  TP_TRY(s.database.exec("BEGIN"));
  s.reading = true;
  return s.load();  // its first read fixes the moment
}

void Replica::end_reading() {
  if (!state_->reading) return;
  static_cast<void>(state_->database.exec("ROLLBACK"));  // nothing was written
  state_->reading = false;
}

// --- apply ---------------------------------------------------------------------------------

Result<std::optional<Hash256>> Replica::State::hash_of(StreamSeq seq) {
  for (const Applied& a : applied)
    if (a.seq == seq) return std::optional(a.hash);
  auto statement = ready(find_hash, "SELECT hash FROM segment WHERE seq=?1");
  if (!statement) return fail(std::move(statement).error());
  auto use = (*statement)->use();
  use.bind(1, static_cast<std::int64_t>(seq.number));
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row) return std::optional<Hash256>{};
  return std::optional(hash_from(use.blob(0)));
}

Result<std::optional<Bytes>> Replica::State::content_of(StreamSeq seq) {
  if (seq.number + kReferencesKept <= now.head.seq.number) return std::optional<Bytes>{};
  for (const Applied& a : applied)
    if (a.seq == seq) return std::optional(a.content);
  auto statement = ready(find_content, "SELECT content FROM segment WHERE seq=?1 AND content IS NOT NULL");
  if (!statement) return fail(std::move(statement).error());
  auto use = (*statement)->use();
  use.bind(1, static_cast<std::int64_t>(seq.number));
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row) return std::optional<Bytes>{};
  const ByteView content = use.blob(0);
  return std::optional(Bytes(content.begin(), content.end()));
}

// Does the segment come next? Nothing of its body has been looked at yet.
Result<void> Replica::State::check_chain(const OpenedSegment& segment) {
  const SegmentHeader& h = segment.header;
  const Head& head = now.head;
  if (h.stream != stream) return fail(Code::kWrongStream, where(h) + " belongs to another stream");
  if (h.epoch != head.epoch)
    return fail(Code::kWrongStream, where(h) + " belongs to epoch " + std::to_string(h.epoch.number) +
                                        ", not " + std::to_string(head.epoch.number));
  if (h.seq.number == 0) return fail(damaged(h, "has number 0; the first is 1"));
  if (h.seq <= head.seq) {
    auto held = hash_of(h.seq);
    if (!held) return fail(std::move(held).error());
    if (*held && **held == segment.hash) return fail(Code::kRepeated, where(h) + " has been applied already");
    return fail(Code::kForked, "another " + where(h) + " has been applied already",
                "The writer was copied or set back: it has to begin a new epoch");
  }
  if (h.seq.number != head.seq.number + 1)
    return fail(
        Code::kOutOfOrder,
        where(h) + " comes after " + std::to_string(head.seq.number) + ": what lies between is missing",
        "The writer has to send on from " + std::to_string(head.seq.number + 1));
  if (h.previous != head.segment)
    return fail(
        Code::kForked,
        where(h) + " follows another segment " + std::to_string(head.seq.number) + " than the one held here",
        "The writer was copied or set back: it has to begin a new epoch");
  if (h.snapshot && head.complete) return fail(damaged(h, "is part of a snapshot that is complete already"));
  if (!h.snapshot && !head.complete) return fail(damaged(h, "comes before the epoch's snapshot is complete"));
  return {};
}

Result<ApplyCounts> Replica::apply(const OpenedSegment& segment) {
  State& s = *state_;
  TP_ASSERT(s.transaction);
  TP_TRY(s.check_chain(segment));
  const SegmentHeader& h = segment.header;
  Bytes prefix;
  if (h.reference) {
    auto held = h.reference->number == 0 || *h.reference >= h.seq
                    ? Result<std::optional<Bytes>>{std::optional<Bytes>{}}
                    : s.content_of(*h.reference);
    if (!held) return fail(std::move(held).error());
    if (!*held)
      return fail(Code::kMissingReference,
                  where(h) + " needs the content of segment " + std::to_string(h.reference->number) +
                      ", which is not held here",
                  "The writer has to seal it again without a reference");
    prefix = std::move(**held);
  }
  auto content = unpack_segment(segment, prefix);
  if (!content) return fail(std::move(content).error().during(where(h)));

  const State::Moving before = s.now;
  TP_TRY(s.run(s.savepoint, "SAVEPOINT segment"));
  ApplyCounts counts;
  auto done = s.apply_content(h, *content, counts);
  if (done && s.now.digest() != h.digest)
    done = fail(Code::kDigestDiffers, "after " + where(h) + " the state here differs from the writer's",
                "The school's next exchange begins a new epoch");
  if (!done) {
    if (s.now.aside != before.aside) s.forget_tables();
    s.now = before;
    // Where this fails SQLite has mostly rolled all back; the caller's commit will say so. If it has not
    // (no memory), what is half applied must not be committed: then it is our own trouble, not the segment's.
    auto back = s.database.exec("ROLLBACK TO segment; RELEASE segment");
    if (!back && s.database.in_transaction()) return fail(std::move(back).error());
    return fail(std::move(done).error());
  }
  TP_TRY(s.run(s.release, "RELEASE segment"));
  s.now.head.seq = h.seq;
  s.now.head.segment = segment.hash;
  s.now.head.digest = h.digest;
  s.now.head.complete = s.now.head.complete || h.snapshot_end;
  s.applied.push_back({h.seq, segment.hash, std::move(*content)});
  if (s.applied.size() > kReferencesKept)
    Bytes().swap(s.applied[s.applied.size() - 1 - kReferencesKept].content);
  return counts;
}

Result<void> Replica::State::apply_content(const SegmentHeader& header, ByteView content,
                                           ApplyCounts& counts) {
  ContentReader reader(content);
  Block block;
  for (;;) {
    auto more = reader.next(block);
    if (!more) return fail(std::move(more).error().during(where(header)));
    if (!*more) return {};
    TP_TRY(apply_block(header, block, counts));
  }
}

Result<void> Replica::State::apply_block(const SegmentHeader& header, const Block& block,
                                         ApplyCounts& counts) {
  TP_ASSERT(block.columns.size() == block.fields.size() && block.key_count <= block.fields.size());
  for (std::size_t i = 0; i < block.fields.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (block.fields[i].id == block.fields[j].id) return fail(damaged(header, "names a column twice"));
  const Dataset* dataset = dictionary.find(block.dataset);
  bool known = dataset != nullptr && block.key_count == dataset->key_count;
  for (std::size_t i = 0; known && i < block.key_count; ++i)
    known = block.fields[i].id == dataset->fields[i].id &&
            block.fields[i].text == is_text(dataset->fields[i].type);
  if (!known) return apply_aside(header, block, counts);

  const auto at = static_cast<std::size_t>(dataset - dictionary.datasets.data());
  // Fields that the dictionary does not know, or knows as another kind, get a column of their own.
  for (std::size_t i = block.key_count; i < block.fields.size(); ++i) {
    const WireField& f = block.fields[i];
    const auto position = dataset->position_of_id(f.id);
    if (position && is_text(dataset->fields[*position].type) == f.text) continue;
    const AsideField field{dataset->id, f.id, f.text};
    if (!now.aside.insert(field).second) continue;
    tables[at].reset();
    TP_TRY(replica::add_aside_field(database, *dataset, field));
  }
  auto made = table(at);
  if (!made) return fail(std::move(made).error());
  Table& table = **made;
  const std::size_t width = table.columns().size();
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t> source(width, kNone);  // for each of our columns, the block's
  for (std::size_t i = 0; i < block.fields.size(); ++i) {
    const auto position = table.position(block.fields[i].id, block.fields[i].text);
    TP_ASSERT(position);
    if (source[*position] != kNone || (*position < dataset->key_count) != (i < block.key_count))
      return fail(damaged(header, "names a column twice"));
    source[*position] = i;
  }
  // Columns that hold the same field as another kind: setting one empties the other.
  std::vector<std::vector<std::size_t>> siblings(width);
  for (std::size_t a = dataset->fields.size(); a < width; ++a)
    for (std::size_t b = 0; b < width; ++b)
      if (a != b && table.columns()[a].id == table.columns()[b].id) {
        siblings[a].push_back(b);
        siblings[b].push_back(a);
      }

  Tally& tally = now.tallies[block.dataset];
  std::vector<Value> cells(width);
  for (std::size_t r = 0; r < block.rows; ++r) {
    for (std::size_t c = 0; c < width; ++c)
      cells[c] = source[c] == kNone ? Value{} : block.columns[source[c]].values[r];
    for (std::size_t k = 0; k < dataset->key_count; ++k)
      if (cells[k].is_null()) return fail(damaged(header, "has a row without a key"));

    switch (block.operation) {
      case Operation::kInsert: {
        const Hash256 hash = table.hash(cells);
        auto inserted = table.insert(cells);
        if (!inserted) return fail(std::move(inserted).error());
        if (*inserted) {
          ++counts.inserted;
        } else {
          auto old = table.find(cells);
          if (!old) return fail(std::move(old).error());
          TP_ASSERT(*old);
          remove(tally, table.hash((*old)->view()));
          TP_TRY(table.update(cells));
          ++counts.updated;
        }
        add(tally, hash);
        break;
      }
      case Operation::kUpdate: {
        auto old = table.find(cells);
        if (!old) return fail(std::move(old).error());
        if (!*old) return fail(lacks_row(header, block.dataset, "changes"));
        remove(tally, table.hash((*old)->view()));
        for (std::size_t c = dataset->key_count; c < width; ++c) {
          const bool changed = source[c] != kNone && block.columns[source[c]].changed[r];
          bool emptied = false;
          for (const std::size_t other : siblings[c])
            emptied = emptied || (source[other] != kNone && block.columns[source[other]].changed[r]);
          if (!changed) cells[c] = emptied ? Value{} : (*old)->view()[c];
        }
        TP_TRY(table.update(cells));
        add(tally, table.hash(cells));
        ++counts.updated;
        break;
      }
      case Operation::kDelete: {
        auto old = table.find(cells);
        if (!old) return fail(std::move(old).error());
        if (!*old) return fail(lacks_row(header, block.dataset, "deletes"));
        remove(tally, table.hash((*old)->view()));
        TP_TRY(table.erase(cells));
        ++counts.deleted;
        break;
      }
    }
  }
  return {};
}

Result<void> Replica::State::apply_aside(const SegmentHeader& header, const Block& block,
                                         ApplyCounts& counts) {
  if (block.key_count == 0) return fail(damaged(header, "has a dataset without a key"));
  Tally& tally = now.tallies[block.dataset];
  AsideRows::Row row, old;
  for (std::size_t r = 0; r < block.rows; ++r) {
    row.key.clear();
    row.rest.clear();
    for (std::size_t i = 0; i < block.key_count; ++i) {
      const Value& v = block.columns[i].values[r];
      if (v.is_null()) return fail(damaged(header, "has a row without a key"));
      row.key.push_back({block.fields[i], v});
    }
    const Bytes key = AsideRows::encode(row.key);
    auto held = aside_rows.find(block.dataset, key);
    if (!held) return fail(std::move(held).error());
    if (*held) {
      old.key = row.key;
      if (!AsideRows::decode(**held, old.rest))
        return fail(Code::kDamaged, database.path() + ": a row kept aside cannot be read");
      remove(tally, AsideRows::hash(block.dataset, old));
    } else if (block.operation != Operation::kInsert) {
      return fail(
          lacks_row(header, block.dataset, block.operation == Operation::kUpdate ? "changes" : "deletes"));
    }
    ++counts.aside;
    if (block.operation == Operation::kDelete) {
      TP_TRY(aside_rows.erase(block.dataset, key));
      continue;
    }
    if (block.operation == Operation::kUpdate)
      for (const AsideRows::Cell& cell : old.rest) {
        bool changed = false;
        for (std::size_t i = block.key_count; i < block.fields.size(); ++i)
          changed = changed || (block.fields[i].id == cell.field.id && block.columns[i].changed[r]);
        if (!changed) row.rest.push_back(cell);
      }
    for (std::size_t i = block.key_count; i < block.fields.size(); ++i) {
      if (block.operation == Operation::kUpdate && !block.columns[i].changed[r]) continue;
      const Value& v = block.columns[i].values[r];
      if (!v.is_null()) row.rest.push_back({block.fields[i], v});
    }
    std::sort(row.rest.begin(), row.rest.end(),
              [](const AsideRows::Cell& a, const AsideRows::Cell& b) { return a.field.id < b.field.id; });
    TP_TRY(aside_rows.put(block.dataset, key, AsideRows::encode(row.rest)));
    add(tally, AsideRows::hash(block.dataset, row));
  }
  return {};
}

// --- reading -------------------------------------------------------------------------------

std::vector<DatasetState> Replica::running_states() const {
  std::vector<DatasetState> states;
  for (const auto& [dataset, tally] : state_->now.tallies)
    if (tally.rows != 0 || !tally.digest.value().is_zero())
      states.push_back({dataset, tally.rows, tally.digest.value()});
  return states;
}

Result<void> Replica::each_hash(std::uint16_t dataset,
                                const std::function<Result<void>(RowView key, const Hash256& row)>& visit) {
  State& s = *state_;
  if (const Dataset* d = s.dictionary.find(dataset); d != nullptr) {
    auto table = s.table(static_cast<std::size_t>(d - s.dictionary.datasets.data()));
    if (!table) return fail(std::move(table).error());
    TP_TRY((*table)->each(
        [&](RowView cells) { return visit(cells.first(d->key_count), (*table)->hash(cells)); }));
  }
  std::vector<Value> key;
  return s.aside_rows.each(dataset, [&](const AsideRows::Row& row) {
    key.clear();
    for (const AsideRows::Cell& cell : row.key) key.push_back(cell.value);
    return visit(key, AsideRows::hash(dataset, row));
  });
}

Result<std::vector<DatasetState>> Replica::states() {
  State& s = *state_;
  auto aside = s.aside_rows.datasets();
  if (!aside) return fail(std::move(aside).error());
  std::vector<std::uint16_t> ids = std::move(*aside);
  for (const Dataset& d : s.dictionary.datasets) ids.push_back(d.id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<DatasetState> states;
  for (const std::uint16_t id : ids) {
    Tally tally;
    TP_TRY(each_hash(id, [&](RowView, const Hash256& row) -> Result<void> {
      ++tally.rows;
      tally.digest.add(row);
      return {};
    }));
    if (tally.rows != 0) states.push_back({id, tally.rows, tally.digest.value()});
  }
  return states;
}

Result<void> Replica::each_row(const Dataset& dataset, const std::function<Result<void>(RowView)>& visit) {
  State& s = *state_;
  const Dataset* d = s.dictionary.find(dataset.id);
  TP_ASSERT(d != nullptr);
  auto table = s.table(static_cast<std::size_t>(d - s.dictionary.datasets.data()));
  if (!table) return fail(std::move(table).error());
  return (*table)->each([&](RowView cells) { return visit(cells.first(d->fields.size())); });
}

Result<std::uint64_t> Replica::rows(const Dataset& dataset) {
  const auto at = state_->now.tallies.find(dataset.id);
  return at == state_->now.tallies.end() ? 0 : at->second.rows;
}

Result<std::uint64_t> Replica::rows_aside() {
  auto n = state_->database.integer("SELECT count(*) FROM aside_row");
  if (!n) return fail(std::move(n).error());
  return static_cast<std::uint64_t>(*n);
}

}  // namespace towpath
