#include "agent/intake/intake.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "agent/intake/dataset_intake.hpp"
#include "agent/intake/quality.hpp"
#include "agent/intake/row_check.hpp"
#include "agent/store/change_log.hpp"
#include "agent/store/identities.hpp"
#include "agent/store/quarantine.hpp"
#include "core/ascii.hpp"

namespace towpath {
namespace {

// A warning names at most so many columns; the rest is a number.
constexpr std::size_t kColumnsNamedMax = 5;

class IntakeSink final : public RowSink {
 public:
  IntakeSink(Store& store, const AdapterContext& context, ChangeLog& log, Identities& identities,
             const ErasedPupils& erased, std::int64_t run, std::int64_t src, Instant started,
             const ExtractOptions& options, bool use_prints)
      : store_(store),
        references_(store, identities, context.source),
        quality_(context.dictionary, context.today),
        options_(options),
        use_prints_(use_prints),
        run_{store,
             references_,
             log,
             oddities_,
             quality_,
             erased,
             run,
             src,
             started,
             context.today,
             options.accept_deletions,
             [this](const Dataset& d, const Origin& o, const Problem& p, std::optional<RowView> key) {
               return quarantine(d, o, p, key);
             },
             [this](const Dataset& d, RowView key) { return mended(d, key); },
             [this](const Origin& o) { untake(o); },
             [this](const Origin& o) { drop(o); }} {
    report_.run = run;
    report_.source = context.source;
  }

  Result<FileId> open_file(std::string_view name, std::span<const std::string_view> columns,
                           std::span<const std::string_view> needed) override {
    if (!columns.empty()) TP_TRY(check_columns(name, columns, needed));
    files_.push_back({std::string(name), {}, 0});
    return static_cast<FileId>(files_.size() - 1);
  }
  void ignore(FileId file, std::string_view reason, std::uint64_t records) override {
    counts(file).ignored[std::string(reason)] += records;
    files_[file].accounted += records;
  }
  void used(FileId file, std::uint64_t records) override {
    counts(file).taken += records;
    files_[file].accounted += records;
  }
  void close_file(FileId file, std::uint64_t records) override {
    // No row disappears: an adapter that loses one must not be believed in the rest either.
    TP_ASSERT(files_[file].accounted == records);
    counts(file).rows = records;
    report_.files[files_[file].name] = counts(file);
  }

  Result<void> begin(const Dataset& dataset, Completeness completeness) override {
    TP_ASSERT(current_ == nullptr && !done_.contains(dataset.name));
    TP_TRY(store_.db().exec("SAVEPOINT dataset"));
    saved_.emplace(Saved{quality_, oddities_});
    quality_.reads(dataset);
    auto waiting =
        store_.db().integer("SELECT count(*) FROM quarantine WHERE key IS NOT NULL AND " + mine(dataset));
    if (!waiting) return fail(std::move(waiting).error());
    keys_waiting_ = *waiting > 0;
    completeness_ = completeness;
    auto intake = DatasetIntake::begin(run_, dataset, completeness, use_prints_);
    if (!intake) return fail(std::move(intake).error());
    current_ = std::move(*intake);
    tally_.clear();
    return {};
  }

  Fingerprint matched(const Field& reference, std::string_view by, std::string_view dataset) override {
    auto print = references_.matched(reference, by, dataset);
    if (print) return *print;
    failed_ = std::move(print).error();  // told by the next row() or end()
    return 0;
  }
  bool unchanged(const Origin& origin, Fingerprint print) override {
    report_.bytes_read += origin.counted ? origin.raw.size() : 0;
    auto same = current_->unchanged(print);
    if (!same) {
      failed_ = std::move(same).error();  // told by the next row() or end()
      return false;
    }
    if (*same) take(origin);
    return *same;
  }

