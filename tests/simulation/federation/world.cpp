#include "tests/simulation/federation/world.hpp"

#include <algorithm>

#include "hub/federation/orders.hpp"
#include "hub/relay/relay.hpp"
#include "tests/simulation/sim_vfs.hpp"

namespace towpath::sim::fed {
namespace {

constexpr int kStartsMax = 100;
// Once nothing fails: orders travel to the hub, to partners, and their receipts back; who had to enrol anew
// needs one more, and so does a partner that asks for a snapshot.
constexpr unsigned kRoundsToSettle = 5;
// Longer than what left the scope may still lie in old segments.
constexpr std::chrono::days kUntilAllIsDue{31};
// The story of a world that broke: events before it.
constexpr std::size_t kStory = 60;

std::string federation_of(const std::string& audience) { return audience.substr(audience.find(':') + 1); }

}  // namespace

std::string WorldOptions::text() const {
  std::string text = "--seed " + std::to_string(seed);
  if (schools > 0) text += " --schools " + std::to_string(schools);
  if (days > 0) text += " --days " + std::to_string(days);
  if (swarm) text += " --swarm";
  return text + mishaps.text(usual_mishaps());
}

World::World(const WorldOptions& options)
    : options_(options),
      random_(options.seed, "federations"),
      witness_(words_),
      hub_(options.seed, time_, trace_, witness_) {
  if (options.print) trace_.print_all();
}

int World::today() {
  using namespace std::chrono;
  return static_cast<int>(floor<days>(time_.now.time_since_epoch()).count());
}
School* World::school(const std::string& urn) {
  for (const auto& one : schools_)
    if (one->urn() == urn) return one.get();
  return nullptr;
}
std::vector<std::string> World::urns() const {
  std::vector<std::string> all;
  for (const auto& one : schools_) all.push_back(one->urn());
  return all;
}

void World::run() {
  seed_sqlite(static_cast<unsigned>(options_.seed));
  about({});
  if (!hub_.start()) throw Broken("the hub cannot be made");
  const std::size_t drawn = random_.between(3, 5);
  const std::size_t count = options_.schools > 0 ? options_.schools : drawn;
  const std::size_t drawn_days = random_.between(6, 12);
  const std::size_t days = options_.days > 0 ? options_.days : drawn_days;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string urn = std::to_string(100'001 + i);
    about(static_cast<unsigned>(i));
    hub_.add_school(urn);
    schools_.push_back(std::make_unique<School>(
        urn, School::Around{options_.seed, time_, hub_, trace_, words_, witness_, papers_, options_.mishaps},
        random_.between(3, 6)));
  }
  about({});
  const bool two = random_.chance(40);
  for (const char* federation : {"kentish", "canal"}) {
    auto& members = members_[federation];
    for (const auto& one : schools_)
      if (members.size() < 2 || random_.chance(70)) members.insert(one->urn());
    if (!two) break;
  }
  reconcile();
  offer("borough", random_.chance(50));
  for (const auto& [federation, members] : members_) offer("federation:" + federation, random_.chance(50));
  while (day_ < days) {
    ++day_;
    live_day();
  }
  settle();
}

// --- the operator ---------------------------------------------------------------------------------------

bool World::reconcile() {
  if (hub_.down()) return false;
  const auto offered = hub_.offered();
  for (const auto& [federation, members] : members_)
    if (!hub_.members().contains(federation) && !hub_.add_federation(federation, members)) return false;
  for (const auto& key : written_) {
    if (offered.contains(key)) continue;
    const Paper& paper = papers_.at(key);
    if (paper.federal())
      for (const std::string& urn : paper.parties)
        if (!hub_.members()[federation_of(paper.audience)].contains(urn) &&
            !hub_.join(federation_of(paper.audience), urn))
          return false;
    if (!hub_.offer(paper)) return false;
  }
  for (const auto& [federation, members] : members_) {
    const auto now = hub_.members()[federation];
    for (const std::string& urn : members)
      if (!now.contains(urn) && !hub_.join(federation, urn)) return false;
    for (const std::string& urn : now)
      if (!members.contains(urn)) {
        school(urn)->removed_from(federation);
        if (!hub_.leave(federation, urn)) return false;
      }
  }
  return true;
}

void World::offer(const std::string& audience, bool widest) {
  const std::string id = (audience == "borough" ? audience : federation_of(audience)) + "-1";
  unsigned version = 1;
  for (const auto& [key, paper] : papers_)
    if (key.first == id) version = std::max(version, key.second + 1);
  std::vector<std::string> parties = urns();
  if (audience != "borough") {
    const auto& members = members_[federation_of(audience)];
    parties.assign(members.begin(), members.end());
    if (parties.size() < 2) return;
  }
  Paper paper = widest ? widest_paper(id, audience, version, parties, today())
                       : draw_paper(random_, id, audience, version, parties, today());
  trace_.event("the operator writes " + paper.says());
  witness_.offered(paper);
  papers_.emplace(std::pair(id, version), paper);
  written_.emplace_back(id, version);
  reconcile();
}

void World::operate() {
  const Mishaps& mishaps = options_.mishaps;
  const bool offers = mishaps.strikes(Mishap::kOffer, random_);
  const bool moves = mishaps.strikes(Mishap::kMember, random_);
  auto which = random_.below(members_.size() + 1);
  const bool widest = random_.chance(25);
  const std::size_t who = random_.below(schools_.size());
  const bool with_paper = random_.chance(70);
  if (moves) {
    auto& [federation, members] =
        *std::next(members_.begin(), static_cast<std::ptrdiff_t>(which % members_.size()));
    const std::string urn = schools_[who]->urn();
    if (members.contains(urn)) {
      members.erase(urn);
      trace_.event("the operator takes school " + urn + " out of " + federation);
      reconcile();
    } else {
      members.insert(urn);
      trace_.event("the operator takes school " + urn + " into " + federation);
      reconcile();
      if (with_paper) offer("federation:" + federation, widest);
    }
  }
  if (!offers) return;
  if (which == members_.size())
    offer("borough", widest);
  else
    offer("federation:" + std::next(members_.begin(), static_cast<std::ptrdiff_t>(which))->first, widest);
}

// --- days -------------------------------------------------------------------------------------------------

void World::live_day() {
  time_.pass(std::chrono::hours{24});
  about({});
  random_ = SimRandom(options_.seed, "federations: day " + std::to_string(day_));
  const Mishaps& mishaps = options_.mishaps;
  if (random_.chance(30) && mishaps.rate(Mishap::kHubBack) > 0 && !hub_.down()) hub_.back_up();
  if (mishaps.strikes(Mishap::kHubBack, random_) && hub_.set_back()) {
    tell(trace_, Mishap::kHubBack);
    for (const auto& one : schools_) one->hub_set_back();
    hub_.start();
  }
  SimRandom operator_random = random_.split();
  std::swap(operator_random, random_);
  if (!hub_.down()) {
    reconcile();
    operate();
  }
  std::swap(operator_random, random_);
  std::vector<std::size_t> busy;
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    about(static_cast<unsigned>(i));
    schools_[i]->begin_day();
    busy.push_back(i);
  }
  while (!busy.empty()) {
    about({});
    const bool starts = random_.chance(60);
    if (hub_.down() && starts) hub_.start();
    if (mishaps.strikes(Mishap::kHubRest, random_) && random_.chance(10) && !hub_.down()) {
      tell(trace_, Mishap::kHubRest);
      hub_.disk().stop(Fault::kPowerCut);
    }
    const std::size_t at = random_.below(busy.size());
    about(static_cast<unsigned>(busy[at]));
    if (!schools_[busy[at]]->turn()) busy.erase(busy.begin() + static_cast<std::ptrdiff_t>(at));
  }
  about({});
  if (!hub_.down()) check_done();
}

