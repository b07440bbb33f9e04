#include "agent/store/overview.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "agent/store/restore.hpp"
#include "sqlite/table.hpp"

namespace towpath {
namespace {

// In a failed run's summary, before what its error advises.
constexpr std::string_view kRemedy = "next: ";
// In meta: the exchange that failed since the last answer.
constexpr std::string_view kFailedAt = "exchange_failed_at", kFailure = "exchange_failure",
                           kFailureRemedy = "exchange_failure_remedy";

Instant instant(std::int64_t ms) { return Instant{std::chrono::milliseconds{ms}}; }

Hash256 hash_of(ByteView bytes) {
  Hash256 h;
  std::copy_n(bytes.begin(), std::min(bytes.size(), h.bytes.size()), h.bytes.begin());
  return h;
}

Result<void> sources(Database& db, Overview& out) {
  return db.each(
      "SELECT s.name,max(r.id),max(CASE WHEN r.ok THEN r.finished END),max(r.started),"
      "(SELECT summary FROM run l WHERE l.source=s.id ORDER BY l.id DESC LIMIT 1),max(r.finished) "
      // What was brought back from the hub stands under a name that nothing is read from.
      "FROM source s JOIN run r ON r.source=s.id WHERE s.name<>'" +
          std::string(kRestoredSource) + "' GROUP BY s.id ORDER BY s.id",
      [&](Statement::Use& use) {
        SourceOverview s;
        s.name = use.text(0);
        s.last_run = use.integer(1);
        if (!use.is_null(2)) s.last_success = instant(use.integer(2));
        if (!use.is_null(3)) s.last_attempt = instant(use.integer(3));
        if (!use.is_null(5)) s.last_part = instant(use.integer(5));
        // One problem a line.
        std::string_view summary = use.text(4);
        while (!summary.empty()) {
          const std::size_t end = std::min(summary.find('\n'), summary.size());
          const std::string_view line = summary.substr(0, end);
          if (line.starts_with(kRemedy))
            s.remedy = line.substr(kRemedy.size());
          else if (!line.empty())
            s.problems.emplace_back(line);
          summary.remove_prefix(std::min(end + 1, summary.size()));
        }
        out.sources.push_back(std::move(s));
      });
}

Result<void> datasets(Store& store, Overview& out) {
  return store.db().each(
      "SELECT dataset,sum(rows),sum(held),max(last_read),max(last_changed),"
      "(SELECT count(*) FROM quarantine q WHERE q.dataset=d.dataset) FROM dataset_state d GROUP BY dataset "
      "ORDER BY dataset",
      [&](Statement::Use& use) {
        const Dataset* dataset = store.dictionary().find(static_cast<std::uint16_t>(use.integer(0)));
        if (dataset == nullptr) return;
        DatasetOverview d;
        d.name = dataset->name;
        d.rows = static_cast<std::uint64_t>(use.integer(1));
        d.held = static_cast<std::uint64_t>(use.integer(2));
        d.last_read = instant(use.integer(3));
        d.last_changed = instant(use.integer(4));
        d.quarantined = static_cast<std::uint64_t>(use.integer(5));
        out.held += d.held;
        out.datasets.push_back(std::move(d));
      });
}

Result<void> streams(Store& store, Overview& out) {
  return store.db().each(
      "SELECT s.audience,s.epoch,s.seq,s.segment,s.digest,s.acked_seq,s.last_exchange,s.equal,"
      "(SELECT count(*) FROM outbox o WHERE o.audience=s.audience AND o.seq>s.acked_seq),"
      "(SELECT coalesce(sum(length(bytes)),0) FROM outbox o WHERE o.audience=s.audience AND "
      "o.seq>s.acked_seq),"
      "EXISTS(SELECT 1 FROM change c WHERE c.run>s.published_run) FROM stream s",
      [&](Statement::Use& use) {
        StreamOverview s;
        s.audience = use.text(0);
        s.head.epoch = Epoch{static_cast<std::uint32_t>(use.integer(1))};
        s.head.seq = StreamSeq{static_cast<std::uint64_t>(use.integer(2))};
        s.head.segment = hash_of(use.blob(3));
        s.head.digest = hash_of(use.blob(4));
        s.head.complete = true;
        s.acknowledged = static_cast<std::uint64_t>(use.integer(5));
        if (!use.is_null(6)) s.last_exchange = instant(use.integer(6));
        s.equal = use.integer(7) != 0;
        s.waiting_segments = static_cast<std::uint64_t>(use.integer(8));
        s.waiting_bytes = static_cast<std::uint64_t>(use.integer(9));
        s.pending = use.integer(10) != 0;
        out.streams.push_back(std::move(s));
      });
}

Result<void> failed_exchange(Database& db, Overview& out) {
  auto statement = db.prepare("SELECT value FROM meta WHERE key=?1");
  if (!statement) return fail(std::move(statement).error());
  const auto read = [&](std::string_view key) -> Result<std::optional<std::string>> {
    auto use = statement->use();
    use.bind(1, key);
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return std::nullopt;
    return std::string(use.text(0));
  };
  auto when = read(kFailedAt);
  if (!when) return fail(std::move(when).error());
  if (!*when) return {};
  auto what = read(kFailure);
  if (!what) return fail(std::move(what).error());
  auto remedy = read(kFailureRemedy);
  if (!remedy) return fail(std::move(remedy).error());
  std::int64_t ms = 0;
  const std::string& digits = **when;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), ms).ec != std::errc{}) return {};
  out.failed_exchange = FailedExchange{instant(ms), what->value_or(""), remedy->value_or("")};
  return {};
}