  Result<void> row(const Origin& origin, Fingerprint print, std::span<const InCell> cells) override {
    if (failed_) return fail(*failed_);
    // Counted first: a row that turns out to be a second one is taken out again.
    take(origin);
    auto taken = current_->row(origin, print, cells);
    if (!taken) {
      if (taken.error().code() == Code::kTooLarge) again_ = true;
      return fail(std::move(taken).error());
    }
    if (!*taken) untake_only(origin);
    return {};
  }

  Result<void> reject(const Dataset& dataset, const Origin& origin, Problem problem) override {
    if (current_ != nullptr && &current_->dataset() == &dataset) {
      ++current_->counts().read;
      ++current_->counts().quarantined;
      current_->unreadable();
    } else {
      ++report_.datasets[std::string(dataset.name)].read;
      ++report_.datasets[std::string(dataset.name)].quarantined;
    }
    return quarantine(dataset, origin, problem, std::nullopt);
  }

  Result<void> remove(const Origin& origin, std::span<const InCell> key) override {
    take(origin);
    return current_->remove(key);
  }

  Result<void> end(const Dataset& dataset) override {
    if (failed_) return fail(*failed_);
    TP_ASSERT(current_ != nullptr && &current_->dataset() == &dataset);
    TP_TRY(current_->end(pupils_held_));
    // What a full extract no longer says is mended or gone.
    if (completeness_ == Completeness::kFull)
      TP_TRY(store_.db().exec("DELETE FROM quarantine WHERE run<" + std::to_string(run_.run) + " AND " +
                              mine(dataset)));
    TP_TRY(store_.db().exec("RELEASE dataset"));
    if (current_->held()) {
      report_.held = true;
      if (dataset.name == "pupil") pupils_held_ = true;
    }
    merge(dataset, current_->counts());
    done_.insert(dataset.name);
    current_.reset();
    return {};
  }

  void abandon(const Dataset& dataset, Error why) override {
    if (current_ != nullptr && &current_->dataset() == &dataset) {
      current_.reset();  // its statements, before the savepoint goes
      if (auto back = store_.db().exec("ROLLBACK TO dataset; RELEASE dataset"); !back)
        failed_ = std::move(back).error();
      references_.identities().forget();
      references_.forget(dataset);
      quality_ = saved_->quality;
      oddities_ = saved_->oddities;
      // What had been counted is not in the store after all.
      for (const auto& [file, fate] : tally_) {
        FileCounts& c = counts(file);
        c.taken -= fate.taken;
        c.quarantined -= fate.quarantined;
        if (fate.taken + fate.quarantined > 0)
          c.ignored["not taken: " + std::string(dataset.name) + " could not be read to its end"] +=
              fate.taken + fate.quarantined;
        if (report_.files.contains(files_[file].name)) report_.files[files_[file].name] = c;
      }
      tally_.clear();
    }
    report_.datasets[std::string(dataset.name)].problem = why.sentence();
    report_.problems.push_back(std::string(dataset.title) + ": " + why.sentence());
    report_.complete = false;
    done_.insert(dataset.name);
  }

  void notice(std::string text) override { report_.notices.push_back(std::move(text)); }

  // After the adapter has come back, inside the transaction.
  Result<ExtractReport> finish() {
    if (failed_) return fail(*failed_);
    TP_ASSERT(current_ == nullptr);
    TP_TRY(missing_datasets());
    auto warnings = quality_.finish(store_);
    if (!warnings) return fail(std::move(warnings).error());
    report_.warnings = std::move(*warnings);
    for (const auto& [what, times] : oddities_.counts)
      report_.warnings.push_back(
          {what.first,
           what.first == "Q07"
               ? "values of " + what.second + " were not valid on their day; they are kept as they came"
               : "values of " + what.second +
                     " are in no code set; they are kept as they came, as UNKNOWN, until the source or its "
                     "mapping says one that is",
           times});
    return std::move(report_);
  }
  [[nodiscard]] bool again() const { return again_; }
  void pupils_held_before() { pupils_held_ = true; }

