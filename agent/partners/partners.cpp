#include "agent/partners/partners.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "platform/platform.hpp"
#include "segment/digest.hpp"
#include "trust/signed.hpp"

namespace towpath {
namespace {

// Replicas are opened one after another, for moments.
constexpr int kCacheKib = 1024;
constexpr std::int64_t kFormat = 1;

constexpr const char* kTables = R"sql(
CREATE TABLE about(id INTEGER PRIMARY KEY CHECK(id=1), format INTEGER NOT NULL) STRICT;
INSERT INTO about VALUES(1,1);
-- A replica each. seq, segment, complete, rows: as its file was last seen; the file itself decides.
-- going: it is being removed. Milliseconds.
CREATE TABLE replica(federation TEXT NOT NULL, urn TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  segment BLOB NOT NULL, complete INTEGER NOT NULL, rows INTEGER NOT NULL, began INTEGER NOT NULL,
  heard INTEGER NOT NULL, dictionary INTEGER NOT NULL, going INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(federation,urn,epoch)) STRICT, WITHOUT ROWID;
-- The last order about a stream: what is begun anew has to come from after it, whoever sends what was kept.
CREATE TABLE ordered(federation TEXT NOT NULL, urn TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY(federation,urn)) STRICT, WITHOUT ROWID;
-- A receipt's body, from before its removal begins until the receipt is kept. deed: the order's; zeros: an end.
CREATE TABLE removing(deed BLOB NOT NULL, federation TEXT NOT NULL, urn TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY(deed,federation,urn)) STRICT, WITHOUT ROWID;
)sql";

// What goes into a file's name; agreements and deeds have been checked for the same.
bool may_name_a_file(const std::string& federation, const std::string& urn) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !federation.empty() && federation.size() <= 40 &&
         std::all_of(federation.begin(), federation.end(), good) && urn.size() == 6 &&
         std::all_of(urn.begin(), urn.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::array<std::uint8_t, 8> start_of(const Hash256& hash) {
  std::array<std::uint8_t, 8> out{};
  std::copy_n(hash.bytes.begin(), out.size(), out.begin());
  return out;
}

std::uint64_t rows_of(const Replica& replica) {
  std::uint64_t rows = 0;
  for (const DatasetState& state : replica.running_states()) rows += state.rows;
  return rows;
}

std::string of(const std::string& federation, const std::string& urn) {
  return "school " + urn + " in federation " + federation;
}

std::int64_t ms(Instant at) { return at.time_since_epoch().count(); }
Instant at_ms(std::int64_t ms) { return Instant{std::chrono::milliseconds{ms}}; }

// What is wrong with the segment, not with this machine.
bool is_theirs(const Error& error, const std::string& file) {
  if (error.what().find(file) != std::string::npos) return false;
  switch (error.code()) {
    case Code::kWrongStream:
    case Code::kForked:
    case Code::kMissingReference:
    case Code::kDigestDiffers:
    case Code::kDamaged:
    case Code::kTooLarge:
    case Code::kUnknownVersion:
    case Code::kRefused:
      return true;
    default:
      return false;
  }
}

}  // namespace

// --- files ------------------------------------------------------------------------------------

Result<Partners> Partners::open(PartnersOptions options, const Dictionary& dictionary, Clock& clock) {
  if (!options.read_only && options.vfs.empty()) TP_TRY(platform::make_private_folder(options.folder));
  Database::Options file;
  file.path = options.folder + "/partners.db";
  file.vfs = options.vfs;
  file.read_only = options.read_only;
  file.create = !options.read_only;
  file.cache_kib = 256;
  if (options.read_only) {
    const auto there = Database::exists(file);
    if (!there) return fail(there.error());
    if (!*there) return Partners(std::move(options), dictionary, clock, std::nullopt);
  }
  auto index = Database::open(file);
  if (!index) return fail(std::move(index).error());
  auto formed = index->integer("SELECT count(*) FROM sqlite_schema WHERE name='about'");
  if (!formed) return fail(std::move(formed).error());
  if (*formed == 0) {
    if (options.read_only) return Partners(std::move(options), dictionary, clock, std::nullopt);
    auto transaction = index->begin();
    if (!transaction) return fail(std::move(transaction).error());
    TP_TRY(index->exec(kTables));
    TP_TRY(transaction->commit());
  }
  const auto format = index->integer("SELECT format FROM about");
  if (!format) return fail(format.error());
  if (*format != kFormat)
    return fail(Code::kUnknownVersion,
                file.path + " has format " + std::to_string(*format) + "; this program knows " +
                    std::to_string(kFormat),
                "Install the version of towpath that wrote it, or a newer one");
  Partners partners(std::move(options), dictionary, clock, std::move(*index));
  if (!partners.options_.read_only) {
    TP_TRY(partners.finish());
    TP_TRY(partners.bring_up());
  }
  return partners;
}

Database::Options Partners::file(const Which& which, Epoch epoch, bool read_only) const {
  Database::Options o;
  o.path =
      options_.folder + "/" + which.first + "-" + which.second + "-" + std::to_string(epoch.number) + ".db";
  o.vfs = options_.vfs;
  o.cache_kib = kCacheKib;
  o.read_only = read_only;
  o.create = !read_only;
  o.busy_ms = options_.busy_ms;
  return o;
}

Result<Replica> Partners::open_replica(const Which& which, Epoch epoch) const {
  return Replica::open(file(which, epoch, false), *dictionary_,
                       stream_id(which.second, std::string(kFederationPrefix) + which.first), epoch);
}

Result<std::vector<Partners::File>> Partners::files(bool going) {
  std::vector<File> all;
  if (!index_) return all;
  auto read = index_->prepare(
      "SELECT federation,urn,epoch,seq,segment,complete,rows,began,heard,dictionary FROM replica"
      " WHERE going=?1 ORDER BY federation,urn,epoch");
  if (!read) return fail(std::move(read).error());
  auto use = read->use();
  use.bind(1, std::int64_t{going});
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return all;
    File one;
    one.federation = use.text(0);
    one.urn = use.text(1);
    one.epoch = Epoch{static_cast<std::uint32_t>(use.integer(2))};
    one.seq = StreamSeq{static_cast<std::uint64_t>(use.integer(3))};
    if (const ByteView start = use.blob(4); start.size() == one.segment.size())
      std::copy(start.begin(), start.end(), one.segment.begin());
    one.complete = use.integer(5) != 0;
    one.rows = static_cast<std::uint64_t>(use.integer(6));
    one.began = at_ms(use.integer(7));
    one.heard = at_ms(use.integer(8));
    one.dictionary = static_cast<std::uint32_t>(use.integer(9));
    all.push_back(std::move(one));
  }
}

