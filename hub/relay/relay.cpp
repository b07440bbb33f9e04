#include "hub/relay/relay.hpp"

#include <algorithm>
#include <optional>

#include "trust/signed.hpp"

namespace towpath {
namespace {

constexpr std::int64_t kFormat = 1;
// As for the borough's replicas (hub/exchange/visit.hpp).
constexpr std::uint64_t kRelayEpochsAheadMax = 1'000;

Hash256 hash_from(ByteView b) {
  Hash256 h;
  if (b.size() == h.bytes.size()) std::copy(b.begin(), b.end(), h.bytes.begin());
  return h;
}
std::string place(const SegmentHeader& h) {
  return "segment " + std::to_string(h.epoch.number) + "/" + std::to_string(h.seq.number);
}

class File {
 public:
  // None: there is no file, and none is to be made.
  static Result<std::optional<File>> open(const Database::Options& options, StreamId stream, bool create) {
    if (!create) {
      auto there = Database::exists(options);
      if (!there) return fail(std::move(there).error());
      if (!*there) return std::optional<File>{};
    }
    auto database = Database::open(options);
    if (!database) return fail(std::move(database).error());
    File file(std::move(*database), stream);
    TP_TRY(file.form());
    TP_TRY(file.load());
    return std::optional<File>(std::move(file));
  }

  Database& db() { return db_; }
  [[nodiscard]] const std::string& path() const { return db_.path(); }

  // One row: where the newest epoch stands, which epoch partners read (its snapshot is whole), for which
  // epoch a new snapshot is asked for.
  Head head;
  Epoch complete, wanted;
  std::int64_t doubted = 0;

  Result<void> save() {
    auto put =
        db_.prepare("UPDATE meta SET epoch=?1,seq=?2,segment=?3,digest=?4,complete=?5,wanted=?6,doubted=?7");
    if (!put) return fail(std::move(put).error());
    auto use = put->use();
    use.bind(1, std::int64_t{head.epoch.number});
    use.bind(2, static_cast<std::int64_t>(head.seq.number));
    use.bind_blob(3, head.segment.bytes);
    use.bind_blob(4, head.digest.bytes);
    use.bind(5, std::int64_t{complete.number});
    use.bind(6, std::int64_t{wanted.number});
    use.bind(7, doubted);
    return use.run();
  }
  [[nodiscard]] bool asks() const {
    return head.epoch.number > 0 && (wanted == head.epoch || head.seq.number == 0);
  }
  // What the school hears.
  [[nodiscard]] Head said() const {
    if (asks()) return Head{head.epoch, {}, {}, {}, false};
    Head h = head;
    h.complete = complete == head.epoch;
    return h;
  }
  Result<std::int64_t> sum(Epoch epoch, bool snapshot) {
    return db_.integer("SELECT coalesce(sum(size),0) FROM segment WHERE epoch=" +
                       std::to_string(epoch.number) + " AND snapshot=" + (snapshot ? "1" : "0"));
  }
  Result<std::optional<Hash256>> hash_of(Epoch epoch, std::uint64_t seq) {
    auto look = db_.prepare("SELECT hash FROM segment WHERE epoch=?1 AND seq=?2");
    if (!look) return fail(std::move(look).error());
    auto use = look->use();
    use.bind(1, std::int64_t{epoch.number});
    use.bind(2, static_cast<std::int64_t>(seq));
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return std::optional<Hash256>{};
    return std::optional(hash_from(use.blob(0)));
  }
  // Every stored segment has to be by a key that partners are told.
  Result<bool> all_signed_by(std::span<const PartyKey> keys) {
    bool all = true;
    TP_TRY(db_.each("SELECT DISTINCT signer FROM segment", [&](Statement::Use& use) {
      const ByteView signer = use.blob(0);
      all = all && std::any_of(keys.begin(), keys.end(), [&](const PartyKey& key) {
              const KeyId id = key.id();
              return std::equal(signer.begin(), signer.end(), id.bytes.begin(), id.bytes.end());
            });
    }));
    return all;
  }

 private:
  File(Database&& db, StreamId stream) : db_(std::move(db)), stream_(stream) {}

