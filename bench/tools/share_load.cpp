// What it costs a school to share with more than one: publishing a day to one, two and five audiences, a
// changed agreement over a year's marks, and what a partner downloads.
//
//   share_load FOLDER [DAYS]     makes a school of 1,500 pupils with some 570,000 marks there; prints tables
//
// CPU is this process's, user and system. Floors of the same run: the same rows read by plain SQL, written
// one after another, and zstd -3 over that.
#include <time.h>
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "agent/publish/publisher.hpp"
#include "agent/store/change_log.hpp"
#include "agent/store/store.hpp"
#include "sqlite/table.hpp"

using namespace towpath;

namespace {

constexpr int kPupils = 1500;
constexpr int kSchoolDays = 190;
constexpr std::int32_t kFirst = 20698;  // 2026-09-02

void check(const Result<void>& done) {
  if (done) return;
  std::fprintf(stderr, "share_load: %s\n", done.error().sentence().c_str());
  std::exit(1);
}
template <class T>
T value(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "share_load: %s\n", result.error().sentence().c_str());
  std::exit(1);
}

double cpu() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}
double cost(const std::function<void()>& of) {
  const double before = cpu();
  of();
  return cpu() - before;
}
double median(std::vector<double> of) {
  std::sort(of.begin(), of.end());
  return of.empty() ? 0 : of[of.size() / 2];
}

struct School {
  explicit School(const std::string& path)
      : store(value(Store::open({path, "", "100001", false}, built_in_dictionary()))) {
    auto tx = value(store.db().begin());
    const std::string numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" +
                                std::to_string(kPupils) + ") ";
    check(store.db().exec("INSERT INTO d_entity(number,kind,uuid,src,print) " + numbers +
                          "SELECT i,3,randomblob(16),0,0 FROM n"));
    check(store.db().exec(
        "INSERT INTO d_pupil(pupil,UPN,Surname,Forename,DOB,Sex,NCyearActual,src,print) " + numbers +
        "SELECT i,'A'||(202000000000+i*7919),'Name'||(i*48271%997),'First'||(i*69621%613),15000+i%1800,"
        "substr('MF',1+i%2,1),''||(7+i%5),0,0 FROM n"));
    check(store.db().exec("INSERT INTO d_enrolment(pupil,EntryDate,EnrolStatus,src,print) " + numbers +
                          "SELECT i,20332,'C',0,0 FROM n"));
    for (int d = 0; d < kSchoolDays; ++d) marks(d);
    run = 1;
    auto log = value(ChangeLog::open(store));
    for (const char* name : {"entity", "pupil", "enrolment", "session_mark"})
      check(log.record_all_new(*store.dictionary().find(name), run));
    check(tx.commit());
  }
  static std::int32_t date(int day) { return kFirst + day / 5 * 7 + day % 5; }
  // Some 6 % are not there, most of them day by day the same.
  void marks(int day) {
    check(store.db().exec(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" + std::to_string(kPupils) +
        ") INSERT INTO d_session_mark(date,session,pupil,code,src,print) SELECT " +
        std::to_string(date(day)) + ",s,i,CASE WHEN (i*7919+" + std::to_string(day / 3) +
        "*104729)%100<4 THEN 'I' WHEN (i*31+" + std::to_string(day) +
        ")%100<2 THEN 'N' WHEN s=0 THEN '/' ELSE '\\' END,0,0 FROM n, (SELECT 0 AS s UNION ALL "
        "SELECT 1)"));
  }
  // A day's register, and yesterday's N explained.
  void one_day(int day) {
    ++run;
    auto tx = value(store.db().begin());
    auto log = value(ChangeLog::open(store));
    const Dataset& d = *store.dictionary().find("session_mark");
    const auto each = [&](const std::string& where, bool existed) {
      auto rows =
          value(store.db().prepare("SELECT " + column_list(d) + " FROM d_session_mark WHERE " + where));
      auto use = rows.use();
      std::vector<Value> row(d.fields.size());
      while (value(use.step())) {
        for (std::size_t i = 0; i < row.size(); ++i) row[i] = use.value(static_cast<int>(i));
        check(
            log.record(d, run, RowView(row).first(3), existed ? std::optional<RowView>(row) : std::nullopt));
      }
    };
    const std::string yesterday = "date=" + std::to_string(date(day - 1)) + " AND code='N'";
    each(yesterday, true);
    check(store.db().exec("UPDATE d_session_mark SET code='I' WHERE " + yesterday));
    marks(day);
    each("date=" + std::to_string(date(day)), false);
    check(tx.commit());
  }

  Store store;
  std::int64_t run = 0;
};

struct Stream {
  std::string name;
  std::vector<std::string> grants, without, years;
  int day = kSchoolDays - 1;

  [[nodiscard]] Publisher publisher(School& school) const {
    return {school.store,
            {name, grants, without, {ScopeKind::kEveryone, years, Date{School::date(day)}}, {}, {}}};
  }
  // Made, counted, and taken as the hub takes it.
  std::size_t publish(School& school, double& ms, std::uint64_t* rows = nullptr,
                      bool* snapshot = nullptr) const {
    PublishReport report;
    ms = cost([&] { report = value(publisher(school).publish()); });
    Publisher p = publisher(school);
    std::size_t bytes = 0;
    for (const Bytes& segment : value(p.waiting(std::size_t{1} << 30))) bytes += segment.size();
    const Head head = value(p.head());
    static_cast<void>(value(p.heard(head)));
    if (rows != nullptr) *rows = report.rows;
    if (snapshot != nullptr) *snapshot = report.snapshot;
    return bytes;
  }
};

