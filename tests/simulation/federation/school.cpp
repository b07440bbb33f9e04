#include "tests/simulation/federation/school.hpp"

#include <algorithm>
#include <climits>

#include "agent/intake/intake.hpp"
#include "agent/sharing/pupils.hpp"
#include "agent/store/restore.hpp"
#include "agent/uplink/enrol.hpp"
#include "agent/uplink/refusal.hpp"
#include "agent/uplink/restore.hpp"

namespace towpath::sim::fed {
namespace {

constexpr const char* kStore = "data/school.db";
constexpr const char* kPartners = "data/partners";
constexpr const char* kBy = "head teacher, A. Example";
// Once nothing fails: what one sync may need of requests, so that one that never ends is noticed.
constexpr int kStepsMax = 200;

using State = Decisions::State;

std::string state_text(State state) {
  return state == State::kApproved ? "approved" : state == State::kSuspended ? "suspended" : "over";
}

std::string uuid_blob(const std::string& text) {
  std::string blob;
  unsigned high = 16;
  for (const char c : text) {
    if (c == '-') continue;
    const unsigned digit = static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
    if (high == 16)
      high = digit;
    else
      blob += static_cast<char>(std::exchange(high, 16U) << 4 | digit);
  }
  return blob;
}

}  // namespace

School::School(std::string urn, const Around& around, std::size_t pupils)
    : urn_(std::move(urn)),
      around_(around),
      time_(around.time),
      hub_(around.hub),
      trace_(around.trace),
      mishaps_(around.mishaps),
      days_(around.seed, "federations: " + urn_),
      random_(days_.split()),
      chance_(around.seed, "federations: " + urn_ + " agent"),
      clock_(around.time),
      disk_(SimRandom(around.seed, "federations: " + urn_ + " disk")),
      source_(urn_, SimRandom(around.seed, "federations: " + urn_ + " MIS"), around.words, pupils, today()),
      link_(urn_, hub_, SimRandom(around.seed, "federations: " + urn_ + " line"), time_, trace_, mishaps_),
      keys_(disk_, [this](PartySecret secret) { around_.witness.remember(std::move(secret)); }),
      model_(urn_, Declared::here()) {
  link_.departs = [this](ByteView message) {
    around_.witness.departs({urn_, rows_, decisions_, entities_, today()}, message, hub_.keys());
  };
  if (!start()) throw Broken("a school's store cannot be made");
}
School::~School() { close(); }

int School::today() {
  using namespace std::chrono;
  return static_cast<int>(floor<days>(clock_.now().time_since_epoch()).count());
}

void School::close() {
  exchange_.reset();
  desk_.reset();
  sharing_.reset();
  partners_.reset();
  peer_.reset();
  identity_.reset();
  line_.reset();
  store_.reset();
}

void School::open_identity() {
  desk_.reset();
  sharing_.reset();
  peer_.reset();
  identity_.reset();
  if (auto identity = Identity::load(keys_)) identity_ = std::make_unique<Identity>(std::move(*identity));
  SharingOptions options;
  if (identity_) {
    peer_ = std::make_unique<HubPeer>(*identity_, chance_);
    options.sign = [this](Deed deed) { return sign_deed(std::move(deed), identity_->own()); };
  }
  sharing_ = std::make_unique<Sharing>(*store_, clock_, std::move(options), partners_.get());
}

bool School::start() {
  close();
  if (disk_.down()) disk_.reboot();
  disk_.clear_struck();
  auto store = Store::open({kStore, disk_.vfs(), urn_, false}, built_in_dictionary());
  if (!store) throw Broken("the school's store does not open: " + store.error().sentence());
  store_ = std::make_unique<Store>(std::move(*store));
  PartnersOptions partners;
  partners.folder = kPartners;
  partners.vfs = disk_.vfs();
  auto held = Partners::open(partners, built_in_dictionary(), clock_);
  if (!held) throw Broken("the school's replicas do not open: " + held.error().sentence());
  partners_ = std::make_unique<Partners>(std::move(*held));
  line_ = std::make_unique<LineState>(*store_);
  open_identity();
  take_run();
  adopt();
  note_sealed();
  return true;
}

void School::note_sealed() {
  const auto read = store_->db().each("SELECT segment FROM outbox", [&](Statement::Use& row) {
    Hash256 hash;
    const ByteView blob = row.blob(0);
    std::copy_n(blob.begin(), std::min(blob.size(), hash.bytes.size()), hash.bytes.begin());
    around_.witness.sealed(hash);
  });
  if (!read) throw Broken("the outbox cannot be read: " + read.error().sentence());
}

void School::risk(std::size_t changes) {
  std::optional<std::pair<Mishap, Fault>> fault;
  for (const auto& one : {std::pair{Mishap::kSchoolKill, Fault::kKill},
                          {Mishap::kSchoolPower, Fault::kPowerCut},
                          {Mishap::kSchoolError, Fault::kFlaky}})
    if (mishaps_.strikes(one.first, random_) && !fault) fault = one;
  const std::size_t at = random_.skewed(changes);
  if (!fault || disk_.down()) return;
  tell(trace_, fault->first, "change " + std::to_string(at));
  disk_.arm(fault->second, at);
}

void School::disarm() {
  disk_.disarm();
  disk_.heal();
}

bool School::went_down(const char* what) {
  disarm();
  if (!disk_.down()) return false;
  trace_.event(std::string("the school's machine goes down ") + what);
  close();
  return true;
}

bool School::settled(const Result<void>& result, const char* what) {
  if (went_down(what)) return false;
  if (result) return true;
  trace_.event(std::string("not done, ") + what + ": " + result.error().sentence());
  const Code code = result.error().code();
  if (disk_.struck()) {
    // A commit that failed may be completed by a crash: it is looked at again then.
    start();
    return false;
  }
  undecided_.reset();
  if (code == Code::kRefused || code == Code::kRepeated || code == Code::kNotEnrolled ||
      code == Code::kNotFound)
    return false;
  throw Broken(Promise::kReason, std::string("a person is refused without a reason, ") + what + ": " +
                                     result.error().sentence());
}

// --- its day --------------------------------------------------------------------------------------------

void School::begin_day() {
  random_ = days_.split();
  source_.next_day(today());
  plan_.clear();
  const auto plan = [&](bool wanted, Act act) {
    if (wanted) plan_.push_back(act);
  };
  const auto strikes = [&](Mishap m) { return mishaps_.strikes(m, random_); };
  const bool backups = mishaps_.rate(Mishap::kSchoolBack) > 0;
  plan(strikes(Mishap::kSchoolRest), Act::kRest);
  plan(random_.chance(15) && backups, Act::kBackup);
  plan(strikes(Mishap::kSchoolBack) && backup_, Act::kRollBack);
  plan(strikes(Mishap::kSchoolLoss), Act::kLose);
  plan(strikes(Mishap::kLineOutage), Act::kOffline);
  plan(random_.chance(90), Act::kExtract);
  plan(random_.chance(85), Act::kSync);
  plan(strikes(Mishap::kApprove), Act::kApprove);
  plan(strikes(Mishap::kRule), Act::kRule);
  plan(strikes(Mishap::kNamed), Act::kNamed);
  plan(strikes(Mishap::kApprove), Act::kApprove);
  plan(strikes(Mishap::kWithdraw), Act::kWithdraw);
  plan(random_.chance(70), Act::kSync);
  plan(random_.chance(15), Act::kSync);
}

bool School::turn() {
  if (!up()) {
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
  disk_.clear_struck();
  switch (act) {
    case Act::kExtract:
      risk(60);
      extract();
      break;
    case Act::kSync:
      begin_sync();
      break;
    case Act::kRest:
      tell(trace_, Mishap::kSchoolRest);
      close();
      disk_.stop(Fault::kPowerCut);
      break;
    case Act::kBackup:
      trace_.event("school: backup");
      backup_ = Backup{disk_.image(), model_, rows_, decisions_, numbers_, keys_.files};
      break;
    case Act::kRollBack:
      roll_back();
      break;
    case Act::kLose:
      lose();
      break;
    case Act::kOffline: {
      const auto days = std::chrono::days{random_.between(7, 28)};
      tell(trace_, Mishap::kLineOutage, std::to_string(days.count()) + " days");
      link_.cut_until(time_.now + days);
      break;
    }
    case Act::kApprove:
      risk(15);
      approve(random_.chance(30));
      break;
    case Act::kWithdraw:
      risk(20);
      withdraw();
      break;
    case Act::kRule:
      risk(15);
      rule();
      break;
    case Act::kNamed:
      risk(15);
      name_pupils();
      break;
  }
  return true;
}

// --- rows -----------------------------------------------------------------------------------------------

void School::extract() {
  const SimExport truth = source_.truth();
  const auto outcome = model_.after(truth, true);
  SimAdapter adapter(truth, built_in_dictionary());
  const AdapterContext context{built_in_dictionary(), urn_, "School " + urn_, truth.source, Date{today()}};
  ExtractOptions options;
  options.accept_deletions = true;
  const auto before = store_->db().integer("SELECT coalesce(max(id),0) FROM run");
  if (!before) {
    went_down("before its run");
    return;
  }
  if (!run_) runs_before_ = *before;
  run_ = outcome;
  auto report = run_extract(*store_, adapter, context, clock_, options);
  if (went_down("in its run")) return;
  if (!report) {
    trace_.event("not read: " + report.error().sentence());
    if (!disk_.struck())
      throw Broken(Promise::kReason, "a run failed without a reason: " + report.error().sentence());
    start();
    return;
  }
  trace_.event("the MIS was read");
  take_run();
}

void School::take_run() {
  read_numbers();
  if (!run_) return;
  const auto now = store_->db().integer("SELECT coalesce(max(id),0) FROM run");
  if (!now) throw Broken("the school's runs cannot be read: " + now.error().sentence());
  if (*now <= runs_before_) return;  // it may yet turn out to have been committed
  model_.commit(*run_, run_->rows);
  run_.reset();
  rows_ = model_.rows();
  entities_.merge(model_.entities());
  read_numbers();
}

void School::read_numbers() {
  auto all = model_.entities();
  all.insert(entities_.begin(), entities_.end());
  const auto read = store_->db().each("SELECT number,uuid FROM d_entity", [&](Statement::Use& row) {
    std::string blob(text_of(row.blob(1)));
    for (const auto& [uuid, name] : all)
      if (uuid_blob(uuid) == blob) numbers_[row.integer(0)] = name;
  });
  if (!read) throw Broken("the school's entities cannot be read: " + read.error().sentence());
}

std::optional<std::int64_t> School::number_of(const std::string& pupil) {
  for (const auto& [number, name] : numbers_)
    if (name == pupil) return number;
  return std::nullopt;
}

// --- its people -----------------------------------------------------------------------------------------

void School::approve(bool again) {
  const auto offers = sharing_->offers();
  if (!offers) {
    settled(fail(offers.error()), "looking at what is offered");
    return;
  }
  std::map<std::string, const Offer*> newest;  // by agreement
  for (const Offer& offer : *offers) newest[offer.id] = &offer;
  std::vector<const Offer*> choices;
  for (const auto& [id, offer] : newest) {
    const auto paper = around_.papers.find({id, offer->version});
    if (paper == around_.papers.end() || offer->text != paper->second.text())
      throw Broken("an agreement is offered that nobody has written: " + id);
    if (!offer->agreement) throw Broken("an agreement cannot be read at a school: " + id);
    const auto now = decisions_.by_audience.find(paper->second.audience);
    const auto is_it = [&, version = offer->version](const Paper& p) {
      return p.id == paper->second.id && p.version == version;
    };
    const bool is_so = now != decisions_.by_audience.end() &&
                       ((now->second.state == State::kApproved && is_it(now->second.paper)) ||
                        std::any_of(now->second.next.begin(), now->second.next.end(), is_it));
    if (paper->second.names(urn_) && paper->second.end >= today() && (!is_so || again))
      choices.push_back(offer);
  }
  if (choices.empty()) {
    disarm();
    return;
  }
  approve(*choices[random_.below(choices.size())]);
}

void School::approve(const Offer& offer) {
  const Paper& paper = around_.papers.at({offer.id, offer.version});
  undecided_ = decisions_;
  if (const auto now = undecided_->by_audience.find(paper.audience); now != undecided_->by_audience.end())
    now->second.approve(paper, today());
  else
    undecided_->by_audience[paper.audience] = {paper, State::kApproved};
  const auto done = sharing_->approve(offer, kBy);
  if (!settled(done, "approving")) return;
  decisions_ = *std::exchange(undecided_, std::nullopt);
  if (const auto lost = unknown_.find(paper.audience); lost != unknown_.end()) lost->second = paper.start;
  trace_.event("approves " + offer.id + " version " + std::to_string(offer.version));
  adopt();
}

void School::withdraw() {
  std::vector<std::string> choices;
  for (const auto& [audience, decision] : decisions_.by_audience)
    if (decision.state != State::kOver) choices.push_back(audience);
  if (choices.empty()) {
    disarm();
    return;
  }
  const std::string& audience = choices[random_.below(choices.size())];
  withdraw(audience, decisions_.by_audience[audience].paper);
}

void School::withdraw(const std::string& audience, const Paper& paper) {
  const std::string id = paper.id;
  undecided_ = decisions_;
  undecided_->by_audience[audience] = {paper, State::kOver, {}};
  if (!settled(sharing_->withdraw(id, kBy), "withdrawing")) return;
  decisions_ = *std::exchange(undecided_, std::nullopt);
  unknown_.erase(audience);
  trace_.event("withdraws " + id);
  adopt();
}

void School::rule() {
  std::vector<std::string> known;
  for (const std::string& pupil : source_.pupils())
    if (number_of(pupil)) known.push_back(pupil);
  const std::size_t what = random_.below(10);
  if (known.empty()) {
    disarm();
    return;
  }
  const std::string pupil = known[random_.below(known.size())];
  Rule rule = decisions_.rules[pupil];
  if (rule.erased) {
    disarm();
    return;
  }
  undecided_ = decisions_;
  Pupils pupils(*store_, clock_);
  const std::int64_t number = *number_of(pupil);
  Result<void> done;
  if (what == 0) {
    rule.erased = true;
    undecided_->rules[pupil] = rule;
    const auto erased = pupils.erase(number, "asked for by a parent", kBy);
    done = erased ? Result<void>{} : fail(erased.error());
  } else if (what < 3) {
    rule.restricted = !rule.restricted;
    undecided_->rules[pupil] = rule;
    done = pupils.restrict(number, rule.restricted, kBy);
  } else {
    const int before = rule.level;
    rule.level = before > 0 && what < 5 ? static_cast<int>(random_.below(static_cast<std::size_t>(before)))
                                        : static_cast<int>(random_.between(1, 3));
    undecided_->rules[pupil] = rule;
    done = pupils.protect(number, rule.level, kBy, true);
  }
  if (!settled(done, "setting a pupil's rule")) return;
  decisions_ = *std::exchange(undecided_, std::nullopt);
  trace_.event("sets " + pupil +
               (rule.erased       ? " erased"
                : rule.restricted ? " restricted"
                                  : "") +
               ", level " + std::to_string(rule.level));
  adopt();
}

void School::name_pupils() {
  std::set<std::string> audiences;
  for (const auto& [key, paper] : around_.papers)
    if (paper.names(urn_)) audiences.insert(paper.audience);
  std::vector<std::string> known;
  for (const std::string& pupil : source_.pupils())
    if (number_of(pupil) && !decisions_.rules[pupil].erased) known.push_back(pupil);
  if (audiences.empty() || known.empty()) {
    disarm();
    return;
  }
  const std::string audience =
      *std::next(audiences.begin(), static_cast<std::ptrdiff_t>(random_.below(audiences.size())));
  for (std::size_t n = random_.between(1, 4); n > 0; --n) {
    const std::string pupil = known[random_.below(known.size())];
    undecided_ = decisions_;
    auto& list = undecided_->named[audience];
    const bool add = !list.contains(pupil);
    if (add)
      list.insert(pupil);
    else
      list.erase(pupil);
    Pupils pupils(*store_, clock_);
    if (!settled(pupils.name(audience, *number_of(pupil), add, kBy), "naming a pupil")) return;
    decisions_ = *std::exchange(undecided_, std::nullopt);
  }
  trace_.event("names pupils for " + audience);
  adopt();
}

// --- what its store has of it ------------------------------------------------------------------------------

Decisions School::stored() {
  Decisions now;
  const auto all = sharing_->decided(Date{today()});
  if (!all) throw Broken("decisions cannot be read: " + all.error().sentence());
  for (const Decided& d : *all) {
    const auto paper = around_.papers.find({d.agreement, d.version});
    if (paper == around_.papers.end()) throw Broken("something was decided about what nobody has written");
    State state = State::kOver;
    if (d.standing == Standing::kInForce || d.standing == Standing::kNotYet) state = State::kApproved;
    if (d.standing == Standing::kSuspended) state = State::kSuspended;
    if (d.standing == Standing::kNotUnderstood) throw Broken("an agreement is not understood any more");
    Decisions::Decision& decision = now.by_audience[d.audience] = {paper->second, state};
    for (const Decided::Next& n : d.next)
      decision.next.push_back(around_.papers.at({n.agreement, n.version}));
  }
  const auto pupil_of = [&](std::int64_t number) {
    const auto found = numbers_.find(number);
    if (found == numbers_.end())
      throw Broken("a rule is about number " + std::to_string(number) + ", whose nobody knows");
    return found->second;
  };
  const auto rules =
      store_->db().each("SELECT pupil,level,restricted,erased FROM pupil_rule", [&](Statement::Use& row) {
        const Rule rule{static_cast<int>(row.integer(1)), row.integer(2) != 0, row.integer(3) != 0};
        if (rule.any()) now.rules[pupil_of(row.integer(0))] = rule;
      });
  const auto named = store_->db().each("SELECT audience,pupil FROM named_pupil", [&](Statement::Use& row) {
    now.named[std::string(row.text(0))].insert(pupil_of(row.integer(1)));
  });
  if (!rules || !named) throw Broken("rules of pupils cannot be read");
  return now;
}

void School::adopt() {
  const Decisions now = stored();
  const Decisions then = undecided_.value_or(decisions_);
  undecided_.reset();
  // Rules and names: as before, or as decided. An erased pupil's other rules are nobody's matter any more.
  const auto tidy = [](const Decisions& d) {
    auto rules = d.rules;
    std::erase_if(rules, [](const auto& r) { return !r.second.any(); });
    auto named = d.named;
    for (auto& [pupil, rule] : rules)
      if (rule.erased) {
        rule = {0, false, true};
        for (auto& [audience, list] : named) list.erase(pupil);
      }
    std::erase_if(named, [](const auto& n) { return n.second.empty(); });
    return std::pair(rules, named);
  };
  const auto is = tidy(now);
  if (is != tidy(decisions_) && is != tidy(then))
    throw Broken(Promise::kKept, "what was set for single pupils is neither as before nor as it was decided");
  std::set<std::string> audiences;
  for (const Decisions* d : {&now, static_cast<const Decisions*>(&decisions_), &then})
    for (const auto& [audience, decision] : d->by_audience) audiences.insert(audience);
  for (const std::string& audience : audiences) {
    const auto of = [&](const Decisions& d) -> std::optional<Decisions::Decision> {
      const auto found = d.by_audience.find(audience);
      if (found == d.by_audience.end()) return std::nullopt;
      return found->second.on(today());
    };
    const auto found = of(now);
    const auto same = [](const Paper& a, const Paper& b) { return a.id == b.id && a.version == b.version; };
    const auto equal = [&](const std::optional<Decisions::Decision>& other) {
      if (!found || !other) return !found && !other;
      return found->state == other->state && same(found->paper, other->paper) &&
             std::equal(found->next.begin(), found->next.end(), other->next.begin(), other->next.end(), same);
    };
    if (equal(of(decisions_)) || equal(of(then))) continue;
    bool excused = false;
    for (const auto& before : {of(decisions_), of(then)}) {
      if (!before || !found || before->paper.id != found->paper.id ||
          before->paper.version != found->paper.version)
        continue;
      const bool ended = before->paper.end < today() ||
                         (before->paper.federal() && (set_back_ || left_.contains(audience.substr(11))));
      if (found->state == State::kOver && ended) excused = true;
      if (found->state == State::kSuspended && before->state == State::kApproved && set_back_) excused = true;
    }
    if (excused) {
      trace_.event(audience + " is " + state_text(found->state));
      continue;
    }
    const auto text = [](const std::optional<Decisions::Decision>& d) {
      return !d ? std::string("undecided")
                : d->paper.id + " version " + std::to_string(d->paper.version) + " " + state_text(d->state);
    };
    throw Broken(Promise::kReason, audience + " is " + text(found) +
                                       " at the school, where people decided: " + text(of(decisions_)));
  }
  decisions_ = now;
}

// --- its machine
// --------------------------------------------------------------------------------------------

void School::roll_back() {
  const bool keys = random_.chance(50);
  tell(trace_, Mishap::kSchoolBack, keys ? "keys and all" : "");
  close();
  disk_.restore(backup_->disk);
  if (keys) keys_.files = backup_->keys;
  model_ = backup_->model;
  rows_ = backup_->rows;
  for (const auto& [audience, decision] : decisions_.by_audience) {
    const auto then = backup_->decisions.by_audience.find(audience);
    if (then == backup_->decisions.by_audience.end() || then->second.state != decision.state ||
        then->second.paper.version != decision.paper.version)
      unknown_[audience] = INT_MAX;
  }
  decisions_ = backup_->decisions;
  numbers_ = backup_->numbers;
  forget_machine();
}

void School::lose() {
  tell(trace_, Mishap::kSchoolLoss);
  close();
  disk_.restore({});
  keys_.files.clear();
  backup_.reset();
  model_ = SchoolModel(urn_, Declared::here());
  rows_.clear();
  for (const auto& [audience, decision] : decisions_.by_audience) unknown_[audience] = INT_MAX;
  decisions_ = {};
  numbers_.clear();
  enrol_due_ = true;
  forget_machine();
}

void School::forget_machine() {
  around_.witness.new_life(urn_);
  run_.reset();
  undecided_.reset();
  set_back_ = true;
}

void School::hub_set_back() { set_back_ = true; }

bool School::enrol() {
  if (!code_) code_ = hub_.invite(urn_);
  if (!code_) return false;
  ExchangeOptions options;
  options.school_urn = urn_;
  options.software = "towpath sim";
  options.dictionary_version = built_in_dictionary().version;
  auto enrolled = towpath::enrol(*code_, "sim", speaker(options), keys_, *line_, link_, clock_, chance_);
  if (went_down("while it is enrolled")) {
    set_back_ = true;
    return false;
  }
  if (!enrolled) {
    trace_.event("not enrolled: " + enrolled.error().sentence());
    const Code code = enrolled.error().code();
    if (code != Code::kTransport && code != Code::kBlocked) code_.reset();
    return false;
  }
  trace_.event("school: enrolled");
  code_.reset();
  enrol_due_ = false;
  open_identity();
  return true;
}

bool School::begin_sync() {
  if (rows_.empty()) return false;
  ++syncs_;
  disk_.clear_struck();
  static_cast<void>(link_.take_disturbed());
  disturbed_ = false;
  if (!identity_ || enrol_due_) {
    risk(12);
    if (!enrol()) return false;
    disarm();
  }
  ExchangeOptions options;
  options.school_urn = urn_;
  options.software = "towpath sim";
  options.dictionary_version = built_in_dictionary().version;
  if (random_.chance(40)) options.body_bytes = kBundleFramesReserve + 4096;
  exchange_.reset();
  desk_ = std::make_unique<HubDesk>(*sharing_, *partners_, *store_, *identity_, clock_);
  if (!settled(desk_->settle(), "settling what is due")) return false;
  exchange_ = std::make_unique<Exchange>(*desk_, *line_, *peer_, link_, clock_, chance_, options);
  return true;
}

void School::step_sync() {
  const auto pending = line_->restore_pending();
  if (!pending) throw Broken("the store cannot be read: " + pending.error().sentence());
  // What the exchange would fetch by itself is fetched here, where the model can follow.
  if (*pending) {
    Image hub;
    if (!hub_.down())
      if (auto image = hub_.borough(urn_, entities_)) hub = std::move(*image);
    const SchoolModel::Outcome outcome = model_.after_restore(hub);
    ExchangeOptions options;
    options.school_urn = urn_;
    options.software = "towpath sim";
    options.dictionary_version = built_in_dictionary().version;
    Conversation conversation(*line_, *peer_, link_, clock_, chance_, speaker(options));
    const StreamId stream = stream_id(urn_, kBorough);
    auto counts = restore_from_hub(*store_, stream, clock_.now(), [&](Frame question) {
      return conversation.ask_until_answered({HeadFrame{stream, Head{}}, std::move(question)});
    });
    auto done = counts ? line_->set_restore_pending(false) : fail(counts.error());
    disturbed_ = link_.take_disturbed() || disturbed_;
    if (!done) {
      trace_.event("not restored: " + done.error().sentence());
      if (!disturbed_ && !set_back_)
        throw Broken(Promise::kReason, "a restore failed without a reason: " + done.error().sentence());
      if (ends_the_key(done.error().code())) enrol_due_ = true;
      exchange_.reset();
      return;
    }
    model_.commit(outcome, outcome.rows);
    rows_ = model_.rows();
    entities_.merge(model_.entities());
    read_numbers();
    trace_.event("restored");
    return;
  }
  risk(40);
  auto more = exchange_->step();
  disturbed_ = link_.take_disturbed() || disturbed_;
  if (went_down("in its sync")) return;
  const auto tell_events = [&] {
    for (const std::string& event : exchange_->report().events) trace_.event("sync: " + event);
  };
  if (!more) {
    tell_events();
    trace_.event("sync ends: " + more.error().sentence());
    const Code code = more.error().code();
    exchange_.reset();
    const bool excused = disturbed_ || disk_.struck() || set_back_ || hub_.down();
    if (!excused)
      throw Broken(Promise::kReason, "a sync failed without a reason: " + more.error().sentence());
    if (ends_the_key(code) || code == Code::kOtherRecipient) enrol_due_ = true;
    if (disk_.struck()) {
      start();
    } else {
      adopt();
      note_sealed();
    }
    return;
  }
  adopt();
  note_sealed();
  if (*more) return;
  tell_events();
  const SyncReport report = exchange_->report();
  exchange_.reset();
  trace_.event("sync ends: " + std::to_string(report.exchanges) + " exchanges, " +
               std::to_string(report.segments) + " segments" + (report.equal ? ", equal" : ", not equal") +
               (report.up_to_date ? "" : ", not up to date"));
}

// --- once nothing fails
// ---------------------------------------------------------------------------------------

void School::heal() {
  for (std::size_t i = 0; i < kMishapCount; ++i) mishaps_.set(static_cast<Mishap>(i), 0);
  link_.heal();
  plan_.clear();
  exchange_.reset();
  disarm();
}

void School::tidy() {
  if (!up()) start();
  source_.next_day(today());
  extract();
}

void School::look_again() {
  std::vector<std::string> suspended;
  for (const auto& [audience, decision] : decisions_.by_audience)
    if (decision.state == State::kSuspended) suspended.push_back(audience);
  for (const std::string& audience : suspended) {
    const auto offer = sharing_->offer(decisions_.by_audience[audience].paper.id);
    if (!offer) throw Broken("an offer cannot be read: " + offer.error().sentence());
    approve(*offer);
    if (decisions_.by_audience[audience].state == State::kSuspended)
      withdraw(audience, decisions_.by_audience[audience].paper);
  }
  // What the store no longer knows can be withdrawn all the same.
  for (const auto& [audience, until] : std::map<std::string, int>(unknown_)) {
    if (until <= today()) continue;
    const auto offers = sharing_->offers();
    if (!offers) throw Broken("offers cannot be read: " + offers.error().sentence());
    const Offer* newest = nullptr;
    for (const Offer& offer : *offers)
      if (offer.audience == audience) newest = &offer;
    if (newest == nullptr) continue;
    const auto found = decisions_.by_audience.find(audience);
    if (found == decisions_.by_audience.end()) {
      if (random_.chance(50)) {
        withdraw(audience, around_.papers.at({newest->id, newest->version}));
        continue;
      }
      approve(*newest);
    } else if (found->second.state != State::kApproved || found->second.paper.version != newest->version) {
      approve(*newest);
    }
    const auto now = decisions_.by_audience.find(audience);
    if (random_.chance(50) && now != decisions_.by_audience.end() && now->second.state == State::kApproved)
      withdraw(audience, now->second.paper);
  }
}

bool School::sync_once() {
  if (!up()) start();
  if (!begin_sync()) return false;
  for (int i = 0; exchange_ != nullptr; ++i) {
    if (i == kStepsMax) throw Broken(Promise::kLive, "a sync does not come to its end");
    step_sync();
  }
  return true;
}

void School::cut_power() {
  close();
  disk_.stop(Fault::kPowerCut);
  start();
}

void School::check_sound() {
  if (auto sound = store_->db().integrity_check(); !sound)
    throw Broken("the school's store: " + sound.error().sentence());
}

}  // namespace towpath::sim::fed