  Result<void> form() {
    auto formed = db_.integer("SELECT count(*) FROM sqlite_schema WHERE name='meta'");
    if (!formed) return fail(std::move(formed).error());
    if (*formed > 0) return {};
    auto tx = db_.begin();
    if (!tx) return fail(std::move(tx).error());
    TP_TRY(db_.exec(
        "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id=1), format INTEGER NOT NULL, stream BLOB NOT NULL,"
        " epoch INTEGER NOT NULL, seq INTEGER NOT NULL, segment BLOB NOT NULL, digest BLOB NOT NULL,"
        " complete INTEGER NOT NULL, wanted INTEGER NOT NULL, doubted INTEGER NOT NULL) STRICT;"
        "CREATE TABLE segment(epoch INTEGER NOT NULL, seq INTEGER NOT NULL, snapshot INTEGER NOT NULL,"
        " size INTEGER NOT NULL, hash BLOB NOT NULL, signer BLOB NOT NULL, bytes BLOB NOT NULL,"
        " PRIMARY KEY(epoch,seq)) STRICT"));
    auto put = db_.prepare("INSERT INTO meta VALUES(1,?1,?2,0,0,?3,?3,0,0,0)");
    if (!put) return fail(std::move(put).error());
    {
      const Hash256 zero;
      auto use = put->use();
      use.bind(1, kFormat);
      use.bind_blob(2, stream_.uuid.bytes);
      use.bind_blob(3, zero.bytes);
      TP_TRY(use.run());
    }
    return tx->commit();
  }
  Result<void> load() {
    auto look =
        db_.prepare("SELECT format,stream,epoch,seq,segment,digest,complete,wanted,doubted FROM meta");
    if (!look) return fail(std::move(look).error());
    auto use = look->use();
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row)
      return fail(Code::kDamaged, path() + ": its first record is missing",
                  "Delete it: the school's next exchange stores its stream anew");
    if (use.integer(0) != kFormat)
      return fail(Code::kUnknownVersion,
                  path() + " has format " + std::to_string(use.integer(0)) + "; this program knows " +
                      std::to_string(kFormat),
                  "Install the version of towpath-hub that wrote it, or a newer one");
    const ByteView held = use.blob(1);
    if (!std::equal(held.begin(), held.end(), stream_.uuid.bytes.begin(), stream_.uuid.bytes.end()))
      return fail(Code::kWrongStream, path() + " holds another stream",
                  "A file of the data folder has been moved or copied: put it back");
    head.epoch = Epoch{static_cast<std::uint32_t>(use.integer(2))};
    head.seq = StreamSeq{static_cast<std::uint64_t>(use.integer(3))};
    head.segment = hash_from(use.blob(4));
    head.digest = hash_from(use.blob(5));
    complete = Epoch{static_cast<std::uint32_t>(use.integer(6))};
    wanted = Epoch{static_cast<std::uint32_t>(use.integer(7))};
    doubted = use.integer(8);
    return {};
  }

  Database db_;
  StreamId stream_;
};

std::string audience_of(const std::string& federation) { return std::string(kFederationPrefix) + federation; }

// The next segment of a stream, or why not.
class Storing {
 public:
  Storing(File& file, StreamId stream, std::span<const PartyKey> keys, Relays::Taken& out)
      : file_(file),
        stream_(stream),
        keys_(keys),
        out_(out),
        epoch_max_(file.head.epoch.number + kRelayEpochsAheadMax) {}

