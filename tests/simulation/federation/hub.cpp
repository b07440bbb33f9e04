#include "tests/simulation/federation/hub.hpp"

#include "hub/federation/agreements.hpp"
#include "hub/federation/federations.hpp"

namespace towpath::sim::fed {
namespace {
constexpr const char* kFolder = "hub";
}

Hub::Hub(std::uint64_t seed, const SimTime& time, Trace& trace, Witness& witness)
    : random_(seed, "federations: hub"),
      disk_(SimRandom(seed, "federations: hub disk")),
      clock_(time),
      trace_(trace),
      witness_(witness) {
  SimRandom chance(seed, "federations: hub key");
  keys_ = Keyring::of(PartySecret::make(chance), clock_.now());
}
Hub::~Hub() { stop(); }

void Hub::stop() {
  service_.reset();
  registry_.reset();
}

bool Hub::start() {
  stop();
  if (disk_.down()) disk_.reboot();
  auto registry = Registry::open({kFolder, disk_.vfs(), !made_, true}, built_in_dictionary(), clock_);
  if (!registry) {
    if (!disk_.struck()) throw Broken("the hub does not start: " + registry.error().sentence());
    trace_.event(std::string("the hub fails to start: ") + sim::name(*disk_.struck()));
    disk_.clear_struck();
    disk_.heal();
    if (!disk_.down()) disk_.stop(Fault::kKill);
    return false;
  }
  made_ = true;
  registry_ = std::move(*registry);
  service_ = std::make_unique<HubService>(*registry_, *keys_, clock_, random_, built_in_dictionary(),
                                          "towpath-hub sim");
  service_->log_to([this](const std::string& line) { trace_.event("hub: " + line); });
  disk_.clear_struck();
  const std::set<DeedId> kept = deeds();
  for (const auto& [urn, ids] : witness_.taken())
    for (const DeedId& id : ids)
      if (!kept.contains(id))
        throw Broken(Promise::kKept, "the hub had said that it took deed " + id.text() + " of school " + urn +
                                         ", and has it no longer");
  return !down();
}

std::optional<Result<Bytes>> Hub::receive(const std::string& urn, ByteView request) {
  if (down()) return std::nullopt;
  auto taken = service_->take(request, Way::kLine);
  disk_.disarm();
  disk_.heal();
  if (disk_.down()) {
    trace_.event(std::string("the hub dies: ") + sim::name(disk_.struck().value_or(Fault::kKill)));
    stop();
    return std::nullopt;
  }
  if (!taken) return Result<Bytes>(fail(std::move(taken).error()));
  witness_.answers(urn, request, taken->bytes, *keys_, members());
  return Result<Bytes>(std::move(taken->bytes));
}

bool Hub::done(const Result<void>& result, const char* what) {
  disk_.disarm();
  disk_.heal();
  if (disk_.down()) {
    trace_.event(std::string("the hub dies: ") + sim::name(disk_.struck().value_or(Fault::kKill)));
    stop();
    return false;
  }
  if (result) return true;
  if (!disk_.struck()) throw Broken(Promise::kReason, std::string(what) + ": " + result.error().sentence());
  disk_.clear_struck();
  return false;
}

void Hub::add_school(const std::string& urn) {
  if (auto added = registry_->add_school(urn, "School " + urn); !added)
    throw Broken("a school cannot be added: " + added.error().sentence());
}

std::optional<Invitation> Hub::invite(const std::string& urn) {
  if (down()) return std::nullopt;
  Invitation code = Invitation::make(key(), random_);
  const Instant now = clock_.now();
  const auto invited = registry_->agents().invite(urn, Invitation::hash_of(code.secret()), now,
                                                  now + std::chrono::hours(14 * 24));
  if (!done(invited ? Result<void>{} : fail(invited.error()), "a school cannot be invited"))
    return std::nullopt;
  trace_.event("hub: school " + urn + " is invited");
  return code;
}

bool Hub::add_federation(const std::string& id, const std::set<std::string>& urns) {
  return !down() &&
         done(Federations(*registry_).add(id, "Federation " + id, {urns.begin(), urns.end()}, clock_.now()),
              "a federation cannot be made");
}
bool Hub::join(const std::string& id, const std::string& urn) {
  return !down() && done(Federations(*registry_).join(id, urn, clock_.now()), "a school cannot join");
}
bool Hub::leave(const std::string& id, const std::string& urn) {
  if (down()) return false;
  const auto left = Federations(*registry_).leave(id, urn, keys_->keys()->front().secret, clock_.now());
  return done(left ? Result<void>{} : fail(left.error()), "a school cannot leave");
}
bool Hub::offer(const Paper& paper) {
  if (down()) return false;
  witness_.offered(paper);
  const auto added =
      Agreements(*registry_)
          .add(paper.text(), built_in_dictionary(), keys_->keys()->front().secret, clock_.now());
  if (!done(added ? Result<void>{} : fail(added.error()), "an agreement cannot be offered")) return false;
  if (!added->faults.empty())
    throw Broken(Promise::kReason, "agreement " + paper.says() + " is refused: line " +
                                       std::to_string(added->faults[0].line) + ": " + added->faults[0].text);
  return true;
}

std::map<std::string, std::set<std::string>> Hub::members() {
  std::map<std::string, std::set<std::string>> all;
  const auto list = Federations(*registry_).list();
  if (!list) throw Broken("federations cannot be listed: " + list.error().sentence());
  for (const Federation& f : *list) {
    auto& urns = all[f.id];
    for (const FederationMember& m : f.members)
      if (!m.until) urns.insert(m.urn);
  }
  return all;
}
std::set<std::pair<std::string, unsigned>> Hub::offered() {
  std::set<std::pair<std::string, unsigned>> all;
  const auto list = Agreements(*registry_).list();
  if (!list) throw Broken("agreements cannot be listed: " + list.error().sentence());
  for (const OfferedAgreement& one : *list) all.emplace(one.id, one.version);
  return all;
}

void Hub::back_up() {
  trace_.event("hub: backup");
  backup_ = Backup{disk_.image(), witness_.knowledge()};
}
bool Hub::set_back() {
  if (!backup_) return false;
  stop();
  if (disk_.down()) disk_.reboot();
  disk_.restore(backup_->disk);
  witness_.set_back(backup_->knowledge);
  return true;
}

std::optional<Image> Hub::borough(const std::string& urn,
                                  const std::map<std::string, std::string>& entities) {
  auto replica = registry_->current(urn);
  if (!replica) throw Broken("the hub's copy cannot be opened: " + replica.error().sentence());
  if (!*replica) return std::nullopt;
  ImageReader reader(Declared::here(), entities);
  reader.with_digest();
  reader.read((*replica)->database(), false);
  if (reader.digest() != (*replica)->head().digest.bytes)
    throw Broken(Promise::kEqual,
                 "the hub's rows of school " + urn + " have another digest than its head says");
  return reader.take();
}

std::set<DeedId> Hub::deeds() {
  std::set<DeedId> all;
  auto books =
      Database::open({.path = std::string(kFolder) + "/registry.db", .vfs = disk_.vfs(), .create = false});
  if (!books) throw Broken("the hub's books cannot be opened: " + books.error().sentence());
  const auto read = books->each("SELECT id FROM deed", [&](Statement::Use& row) {
    DeedId id;
    const ByteView blob = row.blob(0);
    std::copy_n(blob.begin(), std::min(blob.size(), id.bytes.size()), id.bytes.begin());
    all.insert(id);
  });
  if (!read) throw Broken("the hub's deeds cannot be read: " + read.error().sentence());
  return all;
}

void Hub::close_files() {
  if (service_) service_->close_files();
}
void Hub::check_sound() {
  if (auto sound = registry_->check(); !sound) throw Broken("the registry: " + sound.error().sentence());
}

}  // namespace towpath::sim::fed
