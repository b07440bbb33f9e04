#include "tests/faults/night.hpp"

#include <algorithm>
#include <map>

#include "agent/store/overview.hpp"
#include "agent/store/restore.hpp"
#include "agent/uplink/verify.hpp"
#include "sqlite/database.hpp"
#include "trust/invitation.hpp"

namespace towpath::faults {
namespace {

constexpr const char* kStore = "school.db";
constexpr const char* kHub = "hub";
constexpr int kPupils = 24;
// Names and numbers that may be in no sentence, event or log line.
constexpr const char* kTelling[] = {"Quillfeather", "Xanthippe", "mis-pupil-"};

std::string surname(int pupil) { return "Quillfeather" + std::to_string(pupil); }

Database::Options file_on(const std::string& path, const sim::SimDisk& disk) {
  Database::Options options;
  options.path = path;
  options.vfs = disk.vfs();
  return options;
}

void check_whole(const std::string& path, const sim::SimDisk& disk) {
  auto db = Database::open(file_on(path, disk));
  INFO(path);
  if (!db) FAIL(db.error().sentence());
  if (auto sound = db->integrity_check(); !sound) FAIL(sound.error().sentence());
}

// The lists, read from either end's tables; empty where there are none.
Lists lists_in(const std::string& path, const sim::SimDisk& disk) {
  Lists all;
  auto db = Database::open(file_on(path, disk));
  if (!db) FAIL(db.error().sentence());
  const auto tables = db->integer("SELECT count(*) FROM sqlite_schema WHERE name='d_session_mark'");
  REQUIRE(tables);
  if (*tables == 0) return all;
  const auto add = [&](Statement::Use& use) { all.emplace_back(use.text(0)); };
  REQUIRE(db->each("SELECT 'pupil '||Surname||' '||Forename FROM d_pupil", add));
  REQUIRE(
      db->each("SELECT 'mark '||\"date\"||' '||session||' '||Surname||' '||code FROM d_session_mark m "
               "LEFT JOIN d_pupil p ON p.pupil=m.pupil",
               add));
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

// --- the school's system ---------------------------------------------------------------------

Mis::Mis() : source_(built_in_dictionary()) {
  lists_.emplace_back();
  for (const int day : {1, 2}) {
    fill(day);
    Lists all;
    for (const test::SourceFile& file : source_.files) {
      const Dataset& dataset = *built_in_dictionary().find(file.dataset);
      const auto cell = [&](const test::Record& record, std::string_view field) {
        return record[dataset.position(field).value()];
      };
      for (const test::Record& record : file.records)
        all.push_back(file.dataset == "pupil"
                          ? "pupil " + cell(record, "Surname") + " " + cell(record, "Forename")
                          : "mark " + std::to_string(Date::parse(cell(record, "date"))->days) +
                                (cell(record, "session") == "AM" ? " 0 " : " 1 ") +
                                surname(std::stoi(cell(record, "pupil").substr(10))) + " " +
                                cell(record, "code"));
    }
    std::sort(all.begin(), all.end());
    lists_.push_back(std::move(all));
  }
}

void Mis::fill(int day) {
  const Dictionary& dictionary = built_in_dictionary();
  source_.files.clear();
  const auto add = [&](const char* dataset,
                       std::initializer_list<std::pair<const char*, std::string>> cells) {
    const Dataset& d = *dictionary.find(dataset);
    test::Record record(d.fields.size());
    for (const auto& [field, value] : cells) record[d.position(field).value()] = value;
    source_.file(dataset).records.push_back(std::move(record));
  };
  // On day 2 one pupil is gone, one has come, one is called otherwise, one mark is corrected.
  const int first = day == 2 ? 1 : 0, end = day == 2 ? kPupils + 1 : kPupils;
  const auto id = [](int pupil) { return "mis-pupil-" + std::to_string(pupil); };
  for (int p = first; p < end; ++p)
    add("pupil", {{"pupil", id(p)},
                  {"Surname", surname(p)},
                  {"Forename", day == 2 && p == 5 ? "Xanthippe-Maud" : "Xanthippe"}});
  for (int d = 1; d <= day; ++d)
    for (const char* session : {"AM", "PM"})
      for (int p = first; p < (d == 1 ? kPupils : end); ++p)
        add("session_mark", {{"date", "2026-11-" + std::to_string(15 + d)},
                             {"session", session},
                             {"pupil", id(p)},
                             {"code", day == 2 && p == 7 ? "I"
                                      : p % 5 == 0       ? "L"
                                                         : "/"}});
}

void Mis::be(int day) { fill(day); }

// --- disks ---------------------------------------------------------------------------------------

void Disks::restore(const Image& image) {
  school.restore(image.school);
  hub.restore(image.hub);
}

Seen look(const Disks& disks, bool settled) {
  Disks copy;
  copy.restore(disks.image());
  Seen seen;
  const auto files = copy.school.files();
  if (const auto store = files.find(kStore); store != files.end() && store->second > 0) {
    check_whole(kStore, copy.school);
    seen.school = lists_in(kStore, copy.school);
  }
  {
    auto store = Store::open({kStore, copy.school.vfs(), kUrn, false}, built_in_dictionary());
    if (!store) FAIL(store.error().sentence());
    Publisher publisher(*store, {"borough", {}});
    auto acknowledged = publisher.acknowledged();
    if (!acknowledged) FAIL(acknowledged.error().sentence());
    seen.acknowledged = *acknowledged;
  }
  check_whole(std::string(kHub) + "/registry.db", copy.hub);
  struct Still final : Clock {
    Instant now() override { return {}; }
  } clock;
  {
    auto registry = Registry::open({kHub, copy.hub.vfs(), false, true}, built_in_dictionary(), clock);
    if (!registry) FAIL(registry.error().sentence());
    auto heads = (*registry)->epochs(kUrn);
    if (!heads) FAIL(heads.error().sentence());
    if (!heads->empty()) seen.hub_head = heads->back();
    auto current = (*registry)->current(kUrn);
    if (!current) FAIL(current.error().sentence());
    if (*current) {
      const auto states = (*current)->states();
      REQUIRE(states);
      CHECK(*states == (*current)->running_states());
      const std::string path = (*current)->database().path();
      current->reset();
      check_whole(path, copy.hub);
      seen.hub = lists_in(path, copy.hub);
    }
    const auto numbers = (*registry)->epoch_numbers(kUrn);
    REQUIRE(numbers);
    for (const auto& [path, size] : copy.hub.files()) {
      if (path.starts_with("hub/registry.db") ||
          std::any_of(numbers->begin(), numbers->end(), [&](Epoch epoch) {
            return path.starts_with("hub/schools/" + kUrn + "/borough-" + std::to_string(epoch.number) +
                                    ".db");
          }))
        continue;
      INFO(path);
      CHECK_FALSE(settled);
      if (path.ends_with(".db")) CHECK(lists_in(path, copy.hub).empty());
    }
  }
  return seen;
}

// --- the night ---------------------------------------------------------------------------------

// As hub/exchange/http_server answers, without a socket.
class Night::Line final : public Transport {
 public:
  explicit Line(HubService* hub) : hub_(hub) {}
  Result<Reply> exchange(ByteView body) override {
    sent_ += body.size();
    if (hub_ == nullptr)
      return fail(Code::kTransport, "the hub does not answer (connection refused)", "Try again later");
    auto answer = hub_->answer(body);
    if (!answer) return Reply{answer.error().code() == Code::kInternal ? 500 : 400, "text/plain", {}};
    received_ += answer->size();
    return Reply{200, std::string(kBundleMediaType), std::move(*answer)};
  }
  std::uint64_t bytes_sent() const override { return sent_; }
  std::uint64_t bytes_received() const override { return received_; }

 private:
  HubService* hub_;
  std::uint64_t sent_ = 0, received_ = 0;
};

Night::Night(Disks& disks, const std::string& school_vfs, const std::string& hub_vfs, Mis& mis,
             std::function<void(Stage)> stage)
    : disks_(disks), school_vfs_(school_vfs), hub_vfs_(hub_vfs), mis_(mis), stage_(std::move(stage)) {
  SeededRandom random(2026);  // as test::Keys draws its hub's
  ring_ = Keyring::of(PartySecret::make(random), clock_.at);
}
Night::~Night() { stop(); }

void Night::make_hub() {
  auto registry = Registry::open({kHub, disks_.hub.vfs(), true, true}, built_in_dictionary(), clock_);
  REQUIRE(registry);
  REQUIRE((*registry)->add_school(kUrn, "Example School"));
  const Invitation code = Invitation::make(keys_.hub.key(), random_);
  const Hash256 hash = Invitation::hash_of(code.secret());
  REQUIRE((*registry)->agents().invite(kUrn, hash, clock_.at, clock_.at + std::chrono::hours(1)));
  REQUIRE((*registry)->agents().enrol(hash, keys_.identity.own().key(), kUrn, "server-1", clock_.at));
}

Result<void> Night::start_hub() {
  if (service_ != nullptr) return {};
  auto registry = Registry::open({kHub, hub_vfs_, false, true}, built_in_dictionary(), clock_);
  if (!registry) return fail(std::move(registry).error());
  registry_ = std::move(*registry);
  service_ =
      std::make_unique<HubService>(*registry_, *ring_, clock_, random_, built_in_dictionary(), "test hub");
  service_->log_to([this](const std::string& line) { log_.push_back(line); });
  return {};
}

ExchangeOptions Night::options() const {
  ExchangeOptions options;
  options.school_urn = kUrn;
  options.software = "test";
  options.dictionary_version = built_in_dictionary().version;
  return options;
}

Result<void> Night::extract() {
  stage_(kOpens);
  auto store = Store::open({kStore, school_vfs_, kUrn, false}, built_in_dictionary());
  if (!store) return fail(std::move(store).error());
  stage_(kExtracts);
  const AdapterContext context{built_in_dictionary(), kUrn, "Example School", "mis",
                               Date::parse("2026-11-17").value()};
  auto report = run_extract(*store, mis_.adapter(), context, clock_, {});
  stage_(kCloses);
  if (!report) return fail(std::move(report).error());
  CHECK(report->complete);
  CHECK_FALSE(report->held);
  return {};
}

Result<void> Night::sync(Said& said) {
  stage_(kReopens);
  auto store = Store::open({kStore, school_vfs_, kUrn, false}, built_in_dictionary());
  if (!store) return fail(std::move(store).error());
  const auto extracted = has_extracted(*store);
  if (!extracted) return fail(extracted.error());
  stage_(kExchanges);
  if (*extracted) {
    Publisher publisher(*store, {"borough", {}});
    LineState line(*store);
    Line transport(service_.get());
    Exchange exchange(publisher, line, keys_.peer, transport, clock_, random_, options());
    auto report = exchange.run();
    said.events = exchange.report().events;
    if (!report) return fail(std::move(report).error());
    said.equal = report->equal;
    said.later_seconds = report->later_seconds;
    TP_TRY(record_exchange(*store, "borough", clock_.now(), report->equal));
    said.synced = true;
  }
  stage_(kCloses);
  return {};
}

Said Night::run() {
  Said said;
  clock_.at += std::chrono::hours(1);
  const auto heard = [&](const Result<void>& part) {
    if (!part) said.errors.push_back(part.error());
    return part.has_value();
  };
  stage_(kHubStarts);
  heard(start_hub());
  said.extracted = heard(extract());
  heard(sync(said));
  return said;
}

Said Night::verify() {
  Said said;
  stage_(kVerifies);
  auto store = Store::open({kStore, school_vfs_, kUrn, false}, built_in_dictionary());
  if (!store) {
    said.errors.push_back(store.error());
    return said;
  }
  Publisher publisher(*store, {"borough", {}});
  LineState line(*store);
  Line transport(service_.get());
  auto report = verify_with_hub(publisher, built_in_dictionary(), {}, line, keys_.peer, transport, clock_,
                                random_, options());
  if (!report)
    said.errors.push_back(report.error());
  else
    said.equal = report->equal && report->hub_has_state;
  return said;
}

void Night::stop() {
  stage_(kCloses);
  service_.reset();
  registry_.reset();
}

// --- what is said ------------------------------------------------------------------------------

void check_nothing_told(const std::string& line) {
  for (const char* telling : kTelling)
    if (line.find(telling) != std::string::npos) FAIL_CHECK("personal data in: " + line);
}

void check_sentence(const Error& error) {
  INFO(name(error.code()) << ": " << error.sentence());
  CHECK(error.code() != Code::kInternal);
  CHECK_FALSE(error.what().empty());
  CHECK_FALSE(error.next().empty());
  check_nothing_told(error.sentence());
}

}  // namespace towpath::faults