  // False: what follows of this epoch cannot be used either.
  Result<bool> store(const RelaySegment& s) {
    const SegmentHeader& h = s.opened.header;
    Head& head = file_.head;
    if (h.epoch.number == 0 || h.seq.number == 0)
      return refuse(h, Code::kDamaged, "epochs and segments are counted from 1");
    const PartyKey* signer = nullptr;
    for (const PartyKey& key : keys_)
      if (signer == nullptr && signed_by(s.opened, std::span(&key, 1))) signer = &key;
    if (signer == nullptr)
      return refuse(h, Code::kNotSigned,
                    place(h) + " is not signed by its school: partners could not believe it");
    if (h.epoch < head.epoch)
      return refuse(
          h, Code::kForked,
          place(h) + " is of an older epoch; the hub holds epoch " + std::to_string(head.epoch.number));
    if (h.epoch > head.epoch) {
      if (h.epoch.number > epoch_max_)
        return refuse(h, Code::kRefused,
                      "epoch " + std::to_string(h.epoch.number) + " cannot be begun; the newest here is " +
                          std::to_string(head.epoch.number));
      if (h.seq.number != 1)
        return refuse(h, Code::kOutOfOrder,
                      "epoch " + std::to_string(h.epoch.number) +
                          " is not known here; it begins with segment 1, not " +
                          std::to_string(h.seq.number));
      if (!h.snapshot || !h.previous.is_zero())
        return refuse(h, Code::kDamaged, place(h) + " is no beginning of a snapshot");
      // An unfinished epoch that a newer one overtakes is of no use.
      TP_TRY(file_.db().exec("DELETE FROM segment WHERE epoch<>" + std::to_string(file_.complete.number)));
      head = Head{h.epoch, {}, {}, {}, false};
      begun_ = true;
    } else if (h.seq <= head.seq) {
      auto held = file_.hash_of(h.epoch, h.seq.number);
      if (!held) return fail(std::move(held).error());
      // Who has begun anew (a lost disk) counts up to here once more, and cannot tell "nothing yet" from what
      // is asked.
      if (file_.asks())
        return refuse(h, Code::kForked,
                      place(h) + " was stored before, and the hub needs a new epoch after " +
                          std::to_string(head.epoch.number));
      // What an order has removed came here once.
      if (!*held || **held == s.opened.hash) return true;
      return refuse(h, Code::kForked, "another " + place(h) + " is stored here");
    } else if (head.seq.number == 0) {
      return refuse(
          h, Code::kForked,
          "the hub no longer holds epoch " + std::to_string(h.epoch.number) + "; it needs a new epoch");
    } else if (h.seq.number != head.seq.number + 1) {
      return refuse(
          h, Code::kOutOfOrder,
          place(h) + " comes after " + std::to_string(head.seq.number) + ": what lies between is missing");
    } else if (h.previous != head.segment) {
      return refuse(h, Code::kForked, place(h) + " follows another segment than the one stored here");
    }
    const bool whole = file_.complete == h.epoch;
    if (h.snapshot == whole)
      return refuse(h, Code::kDamaged,
                    place(h) + (whole ? " is part of a snapshot that is complete already"
                                      : " comes before the epoch's snapshot is complete"));
    auto snapshot = file_.sum(h.epoch, true), log = file_.sum(h.epoch, false);
    if (!snapshot) return fail(std::move(snapshot).error());
    if (!log) return fail(std::move(log).error());
    const auto size = static_cast<std::int64_t>(s.bytes.size());
    const std::int64_t log_max = std::max(*snapshot, std::int64_t{kRelayLogBytesMin});
    if (*snapshot + *log + size > std::int64_t{kRelayBytesMax} ||
        (!h.snapshot && *log + size > log_max * std::int64_t{kRelayLogFactor}))
      return refuse(h, Code::kTooLarge,
                    place(h) +
                        " does not fit into what the hub stores for partners; it needs a new "
                        "epoch");
    {
      auto put = file_.db().prepare(
          "INSERT INTO segment(epoch,seq,snapshot,size,hash,signer,bytes) VALUES(?1,?2,?3,?4,?5,?6,?7)");
      if (!put) return fail(std::move(put).error());
      const KeyId id = signer->id();
      auto use = put->use();
      use.bind(1, std::int64_t{h.epoch.number});
      use.bind(2, static_cast<std::int64_t>(h.seq.number));
      use.bind(3, std::int64_t{h.snapshot});
      use.bind(4, size);
      use.bind_blob(5, s.opened.hash.bytes);
      use.bind_blob(6, id.bytes);
      use.bind_blob(7, s.bytes);
      TP_TRY(use.run());
    }
    head.seq = h.seq;
    head.segment = s.opened.hash;
    head.digest = h.digest;
    if (h.snapshot_end) {
      file_.complete = h.epoch;
      TP_TRY(file_.db().exec("DELETE FROM segment WHERE epoch<" + std::to_string(h.epoch.number)));
    }
    if (!h.snapshot && *log + size > log_max) file_.wanted = h.epoch;
    ++out_.stored;
    return true;
  }