 private:
  struct File {
    std::string name;
    FileCounts counts;
    std::uint64_t accounted;
  };
  struct Fate {
    std::uint64_t taken = 0, quarantined = 0;
  };

  FileCounts& counts(FileId file) {
    TP_ASSERT(file < files_.size());
    return files_[file].counts;
  }
  void take(const Origin& origin) {
    if (!origin.counted) return;
    ++counts(origin.file).taken;
    ++files_[origin.file].accounted;
    ++tally(origin.file).taken;
  }
  // The fate of a record that quarantine() has counted meanwhile.
  void untake_only(const Origin& origin) {
    if (!origin.counted) return;
    --counts(origin.file).taken;
    --files_[origin.file].accounted;
    --tally(origin.file).taken;
  }
  void untake(const Origin& origin) {
    untake_only(origin);
    if (origin.counted) refresh_ = true;
  }
  // row() takes it out of those that are taken.
  void drop(const Origin& origin) {
    if (!origin.counted) return;
    ++counts(origin.file).ignored["about a pupil who was erased here"];
    ++files_[origin.file].accounted;
  }
  Fate& tally(FileId file) {
    if (tally_.empty() || tally_.back().first != file) {
      const auto found =
          std::find_if(tally_.begin(), tally_.end(), [&](const auto& t) { return t.first == file; });
      if (found != tally_.end()) return found->second;
      tally_.emplace_back(file, Fate{});
    }
    return tally_.back().second;
  }

  [[nodiscard]] std::string mine(const Dataset& dataset) const {
    return "source=" + std::to_string(run_.src) + " AND dataset=" + std::to_string(dataset.id);
  }

  Result<void> quarantine(const Dataset& dataset, const Origin& origin, const Problem& problem,
                          std::optional<RowView> key) {
    if (origin.counted) {
      ++counts(origin.file).quarantined;
      ++files_[origin.file].accounted;
      ++tally(origin.file).quarantined;
      // A duplicate may be found after its file was closed.
      if (report_.files.contains(files_[origin.file].name))
        report_.files[files_[origin.file].name] = counts(origin.file);
    }
    if (!insert_quarantine_) {
      // The same record as last time keeps its id: somebody may have written it down.
      auto again = store_.db().prepare(
          "UPDATE quarantine SET run=?1,file=?4,line=?5,rule=?6,field=?7,text=?8,key=?11 WHERE id=(SELECT "
          "min(id) FROM "
          "quarantine WHERE source=?2 AND dataset=?3 AND print=?10 AND run<?1) AND ?9 IS NOT NULL");
      if (!again) return fail(std::move(again).error());
      auto insert = store_.db().prepare(
          "INSERT INTO quarantine(run,source,dataset,file,line,rule,field,text,raw,print,key) "
          "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)");
      if (!insert) return fail(std::move(insert).error());
      again_quarantine_.emplace(std::move(*again));
      insert_quarantine_.emplace(std::move(*insert));
    }
    Bytes key_bytes;
    if (key) ordered_key(*key, key_bytes);
    for (Statement* statement : {&*again_quarantine_, &*insert_quarantine_}) {
      auto use = statement->use();
      use.bind(1, run_.run);
      use.bind(2, run_.src);
      use.bind(3, std::int64_t{dataset.id});
      use.bind(4,
               origin.file < files_.size() ? std::string_view(files_[origin.file].name) : std::string_view{});
      use.bind(5, static_cast<std::int64_t>(origin.line));
      use.bind(6, problem.rule);
      use.bind(7, problem.field);
      use.bind(8, std::string_view(problem.text));
      use.bind_blob(9, bytes_of(origin.raw.substr(0, kQuarantineRawMax)));
      use.bind(10, static_cast<std::int64_t>(fingerprint(origin.raw)));
      if (key) use.bind_blob(11, key_bytes);
      TP_TRY(use.run());
      if (statement == &*again_quarantine_ && store_.db().changes() > 0) return {};
    }
    return {};
  }

