#include "tests/simulation/sim_school.hpp"

#include <algorithm>

#include "agent/store/overview.hpp"
#include "agent/store/quarantine.hpp"
#include "agent/store/restore.hpp"
#include "agent/uplink/enrol.hpp"
#include "agent/uplink/restore.hpp"
#include "agent/uplink/verify.hpp"

namespace towpath::sim {
namespace {

constexpr const char* kPath = "school.db";
// Once nothing fails any more: a sync that is told why this machine is heard no longer; an enrolment
// whose code turns out to be too old, or of a former key of the hub; and, with another code, the one
// that brings all.
constexpr unsigned kSyncsToSettle = 3;
// Requests meanwhile, beside one for each segment at most: the one that is told no, the hub's card and the
// enrolment twice, what only the hub had, the new key, and the few in which both learn where they stand
// before a new epoch begins.
constexpr unsigned kRequestsToSettle = 12;
// While mishaps strike elsewhere: of syncs that nothing disturbs and that end without both ends being
// equal, one is told why it is heard no longer, and one more finds that out of a new key as well.
constexpr unsigned kCalmSyncsMax = 2;

// Drawn whether or not it is told, so that one who tells it changes nothing else.
std::size_t pupils_or_drawn(std::size_t told, SimRandom& random) {
  const std::size_t drawn = random.between(6, 14);
  return told > 0 ? told : drawn;
}

// How many changes an exchange makes on the hub's disk, about.
std::size_t hub_changes(std::size_t pupils) { return pupils > 100 ? 2000 : 90; }

// What a school may agree to. Nobody agrees to marks or clubs of nobody: ROLL is in each.
const std::vector<std::vector<std::string>> kAgreements{
    {},
    {"ROLL", "ATT-CAT", "ATT-CODE"},
    {"ROLL"},
    {"ROLL", "PLEDGE"},
    {"ROLL", "ATT-CAT", "PLEDGE"},
    {"ROLL", "CHAR-BASIC", "CHAR-FULL", "ATTAIN", "PLEDGE"}};

}  // namespace

SimSchool::SimSchool(std::string urn, const Options& options, SimTime& time, SimHub& hub, Trace& trace,
                     const Dictionary& dictionary)
    : urn_(std::move(urn)),
      options_(options),
      time_(time),
      hub_(hub),
      trace_(trace),
      dictionary_(&dictionary),
      days_(options.seed, urn_),
      random_(days_.split()),
      chance_(options.seed, urn_ + " agent"),
      clock_(time),
      disk_(SimRandom(options.seed, urn_ + " disk")),
      source_(SimRandom(options.seed, urn_ + " source"),
              {pupils_or_drawn(options.pupils, random_), options.days_before, options.mishaps},
              days_of(2026, 9, 1)),
      books_(urn_, Declared::of(dictionary.version)),
      link_(urn_, hub, SimRandom(options.seed, urn_ + " line"), time, trace, options.mishaps,
            hub_changes(options.pupils)),
      keys_(disk_, [this](PartySecret secret) { hub_.remember(std::move(secret)); }),
      audience_{"borough", {}},
      sticks_(urn_, hub, SimRandom(options.seed, urn_ + " sticks"), trace, mishaps_) {
  clock_.draw(mishaps_, random_, trace);
  if (random_.chance(40)) audience_.grants = kAgreements[random_.below(kAgreements.size())];
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
      days_(options_.seed + original.syncs_, urn_ + " copy"),
      random_(days_.split()),
      chance_(options_.seed + original.syncs_, urn_ + " copy's agent"),
      clock_(original.clock_),
      disk_(SimRandom(options_.seed + original.syncs_, urn_ + " copy's disk")),
      source_(original.source_),
      books_(original.books_),
      link_(urn_, hub_, SimRandom(options_.seed + original.syncs_, urn_ + " copy's line"), time_, trace_,
            options_.mishaps, hub_changes(options_.pupils)),
      keys_(disk_, [this](PartySecret secret) { hub_.remember(std::move(secret)); }),
      audience_(original.audience_),
      granted_before_(original.granted_before_),
      all_granted_once_(original.all_granted_once_),
      sticks_(urn_, hub_, SimRandom(options_.seed + original.syncs_, urn_ + " copy's sticks"), trace_,
              mishaps_),
      held_(original.held_),
      restore_due_(original.restore_due_) {
  for (const Mishap once : {Mishap::kSchoolLoss, Mishap::kKeyRevoke}) mishaps_.set(once, 0);
  keys_.files = original.keys_.files;
  disk_.restore(original.disk_.image());
  connect();
}

// What becomes of the machine while its question is away.
void SimSchool::connect() {
  link_.departs = [this](ByteView message) { hub_.departs(urn_, message, audience_.grants); };
  link_.overtaken = [this] { technician_.key_overtaken(); };
  link_.meanwhile = [this] {
    if (!mishaps_.strikes(Mishap::kSchoolWaiting, random_) || disk_.down()) return;
    const Fault fault = random_.chance(50) ? Fault::kKill : Fault::kPowerCut;
    trace_.mishap(Mishap::kSchoolWaiting, sim::name(fault));
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

void SimSchool::upgrade(const Dictionary& dictionary) {
  trace_.event("school: a newer program");
  close();
  books_.upgrade(Declared::of(dictionary.version));
  dictionary_ = &dictionary;
}

bool SimSchool::start() {
  close();
  if (disk_.down()) disk_.reboot();
  disk_.clear_struck();
  if (books_.any()) risk(20);
  auto store = Store::open({kPath, disk_.vfs(), urn_, false}, *dictionary_);
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
  if (books_.take_either(*store_)) trace_.event("the run that was cut off had been committed");
  // Each file call of SQLite may have been its last.
  if (auto sound = store_->db().integrity_check(); !sound)
    throw Broken(Promise::kWhole, "the school's store: " + sound.error().sentence());
  check_acknowledged();
  return true;
}

void SimSchool::risk(std::size_t changes) {
  std::optional<std::pair<Mishap, Fault>> fault;
  for (const auto& one : {std::pair{Mishap::kSchoolKill, Fault::kKill},
                          {Mishap::kSchoolPower, Fault::kPowerCut},
                          {Mishap::kSchoolFull, Fault::kFull},
                          {Mishap::kSchoolError, Fault::kFlaky},
                          {Mishap::kSchoolRead, Fault::kRead},
                          {Mishap::kSchoolUnreadable, Fault::kUnreadable}})
    if (mishaps_.strikes(one.first, random_) && !fault) fault = one;
  const std::size_t at = random_.skewed(changes);
  if (!fault || disk_.down()) return;
  trace_.mishap(fault->first, (of_reads(fault->second) ? "read " : "change ") + std::to_string(at));
  disk_.arm(fault->second, at);
}

void SimSchool::disarm() {
  disk_.disarm();
  disk_.heal();
}

void SimSchool::check_acknowledged() {
  if (hub_.down() || technician_.doubts_hub() || beside_ != nullptr) return;
  const auto believed = publisher_->acknowledged();
  if (!believed)
    throw Broken("the school does not know what was acknowledged: " + believed.error().sentence());
  if (believed->seq.number == 0) return;
  const auto held = hub_.newest(urn_);
  if (!held || std::pair(held->epoch, held->seq) < std::pair(believed->epoch, believed->seq))
    throw Broken(Promise::kKept, "the school believes that the hub holds " +
                                     std::to_string(believed->epoch.number) + "/" +
                                     std::to_string(believed->seq.number) + ", and it does not");
}

// --- what a day is made of --------------------------------------------------------------------------

void SimSchool::begin_day() {
  random_ = days_.split();
  link_.begin_day();
  source_.next_day();
  for (const Mishap mishap : source_.take_struck()) trace_.mishap(mishap);
  disk_.on_change = nullptr;
  const auto each = std::chrono::milliseconds{random_.skewed(60'000)};
  if (mishaps_.strikes(Mishap::kSchoolSlow, random_)) {
    trace_.mishap(Mishap::kSchoolSlow, std::to_string(each.count()) + " ms");
    disk_.on_change = [this, each] { time_.pass(each); };
  }
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
  plan(strikes(Mishap::kKeyRotate) && !technician_.undecided(), Act::kNewKey);
  plan(strikes(Mishap::kKeyAsk) && !technician_.undecided(), Act::kAskNewKey);
  plan(strikes(Mishap::kSchoolLoss), Act::kLose);
  plan(strikes(Mishap::kSchoolData), Act::kLoseData);
  plan(strikes(Mishap::kSchoolKeys), Act::kLoseKeys);
  plan(sticks, Act::kExport);
  plan(random_.chance(25) && sticks_.on_their_way(), Act::kCarry);
  plan(random_.chance(25) && sticks_.answered(), Act::kImport);
  plan(random_.chance(88), Act::kExtract);
  plan(random_.chance(50) && source_.sources() > 1, Act::kExtractClubs);
  plan(random_.chance(85), Act::kSync);
  plan(random_.chance(25), Act::kExtract);
  plan(random_.chance(35), Act::kSync);
  plan(random_.chance(15) && (sticks || sticks_.on_their_way()), Act::kCarry);
  plan(random_.chance(15) && (sticks || sticks_.answered()), Act::kImport);
}

bool SimSchool::turn() {
  clock_.tremble(mishaps_, random_, trace_);
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
      extract_at_night(0);
      break;
    case Act::kExtractClubs:
      if (source_.sources() > 1) extract_at_night(1);
      break;
    case Act::kSync:
      begin_sync();
      break;
    case Act::kPowerCut:
      trace_.mishap(Mishap::kSchoolRest);
      disk_.stop(Fault::kPowerCut);
      break;
    case Act::kBackup:
      back_up();
      break;
    case Act::kRollBack:
      roll_back();
      break;
    case Act::kLose:
      lose();
      break;
    case Act::kLoseData:
      trace_.mishap(Mishap::kSchoolData);
      lose_data();
      if (beside_) beside_->technician_.disorder(1);
      break;
    case Act::kLoseKeys:
      // Whoever has lost the keys is not enrolled, and needs a code; the stream goes on.
      trace_.mishap(Mishap::kSchoolKeys);
      close();
      keys_.files.clear();
      technician_.machine_lost();
      break;
    case Act::kRevoke:
      if (!hub_.revoke(urn_)) break;
      trace_.mishap(Mishap::kKeyRevoke);
      technician_.key_revoked();
      break;
    case Act::kNewKey:
      trace_.mishap(Mishap::kKeyRotate);
      new_key_due_ = true;
      break;
    case Act::kAskNewKey:
      if (hub_.ask_rotation(urn_)) trace_.mishap(Mishap::kKeyAsk);
      break;
    case Act::kExport:
      export_stick();
      break;
    case Act::kCarry:
      sticks_.carry();
      break;
    case Act::kImport:
      import_answers();
      break;
    case Act::kGrants:
      change_agreement(Mishap::kGrants);
      break;
  }
  return true;
}

void SimSchool::change_agreement(Mishap mishap) {
  all_granted_once_ = all_granted_once_ || audience_.grants.empty();
  granted_before_.insert(audience_.grants.begin(), audience_.grants.end());
  audience_.grants = kAgreements[random_.below(kAgreements.size())];
  std::string names;
  for (const std::string& grant : audience_.grants) names += " " + grant;
  trace_.mishap(mishap, names.empty() ? "all grants" : names.substr(1));
  publisher_ = std::make_unique<Publisher>(*store_, audience_);
}

std::vector<std::string> SimSchool::granted_once() const {
  if (audience_.grants.empty() || all_granted_once_) return {};
  std::vector<std::string> out(granted_before_.begin(), granted_before_.end());
  for (const std::string& grant : audience_.grants)
    if (!granted_before_.contains(grant)) out.push_back(grant);
  return out;
}

void SimSchool::back_up() {
  trace_.event("school: backup");
  backup_ = Backup{disk_.image(), books_, keys_.files};
}

void SimSchool::roll_back() {
  const bool keys = random_.chance(50);  // or they lie elsewhere
  trace_.mishap(Mishap::kSchoolBack, keys ? "keys and all" : "");
  close();
  disk_.restore(backup_->disk);
  if (keys) keys_.files = backup_->keys;
  books_ = backup_->books;
  books_.upgrade(Declared::of(dictionary_->version));  // it may be of before the program was replaced
  restore_due_ = false;
  believed_ = {};
  technician_.disorder(1);
  if (beside_) beside_->technician_.disorder(1);
}

void SimSchool::lose() {
  if (beside_) return;
  const bool clubs = random_.chance(60);
  trace_.mishap(Mishap::kSchoolLoss, clubs ? "with the clubs' registers on it" : "");
  lose_data();
  keys_.files.clear();
  backup_.reset();
  technician_.machine_lost();
  if (clubs) source_.lose_clubs();
}

void SimSchool::lose_data() {
  close();
  disk_.restore({});
  books_.begin_anew();
  restore_due_ = false;
  held_ = false;
  technician_.disorder(1);
}

void SimSchool::shut_down() {
  plan_.clear();
  mishaps_ = Mishaps::none();
  exchange_.reset();
}

bool SimSchool::went_down(const char* what) {
  disturbed_ = link_.take_disturbed() || disturbed_;
  disarm();
  if (!disk_.down()) return false;
  trace_.event(std::string("the school's machine goes down ") + what);
  close();
  return true;
}

void SimSchool::extract_at_night(std::size_t source) {
  disk_.clear_struck();
  // A night's run makes some 15 to 60 changes on the disk.
  risk(60);
  const SimExport night = source_.night(source);
  for (const Mishap mishap : source_.take_struck()) trace_.mishap(mishap);
  // A person looks at what is held, some days.
  extract(night, random_.chance(held_ ? 50 : 5));
}

void SimSchool::check_told(const ExtractReport& report) {
  constexpr std::string_view kWhere = "what a run tells";
  for (const std::string& text : report.problems) check_telling(text, {}, kWhere);
  for (const std::string& text : report.notices) check_telling(text, {}, kWhere);
  for (const Warning& warning : report.warnings) check_telling(warning.text, {}, kWhere);
  const auto quarantined = Quarantine(*store_).list();
  if (!quarantined) throw Broken("quarantine cannot be read: " + quarantined.error().sentence());
  for (const QuarantinedRow& row : *quarantined)
    check_telling(row.text + row.field + row.rule + row.file + row.raw, {}, "the list of quarantined rows");
}

void SimSchool::extract(const SimExport& night, bool accept_deletions) {
  trace_.event("extract" + night.text() + (accept_deletions ? ", deletions accepted" : ""));
  const SimExport known = as_known_by(books_.declared(), night);
  const auto outcome = books_.model().after(known, accept_deletions);
  SimAdapter adapter(known, *dictionary_);
  const AdapterContext context{*dictionary_, urn_, "School " + urn_, night.source, Date{source_.today()}};
  ExtractOptions options;
  options.accept_deletions = accept_deletions;
  options.full = random_.chance(8);
  auto report = run_extract(*store_, adapter, context, clock_, options);
  disarm();
  if (disk_.down()) {
    trace_.event("the school's machine goes down in its run");
    books_.unsure(outcome);
    return;
  }
  std::string why;
  if (report) {
    if (night.fails) throw Broken(Promise::kWhole, "a source that failed was taken for whole");
    if (!books_.take(*store_, outcome, &why))
      throw Broken(Promise::kWhole, "the store is not what the night's export says:" + why);
    books_.sure();
    check_told(*report);
    held_ = report->held;
    std::uint64_t changed = 0;
    for (const auto& [name, counts] : report->datasets)
      changed += counts.added + counts.changed + counts.removed;
    trace_.event("taken: " + std::to_string(changed) + " changes" + (report->held ? ", deletions held" : ""));
    return;
  }
  trace_.event("not taken: " + report.error().sentence());
  if (!(night.fails && report.error().code() == Code::kIo) && !technician_.excused(report.error(), around()))
    throw Broken(Promise::kReason, "the night's run failed without a reason: " + report.error().sentence());
  if (!books_.take(*store_, books_.model().now(), &why))
    throw Broken(Promise::kWhole, "a run that failed has changed the store:" + why);
  if (!night.fails) books_.unsure(outcome);
}

ExchangeOptions SimSchool::exchange_options() {
  ExchangeOptions options;
  options.school_urn = urn_;
  options.software = "towpath sim";
  options.dictionary_version = dictionary_->version;
  return options;
}

bool SimSchool::ready() {
  disk_.clear_struck();
  static_cast<void>(link_.take_disturbed());
  disturbed_ = false;
  // An empty store must not replace what the hub holds: the product's verbs look first.
  const auto extracted = has_extracted(*store_);
  if (!extracted) throw Broken("the store cannot be read: " + extracted.error().sentence());
  if (!*extracted && !technician_.enrol_due() && !random_.chance(30)) return false;
  risk(12);
  auto identity = Identity::load(keys_);
  if (went_down("looking for its keys")) return false;
  if (!identity && identity.error().code() == Code::kNotEnrolled) {
    if (technician_.retired()) return false;
    technician_.enrol();
  } else if (!identity) {
    if (!disk_.struck()) throw Broken("the keys cannot be used: " + identity.error().sentence());
    return false;
  }
  peer_.reset();
  if (identity) identity_ = std::make_unique<Identity>(std::move(*identity));
  // `enrol` was cut off behind its last step: it says that it is enrolled already.
  if (technician_.enrol_due() && identity_ && !hub_.down()) {
    const KeyId own = identity_->own().key().id();
    if (technician_.may_be_enrolled(own) && random_.chance(50) && hub_.current_key(urn_) == own) {
      trace_.event("school: had been enrolled");
      enrolled_anew();
    }
  }
  if (technician_.enrol_due() && !enrol()) return false;
  peer_ = std::make_unique<HubPeer>(*identity_, chance_);
  const auto pending = line_->restore_pending();
  if (!pending) throw Broken("the store cannot be read: " + pending.error().sentence());
  if (*pending && !restore()) return false;
  return *extracted;
}

bool SimSchool::enrol() {
  std::optional<Invitation>& code = technician_.code();
  if (!code) code = hub_.invite(urn_);
  if (!code) return false;  // tomorrow
  risk(12);
  technician_.begin_enrolment(identity_ ? std::optional(identity_->own().key().id()) : std::nullopt);
  auto enrolled =
      towpath::enrol(*code, "sim", speaker(exchange_options()), keys_, *line_, link_, clock_, chance_);
  if (went_down("while it is enrolled")) {
    technician_.enrolment_cut_off();
    return false;
  }
  if (!enrolled) {
    trace_.event("not enrolled: " + enrolled.error().sentence());
    if (!technician_.enrolment_excused(enrolled.error(), around(), hub_.key()))
      throw Broken(Promise::kReason, "an enrolment failed without a reason: " + enrolled.error().sentence());
    return false;
  }
  trace_.event("school: enrolled, " + std::to_string(enrolled->rows_at_hub) + " rows at the hub");
  identity_ = std::make_unique<Identity>(std::move(enrolled->identity));
  enrolled_anew();
  if (const auto hub = hub_.down() ? std::nullopt : hub_.image(books_.ever(), urn_))
    restore_due_ = books_.model().after_restore(*hub).rows != books_.model().rows();
  return true;
}

void SimSchool::enrolled_anew() {
  technician_.enrolled(beside_ == nullptr);
  if (beside_) beside_->technician_.supersede();
}

// What only the hub still has, before anything is published.
bool SimSchool::restore() {
  risk(20);
  Image hub;
  if (!hub_.down())
    if (auto image = hub_.image(books_.ever(), urn_)) hub = std::move(*image);
  const SchoolModel::Outcome outcome = books_.model().after_restore(hub);
  Conversation conversation(*line_, *peer_, link_, clock_, chance_, speaker(exchange_options()));
  auto counts = restore_from_hub(*store_, publisher_->stream(), clock_.now(), [&](Frame question) {
    return conversation.ask_until_answered({HeadFrame{publisher_->stream(), Head{}}, std::move(question)});
  });
  auto done = counts ? line_->set_restore_pending(false) : fail(counts.error());
  if (went_down("while it is restored")) {
    books_.unsure(outcome);
    return false;
  }
  std::string why;
  if (!done) {
    trace_.event("not restored: " + done.error().sentence());
    if (!technician_.excused(done.error(), around()))
      throw Broken(Promise::kReason, "a restore failed without a reason: " + done.error().sentence());
    if (counts ? !books_.take(*store_, outcome, &why) : !books_.take(*store_, books_.model().now(), &why))
      throw Broken(Promise::kWhole, "a restore that failed has changed the store:" + why);
    if (!counts) books_.unsure(outcome);
    return false;
  }
  if (!books_.take(*store_, outcome, &why))
    throw Broken(Promise::kWhole, "what came back is not what the hub had:" + why);
  books_.sure();
  restore_due_ = false;
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
    if (!technician_.excused(bundles.error(), around()))
      throw Broken(Promise::kReason, "a stick failed without a reason: " + bundles.error().sentence());
    return;
  }
  for (const Bytes& bundle : *bundles) hub_.departs(urn_, bundle, audience_.grants);
  sticks_.written(std::move(*bundles));
}

void SimSchool::import_answers() {
  if (!sticks_.answered() || !ready()) return;
  risk(20);
  const std::vector<ByteView> messages = sticks_.answers();
  Exchange exchange(*publisher_, *line_, *peer_, link_, clock_, chance_, exchange_options());
  auto report = exchange.import_answers(messages);
  if (went_down("while answers are read")) return;
  if (!report) {
    trace_.event("answers are not read: " + report.error().sentence());
    if (!technician_.excused(report.error(), around()))
      throw Broken(Promise::kReason, "answers are not read without a reason: " + report.error().sentence());
    return;
  }
  trace_.event("answers on a stick: " + std::to_string(report->answers) + ", " + std::to_string(report->old) +
               " old, " + std::to_string(report->refused.size()) + " refused");
  for (const std::string& why : report->refused) trace_.event("refused: " + why);
  technician_.check_events(exchange.report().events);
  check_forward();
  sticks_.read();
}

// No answer takes back what another has acknowledged.
void SimSchool::check_forward() {
  const auto now = publisher_->acknowledged();
  if (!now) throw Broken("the school does not know what was acknowledged: " + now.error().sentence());
  if (now->epoch == believed_.epoch ? now->seq < believed_.seq
                                    : now->epoch < believed_.epoch && now->seq.number > 0)
    throw Broken(Promise::kKept, "an answer has sent the school back to " +
                                     std::to_string(now->epoch.number) + "/" +
                                     std::to_string(now->seq.number));
  believed_ = *now;
}

void SimSchool::step_sync() {
  // What the exchange would fetch by itself is fetched here, where the model can follow.
  const auto pending = line_->restore_pending();
  if (!pending) throw Broken("the store cannot be read: " + pending.error().sentence());
  if (*pending) {
    if (!restore()) exchange_.reset();
    return;
  }
  if (mishaps_.strikes(Mishap::kGrantsInFlight, random_)) {
    exchange_.reset();
    change_agreement(Mishap::kGrantsInFlight);
    return;
  }
  risk(25);
  auto more = exchange_->step();
  disturbed_ = link_.take_disturbed() || disturbed_;
  disarm();
  if (disk_.down()) {
    trace_.event("the school's machine goes down in its sync");
    calm_ = 0;
    close();
    return;
  }
  if (!more) {
    trace_.event("sync ends: " + more.error().sentence());
    if (!technician_.excused(more.error(), around()))
      throw Broken(Promise::kReason, "a sync failed without a reason: " + more.error().sentence());
    exchange_.reset();
    after_sync(false);
    return;
  }
  if (*more) {
    if (link_.asked_for_later())
      throw Broken(Promise::kReason, "the hub asked to come later, and is asked again at once");
    return;
  }
  const SyncReport report = exchange_->report();
  exchange_.reset();
  trace_.event("sync ends: " + std::to_string(report.exchanges) + " exchanges, " +
               std::to_string(report.segments) + " segments, " + (report.equal ? "equal" : "not equal"));
  technician_.check_events(report.events);
  check_forward();
  check_acknowledged();
  if (report.equal) technician_.equal(beside_ == nullptr);
  if (report.equal && restore_due_)
    throw Broken(Promise::kWhole, "both ends are equal, and what only the hub had has not been brought back");
  if (report.later_seconds == 0 && !report.equal)
    throw Broken(Promise::kLive, "a sync has ended without both ends being equal");
  if (report.later_seconds > 0 && !disturbed_)
    throw Broken(Promise::kReason, "the hub asked to come later without a reason");
  equal_ = report.equal;
  after_sync(report.equal);
  time_.pass(std::chrono::seconds{report.later_seconds});
  if (auto done = record_exchange(*store_, audience_.name, clock_.now(), report.equal); !done)
    throw Broken("the exchange cannot be recorded: " + done.error().sentence());
  if (report.equal && !hub_.down() && random_.chance(25)) check_equal();
}

void SimSchool::check_equal() {
  const auto held = hub_.image(books_.model().entities(), urn_);
  if (!held)
    throw Broken(Promise::kEqual,
                 "the hub has nothing whole of this school, though both ends said they were equal");
  const std::string differ =
      differences(as_known_by(Declared::of(hub_.dictionary().version), books_.declared(),
                              books_.model().projected(audience_.grants)),
                  *held);
  if (!differ.empty())
    throw Broken(Promise::kEqual, "the hub's rows are not what the school may have sent:" + differ);
}

// Also while mishaps strike elsewhere: what nothing has disturbed gets on.
void SimSchool::after_sync(bool equal) {
  const bool calm = !disturbed_ && !disk_.struck() && !hub_.down() && beside_ == nullptr;
  calm_ = equal || !calm ? 0 : calm_ + 1;
  if (calm_ > kCalmSyncsMax)
    throw Broken(Promise::kLive, "both ends are not equal after " + std::to_string(calm_) +
                                     " syncs in a row that nothing has disturbed");
}

void SimSchool::sync_until_equal() {
  const unsigned asked = link_.asked();
  const auto segments = [&](Result<std::uint64_t> count) {
    if (!count) throw Broken("the outbox cannot be read: " + count.error().sentence());
    return *count;
  };
  const std::uint64_t waiting = segments(publisher_->waiting_count());
  for (unsigned i = 0; i < kSyncsToSettle; ++i) {
    equal_ = false;
    begin_sync();
    while (exchange_ != nullptr) step_sync();
    const auto head = publisher_->head();
    const auto held = hub_.newest(urn_);
    if (!equal_ || !head || !held || head->segment != held->segment || head->digest != held->digest) continue;
    // (Where a new epoch was begun, all of it was sent.)
    const std::uint64_t bound = std::max(waiting, head->seq.number) + kRequestsToSettle;
    if (link_.asked() - asked > bound)
      throw Broken(Promise::kLive, "both ends became equal by " + std::to_string(link_.asked() - asked) +
                                       " requests without a fault, not within " + std::to_string(bound));
    return;
  }
  throw Broken(Promise::kLive,
               "both ends are not equal after " + std::to_string(kSyncsToSettle) + " syncs without a fault");
}

void SimSchool::settle() {
  link_.heal();
  link_.meanwhile = nullptr;
  disk_.on_change = nullptr;
  mishaps_ = Mishaps::none();
  plan_.clear();
  exchange_.reset();
  disarm();
  while (store_ == nullptr || disk_.down()) start();
  // A fresh change has to flow, too.
  source_.next_day();
  for (std::size_t i = 0; i < source_.sources(); ++i) extract(source_.truth(i), true);
  sync_until_equal();
  // What is still on its way comes now, and means nothing any more.
  while (sticks_.on_their_way()) sticks_.carry();
  while (link_.deliver_late()) continue;
  import_answers();
  sync_until_equal();
  if (hub_.current_key(urn_) != identity_->own().key().id() || identity_->next())
    throw Broken(Promise::kEqual, "the hub's key of this school is not the one that it uses");
  check_equal();
  if (auto sound = store_->db().integrity_check(); !sound)
    throw Broken("the school's store: " + sound.error().sentence());
  ExchangeOptions options;
  options.school_urn = urn_;
  options.software = "towpath sim";
  options.dictionary_version = dictionary_->version;
  auto verified = verify_with_hub(*publisher_, *dictionary_, audience_.grants, *line_, *peer_, link_, clock_,
                                  chance_, options);
  if (!verified) throw Broken("verify fails: " + verified.error().sentence());
  if (!verified->equal) throw Broken(Promise::kEqual, "verify says that the two ends differ");
  hub_.check_shown(urn_, granted_once());
  const auto seen = overview(*store_);
  if (!seen) throw Broken("status cannot be read: " + seen.error().sentence());
  for (const SourceOverview& source : seen->sources)
    for (const std::string& text : source.problems) check_telling(text + source.remedy, {}, "status");
}

}  // namespace towpath::sim