Result<void> put_meta(Store& store, std::string_view key, std::string_view value) {
  auto statement = store.db().prepare("INSERT OR REPLACE INTO meta(key,value) VALUES(?1,?2)");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, key);
  use.bind(2, value);
  return use.run();
}

}  // namespace

Result<Overview> overview(Store& store) {
  Overview out;
  TP_TRY(sources(store.db(), out));
  TP_TRY(datasets(store, out));
  TP_TRY(streams(store, out));
  TP_TRY(failed_exchange(store.db(), out));
  auto quarantined = store.db().integer("SELECT count(*) FROM quarantine");
  if (!quarantined) return fail(std::move(quarantined).error());
  out.quarantined = static_cast<std::uint64_t>(*quarantined);
  auto pages = store.db().integer("SELECT page_count*page_size FROM pragma_page_count(),pragma_page_size()");
  if (!pages) return fail(std::move(pages).error());
  out.file_bytes = static_cast<std::uint64_t>(*pages);
  return out;
}

Result<void> record_exchange(Store& store, std::string_view audience, Instant when, bool equal) {
  // Writes nothing where nothing had failed.
  TP_TRY(store.db().exec(
      "DELETE FROM meta WHERE key IN('exchange_failed_at','exchange_failure','exchange_failure_remedy')"));
  auto statement = store.db().prepare("UPDATE stream SET last_exchange=?2,equal=?3 WHERE audience=?1");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, audience);
  use.bind(2, std::int64_t{when.time_since_epoch().count()});
  use.bind(3, std::int64_t{equal});
  return use.run();
}

Result<void> record_failed_exchange(Store& store, Instant when, std::string_view what,
                                    std::string_view remedy) {
  auto transaction = store.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  TP_TRY(put_meta(store, kFailedAt, std::to_string(when.time_since_epoch().count())));
  TP_TRY(put_meta(store, kFailure, what));
  TP_TRY(put_meta(store, kFailureRemedy, remedy));
  return transaction->commit();
}

Result<void> record_failed_run(Store& store, std::string_view source, Instant when, std::string_view problem,
                               std::string_view remedy) {
  std::string summary(problem);
  if (!remedy.empty()) summary.append("\n").append(kRemedy).append(remedy);
  auto transaction = store.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  auto id = source_id(store, source);
  if (!id) return fail(std::move(id).error());
  auto statement = store.db().prepare("INSERT INTO run(source,started,ok,summary) VALUES(?1,?2,0,?3)");
  if (!statement) return fail(std::move(statement).error());
  {
    auto use = statement->use();
    use.bind(1, *id);
    use.bind(2, std::int64_t{when.time_since_epoch().count()});
    use.bind(3, std::string_view(summary));
    TP_TRY(use.run());
  }
  return transaction->commit();
}

}  // namespace towpath