void World::start_hub() {
  for (int i = 0; hub_.down(); ++i) {
    if (i == kStartsMax) throw Broken(Promise::kLive, "the hub does not come up");
    hub_.start();
  }
}

void World::sync_all(unsigned rounds) {
  for (unsigned round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < schools_.size(); ++i) {
      about(static_cast<unsigned>(i));
      schools_[i]->sync_once();
    }
}

void World::people_look_again() {
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    about(static_cast<unsigned>(i));
    schools_[i]->look_again();
  }
}

void World::settle() {
  about({});
  trace_.event("no mishaps from here on");
  start_hub();
  hub_.disk().disarm();
  // (On the same day the MIS would take its registers twice, and give rows of one key.)
  time_.pass(std::chrono::hours{24});
  ++day_;
  if (!reconcile()) throw Broken(Promise::kLive, "the operator's books cannot be brought up");
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    about(static_cast<unsigned>(i));
    schools_[i]->heal();
    schools_[i]->tidy();
  }
  sync_all(2);
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    about(static_cast<unsigned>(i));
    schools_[i]->deliver_late();
  }
  sync_all(1);
  people_look_again();
  sync_all(kRoundsToSettle);
  // What a partner cannot use costs its school a snapshot once a day at most.
  time_.pass(std::chrono::hours{25});
  ++day_;
  sync_all(kRoundsToSettle);
  check_equal();
  check_done();
  check_receipts();
  check_gone(false);
  // Nothing that is gone comes back after a power cut.
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    about(static_cast<unsigned>(i));
    schools_[i]->cut_power();
  }
  about({});
  hub_.close_files();
  hub_.disk().stop(Fault::kPowerCut);
  start_hub();
  check_gone(false);
  // A month later; nobody reads an MIS meanwhile. Who has left the scope by then is recalled after another.
  for (int month = 0; month < 2; ++month) {
    trace_.event("a month later");
    time_.pass(kUntilAllIsDue);
    ++day_;
    sync_all(kRoundsToSettle);
  }
  check_equal();
  check_done();
  check_receipts();
  check_gone(true);
  for (const auto& one : schools_) one->check_sound();
  hub_.check_sound();
}