 private:
  Result<bool> refuse(const SegmentHeader& h, Code code, std::string text) {
    out_.problems.push_back({code, stream_, h.seq, std::move(text), {}});
    return false;
  }

  File& file_;
  const StreamId stream_;
  std::span<const PartyKey> keys_;
  Relays::Taken& out_;
  const std::uint64_t epoch_max_;
  bool begun_ = false;
};

}  // namespace

std::mutex& Relays::mutex_of(const std::string& urn, const std::string& federation) {
  const std::lock_guard lock(mutex_);
  auto& m = files_[{urn, federation}];
  if (!m) m = std::make_unique<std::mutex>();
  return *m;
}

Result<Head> Relays::head(const std::string& urn, const std::string& federation,
                          std::span<const PartyKey> keys) {
  const std::lock_guard lock(mutex_of(urn, federation));
  auto file =
      File::open(registry_.relay_file(urn, federation), stream_id(urn, audience_of(federation)), false);
  if (!file) return fail(std::move(file).error());
  if (!*file) return Head{};
  File& f = **file;
  if (!f.asks()) {
    auto fine = f.all_signed_by(keys);
    if (!fine) return fail(std::move(fine).error());
    if (!*fine) {
      f.wanted = f.head.epoch;
      TP_TRY(f.save());
    }
  }
  return f.said();
}

Result<Relays::Taken> Relays::store(const std::string& urn, const std::string& federation,
                                    std::span<const RelaySegment> segments, std::span<const PartyKey> keys) {
  const std::lock_guard lock(mutex_of(urn, federation));
  const StreamId stream = stream_id(urn, audience_of(federation));
  auto file = File::open(registry_.relay_file(urn, federation), stream, true);
  if (!file) return fail(std::move(file).error());
  File& f = **file;
  Taken out;
  auto tx = f.db().begin();
  if (!tx) return fail(std::move(tx).error());
  Storing storing(f, stream, keys, out);
  for (std::size_t at = 0; at < segments.size();) {
    auto taken = storing.store(segments[at]);
    if (!taken) return fail(std::move(taken).error());
    const Epoch epoch = segments[at].opened.header.epoch;
    ++at;
    // What follows in this epoch builds on what was refused.
    while (!*taken && at < segments.size() && segments[at].opened.header.epoch == epoch) ++at;
  }
  TP_TRY(f.save());
  TP_TRY(tx->commit());
  out.head = f.said();
  return out;
}

Result<Relays::Following> Relays::following(const std::string& urn, const std::string& federation,
                                            const PartnersFrame::Entry& stands, std::size_t budget,
                                            bool one) {
  const std::lock_guard lock(mutex_of(urn, federation));
  Following out;
  auto file =
      File::open(registry_.relay_file(urn, federation), stream_id(urn, audience_of(federation)), false);
  if (!file) return fail(std::move(file).error());
  if (!*file || (*file)->head.epoch.number == 0) return out;
  File& f = **file;
  const auto ask = [&]() -> Result<Following> {
    out.lacks = true;
    if (!f.asks()) {
      f.wanted = f.head.epoch;
      TP_TRY(f.save());
    }
    return out;
  };
  if (f.complete.number == 0) {
    // On its way, or removed.
    if (f.head.seq.number == 0) return ask();
    return out;
  }
  std::uint64_t next = 1;
  if (stands.epoch == f.complete && stands.seq.number > 0) {
    auto held = f.hash_of(f.complete, stands.seq.number);
    if (!held) return fail(std::move(held).error());
    const bool same =
        !*held || std::equal(stands.segment.begin(), stands.segment.end(), (*held)->bytes.begin());
    if (same) next = stands.seq.number + 1;
  }
  auto read = f.db().prepare("SELECT seq,bytes FROM segment WHERE epoch=?1 AND seq>=?2 ORDER BY seq");
  if (!read) return fail(std::move(read).error());
  {
    auto use = read->use();
    use.bind(1, std::int64_t{f.complete.number});
    use.bind(2, static_cast<std::int64_t>(next));
    for (;;) {
      auto row = use.step();
      if (!row) return fail(std::move(row).error());
      if (!*row) {
        // Everything of a stream that has been here is gone, from its beginning.
        if (out.segments.empty() && next == 1) break;
        return out;
      }
      if (static_cast<std::uint64_t>(use.integer(0)) != next) {
        if (out.segments.empty()) break;
        return out;
      }
      const ByteView bytes = use.blob(1);
      if (out.bytes + bytes.size() > budget && !(one && out.segments.empty())) {
        out.more = true;
        return out;
      }
      out.bytes += bytes.size();
      out.segments.emplace_back(bytes.begin(), bytes.end());
      ++next;
    }
  }
  return ask();
}