Result<std::vector<Partners::File>> Partners::files_of(const Which& which) {
  auto all = files();
  if (all) std::erase_if(*all, [&](const File& f) { return Which(f.federation, f.urn) != which; });
  return all;
}

Result<void> Partners::put(const File& one) {
  auto write = index_->prepare(
      "INSERT INTO replica(federation,urn,epoch,seq,segment,complete,rows,began,heard,dictionary)"
      " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) ON CONFLICT DO UPDATE SET seq=?4,segment=?5,complete=?6,"
      "rows=?7,heard=?9,dictionary=?10,going=0");
  if (!write) return fail(std::move(write).error());
  auto use = write->use();
  use.bind(1, std::string_view(one.federation));
  use.bind(2, std::string_view(one.urn));
  use.bind(3, std::int64_t{one.epoch.number});
  use.bind(4, static_cast<std::int64_t>(one.seq.number));
  use.bind_blob(5, one.segment);
  use.bind(6, std::int64_t{one.complete});
  use.bind(7, static_cast<std::int64_t>(one.rows));
  use.bind(8, ms(one.began));
  use.bind(9, ms(one.heard));
  use.bind(10, std::int64_t{one.dictionary});
  return use.run();
}

Result<void> Partners::remove(const File& one) {
  const auto each = [&](const char* sql) -> Result<void> {
    auto write = index_->prepare(sql);
    if (!write) return fail(std::move(write).error());
    auto use = write->use();
    use.bind(1, std::string_view(one.federation));
    use.bind(2, std::string_view(one.urn));
    use.bind(3, std::int64_t{one.epoch.number});
    return use.run();
  };
  TP_TRY(each("UPDATE replica SET going=1 WHERE federation=?1 AND urn=?2 AND epoch=?3"));
  TP_TRY(Database::remove(file({one.federation, one.urn}, one.epoch, false)));
  return each("DELETE FROM replica WHERE federation=?1 AND urn=?2 AND epoch=?3");
}