// --- what must hold -------------------------------------------------------------------------------------

void World::check_equal() {
  const auto members = hub_.members();
  if (members != members_)
    throw Broken(Promise::kLive, "the hub's federations are not as the operator wants them");
  Relays relays(hub_.registry());
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    School& writer = *schools_[i];
    about(static_cast<unsigned>(i));
    const Oracle oracle(writer.rows(), writer.decisions(), writer.today());
    const Paper* paper = writer.decisions().in_force("borough", writer.today());
    const auto held = hub_.borough(writer.urn(), writer.entities());
    if (writer.unknown("borough")) paper = nullptr;
    if (paper == nullptr && held && !held->empty() && !writer.unknown("borough"))
      throw Broken(Promise::kErased,
                   "the hub still has rows of school " + writer.urn() + ", which agrees to nothing");
    if (paper != nullptr) {
      if (!held)
        throw Broken(Promise::kEqual, "the hub has nothing whole of school " + writer.urn() +
                                          ", which agrees to " + paper->says());
      if (const auto differ = differences(oracle.projected(*paper), *held); !differ.empty())
        throw Broken(Promise::kEqual, "the hub's rows of school " + writer.urn() + " are not what " +
                                          paper->says() + " gives:" + differ);
    }
    for (const auto& [federation, urns] : members_) {
      const std::string audience = "federation:" + federation;
      paper = writer.decisions().in_force(audience, writer.today());
      if (writer.unknown(audience)) continue;
      const bool speaks = paper != nullptr && urns.contains(writer.urn());
      const Image expected = speaks ? oracle.projected(*paper) : Image();
      const auto stored = relays.holds(writer.urn(), federation);
      if (!stored) throw Broken("a relayed log cannot be read: " + stored.error().sentence());
      if (*stored && !speaks)
        throw Broken(Promise::kErased, "the hub still stores what school " + writer.urn() + " has for " +
                                           audience + ", which is shared no longer");
      for (std::size_t j = 0; j < schools_.size(); ++j) {
        School& reader = *schools_[j];
        if (i == j || reader.unknown(audience)) continue;
        const bool may = speaks && urns.contains(reader.urn()) &&
                         reader.decisions().in_force(audience, reader.today()) != nullptr;
        auto replica = reader.partners().read(federation, writer.urn());
        if (!replica) throw Broken("a replica cannot be read: " + replica.error().sentence());
        const std::string where =
            "school " + reader.urn() + "'s replica of school " + writer.urn() + " for " + audience;
        if (!may && *replica) throw Broken(Promise::kErased, where + " is there, and should not be");
        if (!may) continue;
        if (!*replica) throw Broken(Promise::kLive, where + " is not there");
        ImageReader image(Declared::here(), writer.entities());
        image.with_digest();
        image.read((*replica)->database(), false);
        if (image.digest() != (*replica)->head().digest.bytes)
          throw Broken(Promise::kEqual, where + " has another digest than its head says");
        if (const auto differ = differences(expected, image.take()); !differ.empty())
          throw Broken(Promise::kEqual, where + " is not what " + paper->says() + " gives:" + differ);
      }
    }
  }
}