Result<void> Relays::doubted(const std::string& urn, const std::string& federation, Instant now) {
  const std::lock_guard lock(mutex_of(urn, federation));
  auto file =
      File::open(registry_.relay_file(urn, federation), stream_id(urn, audience_of(federation)), false);
  if (!file) return fail(std::move(file).error());
  if (!*file || (*file)->asks() || (*file)->head.epoch.number == 0) return {};
  File& f = **file;
  const std::int64_t ms{now.time_since_epoch().count()};
  constexpr std::int64_t kEvery = std::chrono::milliseconds(kRelayDoubtEvery).count();
  if (f.doubted > 0 && ms >= f.doubted && ms - f.doubted < kEvery) return {};
  f.doubted = ms;
  f.wanted = f.head.epoch;
  return f.save();
}

Result<ReceiptPaper> Relays::carry_out(const OrderPaper& order, const BeforeRemoval& note) {
  const std::string federation = order.audience.substr(kFederationPrefix.size());
  const std::lock_guard lock(mutex_of(order.school_urn, federation));
  ReceiptPaper receipt;
  receipt.stream = order.stream();
  receipt.outcome = ReceiptPaper::Outcome::kNothingHeld;
  auto file = File::open(registry_.relay_file(order.school_urn, federation), order.stream(), false);
  if (!file) return fail(std::move(file).error());
  if (!*file) return receipt;
  File& f = **file;
  {
    auto tx = f.db().begin();
    if (!tx) return fail(std::move(tx).error());
    const bool reached =
        !order.all && std::pair(f.head.epoch, f.head.seq) >= std::pair(order.epoch, order.seq);
    const std::string epoch = std::to_string(order.epoch.number);
    TP_TRY(f.db().exec(reached ? "DELETE FROM segment WHERE epoch<" + epoch + " OR (epoch=" + epoch +
                                     " AND seq<" + std::to_string(order.seq.number) + ")"
                               : std::string("DELETE FROM segment WHERE 1")));
    receipt.segments = static_cast<std::uint64_t>(f.db().changes());
    if (!reached) {
      f.head = Head{f.head.epoch, {}, {}, {}, false};
      f.complete = {};
    } else if (f.complete < order.epoch) {
      f.complete = {};
    }
    // Without its beginning nobody can follow who is not at the place already.
    if (reached && receipt.segments > 0 && f.head.epoch == order.epoch && order.seq.number > 1)
      f.wanted = f.head.epoch;
    TP_TRY(f.save());
    if (receipt.segments > 0) {
      receipt.outcome = ReceiptPaper::Outcome::kRemoved;
      TP_TRY(note(receipt));
    }
    TP_TRY(tx->commit());
  }
  // Pages that are free now, and the log of what was written before.
  TP_TRY(f.db().exec("VACUUM"));
  TP_TRY(f.db().checkpoint());
  return receipt;
}

Result<bool> Relays::holds(const std::string& urn, const std::string& federation) {
  const std::lock_guard lock(mutex_of(urn, federation));
  auto file =
      File::open(registry_.relay_file(urn, federation), stream_id(urn, audience_of(federation)), false);
  if (!file) return fail(std::move(file).error());
  if (!*file) return false;
  auto n = (*file)->db().integer("SELECT count(*) FROM segment");
  if (!n) return fail(std::move(n).error());
  return *n > 0;
}

}  // namespace towpath