Result<void> Partners::finish() {
  const auto going = files(true);
  if (!going) return fail(going.error());
  for (const File& one : *going) TP_TRY(remove(one));
  return {};
}

// Of a partner that is silent nobody else would, and a reader may not.
Result<void> Partners::bring_up() {
  auto all = files();
  if (!all) return fail(std::move(all).error());
  for (File& one : *all) {
    if (one.dictionary == dictionary_->version) continue;
    const auto replica = open_replica({one.federation, one.urn}, one.epoch);
    if (!replica && replica.error().code() == Code::kDamaged) {
      TP_TRY(remove(one));  // the hub sends it again
      continue;
    }
    if (!replica)
      return fail(
          Error(replica.error()).during("bringing up what is held of " + of(one.federation, one.urn)));
    one.dictionary = dictionary_->version;
    TP_TRY(put(one));
  }
  return {};
}

// --- segments -----------------------------------------------------------------------------------

Result<Partners::Taken> Partners::take(std::span<const SegmentFrame* const> segments,
                                       const std::vector<Partner>& partners) {
  Taken taken;
  std::map<StreamId, const Partner*> by_stream;
  for (const Partner& partner : partners)
    if (may_name_a_file(partner.federation, partner.urn)) by_stream.emplace(partner.stream(), &partner);
  std::map<const Partner*, std::vector<OpenedSegment>> theirs;
  std::set<const Partner*> told;
  bool stranger = false;
  for (const SegmentFrame* frame : segments) {
    const auto opened = open_segment(frame->bytes);
    if (!opened) {
      taken.events.push_back("the hub passed on a segment that cannot be read: " + opened.error().what());
      continue;
    }
    const auto whose = by_stream.find(opened->header.stream);
    if (whose == by_stream.end()) {
      if (!std::exchange(stranger, true))
        taken.events.emplace_back("the hub passed on a segment of a school that is no partner; left alone");
      continue;
    }
    const Partner& partner = *whose->second;
    if (!signed_by(*opened, partner.keys)) {
      if (!told.insert(&partner).second) continue;
      taken.events.push_back("the hub passed on a segment that " + of(partner.federation, partner.urn) +
                             " has not signed; left alone");
      taken.problems.push_back({Code::kDamaged,
                                opened->header.stream,
                                opened->header.seq,
                                "it is not signed by a key of school " + partner.urn,
                                {}});
      continue;
    }
    theirs[&partner].push_back(*opened);
  }
  for (auto& [partner, list] : theirs) {
    std::stable_sort(list.begin(), list.end(), [](const OpenedSegment& a, const OpenedSegment& b) {
      return std::pair(a.header.epoch, a.header.seq) < std::pair(b.header.epoch, b.header.seq);
    });
    const auto moved = apply(*partner, list, taken);
    if (!moved)
      return fail(
          Error(moved.error()).during("storing what " + of(partner->federation, partner->urn) + " shares"));
    taken.moved = taken.moved || *moved;
  }
  return taken;
}

