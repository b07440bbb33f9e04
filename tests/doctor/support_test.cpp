#include "agent/doctor/support.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "dictionary/dictionary.hpp"

namespace towpath::doctor {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using namespace std::chrono_literals;

const Instant kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 9h;
// Whatever text there is, is this one: in the configuration, in the facts, in every column.
const std::string kTelling = "Zzyzxelwood";

struct Place {
  Place() {
    std::string pattern = (fs::temp_directory_path() / "towpath-support-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
  }
  ~Place() { fs::remove_all(folder); }
  fs::path folder;
};

AgentConfig telling_config(const fs::path& folder) {
  AgentConfig config;
  config.file = folder / kTelling;
  config.school_urn = "100001";
  config.school_name = kTelling;
  config.data = folder / kTelling;
  config.hub_url = "https://" + kTelling + ".example:8443/" + kTelling;
  config.line.proxy = "http://" + kTelling + ":8080";
  config.line.pac_url = "http://wpad/?user=" + kTelling;
  config.line.proxy_user_file = folder / kTelling;
  config.line.extra_ca = folder / kTelling;
  config.grants = {"ROLL", kTelling};
  SourceConfig source;
  source.name = source.kind = source.org = source.id_space = kTelling;
  source.path = folder / kTelling;
  TableMapping table;
  table.dataset = table.file = table.mode = table.delimiter = table.encoding = kTelling;
  table.columns = {{kTelling, kTelling, kTelling, kTelling, {{kTelling, kTelling}}, kTelling, kTelling}};
  table.where = {{kTelling, {kTelling}}};
  source.tables = {table};
  config.sources = {source};
  config.settings = {{kTelling, kTelling, 1}};
  return config;
}

// Rows whose every text is the telling one, in every table that is not the dictionary's.
void plant(Database& db) {
  std::vector<std::string> tables;
  REQUIRE(db.each("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%'",
                  [&](Statement::Use& use) { tables.emplace_back(use.text(0)); }));
  REQUIRE(tables.size() > 20);
  for (const std::string& table : tables) {
    if (table == "meta") continue;  // says whose store it is
    std::string columns, values;
    REQUIRE(db.each("SELECT name,type FROM pragma_table_info('" + table + "')", [&](Statement::Use& use) {
      const std::string type(use.text(1));
      columns += (columns.empty() ? "\"" : ",\"") + std::string(use.text(0)) + "\"";
      values += (values.empty() ? "" : ",") + (type == "TEXT"   ? "'" + kTelling + "'"
                                               : type == "BLOB" ? "CAST('" + kTelling + "' AS BLOB)"
                                                                : std::string("1"));
    }));
    const auto done = db.exec("INSERT OR REPLACE INTO " + table + "(" + columns + ") VALUES(" + values + ")");
    INFO(table << ": " << (done ? "" : done.error().what()));
    CHECK(done);
  }
  REQUIRE(db.exec("INSERT INTO meta VALUES('exchange_failed_at','1000'),('exchange_failure','" + kTelling +
                  "'),('exchange_failure_remedy','" + kTelling + "')"));
}

Facts telling_facts() {
  const Error error{Code::kTransport, kTelling, kTelling};
  FolderFacts folder{kTelling, {}, false};
  folder.seen.kind = platform::PathKind::kFolder;
  folder.seen.owner = kTelling;
  Facts f;
  f.now = kNow;
  f.program = kTelling;
  f.config = {kTelling, {{3, kTelling, kTelling}}, 1, kTelling, kTelling};
  f.user = UserFacts{true, kTelling, false, true};
  f.data = folder;
  f.disk = DiskFacts{1, 2};
  f.store = StoreFacts{true, error, error, 1};
  f.sources = {{kTelling, kTelling, kTelling, error, 0, {}}};
  f.service = ServiceFacts{false, error};
  IdentityFacts identity;
  identity.enrolled = true;
  identity.folder = folder;
  identity.files = {folder};
  identity.error = error;
  f.identity = identity;
  LineFacts line;
  line.seen.host = kTelling;
  line.seen.name_error = line.seen.script_error = error;
  line.seen.script = kTelling;
  RouteSeen route;
  route.route = route.origin = route.address = route.proxy_offers = route.tls_fault = route.title =
      route.location = kTelling;
  route.connected = true;
  route.tls = TlsSeen::kUntrusted;
  route.chain = {{kTelling, kTelling, kTelling, kTelling, kTelling, kTelling}};
  route.error = error;
  line.seen.routes = {route};
  line.cards = {CardSeen{}};
  f.line = line;
  cli::SharingSeen sharing;
  sharing.known = true;
  sharing.shared = {{kTelling, kTelling, 1, {}, 1}};
  sharing.waiting = sharing.ended = sharing.withdrawn = {{kTelling, kTelling}};
  sharing.orders = {{kTelling, kTelling, {}, {kTelling}}};
  sharing.partners = {{kTelling, kTelling, kTelling, kTelling, 1, kNow}};
  f.sharing = sharing;
  f.credential = CredentialFacts{false, false, error};
  return f;
}

void search(const std::vector<SupportEntry>& entries) {
  std::set<std::string_view> names;
  for (const SupportEntry& entry : entries) {
    INFO(entry.name.text() << "\n" << entry.content);
    CHECK(names.insert(entry.name.text()).second);
    CHECK_THAT(entry.content, !Catch::Contains(kTelling, Catch::CaseSensitive::No));
    if (entry.name.text().ends_with(".json")) {
      const json read = json::parse(entry.content, nullptr, false);
      REQUIRE_FALSE(read.is_discarded());
      CHECK(read["schema_version"] == 1);
    }
  }
}

json of(const std::vector<SupportEntry>& entries, std::string_view name) {
  for (const SupportEntry& entry : entries)
    if (entry.name == name) return json::parse(entry.content);
  FAIL("there is no " << name);
  return {};
}

TEST_CASE("whatever text stands in configuration, facts and store, none of it is in a support bundle") {
  const Place at;
  const AgentConfig config = telling_config(at.folder);
  StoreOptions options;
  options.path = at.folder / "school.db";
  options.school_urn = "100001";
  auto store = Store::open(options, built_in_dictionary());
  REQUIRE(store);
  plant(store->db());
  SupportFacts facts;
  facts.config = &config;
  facts.store = &*store;
  facts.findings = judge(telling_facts());
  REQUIRE(facts.findings.size() > 10);
  facts.environment = {kTelling, kTelling, kTelling, kTelling};
  facts.now = kNow;
  const auto entries = support_entries(facts, "0.0.0");
  search(entries);
  // It is not empty either: what helps is in it.
  CHECK(of(entries, "configuration.json")["hub"]["url"]["port"] == 8443);
  CHECK(of(entries, "configuration.json")["hub"]["grants"] == json::array({"ROLL", "other"}));
  CHECK(of(entries, "configuration.json")["sources"][0]["path"]["is"] == "not there");
  CHECK(of(entries, "doctor.json")["findings"].size() == facts.findings.size());
  CHECK(of(entries, "quarantine.json")["counts"][0]["rule"] == "other");
  CHECK(of(entries, "quarantine.json")["counts"][0]["rows"] == 1);
  CHECK(of(entries, "runs.json")["runs"].size() == 1);
  CHECK(of(entries, "events.json")["events"][0]["kind"] == "other");
  CHECK(of(entries, "store.json")["sound"] == true);
  CHECK(of(entries, "store.json")["rows"]["pupil"] == 1);
  CHECK(of(entries, "machine.json")["proxy_variables"]["https_proxy"] == true);
  CHECK(of(entries, "status.json")["exchange_failed"] == "1970-01-01T00:00:01.000Z");
}

TEST_CASE("a support bundle is made without a store, and of a configuration that is wrong") {
  SupportFacts facts;
  facts.now = kNow;
  Facts f;
  f.config.file = kTelling;
  f.config.problems = {{7, kTelling, kTelling}};
  facts.findings = judge(f);
  const auto entries = support_entries(facts, "0.0.0");
  search(entries);
  CHECK(of(entries, "configuration.json")["valid"] == false);
  CHECK(of(entries, "doctor.json")["findings"][0]["figures"]["line"] == 7);
}

}  // namespace
}  // namespace towpath::doctor
