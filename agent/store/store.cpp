#include "agent/store/store.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>
#include <string>
#include <system_error>

#include "audit/audit.hpp"
#include "sqlite/table.hpp"

namespace towpath {
namespace {

// Raised with every change of the tables below; older files are upgraded in open().
constexpr std::int64_t kSchemaVersion = 5;

// src: which source the row came from (source.id). print: fingerprint of its source bytes.
const std::vector<std::string> kOwnColumns{"src INTEGER NOT NULL", "print INTEGER NOT NULL"};

constexpr const char* kOwnTables = R"sql(
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
-- Numbered from 0: SQLite stores 0 and 1 in no bytes, and most schools have two sources.
CREATE TABLE IF NOT EXISTS source(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
-- Numbers handed out to entities; kept for ever, so that a leaver who returns is the same pupil.
CREATE TABLE IF NOT EXISTS identity(dataset INTEGER NOT NULL, space TEXT NOT NULL, source_id TEXT NOT NULL,
  number INTEGER NOT NULL, since INTEGER NOT NULL, PRIMARY KEY(dataset, space, source_id)) STRICT, WITHOUT ROWID;
-- Entities that came back from the hub and that no source has named yet: the first that does gets the number.
CREATE TABLE IF NOT EXISTS restored(uuid BLOB PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- What changed since the last segment: the row's image before its first change in a run (null: there
-- was none). An empty key says: the whole dataset is new, its table was empty before.
CREATE TABLE IF NOT EXISTS change(dataset INTEGER NOT NULL, key BLOB NOT NULL, run INTEGER NOT NULL,
  old BLOB, PRIMARY KEY(dataset, key, run)) STRICT, WITHOUT ROWID;
-- Fingerprints of a source's rows in the source's order, some thousand a chunk.
-- id = source << 48 | dataset << 32 | chunk.
CREATE TABLE IF NOT EXISTS print(id INTEGER PRIMARY KEY, prints BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS run(id INTEGER PRIMARY KEY, source INTEGER NOT NULL, started INTEGER NOT NULL,
  finished INTEGER, ok INTEGER NOT NULL, summary TEXT NOT NULL) STRICT;
-- One row a source and dataset: how the last run left it. guarded: its deletions wait for a person.
CREATE TABLE IF NOT EXISTS dataset_state(source INTEGER NOT NULL, dataset INTEGER NOT NULL,
  rows INTEGER NOT NULL, held INTEGER NOT NULL, guarded INTEGER NOT NULL, last_read INTEGER NOT NULL, last_changed INTEGER NOT NULL,
  PRIMARY KEY(source, dataset)) STRICT, WITHOUT ROWID;
-- Headers as last read, to notice a column that is gone.
CREATE TABLE IF NOT EXISTS source_file(source INTEGER NOT NULL, name TEXT NOT NULL, columns TEXT NOT NULL,
  PRIMARY KEY(source, name)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, source INTEGER NOT NULL,
  dataset INTEGER NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL, rule TEXT NOT NULL, field TEXT NOT NULL,
  text TEXT NOT NULL, raw BLOB NOT NULL, print INTEGER NOT NULL, key BLOB) STRICT;
CREATE INDEX IF NOT EXISTS quarantine_place ON quarantine(source, dataset, print);
CREATE TABLE IF NOT EXISTS stream(audience TEXT PRIMARY KEY, grants TEXT NOT NULL, epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL, segment BLOB NOT NULL, digest BLOB NOT NULL, published_run INTEGER NOT NULL,
  acked_seq INTEGER NOT NULL, acked_segment BLOB NOT NULL, hub_epoch INTEGER NOT NULL,
  last_exchange INTEGER, equal INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox(audience TEXT NOT NULL, seq INTEGER NOT NULL, segment BLOB NOT NULL,
  bytes BLOB NOT NULL, PRIMARY KEY(audience, seq)) STRICT;
-- Contents of the last segments, as prefixes of the next.
CREATE TABLE IF NOT EXISTS content(audience TEXT NOT NULL, seq INTEGER NOT NULL, content BLOB NOT NULL,
  PRIMARY KEY(audience, seq)) STRICT;
-- What happened lately (events.hpp), and what the schedule remembers (agenda.hpp). Milliseconds.
CREATE TABLE IF NOT EXISTS event(id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
  times INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, counts TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS agenda(item TEXT PRIMARY KEY, failures INTEGER NOT NULL, begun INTEGER, done INTEGER,
  not_before INTEGER) STRICT, WITHOUT ROWID;
-- The line to the hub (line_state.hpp): one row, and the bundles that were sent lately. Milliseconds.
CREATE TABLE IF NOT EXISTS line(id INTEGER PRIMARY KEY, instance INTEGER NOT NULL, turn INTEGER NOT NULL,
  heard INTEGER NOT NULL, accepted INTEGER, refused INTEGER, code TEXT, what TEXT, next TEXT,
  restore INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS sent(turn INTEGER PRIMARY KEY, id BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS sent_id ON sent(id);
)sql";

// What this school has agreed to, and what it has said and heard about it (agent/sharing). Milliseconds.
constexpr const char* kSharingTables = R"sql(
-- Agreements as the hub offered them. The text is what a person approves; deed: the hub's word for it.
CREATE TABLE IF NOT EXISTS agreement(id TEXT NOT NULL, version INTEGER NOT NULL, audience TEXT NOT NULL,
  hash BLOB NOT NULL, text TEXT NOT NULL, deed BLOB NOT NULL, received INTEGER NOT NULL,
  PRIMARY KEY(id, version)) STRICT, WITHOUT ROWID;
-- What was decided, in order: an audience's last one counts. what: 1 approved, 2 withdrawn, 3 it came to its end
-- (by itself: no deed). Only added to.
CREATE TABLE IF NOT EXISTS decision(number INTEGER PRIMARY KEY, audience TEXT NOT NULL, agreement TEXT NOT NULL,
  version INTEGER NOT NULL, what INTEGER NOT NULL, by_whom TEXT NOT NULL, at INTEGER NOT NULL, deed BLOB) STRICT;
CREATE INDEX IF NOT EXISTS decision_audience ON decision(audience, number);
-- Who is in a federation, as the hub last said; number: of that deed. member: we are in it.
CREATE TABLE IF NOT EXISTS federation(id TEXT PRIMARY KEY, number INTEGER NOT NULL, member INTEGER NOT NULL,
  body BLOB NOT NULL) STRICT, WITHOUT ROWID;
-- Keys under which an issuer's deeds hold, those of the past included: "hub", "school:100002".
CREATE TABLE IF NOT EXISTS party_key(issuer TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY(issuer, key))
  STRICT, WITHOUT ROWID;
-- Pupils of whom less is shared than the agreements allow. Never leaves, not even as a count.
CREATE TABLE IF NOT EXISTS pupil_rule(pupil INTEGER PRIMARY KEY, level INTEGER NOT NULL, restricted INTEGER NOT NULL,
  erased INTEGER NOT NULL, changed INTEGER NOT NULL) STRICT;
-- The school's own lists, for agreements whose scope is named pupils.
CREATE TABLE IF NOT EXISTS named_pupil(audience TEXT NOT NULL, pupil INTEGER NOT NULL, PRIMARY KEY(audience, pupil))
  STRICT, WITHOUT ROWID;
-- Our deeds; taken: when the hub had them. Kept: they are what we can prove.
CREATE TABLE IF NOT EXISTS deed_out(number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL,
  bytes BLOB NOT NULL, made INTEGER NOT NULL, taken INTEGER) STRICT;
-- Deeds that came, so that each counts once; bytes: of those that this program could do nothing with.
CREATE TABLE IF NOT EXISTS deed_seen(id BLOB PRIMARY KEY, kind INTEGER NOT NULL, issuer TEXT NOT NULL,
  number INTEGER NOT NULL, received INTEGER NOT NULL, bytes BLOB) STRICT, WITHOUT ROWID;
-- Orders of ours, by deed; everything: the audience is to keep nothing at all.
CREATE TABLE IF NOT EXISTS order_made(deed BLOB PRIMARY KEY, audience TEXT NOT NULL, everything INTEGER NOT NULL,
  epoch INTEGER NOT NULL, seq INTEGER NOT NULL, made INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- What others answered: the whole deed, and the key that signed it, so that it can be shown years later.
CREATE TABLE IF NOT EXISTS receipt(deed BLOB PRIMARY KEY, about BLOB NOT NULL, issuer TEXT NOT NULL, key BLOB NOT NULL,
  bytes BLOB NOT NULL, received INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS receipt_about ON receipt(about);
-- What an erased pupil was called by where a source names pupils by an attribute (its UPN, say): pseudonyms of the
-- audit log, so that later rows about it are known and dropped.
CREATE TABLE IF NOT EXISTS erased_name(name TEXT PRIMARY KEY, pupil INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- Where shared contents have to be forgotten at the audience, and from when on: written by publish in the
-- transaction of the segment, made into an order by agent/sharing.
CREATE TABLE IF NOT EXISTS recall(audience TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  due INTEGER NOT NULL, PRIMARY KEY(audience, epoch, seq)) STRICT, WITHOUT ROWID;
-- What an audience has been given, as last published: pupils (agent/publish/scope.hpp; only the exceptions where
-- everybody is shared; and, as state 3, what is about one pupil and was introduced) and rows of each dataset.
CREATE TABLE IF NOT EXISTS shared_pupil(audience TEXT NOT NULL, pupil INTEGER NOT NULL, state INTEGER NOT NULL,
  PRIMARY KEY(audience, pupil)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stream_dataset(audience TEXT NOT NULL, dataset INTEGER NOT NULL, rows INTEGER NOT NULL,
  PRIMARY KEY(audience, dataset)) STRICT, WITHOUT ROWID;
-- The last epoch of a stream that has ended: an audience that is approved again goes on after it.
CREATE TABLE IF NOT EXISTS ended_stream(audience TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- One row: how far the hub's post is here, our last deed's number, and the decision up to which none counts any
-- more, since this store was found to have been set back.
CREATE TABLE IF NOT EXISTS sharing(id INTEGER PRIMARY KEY, post INTEGER NOT NULL, chain BLOB NOT NULL,
  deed INTEGER NOT NULL, suspended INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO sharing VALUES(1,0,zeroblob(8),0,0);
)sql";

// Chance from SQLite, which has it from the file's VFS: a store is opened in places that have no other.
class VfsRandom final : public Random {
 public:
  explicit VfsRandom(Database& db) : db_(db) {}
  void fill(std::span<std::uint8_t> out) override {
    const auto asked =
        db_.each("SELECT randomblob(" + std::to_string(out.size()) + ")", [&](Statement::Use& row) {
          const ByteView bytes = row.blob(0);
          // SQLite gives an empty value where it has no memory for one.
          if (bytes.size() != out.size())
            error_ = Error{
                Code::kNoMemory, db_.path() + ": there is not enough memory",
                "This machine is short of memory: close other programs, or run it again later; the last "
                "good state is kept"};
          std::copy_n(bytes.begin(), std::min(bytes.size(), out.size()), out.begin());
        });
    if (!asked) error_ = asked.error();
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  Database& db_;
  std::optional<Error> error_;
};

Result<void> make_audit(Database& db) {
  VfsRandom random(db);
  TP_TRY(Audit::create(db, random));
  if (random.error()) return fail(*random.error());
  return {};
}

// The dataset's table as the dictionary has it now: what it has more is added.
Result<void> bring_up(Database& db, const Dataset& dataset) {
  TP_TRY(db.exec(create_table_sql(dataset, kOwnColumns)));
  std::set<std::string, std::less<>> columns;
  TP_TRY(db.each("SELECT name FROM pragma_table_info('" + table_name(dataset) + "')",
                 [&](Statement::Use& row) { columns.emplace(row.text(0)); }));
  std::size_t known = kOwnColumns.size();
  bool added = false, moved = false;
  for (const Field& field : dataset.fields) {
    if (columns.contains(field.name)) {
      ++known;
      moved = moved || added;
      continue;
    }
    added = true;
    TP_TRY(db.exec("ALTER TABLE " + table_name(dataset) + " ADD COLUMN " + column_name(field) +
                   (field.type == Type::kUuid ? " BLOB"
                    : is_text(field.type)     ? " TEXT"
                                              : " INTEGER")));
  }
  moved = moved || known < columns.size();  // or the dictionary has one less
  if (!moved) return {};
  // The change log's images go by place, and are of the places before. What they are about is sent whole:
  // other grants are another epoch.
  return db.exec("UPDATE stream SET grants='' WHERE EXISTS(SELECT 1 FROM change WHERE dataset=" +
                 std::to_string(dataset.id) + " AND old IS NOT NULL)");
}

}  // namespace

Result<Store> Store::open(const StoreOptions& options, const Dictionary& dictionary) {
  Database::Options file;
  file.path = options.path;
  file.vfs = options.vfs;
  file.read_only = options.read_only;
  auto db = Database::open(file);
  if (!db) return fail(std::move(db).error().during("the school's store"));

  auto version = db->integer("PRAGMA user_version");
  if (!version) return fail(std::move(version).error());
  if (options.read_only && *version == 0)
    return fail(Code::kNotFound, options.path + " is empty: the first extract did not come to its end",
                "Run towpath extract");
  if (*version > kSchemaVersion)
    return fail(Code::kUnknownVersion,
                options.path + " was written by a newer towpath (tables of version " +
                    std::to_string(*version) + ", this program knows " + std::to_string(kSchemaVersion) + ")",
                "Install the newer program again");

  // A dictionary that has grown makes the new tables; its new columns are added to the old ones. So are
  // the tables that an older program did not have.
  auto known = *version == 0 ? Result<std::string>{std::string{}}
                             : db->text("SELECT value FROM meta WHERE key='dictionary'");
  if (!known) return fail(std::move(known).error());
  // What it has more would be lost row by row, as each is written over without it.
  if (std::uint32_t theirs = 0;
      std::from_chars(known->data(), known->data() + known->size(), theirs).ec == std::errc{} &&
      theirs > dictionary.version)
    return fail(Code::kUnknownVersion,
                options.path + " was written by a newer towpath (dictionary of version " + *known +
                    ", this program knows " + std::to_string(dictionary.version) + ")",
                "Install the newer program again");
  if (!options.read_only && (*version < kSchemaVersion || *known != std::to_string(dictionary.version))) {
    auto transaction = db->begin();
    if (!transaction) return fail(std::move(transaction).error());
    TP_TRY(db->exec(kOwnTables));
    TP_TRY(db->exec(kSharingTables));
    TP_TRY(make_audit(*db));
    for (const Dataset& dataset : dictionary.datasets) TP_TRY(bring_up(*db, dataset));
    // Q08 asks every day which marks are still N: a partial index keeps that to the rows it is about.
    if (dictionary.find("session_mark") != nullptr)
      TP_TRY(db->exec(
          "CREATE INDEX IF NOT EXISTS mark_unsettled ON d_session_mark(\"date\") WHERE \"code\"='N'"));
    TP_TRY(db->exec("INSERT OR REPLACE INTO meta VALUES('dictionary','" + std::to_string(dictionary.version) +
                    "')"));
    TP_TRY(db->exec("PRAGMA user_version=" + std::to_string(kSchemaVersion)));
    TP_TRY(transaction->commit());
  }

  auto urn = db->text("SELECT value FROM meta WHERE key='urn'");
  if (!urn) return fail(std::move(urn).error());
  if (urn->empty() && !options.read_only) {
    auto statement = db->prepare("INSERT INTO meta VALUES('urn',?1)");
    if (!statement) return fail(std::move(statement).error());
    auto use = statement->use();
    use.bind(1, std::string_view(options.school_urn));
    TP_TRY(use.run());
  } else if (!urn->empty() && *urn != options.school_urn) {
    return fail(Code::kConfig,
                options.path + " holds the data of school " + *urn + ", but the configuration says " +
                    options.school_urn,
                "Give each school a data folder of its own, or correct school.urn");
  }
  return Store(std::move(*db), dictionary, options.school_urn);
}

Result<std::int64_t> source_id(Store& store, std::string_view name) {
  auto find = store.db().prepare("SELECT id FROM source WHERE name=?1");
  if (!find) return fail(std::move(find).error());
  {
    auto use = find->use();
    use.bind(1, name);
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (*row) return use.integer(0);
  }
  auto make = store.db().prepare("INSERT INTO source(id,name) SELECT coalesce(max(id)+1,0),?1 FROM source");
  if (!make) return fail(std::move(make).error());
  {
    auto use = make->use();
    use.bind(1, name);
    TP_TRY(use.run());
  }
  return store.db().integer("SELECT max(id) FROM source");
}

}  // namespace towpath
