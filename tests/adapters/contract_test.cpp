// What every adapter must do, whatever it reads. A new adapter joins with one line in kSubjects.
#include <catch2/catch.hpp>
#include <functional>

#include "adapters/api/source_config.hpp"
#include "fixtures.hpp"
#include "oneroster_school.hpp"
#include "recording_sink.hpp"

using namespace towpath;
using namespace towpath::testing;

namespace {

// Writes a good source into the folder (if its kind reads files) and says how to read it.
struct Subject {
  const char* kind;
  std::function<SourceConfig(const TempFolder&)> prepare;
};

SourceConfig named(const char* kind) {
  SourceConfig config;
  config.name = "mis";
  config.kind = kind;
  return config;
}

SourceConfig prepare_oneroster(const TempFolder& folder) {
  for (const auto& [name, text] : OneRosterSchool().files) folder.write(name, text);
  SourceConfig config = named("oneroster-csv");
  config.path = folder.path().string();
  return config;
}
SourceConfig prepare_oneroster_zip(const TempFolder& folder) {
  std::vector<ZipEntry> entries;
  for (const auto& [name, text] : OneRosterSchool().files) entries.push_back({name, text});
  SourceConfig config = named("oneroster-csv");
  config.path = folder.write("package.zip", make_zip(entries)).string();
  return config;
}
SourceConfig prepare_csv(const TempFolder& folder) {
  std::string marks = "date,session,pupil,code\n";
  for (int i = 0; i < 40; ++i)
    marks += (*Date::parse("2026-09-01")).plus(i).iso() + (i % 2 == 0 ? ",AM," : ",PM,") + "p" +
             std::to_string(i % 7) + ",/\n";
  folder.write("marks-1.csv", marks + "x,AM,p1,/\n");
  folder.write("marks-2.csv", "date,session,pupil,code\n2026-11-20,AM,p1,L\n");
  folder.write("groups.csv", "id,name\n1,7B\n2,8C\n");
  SourceConfig config = named("csv");
  config.path = folder.path().string();
  TableMapping groups;
  groups.dataset = "group";
  groups.file = "groups.csv";
  TableMapping table;
  table.dataset = "session_mark";
  table.file = "marks-*.csv";
  const auto add = [](TableMapping& to, const char* field, const char* column, const char* value = "") {
    ColumnMapping c;
    c.field = field;
    c.column = column;
    c.value = value;
    to.columns.push_back(c);
  };
  for (const char* field : {"date", "session", "pupil", "code"}) add(table, field, field);
  add(groups, "group", "id");
  add(groups, "name", "name");
  add(groups, "kind", "", "registration");
  config.tables = {groups, table};
  return config;
}
SourceConfig prepare_demo(const TempFolder&) {
  SourceConfig config = named("demo");
  config.demo_phase = "primary";
  config.demo_pupils = 30;
  config.demo_day = "2026-11-20";
  return config;
}

const Subject kSubjects[] = {{"oneroster-csv", prepare_oneroster},
                             {"oneroster-csv", prepare_oneroster_zip},
                             {"csv", prepare_csv},
                             {"demo", prepare_demo}};

void extract(const SourceConfig& config, RecordingSink& sink) {
  const AdapterContext context = school_context();
  auto adapter = make_adapter(config, context);
  INFO((adapter ? "" : adapter.error().sentence()));
  REQUIRE(adapter);
  auto done = (*adapter)->extract(sink);
  INFO((done ? "" : done.error().sentence()));
  REQUIRE(done);
  sink.check_accounts();
}

}  // namespace

TEST_CASE("every kind that there is keeps the contract's tests") {
  for (const std::string_view kind : adapter_kinds()) {
    INFO(kind);
    CHECK(std::any_of(std::begin(kSubjects), std::end(kSubjects),
                      [&](const Subject& s) { return kind == s.kind; }));
  }
}

TEST_CASE("the same source twice gives the same rows in the same order") {
  for (const Subject& subject : kSubjects) {
    INFO(subject.kind);
    TempFolder folder;
    const SourceConfig config = subject.prepare(folder);
    RecordingSink one, two;
    extract(config, one);
    extract(config, two);
    CHECK(one.rows == two.rows);
    CHECK(one.begun == two.begun);
    std::size_t rows = 0;
    for (const auto& [dataset, seen] : one.rows) rows += seen.size();
    CHECK(rows > 10);
  }
}

TEST_CASE("every record of every file has one fate, and every dataset is one that was promised") {
  for (const Subject& subject : kSubjects) {
    INFO(subject.kind);
    TempFolder folder;
    const SourceConfig config = subject.prepare(folder);
    RecordingSink sink;
    extract(config, sink);  // checks the sums
    const AdapterContext context = school_context();
    auto adapter = make_adapter(config, context);
    REQUIRE(adapter);
    const auto provides = (*adapter)->provides();
    CHECK_FALSE(sink.files.empty());
    for (const auto& [dataset, rows] : sink.rows) {
      INFO(dataset);
      CHECK(std::find(provides.begin(), provides.end(), dataset) != provides.end());
      CHECK(sink.ended.contains(dataset));
    }
    // The fallback for records that nothing asked for is for damaged packages only.
    for (const SeenFile& file : sink.files)
      for (const auto& [reason, count] : file.ignored)
        CHECK(reason.find("could not be read") == std::string::npos);
  }
}

