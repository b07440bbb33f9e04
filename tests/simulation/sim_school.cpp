#include "tests/simulation/sim_school.hpp"

#include <algorithm>

#include "agent/store/overview.hpp"
#include "agent/uplink/refusal.hpp"
#include "agent/uplink/verify.hpp"
#include "sqlite/table.hpp"

namespace towpath::sim {
namespace {

constexpr const char* kPath = "school.db";
// Once nothing fails any more: one exchange brings the day, the others whatever was left over.
constexpr int kSyncsToSettle = 6;

// School PCs are wrong by minutes, some by a year.
std::chrono::milliseconds wrong_clock(SimRandom& random) {
  if (random.chance(50)) return std::chrono::milliseconds{0};
  const auto by =
      std::chrono::minutes{static_cast<std::int64_t>(random.below(random.chance(20) ? 525'600 : 30))};
  return random.chance(50) ? by : -by;
}

}  // namespace

SimSchool::SimSchool(std::string urn, const Options& options, SimTime& time, SimHub& hub, Trace& trace,
                     const Dictionary& dictionary)
    : urn_(std::move(urn)),
      options_(options),
      time_(time),
      hub_(hub),
      trace_(trace),
      dictionary_(dictionary),
      random_(options.seed, urn_),
      chance_(options.seed, urn_ + " agent"),
      clock_(time, wrong_clock(random_)),
      disk_(SimRandom(options.seed, urn_ + " disk")),
      source_(dictionary, SimRandom(options.seed, urn_ + " source"),
              {options.pupils > 0 ? options.pupils : random_.between(6, 14), options.days_before,
               options.source_faults},
              Date::parse("2026-09-01").value()),
      model_(dictionary, urn_),
      link_(urn_, hub, SimRandom(options.seed, urn_ + " line"), time, trace, options.line),
      audience_{"borough", {}} {
  if (random_.chance(40)) audience_.grants = {"ROLL", "ATT-CAT", "ATT-CODE"};
  link_.meanwhile = [this] {
    if (!options_.machine_faults || disk_.down() || !random_.chance(4)) return;
    const Fault fault = random_.chance(50) ? Fault::kKill : Fault::kPowerCut;
    trace_.event(std::string("school: ") + sim::name(fault) + " while the answer is on its way");
    disk_.stop(fault);
  };
  make_keys();
  if (!hub_.enrol(urn_, *identity_)) throw Broken("a school cannot be enrolled");
  if (!start()) throw Broken("a school's store cannot be made");
}
SimSchool::~SimSchool() { close(); }

// --- the machine -----------------------------------------------------------------------------

void SimSchool::close() {
  exchange_.reset();
  line_.reset();
  publisher_.reset();
  store_.reset();
}

bool SimSchool::start() {
  close();
  if (disk_.down()) disk_.reboot();
  disk_.clear_struck();
  if (options_.machine_faults && numbers_.size() > 0 && random_.chance(10)) arm(20);
  auto store = Store::open({kPath, disk_.vfs(), urn_, false}, dictionary_);
  const bool struck = disk_.struck().has_value();
  disarm();
  if (!store) {
    if (!struck) throw Broken("the school's store does not open: " + store.error().sentence());
    trace_.event("the school fails to start");
    disk_.stop(Fault::kKill);
    return false;
  }
  store_ = std::make_unique<Store>(std::move(*store));
  if (disk_.down()) return false;
  publisher_ = std::make_unique<Publisher>(*store_, audience_);
  line_ = std::make_unique<LineState>(*store_);
  std::string why;
  if (take(model_.now(), &why)) {
    // A commit that failed may still come back with a later crash, until something overwrites it.
  } else if (unsure_ && take(*unsure_, &why)) {
    trace_.event("the run that was cut off had been committed");
  } else {
    throw Broken("the school's store is neither as before nor as after the run:" + why);
  }
  unsure_.reset();
  check_acknowledged();
  return true;
}

void SimSchool::arm(std::size_t at_most) {
  static constexpr Fault kFaults[] = {Fault::kKill, Fault::kPowerCut, Fault::kPowerCut, Fault::kFull,
                                      Fault::kFlaky};
  const Fault fault = kFaults[random_.below(std::size(kFaults))];
  const std::size_t at = random_.skewed(at_most);
  trace_.event(std::string("school: ") + sim::name(fault) + " at change " + std::to_string(at));
  disk_.arm(fault, at);
}

void SimSchool::disarm() {
  disk_.disarm();
  disk_.heal();
}

// --- the store against the model ----------------------------------------------------------------

Image SimSchool::stored(const SchoolModel::Outcome& outcome, std::map<std::int64_t, std::string>& numbers) {
  std::map<std::string, std::string> entities;
  for (const std::string& entity : outcome.known) entities[model_.uuid_of(entity).text()] = entity;
  ImageReader reader(std::move(entities));
  for (const Dataset& dataset : dictionary_.datasets) {  // entity comes first
    auto rows = store_->db().prepare("SELECT " + column_list(dataset) + " FROM " + table_name(dataset));
    if (!rows) throw Broken("the store cannot be read: " + rows.error().sentence());
    auto use = rows->use();
    std::vector<Value> row(dataset.fields.size());
    for (;;) {
      auto more = use.step();
      if (!more) throw Broken("the store cannot be read: " + more.error().sentence());
      if (!*more) break;
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = use.value(static_cast<int>(i));
      reader.row(dataset, row);
    }
  }
  numbers = reader.numbers();
  return reader.image();
}

bool SimSchool::take(const SchoolModel::Outcome& outcome, std::string* why) {
  std::map<std::int64_t, std::string> numbers;
  const Image found = stored(outcome, numbers);
  Image expected = outcome.rows;
  for (const auto& [dataset, keys] : outcome.open)
    for (const std::string& key : keys)
      if (const auto at = found.find(dataset); at == found.end() || !at->second.contains(key))
        expected[dataset].erase(key);
  const std::string differ = differences(expected, found);
  if (!differ.empty()) {
    if (why != nullptr) *why += differ;
    return false;
  }
  for (const auto& [number, entity] : numbers_)
    if (const auto at = numbers.find(number); at == numbers.end() || at->second != entity)
      throw Broken("number " + std::to_string(number) + " stood for " + entity + " and no longer does");
  numbers_ = std::move(numbers);
  model_.commit(outcome, std::move(expected));
  return true;
}

void SimSchool::check_acknowledged() {
  if (hub_.down() || epoch_due_) return;
  const auto believed = publisher_->acknowledged();
  if (!believed)
    throw Broken("the school does not know what was acknowledged: " + believed.error().sentence());
  if (believed->seq.number == 0) return;
  const auto held = hub_.newest(urn_);
  if (!held || std::pair(held->epoch, held->seq) < std::pair(believed->epoch, believed->seq))
    throw Broken("the school believes that the hub holds " + std::to_string(believed->epoch.number) + "/" +
                 std::to_string(believed->seq.number) + ", and it does not");
}

// --- what a day is made of --------------------------------------------------------------------------

void SimSchool::begin_day() {
  source_.next_day();
  plan_.clear();
  if (options_.machine_faults && random_.chance(6)) plan_.push_back(Act::kPowerCut);
  if (random_.chance(3)) plan_.push_back(Act::kGrants);
  if (options_.rollbacks && random_.chance(12)) plan_.push_back(Act::kBackup);
  if (options_.rollbacks && backup_ && random_.chance(6)) plan_.push_back(Act::kRollBack);
  if (random_.chance(88)) plan_.push_back(Act::kExtract);
  if (random_.chance(85)) plan_.push_back(Act::kSync);
  if (random_.chance(25)) plan_.push_back(Act::kExtract);
  if (random_.chance(35)) plan_.push_back(Act::kSync);
}

bool SimSchool::turn() {
  if (store_ == nullptr || disk_.down()) {
    start();
    return true;
  }
  if (exchange_ != nullptr) {
    step_sync();
    return true;
  }
  if (plan_.empty()) return false;
  const Act act = plan_.front();
  plan_.pop_front();
  switch (act) {
    case Act::kExtract:
      disk_.clear_struck();
      // A night's run makes some 15 to 60 changes on the disk.
      if (options_.machine_faults && random_.chance(15)) arm(60);
      // A person looks at what is held, some days.
      extract(source_.night(), random_.chance(held_ ? 50 : 5));
      break;
    case Act::kSync:
      begin_sync();
      break;
    case Act::kPowerCut:
      trace_.event("school: power cut at rest");
      disk_.stop(Fault::kPowerCut);
      break;
    case Act::kBackup:
      back_up();
      break;
    case Act::kRollBack:
      roll_back();
      break;
    case Act::kGrants:
      audience_.grants = audience_.grants.empty() ? std::vector<std::string>{"ROLL", "ATT-CAT", "ATT-CODE"}
                                                  : std::vector<std::string>{};
      trace_.event("school: another agreement");
      publisher_ = std::make_unique<Publisher>(*store_, audience_);
      break;
  }
  return true;
}

void SimSchool::back_up() {
  trace_.event("school: backup");
  backup_ = Backup{disk_.image(), model_, numbers_};
}

void SimSchool::roll_back() {
  trace_.event("school: set back to its backup");
  close();
  disk_.restore(backup_->disk);
  model_ = backup_->model;
  numbers_ = backup_->numbers;
  unsure_.reset();
  epoch_due_ = true;
}

bool SimSchool::excused(const Error& error) {
  switch (error.code()) {
    case Code::kIo:
    case Code::kDiskFull:
    case Code::kNotFound:  // SQLite could not open its log
      return disk_.struck().has_value();
    case Code::kTransport:
    case Code::kBlocked:
      return disturbed_;
    default:
      // Set back too often within a week, or the hub to before the enrolment: a person enrols it anew.
      if (!ends_the_key(error.code()) || !epoch_due_) return false;
      enrol_due_ = true;
      return true;
  }
}

void SimSchool::extract(const SimExport& night, bool accept_deletions) {
  trace_.event("extract" + night.text() + (accept_deletions ? ", deletions accepted" : ""));
  const auto outcome = model_.after(night, accept_deletions);
  SimAdapter adapter(night);
  const AdapterContext context{dictionary_, urn_, "School " + urn_, std::string(kSourceName),
                               source_.today()};
  ExtractOptions options;
  options.accept_deletions = accept_deletions;
  options.full = random_.chance(8);
  auto report = run_extract(*store_, adapter, context, clock_, options);
  disarm();
  if (disk_.down()) {
    trace_.event("the school's machine goes down in its run");
    unsure_ = outcome;
    return;
  }
  std::string why;
  if (report) {
    if (night.fails) throw Broken("a source that failed was taken for whole");
    if (!take(outcome, &why)) throw Broken("the store is not what the night's export says:" + why);
    unsure_.reset();
    held_ = report->held;
    std::uint64_t changed = 0;
    for (const auto& [name, counts] : report->datasets)
      changed += counts.added + counts.changed + counts.removed;
    trace_.event("taken: " + std::to_string(changed) + " changes" + (report->held ? ", deletions held" : ""));
    return;
  }
  trace_.event("not taken: " + report.error().sentence());
  if (!(night.fails && report.error().code() == Code::kIo) && !excused(report.error()))
    throw Broken("the night's run failed without a reason: " + report.error().sentence());
  if (!take(model_.now(), &why)) throw Broken("a run that failed has changed the store:" + why);
  if (!night.fails) unsure_ = outcome;
}

void SimSchool::make_keys() {
  auto candidate = Candidate::of(keys_, hash256("towpath invite", Bytes{++enrolments_}), chance_);
  Enrolment enrolment;
  enrolment.urn = urn_;
  enrolment.hub = hub_.key();
  auto made = std::move(*candidate).enrolled(std::move(enrolment));
  if (!identity_)
    identity_ = std::make_unique<Identity>(std::move(*made));
  else
    *identity_ = std::move(*made);
  if (!peer_) peer_ = std::make_unique<HubPeer>(*identity_, chance_);
}

void SimSchool::enrol() {
  make_keys();
  if (!hub_.enrol(urn_, *identity_)) return;
  trace_.event("school: enrolled anew");
  enrol_due_ = false;
}

void SimSchool::begin_sync() {
  if (enrol_due_ && !hub_.down()) enrol();
  disk_.clear_struck();
  static_cast<void>(link_.take_disturbed());
  disturbed_ = false;
  ++syncs_;
  ExchangeOptions options;
  options.school_urn = urn_;
  options.software = "towpath sim";
  options.dictionary_version = dictionary_.version;
  // So small that several nights' segments need several exchanges.
  if (random_.chance(50)) options.body_bytes = kBundleFramesReserve + 1024;
  exchange_ = std::make_unique<Exchange>(*publisher_, *line_, *peer_, link_, clock_, chance_, options);
}

void SimSchool::step_sync() {
  if (options_.machine_faults && random_.chance(8)) arm(25);
  auto more = exchange_->step();
  disturbed_ = link_.take_disturbed() || disturbed_;
  disarm();
  if (disk_.down()) {
    trace_.event("the school's machine goes down in its sync");
    close();
    return;
  }
  if (!more) {
    trace_.event("sync ends: " + more.error().sentence());
    if (!excused(more.error())) throw Broken("a sync failed without a reason: " + more.error().sentence());
    exchange_.reset();
    return;
  }
  if (*more) return;
  const SyncReport report = exchange_->report();
  exchange_.reset();
  trace_.event("sync ends: " + std::to_string(report.exchanges) + " exchanges, " +
               std::to_string(report.segments) + " segments, " + (report.equal ? "equal" : "not equal"));
  for (const std::string& event : report.events) {
    trace_.event("event: " + event);
    if (event.find("new epoch") != std::string::npos && !epoch_due_)
      throw Broken("a new epoch was begun without a reason: " + event);
  }
  if (report.later_seconds == 0 && !report.equal)
    throw Broken("a sync has ended without both ends being equal");
  if (report.later_seconds > 0 && !disturbed_) throw Broken("the hub asked to come later without a reason");
  if (report.equal) epoch_due_ = false;
  time_.pass(std::chrono::seconds{report.later_seconds});
  if (auto done = record_exchange(*store_, audience_.name, clock_.now(), report.equal); !done)
    throw Broken("the exchange cannot be recorded: " + done.error().sentence());
  if (report.equal && !hub_.down() && random_.chance(25)) check_equal();
}

void SimSchool::check_equal() {
  const auto held = hub_.image(model_, urn_);
  if (!held) throw Broken("the hub has nothing whole of this school, though both ends said they were equal");
  const std::string differ = differences(model_.projected(audience_.grants), *held);
  if (!differ.empty()) throw Broken("the hub's rows are not what the school may have sent:" + differ);
}

void SimSchool::settle() {
  link_.heal();
  link_.meanwhile = nullptr;
  options_.machine_faults = false;
  plan_.clear();
  exchange_.reset();
  disarm();
  while (store_ == nullptr || disk_.down()) start();
  // A fresh change has to flow, too.
  source_.next_day();
  extract(source_.truth(), true);
  bool equal = false;
  for (int i = 0; i < kSyncsToSettle && !equal; ++i) {
    begin_sync();
    while (exchange_ != nullptr) step_sync();
    const auto head = publisher_->head();
    const auto held = hub_.newest(urn_);
    equal = head && held && head->segment == held->segment && head->digest == held->digest;
  }
  if (!equal)
    throw Broken("both ends are not equal after " + std::to_string(kSyncsToSettle) +
                 " syncs without a fault");
  check_equal();
  if (auto sound = store_->db().integrity_check(); !sound)
    throw Broken("the school's store: " + sound.error().sentence());
  ExchangeOptions options;
  options.school_urn = urn_;
  options.software = "towpath sim";
  options.dictionary_version = dictionary_.version;
  auto verified = verify_with_hub(*publisher_, dictionary_, audience_.grants, *line_, *peer_, link_, clock_,
                                  chance_, options);
  if (!verified) throw Broken("verify fails: " + verified.error().sentence());
  if (!verified->equal) throw Broken("verify says that the two ends differ");
}

}  // namespace towpath::sim