// The same rows by plain SQL, one after another as text, and zstd -3 over them.
double floor_of(School& school, const std::string& where, std::size_t& bytes) {
  return cost([&] {
    const Dataset& d = *school.store.dictionary().find("session_mark");
    std::string out;
    check(school.store.db().each("SELECT " + column_list(d) + " FROM d_session_mark " + where,
                                 [&](Statement::Use& row) {
                                   for (int i = 0; i < 4; ++i) out.append(row.text(i)).append(1, ',');
                                   out += '\n';
                                 }));
    std::string packed(ZSTD_compressBound(out.size()), '\0');
    bytes = ZSTD_compress(packed.data(), packed.size(), out.data(), out.size(), 3);
  });
}

void year(const std::string& folder, bool secure, int days) {
  std::filesystem::create_directories(folder);
  School school(folder + "/school.db");
  check(school.store.db().exec(secure ? "PRAGMA secure_delete=ON" : "PRAGMA secure_delete=OFF"));
  std::printf(
      "\nsecure_delete %s, %lld marks\n\n", secure ? "on" : "off",
      static_cast<long long>(value(school.store.db().integer("SELECT count(*) FROM d_session_mark"))));
  std::vector<Stream> all{{"borough", {"ROLL", "ATT-CAT", "ATT-CODE"}, {}, {}},
                          {"federation:a", {"ROLL", "ATT-CAT"}, {}, {}},
                          {"federation:b", {"ROLL", "ATT-CAT"}, {}, {"10", "11"}},
                          {"federation:c", {"ATT-CAT"}, {}, {}},
                          {"federation:d", {"ROLL", "ATT-CAT"}, {"pupil.UPN"}, {"7", "8", "9"}}};
  std::printf("| first load | CPU | bytes |\n|---|---|---|\n");
  std::size_t joined = 0;
  for (Stream& s : all) {
    double ms = 0;
    const std::size_t bytes = s.publish(school, ms);
    if (s.name == "federation:a") joined = bytes;
    std::printf("| %s | %.0f ms | %zu B |\n", s.name.c_str(), ms, bytes);
  }
  std::size_t floor_bytes = 0;
  const double whole = floor_of(school, "", floor_bytes);
  std::printf("| floor: SQL + zstd -3 | %.0f ms | %zu B |\n", whole, floor_bytes);

  std::vector<std::vector<double>> each(all.size());
  std::vector<double> floors, intake;
  std::vector<std::vector<double>> bytes(all.size());
  for (int d = 0; d < days; ++d) {
    const int day = kSchoolDays + d;
    intake.push_back(cost([&] { school.one_day(day); }));
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i].day = day;
      double ms = 0;
      bytes[i].push_back(static_cast<double>(all[i].publish(school, ms)));
      each[i].push_back(ms);
    }
    floors.push_back(floor_of(school, "WHERE date>=" + std::to_string(School::date(day - 1)), floor_bytes));
  }
  std::printf("\n| a day: publish to | CPU | times one |\n|---|---|---|\n");
  for (const std::size_t n : {1U, 2U, 5U}) {
    std::vector<double> sums;
    for (int d = 0; d < days; ++d) {
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += each[i][static_cast<std::size_t>(d)];
      sums.push_back(sum);
    }
    std::printf("| %zu | %.2f ms | %.1f |\n", n, median(sums), median(sums) / median(each[0]));
  }
  std::printf("| floor: its rows by SQL + zstd -3 | %.2f ms | %.1f |\n", median(floors),
              median(floors) / median(each[0]));
  std::printf("\n| a day | CPU | bytes that it downloads |\n|---|---|---|\n");
  double log = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::printf("| %s | %.2f ms | %.0f B |\n", all[i].name.c_str(), median(each[i]), median(bytes[i]));
    if (i == 1)
      for (const double b : bytes[i]) log += b;
  }
  std::printf("\nJoining federation:a after %d days: snapshot %zu B and log %.0f B.\n", days, joined, log);

  std::printf("\n| changed | CPU | times the floor | rows | bytes | sent as |\n|---|---|---|---|---|---|\n");
  const auto changed = [&](const char* what, Stream& s) {
    double ms = 0;
    std::uint64_t rows = 0;
    bool snapshot = false;
    const std::size_t n = s.publish(school, ms, &rows, &snapshot);
    std::printf("| %s | %.0f ms | %.1f | %llu | %zu B | %s |\n", what, ms, ms / whole,
                static_cast<unsigned long long>(rows), n, snapshot ? "a new epoch" : "a delta");
  };
  Stream& borough = all[0];
  borough.without = {"session_mark.code"};
  changed("a field less: no codes, categories instead", borough);
  borough.without = {};
  changed("a field more: codes instead of categories", borough);
  borough.without = {"pupil.UPN"};
  changed("a field less, of pupils", borough);
  all[1].years = {"7", "8", "9", "10"};
  changed("a year group (of five) out of scope", all[1]);
  all[1].years = {};
  changed("and in again", all[1]);
  check(school.store.db().exec("INSERT INTO pupil_rule VALUES(17,2,0,0,0)"));
  changed("one pupil protected", all[1]);
  std::filesystem::remove_all(folder);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: share_load FOLDER [DAYS]\n");
    return 64;
  }
  const int days = argc > 2 ? std::atoi(argv[2]) : 20;
  for (const bool secure : {true, false}) year(std::string(argv[1]) + "/share_load", secure, days);
  return 0;
}