Result<bool> Partners::apply(const Partner& partner, std::span<const OpenedSegment> segments, Taken& taken) {
  auto held = files_of({partner.federation, partner.urn});
  if (!held) return fail(std::move(held).error());
  bool moved = false;
  for (std::size_t at = 0; at < segments.size();) {
    const Epoch epoch = segments[at].header.epoch;
    std::size_t end = at;
    while (end < segments.size() && segments[end].header.epoch == epoch) ++end;
    const auto applied = apply_epoch(partner, epoch, segments.subspan(at, end - at), *held, taken);
    if (!applied) return fail(applied.error());
    moved = moved || *applied;
    at = end;
  }
  return moved;
}

Result<bool> Partners::apply_epoch(const Partner& partner, Epoch epoch,
                                   std::span<const OpenedSegment> segments, std::vector<File>& held,
                                   Taken& taken) {
  const Which which(partner.federation, partner.urn);
  const Epoch newest = held.empty() ? Epoch{} : held.back().epoch;
  // What comes late, and what does not follow on what is here: where we stand tells the hub.
  if (epoch < newest || epoch.number == 0) return false;
  File one;
  const bool made = epoch > newest;
  if (made) {
    if (segments.front().header.seq.number != 1) return false;
    const auto from = first_epoch(which);
    if (!from) return fail(from.error());
    if (epoch.number < *from) {
      taken.events.push_back("the hub passed on what " + of(which.first, which.second) +
                             " has ordered to be removed; left alone");
      taken.problems.push_back({Code::kDamaged,
                                segments.front().header.stream,
                                segments.front().header.seq,
                                "it is from before an order of school " + which.second,
                                {}});
      return false;
    }
    const auto all = files();
    if (!all) return fail(all.error());
    if (all->size() >= kPartnerFilesMax) {
      taken.events.push_back("no more partners' data is taken: this school holds " +
                             std::to_string(all->size()) + " replicas already");
      return false;
    }
    one.federation = which.first;
    one.urn = which.second;
    one.epoch = epoch;
    one.began = one.heard = clock_->now();
    one.dictionary = dictionary_->version;
    TP_TRY(put(one));
  } else {
    one = held.back();
  }

  const auto refused = [&](const OpenedSegment& segment, const Error& why) {
    taken.events.push_back("a segment of " + of(which.first, which.second) + " was not taken: " + why.what());
    // The hub knows two reasons to ask the school for a snapshot.
    const Code code = why.code() == Code::kDigestDiffers    ? Code::kDigestDiffers
                      : why.code() == Code::kTooLarge       ? Code::kTooLarge
                      : why.code() == Code::kUnknownVersion ? Code::kUnknownVersion
                                                            : Code::kDamaged;
    taken.problems.push_back({code, segment.header.stream, segment.header.seq, why.what(), {}});
  };
  bool applied = false;
  {
    auto opened = open_replica(which, epoch);
    if (!opened && (opened.error().code() == Code::kDamaged || opened.error().code() == Code::kWrongStream)) {
      taken.events.push_back("what is held of " + of(which.first, which.second) +
                             " is damaged; it is fetched again: " + opened.error().what());
      TP_TRY(remove(one));
      std::erase_if(held, [&](const File& f) { return f.epoch == epoch; });
      return false;
    }
    if (!opened) return fail(std::move(opened).error());
    Replica& replica = *opened;
    TP_TRY(replica.begin());
    for (const OpenedSegment& segment : segments) {
      const auto counts = replica.apply(segment);
      if (counts) {
        applied = true;
        continue;
      }
      const Code code = counts.error().code();
      if (code == Code::kRepeated) continue;
      if (code == Code::kOutOfOrder) break;
      if (!is_theirs(counts.error(), replica.database().path())) {
        replica.rollback();
        return fail(counts.error());
      }
      refused(segment, counts.error());
      break;
    }
    if (applied) {
      const auto pages = replica.database().integer("PRAGMA page_count");
      if (!pages) return fail(pages.error());
      const auto page = replica.database().integer("PRAGMA page_size");
      if (!page) return fail(page.error());
      if (static_cast<std::uint64_t>(*pages) * static_cast<std::uint64_t>(*page) > options_.bytes_max) {
        replica.rollback();
        applied = false;
        refused(segments.front(),
                Error{Code::kTooLarge,
                      "it would take more than " + std::to_string(options_.bytes_max >> 20) + " MB here"});
      }
    }
    if (applied)
      TP_TRY(replica.commit());
    else
      replica.rollback();
    // Also where nothing was applied: what is written down may be ahead of a file that was lost.
    const Head& head = replica.head();
    one.seq = head.seq;
    one.segment = start_of(head.segment);
    one.complete = head.complete;
    one.rows = rows_of(replica);
  }
  if (made && !applied) {
    TP_TRY(remove(one));
    return false;
  }
  if (applied) one.heard = clock_->now();
  TP_TRY(put(one));
  // Readers switch when the snapshot is whole; until then the one before stays, and nothing in between.
  Epoch readable = one.complete ? epoch : Epoch{};
  for (const File& other : held)
    if (other.complete && other.epoch < epoch) readable = std::max(readable, other.epoch);
  for (const File& other : held)
    if (other.epoch < epoch && other.epoch != readable) TP_TRY(remove(other));
  std::erase_if(held, [&](const File& f) { return f.epoch <= epoch && f.epoch != readable; });
  if (held.empty() || held.back().epoch != epoch)
    held.push_back(one);
  else
    held.back() = one;
  return applied;
}