TEST_CASE("keys are never empty, and within a dataset never repeated") {
  for (const Subject& subject : kSubjects) {
    INFO(subject.kind);
    TempFolder folder;
    RecordingSink sink;
    extract(subject.prepare(folder), sink);
    for (const auto& [name, rows] : sink.rows) {
      INFO(name);
      const Dataset& dataset = *built_in_dictionary().find(name);
      std::set<std::vector<std::string>> keys;
      for (const SeenRow& row : rows) {
        const std::vector<std::string> key(row.cells.begin(), row.cells.begin() + dataset.key_count);
        for (const std::string& cell : key) CHECK_FALSE(cell.empty());
        CHECK(keys.insert(key).second);
        for (std::size_t i = 0; i < dataset.fields.size(); ++i)
          if (dataset.fields[i].required) CHECK_FALSE(row.cells[i].empty());
      }
    }
  }
}

TEST_CASE("rows that the sink has already are not sent again") {
  for (const Subject& subject : kSubjects) {
    INFO(subject.kind);
    TempFolder folder;
    const SourceConfig config = subject.prepare(folder);
    RecordingSink first;
    extract(config, first);
    RecordingSink second;
    second.remember(first);
    extract(config, second);
    for (const auto& [dataset, rows] : second.rows) {
      INFO(dataset);
      CHECK(rows.empty());
      CHECK(second.kept[dataset] == first.rows.at(dataset).size());
    }
  }
}

TEST_CASE("an adapter writes nothing where it reads") {
  for (const Subject& subject : kSubjects) {
    INFO(subject.kind);
    TempFolder folder;
    const SourceConfig config = subject.prepare(folder);
    const std::string before = folder.state();
    RecordingSink sink;
    extract(config, sink);
    CHECK(folder.state() == before);
  }
}

TEST_CASE("a disk that is full ends the run with that error") {
  for (const Subject& subject : kSubjects) {
    INFO(subject.kind);
    for (const std::size_t rows : {0u, 1u, 7u}) {
      TempFolder folder;
      const SourceConfig config = subject.prepare(folder);
      RecordingSink sink;
      sink.full_after = rows;
      const AdapterContext context = school_context();
      auto adapter = make_adapter(config, context);
      REQUIRE(adapter);
      auto done = (*adapter)->extract(sink);
      REQUIRE_FALSE(done);
      CHECK(done.error().code() == Code::kDiskFull);
    }
  }
}

TEST_CASE("a source that is not there is an error or abandons everything; nothing ends") {
  for (const Subject& subject : kSubjects) {
    INFO(subject.kind);
    TempFolder folder;
    SourceConfig config = subject.prepare(folder);
    if (config.path.empty()) continue;  // reads no files
    config.path += "-that-is-not-there";
    RecordingSink sink;
    const AdapterContext context = school_context();
    auto adapter = make_adapter(config, context);
    REQUIRE(adapter);
    auto done = (*adapter)->extract(sink);
    CHECK((!done || !sink.abandoned.empty()));
    CHECK(sink.ended.empty());
    if (!done) CHECK_FALSE(done.error().next().empty());
  }
}

TEST_CASE("a source that vanishes or changes while it is read never ends the dataset it was in") {
  for (const Subject& subject : kSubjects) {
    for (const bool vanish : {true, false}) {
      INFO(subject.kind << (vanish ? " vanishes" : " changes"));
      TempFolder folder;
      const SourceConfig config = subject.prepare(folder);
      if (config.path.empty()) continue;
      RecordingSink sink;
      bool done_once = false;
      std::set<std::string> before;
      sink.on_row = [&] {
        if (std::exchange(done_once, true)) return;
        before = sink.ended;
        for (const auto& entry : fs::directory_iterator(folder.path())) {
          if (vanish)
            fs::remove(entry.path());
          else
            std::ofstream(entry.path(), std::ios::app) << "\n";
        }
      };
      const AdapterContext context = school_context();
      auto adapter = make_adapter(config, context);
      REQUIRE(adapter);
      auto done = (*adapter)->extract(sink);
      CHECK(done_once);
      CHECK((!done || !sink.abandoned.empty()));
      // What had ended before is whole; of what came after, nothing that was read from there.
      for (const std::string& dataset : sink.ended) {
        INFO(dataset);
        CHECK((before.contains(dataset) || sink.count(dataset) == 0 || !vanish));
      }
      if (done) sink.check_accounts();
    }
  }
}

TEST_CASE("a file cut anywhere inside a record gives none of the datasets that it feeds") {
  TempFolder folder;
  const OneRosterSchool school;
  const SourceConfig config = prepare_oneroster(folder);
  for (const char* name :
       {"users.csv", "enrollments.csv", "classes.csv", "demographics.csv", "orgs.csv", "courses.csv"}) {
    const std::string text = school.files.at(name);
    const auto commas = [](std::string_view s) { return std::count(s.begin(), s.end(), ','); };
    const std::string_view header = std::string_view(text).substr(0, text.find('\n'));
    std::size_t cut = 0;
    // From the first record on; a file cut to its header is one that lists nothing, which the
    // guards against emptied datasets hold.
    for (std::size_t length = header.size() + 2; length < text.size(); length += 3) {
      const std::size_t record = text.rfind('\n', length - 1) + 1;
      if (record >= length) continue;  // between two records: a shorter file
      const std::string_view rest = std::string_view(text).substr(record, length - record);
      const bool in_quotes = std::count(rest.begin(), rest.end(), '"') % 2 == 1;
      if (commas(rest) >= commas(header) && !in_quotes) continue;  // in its last cell
      INFO(name << " cut after " << length);
      folder.write(name, std::string_view(text).substr(0, length));
      RecordingSink sink;
      extract(config, sink);
      CHECK_FALSE(sink.abandoned.empty());
      ++cut;
    }
    CHECK(cut > 5);
    folder.write(name, text);
  }
}
