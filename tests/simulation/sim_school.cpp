#include "tests/simulation/sim_school.hpp"

#include <algorithm>

#include "agent/store/overview.hpp"
#include "agent/store/restore.hpp"
#include "agent/uplink/enrol.hpp"
#include "agent/uplink/refusal.hpp"
#include "agent/uplink/restore.hpp"
#include "agent/uplink/verify.hpp"
#include "sqlite/table.hpp"

namespace towpath::sim {
namespace {

constexpr const char* kPath = "school.db";
// Once nothing fails any more: one exchange brings the day, the others whatever was left over.
constexpr int kSyncsToSettle = 6;
// The hub hears the copy, the original again, and then knows; a turn later for each that one of them
// has counted and the line has lost, for until they use the same number both look like one.
constexpr unsigned kSwitchesMax = 6;

// School PCs are wrong by minutes, some by a year.
std::chrono::milliseconds wrong_clock(const Mishaps& mishaps, SimRandom& random) {
  const bool far = mishaps.strikes(Mishap::kClockFar, random);
  const bool wrong = mishaps.strikes(Mishap::kClockWrong, random) || far;
  const auto by = std::chrono::minutes{static_cast<std::int64_t>(random.below(far ? 525'600 : 30))};
  const bool late = random.chance(50);
  return !wrong ? std::chrono::milliseconds{0} : late ? by : -by;
}

// How many changes an exchange makes on the hub's disk, about.
std::size_t hub_changes(std::size_t pupils) { return pupils > 100 ? 2000 : 90; }

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
      clock_(time, wrong_clock(options.mishaps, random_)),
      disk_(SimRandom(options.seed, urn_ + " disk")),
      source_(dictionary, SimRandom(options.seed, urn_ + " source"),
              {options.pupils > 0 ? options.pupils : random_.between(6, 14), options.days_before,
               options.mishaps},
              Date::parse("2026-09-01").value()),
      model_(dictionary, urn_),
      link_(urn_, hub, SimRandom(options.seed, urn_ + " line"), time, trace, options.mishaps,
            hub_changes(options.pupils)),
      keys_(disk_, [this](PartySecret secret) { hub_.remember(std::move(secret)); }),
      audience_{"borough", {}} {
  if (random_.chance(40)) audience_.grants = {"ROLL", "ATT-CAT", "ATT-CODE"};
  connect();
  if (!start()) throw Broken("a school's store cannot be made");
}

SimSchool::SimSchool(const SimSchool& original)
    : urn_(original.urn_),
      options_(original.options_),
      time_(original.time_),
      hub_(original.hub_),
      trace_(original.trace_),
      dictionary_(original.dictionary_),
      random_(options_.seed + original.syncs_, urn_ + " copy"),
      chance_(options_.seed + original.syncs_, urn_ + " copy's agent"),
      clock_(original.clock_),
      disk_(SimRandom(options_.seed + original.syncs_, urn_ + " copy's disk")),
      source_(original.source_),
      model_(original.model_),
      link_(urn_, hub_, SimRandom(options_.seed + original.syncs_, urn_ + " copy's line"), time_, trace_,
            options_.mishaps, hub_changes(options_.pupils)),
      keys_(disk_, [this](PartySecret secret) { hub_.remember(std::move(secret)); }),
      audience_(original.audience_),
      unsure_(original.unsure_),
      numbers_(original.numbers_),
      held_(original.held_),
      is_twin_(true),
      undecided_(true),
      ever_(original.ever_) {
  for (const Mishap once : {Mishap::kSchoolCopy, Mishap::kSchoolLoss, Mishap::kKeyRevoke})
    mishaps_.set(once, 0);
  keys_.files = original.keys_.files;
  disk_.restore(original.disk_.image());
  connect();
  disorder(2);
}

// What becomes of the machine while its question is away.
void SimSchool::connect() {
  link_.meanwhile = [this] {
    if (!mishaps_.strikes(Mishap::kSchoolWaiting, random_) || disk_.down()) return;
    const Fault fault = random_.chance(50) ? Fault::kKill : Fault::kPowerCut;
    trace_.event(std::string("school: ") + sim::name(fault) + " while the answer is on its way");
    disk_.stop(fault);
  };
}
SimSchool::~SimSchool() { close(); }

// --- the machine -----------------------------------------------------------------------------

void SimSchool::close() {
  exchange_.reset();
  peer_.reset();
  identity_.reset();
  believed_ = {};
  line_.reset();
  publisher_.reset();
  store_.reset();
}

bool SimSchool::start() {
  close();
  if (disk_.down()) disk_.reboot();
  disk_.clear_struck();
  if (numbers_.size() > 0) risk(20);
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

void SimSchool::risk(std::size_t changes) {
  std::optional<Fault> fault;
  for (const auto& [mishap, kind] : {std::pair{Mishap::kSchoolKill, Fault::kKill},
                                     {Mishap::kSchoolPower, Fault::kPowerCut},
                                     {Mishap::kSchoolFull, Fault::kFull},
                                     {Mishap::kSchoolError, Fault::kFlaky}})
    if (mishaps_.strikes(mishap, random_) && !fault) fault = kind;
  const std::size_t at = random_.skewed(changes);
  if (!fault || disk_.down()) return;
  trace_.event(std::string("school: ") + sim::name(*fault) + " at change " + std::to_string(at));
  disk_.arm(*fault, at);
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
  ever_->merge(model_.entities());
  return true;
}

void SimSchool::check_acknowledged() {
  if (hub_.down() || epoch_due_ || twin_ != nullptr || is_twin_) return;
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
  const auto strikes = [&](Mishap mishap) { return mishaps_.strikes(mishap, random_); };
  const auto plan = [&](bool wanted, Act act) {
    if (wanted) plan_.push_back(act);
  };
  const bool backups = mishaps_.rate(Mishap::kSchoolBack) > 0;
  const bool sticks = strikes(Mishap::kStick);
  plan(strikes(Mishap::kSchoolRest), Act::kPowerCut);
  plan(strikes(Mishap::kGrants), Act::kGrants);
  plan(random_.chance(12) && backups, Act::kBackup);
  plan(strikes(Mishap::kSchoolBack) && backup_, Act::kRollBack);
  plan(strikes(Mishap::kKeyRevoke), Act::kRevoke);
  plan(strikes(Mishap::kKeyRotate) && !undecided_, Act::kNewKey);
  plan(strikes(Mishap::kKeyAsk) && !undecided_, Act::kAskNewKey);
  plan(strikes(Mishap::kSchoolLoss), Act::kLose);
  plan(strikes(Mishap::kSchoolCopy), Act::kCopy);
  plan(sticks, Act::kExport);
  plan(random_.chance(25) && !sticks_.empty(), Act::kCarry);
  plan(random_.chance(25) && !answers_.empty(), Act::kImport);
  plan(random_.chance(88), Act::kExtract);
  plan(random_.chance(85), Act::kSync);
  plan(random_.chance(25), Act::kExtract);
  plan(random_.chance(35), Act::kSync);
  plan(random_.chance(15) && (sticks || !sticks_.empty()), Act::kCarry);
  plan(random_.chance(15) && (sticks || !answers_.empty()), Act::kImport);
  if (twin_) twin_->begin_day();
}

bool SimSchool::turn() {
  if (twin_ == nullptr) return own_turn();
  const bool first = random_.chance(50);
  taken_ = twin_->taken_ = false;
  const bool did = first ? twin_->own_turn() || own_turn() : own_turn() || twin_->own_turn();
  if (undecided_ && (taken_ || twin_->taken_) && last_was_twin_ != twin_->taken_) {
    last_was_twin_ = twin_->taken_;
    if (++switches_ > kSwitchesMax) throw Broken("two machines speak as one school, and neither is refused");
  }
  if (undecided_ && (refused_ || twin_->refused_)) decide();
  return did;
}

bool SimSchool::own_turn() {
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
      risk(60);
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
    case Act::kCopy:
      copy();
      break;
    case Act::kLose:
      lose();
      break;
    case Act::kRevoke:
      if (!hub_.revoke(urn_)) break;
      revoke_due_ = true;
      break;
    case Act::kNewKey:
      new_key_due_ = true;
      break;
    case Act::kAskNewKey:
      static_cast<void>(hub_.ask_rotation(urn_));
      break;
    case Act::kExport:
      export_stick();
      break;
    case Act::kCarry:
      carry_stick();
      break;
    case Act::kImport:
      import_answers();
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
  backup_ = Backup{disk_.image(), model_, numbers_, keys_.files};
}

void SimSchool::disorder(unsigned by) {
  epoch_due_ = true;
  disorders_ += by;
}

void SimSchool::hub_set_back() {
  disorder(1);
  revoke_due_ = true;
  superseded_ = false;
  switches_ = 0;
  if (twin_) twin_->hub_set_back();
}

void SimSchool::roll_back() {
  const bool keys = random_.chance(50);  // or they lie elsewhere
  trace_.event(keys ? "school: set back to its backup, keys and all" : "school: set back to its backup");
  close();
  disk_.restore(backup_->disk);
  if (keys) keys_.files = backup_->keys;
  model_ = backup_->model;
  numbers_ = backup_->numbers;
  unsure_.reset();
  believed_ = {};
  disorder(1);
  if (twin_) twin_->disorder(1);
}

void SimSchool::copy() {
  if (twin_ || is_twin_) return;
  trace_.event("school: its machine is copied, and both run on");
  twin_.reset(new SimSchool(*this));
  disorder(2);
  undecided_ = true;
  switches_ = 0;
  last_was_twin_ = false;
}

void SimSchool::lose() {
  if (twin_ || is_twin_) return;
  const bool clubs = random_.chance(60);
  trace_.event(clubs ? "school: its disk dies, with the clubs' registers on it" : "school: its disk dies");
  close();
  disk_.restore({});
  keys_.files.clear();
  backup_.reset();
  model_ = SchoolModel(dictionary_, urn_);
  numbers_.clear();
  unsure_.reset();
  believed_ = {};
  held_ = false;
  code_.reset();
  if (clubs) source_.lose_clubs();
  disorder(1);
}

// One of two was refused: a person looks which is to stay, and enrols that one anew.
void SimSchool::decide() {
  heir_ = random_.chance(50);
  SimSchool& stays = heir_ ? *twin_ : *this;
  SimSchool& goes = heir_ ? *this : *twin_;
  trace_.event(heir_ ? "technician: the copy stays" : "technician: the original stays");
  for (SimSchool* one : {this, twin_.get()}) {
    one->undecided_ = one->refused_ = false;
    one->disorder(2);
  }
  stays.enrol_due_ = true;
  goes.retired_ = true;
  if (!random_.chance(50)) return;
  trace_.event("technician: the other is shut down");
  goes.plan_.clear();
  goes.mishaps_ = Mishaps::none();
  goes.exchange_.reset();
}

std::unique_ptr<SimSchool> SimSchool::take_heir() {
  if (!std::exchange(heir_, false)) return nullptr;
  twin_->is_twin_ = false;
  is_twin_ = true;
  return std::move(twin_);
}

bool SimSchool::went_down(const char* what) {
  disturbed_ = link_.take_disturbed() || disturbed_;
  disarm();
  if (!disk_.down()) return false;
  trace_.event(std::string("the school's machine goes down ") + what);
  close();
  return true;
}

bool SimSchool::excused(const Error& error) {
  switch (error.code()) {
    case Code::kIo:
    case Code::kDiskFull:
    case Code::kNotFound:  // SQLite could not open its log
      return disk_.struck().has_value();
    case Code::kTransport:
    case Code::kBlocked:
    case Code::kBusy:
    case Code::kTooMany:  // asked to come back
      return disturbed_;
    default:
      // What only a person can mend: enrolment under a new invitation.
      if (!ends_the_key(error.code()) && error.code() != Code::kOtherRecipient) return false;
      // (A stick from a former life is slow: both ends may have been equal meanwhile.)
      if (error.code() == Code::kTwoMachines
              ? disorders_ < 2
              : !epoch_due_ && !(revoke_due_ && error.code() == Code::kRevoked))
        return false;
      if (undecided_)
        refused_ = true;
      else if (!retired_)
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

ExchangeOptions SimSchool::exchange_options() {
  ExchangeOptions options;
  options.school_urn = urn_;
  options.software = "towpath sim";
  options.dictionary_version = dictionary_.version;
  return options;
}

bool SimSchool::ready() {
  disk_.clear_struck();
  static_cast<void>(link_.take_disturbed());
  disturbed_ = false;
  // An empty store must not replace what the hub holds: the product's verbs look first.
  const auto extracted = has_extracted(*store_);
  if (!extracted) throw Broken("the store cannot be read: " + extracted.error().sentence());
  if (!*extracted && !enrol_due_ && !random_.chance(30)) return false;
  risk(12);
  auto identity = Identity::load(keys_);
  if (went_down("looking for its keys")) return false;
  if (!identity && identity.error().code() == Code::kNotEnrolled) {
    if (retired_) return false;
    enrol_due_ = true;
  } else if (!identity) {
    if (!disk_.struck()) throw Broken("the keys cannot be used: " + identity.error().sentence());
    return false;
  }
  peer_.reset();
  if (identity) identity_ = std::make_unique<Identity>(std::move(*identity));
  // `enrol` was cut off behind its last step: it says that it is enrolled already.
  if (enrol_due_ && cut_off_ && identity_ && !hub_.down() && random_.chance(50) &&
      hub_.current_key(urn_) == identity_->own().key().id() && identity_->own().key().id() != refused_key_) {
    trace_.event("school: had been enrolled");
    enrolled_anew();
  }
  if (enrol_due_ && !enrol()) return false;
  peer_ = std::make_unique<HubPeer>(*identity_, chance_);
  const auto pending = line_->restore_pending();
  if (!pending) throw Broken("the store cannot be read: " + pending.error().sentence());
  if (*pending && !restore()) return false;
  return *extracted;
}

bool SimSchool::enrol() {
  if (!code_) code_ = hub_.invite(urn_);
  if (!code_) return false;  // tomorrow
  risk(12);
  if (!cut_off_) refused_key_ = identity_ ? std::optional(identity_->own().key().id()) : std::nullopt;
  auto enrolled =
      towpath::enrol(*code_, "sim", speaker(exchange_options()), keys_, *line_, link_, clock_, chance_);
  if (went_down("while it is enrolled")) {
    cut_off_ = true;
    return false;
  }
  if (!enrolled) {
    const Error& error = enrolled.error();
    trace_.event("not enrolled: " + error.sentence());
    bool fine = false;
    switch (error.code()) {
      case Code::kIo:
      case Code::kDiskFull:
      case Code::kNotFound:
        fine = disk_.struck().has_value();
        cut_off_ = true;
        break;
      case Code::kTransport:
      case Code::kBlocked:
      case Code::kDamaged:
      case Code::kBusy:
        fine = disturbed_;
        break;
      case Code::kNotSigned:  // the hub's key has been replaced since the code was made
        fine = disturbed_ || !code_->is_of(hub_.key());
        if (!code_->is_of(hub_.key())) code_.reset();
        break;
      case Code::kCodeExpired:
        fine = true;
        code_.reset();
        break;
      case Code::kCodeUsed:
        // Cut off behind its last step, and asked for once more by force: a new key then.
        fine = epoch_due_ || cut_off_;
        code_.reset();
        break;
      case Code::kCodeUnknown:
      case Code::kReplaced:
      case Code::kRevoked:
        fine = epoch_due_ || revoke_due_;
        code_.reset();
        break;
      default:
        break;
    }
    if (!fine) throw Broken("an enrolment failed without a reason: " + error.sentence());
    return false;
  }
  trace_.event("school: enrolled, " + std::to_string(enrolled->rows_at_hub) + " rows at the hub");
  identity_ = std::make_unique<Identity>(std::move(enrolled->identity));
  enrolled_anew();
  return true;
}

void SimSchool::enrolled_anew() {
  code_.reset();
  enrol_due_ = revoke_due_ = cut_off_ = false;
  disorders_ = twin_ ? 2 : 0;
  if (twin_ && twin_->retired_) twin_->superseded_ = true;
}

// What only the hub still has, before anything is published.
bool SimSchool::restore() {
  risk(20);
  Image hub;
  if (!hub_.down())
    if (auto image = hub_.image(*ever_, urn_)) hub = std::move(*image);
  const SchoolModel::Outcome outcome = model_.after_restore(hub);
  Conversation conversation(*line_, *peer_, link_, clock_, chance_, speaker(exchange_options()));
  auto counts = restore_from_hub(*store_, publisher_->stream(), clock_.now(), [&](Frame question) {
    return conversation.ask_until_answered({HeadFrame{publisher_->stream(), Head{}}, std::move(question)});
  });
  auto done = counts ? line_->set_restore_pending(false) : fail(counts.error());
  if (went_down("while it is restored")) {
    unsure_ = outcome;
    return false;
  }
  std::string why;
  if (!done) {
    trace_.event("not restored: " + done.error().sentence());
    if (!excused(done.error())) throw Broken("a restore failed without a reason: " + done.error().sentence());
    if (counts ? !take(outcome, &why) : !take(model_.now(), &why))
      throw Broken("a restore that failed has changed the store:" + why);
    if (!counts) unsure_ = outcome;
    return false;
  }
  if (!take(outcome, &why)) throw Broken("what came back is not what the hub had:" + why);
  unsure_.reset();
  std::uint64_t rows = 0;
  for (const auto& [dataset, n] : counts->rows) rows += n;
  trace_.event("restored: " + std::to_string(counts->entities) + " entities, " + std::to_string(rows) +
               " rows, " + std::to_string(counts->kept) + " were here");
  return true;
}

void SimSchool::begin_sync() {
  if (!ready()) return;
  ++syncs_;
  ExchangeOptions options = exchange_options();
  options.replace_key = std::exchange(new_key_due_, false);
  // So small that several nights' segments need several exchanges.
  if (random_.chance(50)) options.body_bytes = kBundleFramesReserve + 1024;
  exchange_ = std::make_unique<Exchange>(*publisher_, *line_, *peer_, link_, clock_, chance_, options);
}

// --- sticks ------------------------------------------------------------------------------------

void SimSchool::export_stick() {
  if (!ready()) return;
  risk(20);
  ExchangeOptions options = exchange_options();
  if (random_.chance(50)) options.body_bytes = kBundleFramesReserve + 1024;
  Exchange exchange(*publisher_, *line_, *peer_, link_, clock_, chance_, options);
  auto bundles = exchange.export_bundles();
  if (went_down("while a stick is written")) return;
  if (!bundles) {
    trace_.event("no stick: " + bundles.error().sentence());
    if (!excused(bundles.error()))
      throw Broken("a stick failed without a reason: " + bundles.error().sentence());
    return;
  }
  trace_.event("a stick with " + std::to_string(bundles->size()) + " bundles");
  sticks_.push_back(std::move(*bundles));
}

void SimSchool::carry_stick() {
  if (sticks_.empty() || hub_.down()) return;
  const std::size_t which = random_.below(sticks_.size());
  std::vector<Bytes> bundles = sticks_[which];
  if (random_.chance(60)) sticks_.erase(sticks_.begin() + static_cast<std::ptrdiff_t>(which));
  for (std::size_t i = bundles.size(); i > 1; --i)
    if (random_.chance(30)) std::swap(bundles[i - 1], bundles[random_.below(i)]);
  trace_.event("a stick with " + std::to_string(bundles.size()) + " bundles is at the hub");
  for (const Bytes& bundle : bundles) {
    auto answer = hub_.receive(urn_, bundle, Way::kStick);
    if (answer && *answer && !random_.chance(20)) answers_.push_back(std::move(**answer));
  }
}

void SimSchool::import_answers() {
  if (answers_.empty() || !ready()) return;
  risk(20);
  std::vector<ByteView> messages(answers_.begin(), answers_.end());
  for (std::size_t i = messages.size(); i > 1; --i) std::swap(messages[i - 1], messages[random_.below(i)]);
  Exchange exchange(*publisher_, *line_, *peer_, link_, clock_, chance_, exchange_options());
  auto report = exchange.import_answers(messages);
  if (went_down("while answers are read")) return;
  if (!report) {
    trace_.event("answers are not read: " + report.error().sentence());
    if (!excused(report.error()))
      throw Broken("answers are not read without a reason: " + report.error().sentence());
    return;
  }
  trace_.event("answers on a stick: " + std::to_string(report->answers) + ", " + std::to_string(report->old) +
               " old, " + std::to_string(report->refused.size()) + " refused");
  for (const std::string& why : report->refused) trace_.event("refused: " + why);
  check_events(exchange.report().events);
  check_forward();
  if (random_.chance(50)) answers_.clear();
}

// No answer takes back what another has acknowledged.
void SimSchool::check_forward() {
  const auto now = publisher_->acknowledged();
  if (!now) throw Broken("the school does not know what was acknowledged: " + now.error().sentence());
  if (now->epoch == believed_.epoch ? now->seq < believed_.seq
                                    : now->epoch < believed_.epoch && now->seq.number > 0)
    throw Broken("an answer has sent the school back to " + std::to_string(now->epoch.number) + "/" +
                 std::to_string(now->seq.number));
  believed_ = *now;
}

void SimSchool::check_events(const std::vector<std::string>& events) {
  for (const std::string& event : events) {
    trace_.event("event: " + event);
    // The turns that were lost when a machine was set back may not have come to the hub by then: it is
    // noticed by the first one that did, and both ends may have been equal before.
    if (event.find("was set back") != std::string::npos) {
      if (disorders_ == 0) throw Broken("a new life was begun without a reason: " + event);
      epoch_due_ = true;
    }
    if (!epoch_due_ && event.find("new epoch") != std::string::npos)
      throw Broken("a new epoch was begun without a reason: " + event);
  }
}

void SimSchool::step_sync() {
  // What the exchange would fetch by itself is fetched here, where the model can follow.
  const auto pending = line_->restore_pending();
  if (!pending) throw Broken("the store cannot be read: " + pending.error().sentence());
  if (*pending) {
    if (!restore()) exchange_.reset();
    return;
  }
  risk(25);
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
  check_events(report.events);
  check_forward();
  if (report.equal && revoke_due_ && !epoch_due_) throw Broken("the hub has taken a key that was revoked");
  if (report.equal && superseded_) throw Broken("the hub goes on with a machine that was given up");
  if (report.later_seconds == 0 && !report.equal)
    throw Broken("a sync has ended without both ends being equal");
  if (report.later_seconds > 0 && !disturbed_) throw Broken("the hub asked to come later without a reason");
  if (report.equal && !twin_ && !is_twin_) epoch_due_ = revoke_due_ = false;
  taken_ = report.equal;
  time_.pass(std::chrono::seconds{report.later_seconds});
  if (auto done = record_exchange(*store_, audience_.name, clock_.now(), report.equal); !done)
    throw Broken("the exchange cannot be recorded: " + done.error().sentence());
  if (report.equal && !hub_.down() && random_.chance(25)) check_equal();
}

void SimSchool::check_equal() {
  const auto held = hub_.image(model_.entities(), urn_);
  if (!held) throw Broken("the hub has nothing whole of this school, though both ends said they were equal");
  const std::string differ = differences(model_.projected(audience_.grants), *held);
  if (!differ.empty()) throw Broken("the hub's rows are not what the school may have sent:" + differ);
}

void SimSchool::sync_until_equal() {
  for (int i = 0; i < kSyncsToSettle; ++i) {
    taken_ = false;
    begin_sync();
    while (exchange_ != nullptr) step_sync();
    const auto head = publisher_->head();
    const auto held = hub_.newest(urn_);
    if (taken_ && head && held && head->segment == held->segment && head->digest == held->digest) return;
  }
  throw Broken("both ends are not equal after " + std::to_string(kSyncsToSettle) + " syncs without a fault");
}

void SimSchool::settle() {
  link_.heal();
  link_.meanwhile = nullptr;
  mishaps_ = Mishaps::none();
  plan_.clear();
  exchange_.reset();
  if (twin_) {  // a person has found the copy
    twin_.reset();
    undecided_ = false;
    disorder(2);
    if (std::exchange(refused_, false)) enrol_due_ = true;
  }
  disarm();
  while (store_ == nullptr || disk_.down()) start();
  // A fresh change has to flow, too.
  source_.next_day();
  extract(source_.truth(), true);
  sync_until_equal();
  // What is still on its way by hand comes now, and means nothing any more.
  while (!sticks_.empty()) carry_stick();
  import_answers();
  sync_until_equal();
  if (hub_.current_key(urn_) != identity_->own().key().id() || identity_->next())
    throw Broken("the hub's key of this school is not the one that it uses");
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