void World::check_gone(bool all) {
  hub_.close_files();
  const auto check = [&](const std::string& whose, const std::string& path, ByteView bytes, School& writer,
                         const std::string& audience, bool holder_may) {
    if (writer.unknown(audience)) return;
    const Paper* paper = holder_may ? writer.decisions().in_force(audience, writer.today()) : nullptr;
    const Oracle oracle(writer.rows(), writer.decisions(), writer.today());
    for (const std::uint32_t number : words_in(text_of(bytes))) {
      const Word& word = words_.of(number);
      if (word.school != writer.urn())
        throw Broken(Promise::kPrivate, whose + ": " + path + " holds " + words_.whose(number));
      if (paper == nullptr || !oracle.may_lie(*paper, word, all))
        throw Broken(Promise::kErased,
                     whose + ": " + path + " still holds " + words_.whose(number) +
                         (paper == nullptr ? ", though nothing is shared"
                                           : ", which " + paper->says() + " does not give"));
    }
    // Sealed segments lie in the relay's logs only.
    const auto orders = witness_.orders().find(writer.urn());
    if (orders == witness_.orders().end() || path.find("/relay-") == std::string::npos) return;
    const auto found =
        witness_.lies(stream_id(writer.urn(), audience), text_of(bytes), [&](const Witness::Segment& s) {
          return std::any_of(orders->second.begin(), orders->second.end(),
                             [&](const Witness::Ordered& order) {
                               if (order.paper.audience != audience || s.life > order.life) return false;
                               const auto place = std::pair(order.paper.epoch, order.paper.seq),
                                          here = std::pair(s.epoch, s.seq);
                               return order.paper.all ? here <= place : here < place;
                             });
        });
    if (found)
      throw Broken(Promise::kErased, whose + ": " + path + " still holds " + *found + " of school " +
                                         writer.urn() + " for " + audience + ", which was recalled");
  };
  about({});
  for (const auto& [path, bytes] : hub_.disk().image()) {
    bool known = false;
    for (const auto& writer : schools_) {
      const std::size_t at = path.find("/" + writer->urn() + "/");
      if (at == std::string::npos) continue;
      const std::string file = path.substr(at + writer->urn().size() + 2);
      known = true;
      if (file.starts_with("borough-")) check("the hub", path, bytes, *writer, "borough", true);
      for (const auto& [federation, members] : members_)
        if (file.starts_with("relay-" + federation + "."))
          check("the hub", path, bytes, *writer, "federation:" + federation, members.contains(writer->urn()));
    }
    if (!known && !words_in(text_of(bytes)).empty())
      throw Broken(Promise::kPrivate, "the hub's " + path + " holds a pupil's or school's word");
  }
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    School& reader = *schools_[i];
    about(static_cast<unsigned>(i));
    for (const auto& [path, bytes] : reader.disk().image()) {
      if (path.find("partners/") == std::string::npos) {
        for (const std::uint32_t number : words_in(text_of(bytes))) {
          const Word& word = words_.of(number);
          const auto rule = reader.decisions().rules.find(word.pupil);
          if (word.school != reader.urn())
            throw Broken(Promise::kPrivate,
                         "school " + reader.urn() + "'s " + path + " holds " + words_.whose(number));
          if (rule != reader.decisions().rules.end() && rule->second.erased)
            throw Broken(Promise::kErased, "school " + reader.urn() + "'s own " + path + " still holds " +
                                               words_.whose(number) + ", who is erased");
        }
        continue;
      }
      const std::string file = path.substr(path.rfind('/') + 1);
      bool known = false;
      for (const auto& [federation, members] : members_)
        for (const auto& writer : schools_) {
          if (!file.starts_with(federation + "-" + writer->urn() + "-")) continue;
          known = true;
          const std::string audience = "federation:" + federation;
          if (reader.unknown(audience)) continue;
          check("school " + reader.urn(), path, bytes, *writer, audience,
                members.contains(reader.urn()) && members.contains(writer->urn()) &&
                    reader.decisions().in_force(audience, reader.today()) != nullptr);
        }
      if (!known && !words_in(text_of(bytes)).empty())
        throw Broken(Promise::kPrivate, "school " + reader.urn() + "'s " + path + " holds a partner's word");
    }
  }
}