  // An extraction of changes: a row that waited in quarantine has come right.
  Result<void> mended(const Dataset& dataset, RowView key) {
    if (!keys_waiting_) return {};
    auto statement = store_.db().prepare("DELETE FROM quarantine WHERE key=?1 AND " + mine(dataset));
    if (!statement) return fail(std::move(statement).error());
    Bytes bytes;
    ordered_key(key, bytes);
    auto use = statement->use();
    use.bind_blob(1, bytes);
    return use.run();
  }

  void merge(const Dataset& dataset, const DatasetCounts& counts) {
    DatasetCounts& c = report_.datasets[std::string(dataset.name)];
    c.read += counts.read;
    c.added += counts.added;
    c.changed += counts.changed;
    c.removed += counts.removed;
    c.quarantined += counts.quarantined;
    c.held += counts.held;
  }

  // A column that was there last time and feeds a field is gone: half an export, or a changed one.
  Result<void> check_columns(std::string_view name, std::span<const std::string_view> columns,
                             std::span<const std::string_view> needed) {
    std::string now;
    for (const std::string_view c : columns) now += std::string(c) + "\n";
    auto find = store_.db().prepare("SELECT columns FROM source_file WHERE source=?1 AND name=?2");
    if (!find) return fail(std::move(find).error());
    std::string before;
    {
      auto use = find->use();
      use.bind(1, run_.src);
      use.bind(2, name);
      auto row = use.step();
      if (!row) return fail(std::move(row).error());
      if (*row) before = use.text(0);
    }
    if (before == now) return {};
    std::vector<std::string> gone;
    const std::string in_before = "\n" + lower(before), in_now = "\n" + lower(now);
    for (const std::string_view n : needed) {
      // An adapter takes another case for the same column; so does this.
      const std::string line = "\n" + lower(n) + "\n";
      if (in_before.find(line) != std::string::npos && in_now.find(line) == std::string::npos)
        gone.emplace_back(n);
    }
    if (!gone.empty() && !options_.accept_deletions) {
      std::string list;
      for (std::size_t i = 0; i < std::min(gone.size(), kColumnsNamedMax); ++i)
        list += (i > 0 ? ", '" : "'") + gone[i] + "'";
      if (gone.size() > kColumnsNamedMax)
        list += " and " + std::to_string(gone.size() - kColumnsNamedMax) + " more";
      return fail(
          Code::kSourceChanged,
          std::string(name) + ": the column " + list + " was there last time and is gone",
          "Put it back into the export; if it is gone for good, run: towpath extract --accept-deletions");
    }
    auto keep =
        store_.db().prepare("INSERT OR REPLACE INTO source_file(source,name,columns) VALUES(?1,?2,?3)");
    if (!keep) return fail(std::move(keep).error());
    auto use = keep->use();
    use.bind(1, run_.src);
    use.bind(2, name);
    use.bind(3, std::string_view(now));
    return use.run();
  }

  // Datasets that this source gave before and did not speak of now.
  Result<void> missing_datasets() {
    auto statement = store_.db().prepare("SELECT dataset,rows FROM dataset_state WHERE source=?1 AND rows>0");
    if (!statement) return fail(std::move(statement).error());
    auto use = statement->use();
    use.bind(1, run_.src);
    for (;;) {
      auto row = use.step();
      if (!row) return fail(std::move(row).error());
      if (!*row) return {};
      const Dataset* dataset = store_.dictionary().find(static_cast<std::uint16_t>(use.integer(0)));
      if (dataset != nullptr && !done_.contains(dataset->name))
        notice(std::string(dataset->title) + ": not in this extract; the " + std::to_string(use.integer(1)) +
               " rows of it stay as they were");
    }
  }