Result<void> Partners::note_order(const Which& which, const OrderPaper& order) {
  auto write = index_->prepare(
      "INSERT INTO ordered(federation,urn,epoch,seq) VALUES(?1,?2,?3,?4)"
      " ON CONFLICT DO UPDATE SET epoch=?3,seq=?4 WHERE (?3,?4)>(epoch,seq)");
  if (!write) return fail(std::move(write).error());
  auto use = write->use();
  use.bind(1, std::string_view(which.first));
  use.bind(2, std::string_view(which.second));
  use.bind(3, std::int64_t{order.epoch.number});
  use.bind(4, order.all ? INT64_MAX
                        : static_cast<std::int64_t>(std::min<std::uint64_t>(order.seq.number, INT64_MAX)));
  return use.run();
}

Result<std::uint64_t> Partners::first_epoch(const Which& which) {
  auto read = index_->prepare("SELECT epoch,seq FROM ordered WHERE federation=?1 AND urn=?2");
  if (!read) return fail(std::move(read).error());
  auto use = read->use();
  use.bind(1, std::string_view(which.first));
  use.bind(2, std::string_view(which.second));
  const auto row = use.step();
  if (!row) return fail(row.error());
  if (!*row) return std::uint64_t{0};
  // An order at the very beginning of an epoch is about those before it.
  return static_cast<std::uint64_t>(use.integer(0)) + (use.integer(1) > 1 ? 1U : 0U);
}

Result<std::vector<PartnersFrame::Entry>> Partners::entries(const std::vector<Partner>& partners) {
  auto all = files();
  if (!all) return fail(std::move(all).error());
  std::vector<PartnersFrame::Entry> out;
  for (const Partner& partner : partners) {
    const auto newest = std::find_if(all->rbegin(), all->rend(), [&](const File& f) {
      return f.federation == partner.federation && f.urn == partner.urn;
    });
    if (newest == all->rend() || newest->seq.number == 0) continue;
    out.push_back({partner.stream(), newest->epoch, newest->seq, newest->segment});
  }
  return out;
}

// --- what has to go -------------------------------------------------------------------------------