// Nobody is shown as done who has not said so.
void World::check_done() {
  const auto orders = Orders(hub_.registry()).all();
  if (!orders) throw Broken("the hub's orders cannot be read: " + orders.error().sentence());
  for (const OrderState& order : *orders)
    for (const OrderTask& task : order.tasks)
      if (task.done && !task.urn.empty() && !witness_.has_receipt(task.urn, order.deed))
        throw Broken(Promise::kErased, "school " + task.urn + " is shown to have carried out order " +
                                           order.deed.text() + ", and has never said so");
}

void World::check_receipts() {
  const auto orders = Orders(hub_.registry()).all();
  if (!orders) throw Broken("the hub's orders cannot be read: " + orders.error().sentence());
  for (const OrderState& order : *orders)
    for (const OrderTask& task : order.tasks)
      if (!task.done)
        throw Broken(
            Promise::kLive,
            "order " + order.deed.text() + " of " + order.issuer + " about " + order.order.audience +
                " still waits for " +
                (task.urn.empty()
                     ? std::string("the hub")
                     : "school " + task.urn +
                           (witness_.has_receipt(task.urn, order.deed) ? ", which has answered" : "")));
  for (std::size_t i = 0; i < schools_.size(); ++i) {
    School& one = *schools_[i];
    about(static_cast<unsigned>(i));
    const auto waiting = one.sharing().deeds_to_send(1 << 20);
    if (!waiting) throw Broken("deeds cannot be read: " + waiting.error().sentence());
    if (!waiting->empty())
      throw Broken(Promise::kLive, "school " + one.urn() + " has " + std::to_string(waiting->size()) +
                                       " deeds that the hub has not taken");
    const auto made = one.sharing().orders();
    const auto receipts = one.sharing().receipts();
    if (!made || !receipts) throw Broken("orders and receipts cannot be read");
    for (const Sharing::ReceiptHeld& receipt : *receipts)
      if (!receipt.signature_good)
        throw Broken(Promise::kErased, "school " + one.urn() + " holds a receipt that does not verify");
    for (const Sharing::OrderMade& order : *made) {
      const auto at_hub = std::find_if(orders->begin(), orders->end(),
                                       [&](const OrderState& o) { return o.deed == order.deed; });
      if (at_hub == orders->end())
        throw Broken(Promise::kKept,
                     "the hub does not know order " + order.deed.text() + " of school " + one.urn());
      for (const OrderTask& task : at_hub->tasks) {
        const std::string issuer = task.urn.empty() ? "hub" : "school:" + task.urn;
        if (std::none_of(receipts->begin(), receipts->end(), [&](const Sharing::ReceiptHeld& r) {
              return r.issuer == issuer && r.paper.about == order.deed;
            }))
          throw Broken(Promise::kErased, "school " + one.urn() + " holds no receipt of " + issuer +
                                             " about its order " + order.deed.text());
      }
    }
  }
}

// --- living one
// ---------------------------------------------------------------------------------------------

Outcome World::outcome() const {
  Outcome outcome;
  outcome.where = trace_.here();
  outcome.events = trace_.events();
  outcome.trace_hash = trace_.hash();
  for (const auto& one : schools_) outcome.syncs += one->syncs();
  outcome.segments = witness_.segments();
  for (const auto& [urn, orders] : witness_.orders()) outcome.orders += orders.size();
  outcome.school_days = day_ * static_cast<unsigned>(schools_.size());
  return outcome;
}

Outcome live(const WorldOptions& options) {
  World world(options);
  std::optional<std::string> broke;
  Promise promise = Promise::kSound;
  try {
    world.run();
  } catch (const Broken& broken) {
    broke = broken.what();
    promise = broken.promise;
  } catch (const std::exception& thrown) {
    broke = std::string("an exception: ") + thrown.what();
  }
  Outcome outcome = world.outcome();
  outcome.broke = std::move(broke);
  outcome.promise = promise;
  return outcome;
}

std::string report(const WorldOptions& options, const Outcome& outcome) {
  std::string text = "towpath-fed-sim " + options.text() + "\n" + outcome.where.place() + ": " +
                     *outcome.broke + "\npromised is: " + std::string(says(outcome.promise)) +
                     "\nbefore it:\n";
  const std::size_t from = outcome.events.size() > kStory ? outcome.events.size() - kStory : 0;
  for (std::size_t i = from; i < outcome.events.size(); ++i)
    text += "  " + outcome.events[i].place() + ": " + outcome.events[i].what + "\n";
  return text;
}

}  // namespace towpath::sim::fed