  Store& store_;
  References references_;
  Oddities oddities_;
  Quality quality_;
  const ExtractOptions& options_;
  bool use_prints_;
  RunContext run_;
  ExtractReport report_;
  std::vector<File> files_;
  std::vector<std::pair<FileId, Fate>> tally_;  // of the dataset in hand
  std::unique_ptr<DatasetIntake> current_;
  std::set<std::string_view> done_;
  std::optional<Statement> again_quarantine_, insert_quarantine_;
  struct Saved {
    Quality quality;
    Oddities oddities;
  };
  std::optional<Saved> saved_;  // as before the dataset in hand
  bool keys_waiting_ = false;   // its quarantine holds rows with a key
  Completeness completeness_ = Completeness::kFull;
  std::optional<Error> failed_;
  bool pupils_held_ = false;
  bool again_ = false;
  bool refresh_ = false;
};

struct Attempt {
  std::optional<ExtractReport> report;  // none: begin again, comparing
};

Result<Attempt> attempt(Store& store, Adapter& adapter, const AdapterContext& context, Clock& clock,
                        const ExtractOptions& options, bool use_prints) {
  auto transaction = store.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  const Instant started = clock.now();
  auto src = source_id(store, context.source);
  if (!src) return fail(std::move(src).error());
  auto last = store.db().integer("SELECT max(id) FROM run");
  if (!last) return fail(std::move(last).error());
  const std::int64_t run = *last + 1;
  auto log = ChangeLog::open(store);
  if (!log) return fail(std::move(log).error());
  auto identities = Identities::open(store);
  if (!identities) return fail(std::move(identities).error());

  auto erased = ErasedPupils::open(store);
  if (!erased) return fail(std::move(erased).error());
  IntakeSink sink(store, context, *log, *identities, *erased, run, *src, started, options, use_prints);
  // While pupils wait to be deleted, nothing that hangs on them goes either, whichever source gives it.
  if (const Dataset* pupil = context.dictionary.find("pupil");
      pupil != nullptr && !options.accept_deletions) {
    auto held = store.db().integer("SELECT coalesce(sum(held),0) FROM dataset_state WHERE dataset=" +
                                   std::to_string(pupil->id) + " AND source<>" + std::to_string(*src));
    if (!held) return fail(std::move(held).error());
    if (*held > 0) sink.pupils_held_before();
  }
  if (auto done = adapter.extract(sink); !done) {
    if (sink.again()) return Attempt{};
    return fail(std::move(done).error());
  }
  auto report = sink.finish();
  if (!report) return fail(std::move(report).error());

  std::string summary;
  for (const std::string& p : report->problems) summary += p + "\n";
  auto record =
      store.db().prepare("INSERT INTO run(id,source,started,finished,ok,summary) VALUES(?1,?2,?3,?4,?5,?6)");
  if (!record) return fail(std::move(record).error());
  {
    auto use = record->use();
    use.bind(1, run);
    use.bind(2, *src);
    use.bind(3, std::int64_t{started.time_since_epoch().count()});
    use.bind(4, std::int64_t{clock.now().time_since_epoch().count()});
    use.bind(5, std::int64_t{report->complete});
    use.bind(6, std::string_view(summary));
    TP_TRY(use.run());
  }
  TP_TRY(transaction->commit());
  return Attempt{std::move(*report)};
}

}  // namespace

Result<ExtractReport> run_extract(Store& store, Adapter& adapter, const AdapterContext& context, Clock& clock,
                                  const ExtractOptions& options) {
  auto first = attempt(store, adapter, context, clock, options, !options.full);
  if (!first) return fail(std::move(first).error());
  if (first->report) return std::move(*first->report);
  auto second = attempt(store, adapter, context, clock, options, false);
  if (!second) return fail(std::move(second).error());
  TP_ASSERT(second->report.has_value());
  return std::move(*second->report);
}

}  // namespace towpath
