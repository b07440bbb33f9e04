// Telling values are planted wherever data can come from; every byte that leaves is searched.
#include <algorithm>
#include <catch2/catch.hpp>

#include "adapters/text/file_set.hpp"
#include "tests/system/programs.hpp"

namespace towpath::test {
namespace {

// A pupil who must never be seen, in each of the ways in which files write her.
const std::vector<std::string> kPerson{"Zzyzxelwood",
                                       "Quillborough",
                                       "H801200001001",
                                       "2013-07-19",
                                       "19/07/2013",
                                       "Vexillary",
                                       "zz.elwood@telltale.example"};
const std::string kPassword = "TelltalePassw0rd";
const std::string kRow =
    "Zzyzxelwood,Quillborough,19/07/2013,H801200001001,17 Vexillary Terrace,zz.elwood@telltale.example";

void put_variable(const char* name, const std::string& value) {
  REQUIRE(::setenv(name, value.c_str(), 1) == 0);
}

struct School {
  School() : agent(folder) {
    folder.write("pupils/pupils.csv",
                 "Id,Last,First,Born,UPN,Street,Mail,Zzyzxelwood Quillborough\r\n"
                 "p1," +
                     kRow +
                     ",x\r\n"
                     "p2,Zzyzxelwood,Quillborough,31/02/Zzyzxelwood,H801200001001,,,\r\n"  // no date
                     "p3," +
                     kRow +
                     ",x,17 Vexillary Terrace,Zzyzxelwood\r\n"  // ragged
                     "p1," +
                     kRow +
                     ",y\r\n"  // twice
                     "," +
                     kRow +
                     ",z\r\n"                                                          // no id
                     "p4,\"Zzyzxelwood\"Quillborough,Quillborough,19/07/2013,,,,\r\n"  // quotes
                     "p5,Zzyzx\xff"
                     "elwood Zzyzxelwood,Quillborough,19/07/2013,,,,\r\n");  // encoding
    folder.write("pupils/Zzyzxelwood Quillborough.csv", kRow + "\r\n");
    // Without its header: the first pupil stands where the names of columns are looked for.
    folder.write("headless/pupils.csv", "p1," + kRow + "\r\np2," + kRow + "\r\n");
    folder.write("broken.zip", "PK\x03\x04" + kRow);
    folder.write("roster/users.csv", kRow + "\r\n" + kRow + "\r\n");
    folder.write("proxy-user", "zz.elwood:" + kPassword + "\n");
    fs::permissions(folder / "proxy-user", fs::perms::owner_read | fs::perms::owner_write);
  }
  [[nodiscard]] static std::string columns(const std::string& file = "pupils.csv") {
    return "[[source.table]]\ndataset = \"pupil\"\nfile = \"" + file +
           "\"\n[source.table.columns]\npupil = \"Id\"\nSurname = \"Last\"\nForename = \"First\"\nUPN = "
           "\"UPN\"\n"
           "DOB = { column = \"Born\", format = \"DD/MM/YYYY\" }\n";
  }
  void configure(const std::string& hub, const std::string& extra = "") const {
    agent.configure(Agent::head(hub) + "proxy_user_file = \"proxy-user\"\nproxy = \"auto\"\n" +
                    "[[source]]\nname = \"good\"\nkind = \"csv\"\npath = \"pupils\"\n" + columns() +
                    "[[source]]\nname = \"headless\"\nkind = \"csv\"\npath = \"headless\"\n" + columns() +
                    "[[source]]\nname = \"broken\"\nkind = \"oneroster-csv\"\npath = \"broken.zip\"\n"
                    "[[source]]\nname = \"roster\"\nkind = \"oneroster-csv\"\npath = \"roster\"\n" +
                    extra);
  }
  // With a code that the hub gave out; returns it, and what the key's file holds.
  std::vector<std::string> enrol(const Hub& hub) const {
    std::vector<std::string> secrets{kPassword};
    const Json made = hub.call({"--json", "school", "invite", "100001"}).json();
    const std::string code = made.at("code").get<std::string>();
    secrets.push_back(code.substr(0, code.find('@')));
    secrets.push_back(secrets.back().substr(0, 17));  // the secret part of it, in three groups
    folder.write("code", code);
    const Ended enrolled = agent.call({"enrol", "--code-file", folder / "code"});
    INFO(enrolled.out << enrolled.err);
    REQUIRE(enrolled.code == 0);
    said.push_back(enrolled.out + enrolled.err);
    for (const auto& entry : fs::directory_iterator(folder / "data/identity")) {
      if (entry.path().extension() != ".key") continue;
      // Every word of it that is long enough to be a secret.
      std::string word;
      for (const char c : content_of(entry.path()) + "\n") {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
          word += c;
          continue;
        }
        if (word.size() >= 32) secrets.push_back(word);
        word.clear();
      }
    }
    REQUIRE(secrets.size() >= 4);
    return secrets;
  }
  Folder folder;
  Agent agent;
  mutable std::vector<std::string> said;
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}
void search(const std::string& where, const std::string& text, const std::vector<std::string>& telling) {
  const std::string small = lower(text);
  for (const std::string& value : telling) {
    const std::size_t at = small.find(lower(value));
    if (at == std::string::npos) continue;
    FAIL_CHECK(where << " says '" << value << "': ..." << text.substr(at < 80 ? 0 : at - 80, 200));
  }
}

// Every byte that stands in a zip, packed and unpacked.
std::string unpacked(const std::string& path) {
  std::string all = content_of(path);
  const auto files = FileSet::open(path);
  REQUIRE(files);
  for (const std::string& name : files->names()) {
    all += "\n" + name + "\n";
    auto source = files->open_file(name);
    REQUIRE(source);
    char piece[4096];
    for (;;) {
      const auto n = (*source)->read(piece);
      REQUIRE(n);
      if (*n == 0) break;
      all.append(piece, *n);
    }
  }
  return all;
}

TEST_CASE("no verb says a pupil's name, number, birthday, address or mail, nor a secret, on any channel") {
  put_variable("all_proxy", "http://zz.elwood:" + kPassword + "@127.0.0.1:9");
  put_variable("https_proxy", "http://zz.elwood:" + kPassword + "@127.0.0.1:9");
  const School school;
  const Hub hub(school.folder);
  school.configure(hub.url());
  std::vector<std::string> telling = school.enrol(hub);
  telling.insert(telling.end(), kPerson.begin(), kPerson.end());
  for (const std::string& said : school.said) search("enrol", said, telling);
  const std::vector<std::vector<std::string>> verbs{{"config", "check"},
                                                    {"config", "show"},
                                                    {"extract"},
                                                    {"sync"},
                                                    {"status"},
                                                    {"quarantine", "list"},
                                                    {"verify"},
                                                    {"doctor"},
                                                    {"support-bundle", "--list"}};
  for (std::vector<std::string> verb : verbs)
    for (const bool json : {false, true}) {
      if (json) verb.emplace_back("--json");
      const Ended ended = school.agent.call(verb);
      CHECK(ended.code >= 0);
      search("towpath " + verb.front(), ended.out + ended.err, telling);
      if (json) verb.pop_back();
    }
  // It was there to be seen: quarantine holds it, and shows it to whoever asks.
  const Json list = school.agent.json({"quarantine", "list"});
  REQUIRE(list["total"].get<int>() >= 4);
  const std::string id = std::to_string(list["rows"][0]["id"].get<std::int64_t>());
  CHECK_THAT(lower(school.agent.call({"quarantine", "show", id, "--raw"}).out),
             Catch::Contains("zzyzxelwood"));
  const Ended made = school.agent.call({"support-bundle", "--out", school.folder / "support.zip"});
  INFO(made.out << made.err);
  REQUIRE(made.code == 0);
  search("support.zip", unpacked(school.folder / "support.zip"), telling);
  // What the hub says of the school holds no row either.
  search("towpath-hub status", hub.call({"status"}).out, telling);
}

TEST_CASE("a support bundle holds nothing of a configuration that is full of a pupil's name") {
  const School school;
  fs::copy(school.folder / "pupils", school.folder / "Zzyzxelwood", fs::copy_options::recursive);
  std::string extra =
      "[[source]]\nname = \"Zzyzxelwood\"\nkind = \"csv\"\npath = \"Zzyzxelwood\"\n"
      "id_space = \"Quillborough\"\n" +
      School::columns("Zzyzxelwood*.csv");
  school.configure("http://127.0.0.1:9/Zzyzxelwood", extra);
  CHECK(school.agent.call({"extract"}).code >= 0);
  CHECK(school.agent.call({"sync"}).code >= 0);
  const Ended made = school.agent.call({"support-bundle", "--out", school.folder / "support.zip"});
  INFO(made.out << made.err);
  REQUIRE(made.code == 0);
  std::vector<std::string> telling = kPerson;
  telling.push_back(kPassword);
  search("support.zip", unpacked(school.folder / "support.zip"), telling);
  CHECK((fs::status(school.folder / "support.zip").permissions() &
         (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
  const Ended again = school.agent.call({"support-bundle", "--out", school.folder / "support.zip"});
  CHECK(again.code == 1);
  CHECK_THAT(again.err, Catch::Contains("is not overwritten"));
}

TEST_CASE(
    "a support bundle of a configuration that is wrong is made all the same, and repeats nothing of it") {
  const School school;
  school.agent.configure("[school]\nurn = 100001\nname = \"Zzyzxelwood\"\npassword = \"" + kPassword +
                         "\"\nZzyzxelwood = 1\n");
  REQUIRE(school.agent.call({"support-bundle", "--out", school.folder / "support.zip"}).code == 0);
  std::vector<std::string> telling = kPerson;
  telling.push_back(kPassword);
  search("support.zip", unpacked(school.folder / "support.zip"), telling);
  const Ended doctor = school.agent.call({"doctor"});
  CHECK(doctor.code == 78);
  search("doctor", doctor.out + doctor.err, {kPassword});
}

TEST_CASE(
    "doctor finds a school that works to be green, and says what stands in the way of one that does not") {
  const Folder folder;
  Hub hub(folder);
  const Agent agent(folder);
  agent.demo(hub.url(), "2026-11-20", 20);
  const Json before = agent.json({"doctor"}, 1);
  CHECK(before["light"] == "RED");
  const auto kind = [](const Json& document, const std::string& check) {
    for (const Json& finding : document["findings"])
      if (finding["check"] == check) return finding["kind"].get<std::string>();
    return std::string("none");
  };
  CHECK(kind(before, "identity") == "not-enrolled");
  CHECK(kind(before, "hub-key") == "not-pinned");
  folder.write("code",
               hub.call({"--json", "school", "invite", "100001"}).json().at("code").get<std::string>());
  REQUIRE(agent.call({"enrol", "--code-file", folder / "code"}).code == 0);
  const Json enrolled = agent.json({"doctor"}, agent.call({"doctor"}).code);
  CHECK(kind(enrolled, "hub-key") == "fits");
  CHECK(kind(enrolled, "credential") == "accepted");
  CHECK(kind(enrolled, "identity") == "fine");
  const Ended said = agent.call({"doctor"});
  for (std::size_t at = 0; at < said.out.size();) {
    const std::size_t end = std::min(said.out.find('\n', at), said.out.size());
    const std::string line = said.out.substr(at, end - at);
    if (line.find('/') == std::string::npos) CHECK(line.size() <= 80);  // a path is not broken
    at = end + 1;
  }
  REQUIRE(hub.call({"agent", "revoke", "100001"}).code == 0);
  const Json revoked = agent.json({"doctor"}, 1);
  CHECK(kind(revoked, "credential") == "refused");
  hub.stop();
  const Json away = agent.json({"doctor"}, 1);
  CHECK(kind(away, "route") == "no-connection");
  fs::permissions(folder / "data/identity", fs::perms::all);
  CHECK(kind(agent.json({"doctor"}, 1), "identity") == "open");
}

}  // namespace
}  // namespace towpath::test