ReceiptPaper Partners::receipt_of(const Which& which) const {
  ReceiptPaper receipt;
  receipt.stream = stream_id(which.second, std::string(kFederationPrefix) + which.first);
  receipt.outcome = ReceiptPaper::Outcome::kNothingHeld;
  receipt.backups_gone = utc_date(clock_->now()).plus(options_.backup_days);
  return receipt;
}

Result<void> Partners::count_into(const File& one, ReceiptPaper& receipt) {
  receipt.outcome = ReceiptPaper::Outcome::kRemoved;
  // A file that cannot be read any more goes all the same; what was in it nobody can say.
  const auto replica = open_replica({one.federation, one.urn}, one.epoch);
  if (!replica) return {};
  for (const DatasetState& state : replica->running_states()) {
    const auto at =
        std::lower_bound(receipt.rows.begin(), receipt.rows.end(), state.dataset,
                         [](const auto& r, std::uint16_t dataset) { return r.dataset < dataset; });
    if (at == receipt.rows.end() || at->dataset != state.dataset) {
      receipt.rows.insert(at, {state.dataset, state.rows, state.digest});
    } else {
      StateDigest sum(at->digest);
      sum.add(state.digest);
      at->rows += state.rows;
      at->digest = sum.value();
    }
  }
  return {};
}

Result<void> Partners::note_removal(const DeedId& deed, const Which& which, ReceiptPaper& receipt) {
  {
    auto read = index_->prepare("SELECT body FROM removing WHERE deed=?1 AND federation=?2 AND urn=?3");
    if (!read) return fail(std::move(read).error());
    auto use = read->use();
    use.bind_blob(1, deed.bytes);
    use.bind(2, std::string_view(which.first));
    use.bind(3, std::string_view(which.second));
    const auto row = use.step();
    if (!row) return fail(row.error());
    if (*row) {
      const auto before = ReceiptPaper::read(use.blob(0));
      if (!before) return fail(Error(before.error()).during(index_->path()));
      receipt.at_least(*before);
    }
  }
  if (receipt.outcome != ReceiptPaper::Outcome::kRemoved) return {};
  auto write =
      index_->prepare("INSERT OR REPLACE INTO removing(deed,federation,urn,body) VALUES(?1,?2,?3,?4)");
  if (!write) return fail(std::move(write).error());
  auto use = write->use();
  use.bind_blob(1, deed.bytes);
  use.bind(2, std::string_view(which.first));
  use.bind(3, std::string_view(which.second));
  const Bytes body = receipt.encode();
  use.bind_blob(4, body);
  return use.run();
}

Result<ReceiptPaper> Partners::carry_out(const OrderPaper& order, const DeedId& deed) {
  const std::string federation =
      order.audience.starts_with(kFederationPrefix) ? order.audience.substr(kFederationPrefix.size()) : "";
  const Which which(federation, order.school_urn);
  ReceiptPaper receipt = receipt_of(which);
  receipt.stream = order.stream();
  if (!may_name_a_file(which.first, which.second)) return receipt;
  const auto held = files_of(which);
  if (!held) return fail(held.error());
  OrderPaper noted = order;
  // Nothing that is here, or that the school had when it ordered, begins again.
  if (order.all && !held->empty()) noted.epoch = std::max(order.epoch, held->back().epoch);
  TP_TRY(note_order(which, noted));
  std::vector<const File*> go, forget;
  for (const File& one : *held) {
    if (order.all || one.epoch < order.epoch) {
      go.push_back(&one);
      continue;
    }
    auto replica = open_replica(which, one.epoch);
    if (!replica && replica.error().code() != Code::kDamaged) return fail(replica.error());
    // The file itself says how far it is.
    if (!replica || std::pair(one.epoch, replica->head().seq) < std::pair(order.epoch, order.seq)) {
      go.push_back(&one);
    } else if (one.epoch == order.epoch) {  // else begun after it
      const auto kept = replica->contents_before(order.seq);
      if (!kept) return fail(kept.error());
      forget.push_back(&one);
      receipt.references += *kept;
      if (*kept > 0) receipt.outcome = ReceiptPaper::Outcome::kRemoved;
    }
  }
  for (const File* one : go) TP_TRY(count_into(*one, receipt));
  TP_TRY(note_removal(deed, which, receipt));
  for (const File* one : go) TP_TRY(remove(*one));
  for (const File* one : forget) {
    auto replica = open_replica(which, one->epoch);
    if (!replica) return fail(std::move(replica).error());
    TP_TRY(replica->forget_contents(order.seq));
  }
  return receipt;
}

Result<std::vector<PartnerHoldings::Gone>> Partners::hold_only(const std::vector<Partner>& partners) {
  std::set<Which> may;
  for (const Partner& partner : partners) may.emplace(partner.federation, partner.urn);
  const auto all = files();
  if (!all) return fail(all.error());
  std::map<Which, ReceiptPaper> gone;
  for (const File& one : *all) {
    const Which which(one.federation, one.urn);
    if (may.contains(which)) continue;
    TP_TRY(count_into(one, gone.try_emplace(which, receipt_of(which)).first->second));
  }
  {  // Removed before a kill, and told to nobody.
    auto read = index_->prepare("SELECT federation,urn FROM removing WHERE deed=?1");
    if (!read) return fail(std::move(read).error());
    const DeedId none;
    auto use = read->use();
    use.bind_blob(1, none.bytes);
    for (;;) {
      const auto row = use.step();
      if (!row) return fail(row.error());
      if (!*row) break;
      const Which which(use.text(0), use.text(1));
      gone.try_emplace(which, receipt_of(which));
    }
  }
  for (auto& [which, receipt] : gone) TP_TRY(note_removal({}, which, receipt));
  for (const File& one : *all)
    if (!may.contains({one.federation, one.urn})) TP_TRY(remove(one));
  std::vector<Gone> out;
  out.reserve(gone.size());
  for (auto& [which, receipt] : gone)
    out.push_back({std::string(kFederationPrefix) + which.first, std::move(receipt)});
  return out;
}

Result<void> Partners::orders_kept() { return index_->exec("DELETE FROM removing WHERE deed<>zeroblob(16)"); }
Result<void> Partners::ends_kept() { return index_->exec("DELETE FROM removing WHERE deed=zeroblob(16)"); }

// --- reading ----------------------------------------------------------------------------------------

Result<std::vector<Partners::Held>> Partners::held() {
  const auto all = files();
  if (!all) return fail(all.error());
  std::vector<Held> out;
  for (const File& one : *all) {
    if (out.empty() || out.back().federation != one.federation || out.back().urn != one.urn) {
      out.emplace_back();
      out.back().federation = one.federation;
      out.back().urn = one.urn;
      out.back().since = one.began;
    }
    Held& held = out.back();
    held.since = std::min(held.since, one.began);
    held.heard = std::max(held.heard, one.heard);
    if (one.complete) {
      held.epoch = one.epoch;
      held.rows = one.rows;
      held.loading.reset();
    } else {
      held.loading = one.epoch;
    }
  }
  return out;
}

Result<std::optional<Replica>> Partners::read(const std::string& federation, const std::string& urn) {
  const Which which(federation, urn);
  auto held = files_of(which);
  if (!held) return fail(std::move(held).error());
  for (auto one = held->rbegin(); one != held->rend(); ++one) {
    if (!one->complete) continue;
    auto replica = Replica::open(file(which, one->epoch, true), *dictionary_,
                                 stream_id(urn, std::string(kFederationPrefix) + federation), one->epoch);
    if (!replica) return fail(std::move(replica).error().during(of(federation, urn)));
    return std::optional<Replica>(std::move(*replica));
  }
  return std::optional<Replica>{};
}

}  // namespace towpath
