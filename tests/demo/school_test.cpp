#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "adapters/demo/demo_school.hpp"
#include "core/hash.hpp"

using namespace towpath;
using namespace towpath::demo;

namespace {

DemoSchool school(Phase phase, std::uint64_t seed = 7, int pupils = 0) {
  auto made = DemoSchool::make({phase, seed, pupils});
  REQUIRE(made.has_value());
  return *made;
}
DemoDay on(const DemoSchool& of, std::string_view day) {
  auto made = of.on(*Date::parse(day));
  REQUIRE(made.has_value());
  return std::move(*made);
}
double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}
// Within a third of what the domain sheet says.
bool about(double got, double wanted, double slack = 0.34) {
  return got > wanted * (1 - slack) && got < wanted * (1 + slack);
}

std::string shown(const std::optional<Date>& date) { return date ? date->iso() : "-"; }

// Everything of a day as lines, each with a name for its key, so that days can be compared.
std::map<std::string, std::string> lines(const DemoDay& day) {
  std::map<std::string, std::string> out;
  bool unique = true;
  const auto put = [&](std::string key, std::string value) {
    unique = out.emplace(std::move(key), std::move(value)).second && unique;
  };
  for (const Pupil& p : day.pupils) {
    put("pupil " + p.id, p.upn + p.uln + p.surname + "," + p.forename + "," + p.middle_names + "," +
                             p.preferred_surname + "," + p.preferred_forename + p.dob.iso() +
                             std::string(p.sex) + std::string(p.year));
    put("enrolment " + p.id + p.entry.iso(), std::string(p.enrol_status) + shown(p.leaving));
    put("ethnicity " + p.id, std::string(p.ethnicity) + std::string(p.ethnicity_source));
    put("language " + p.id,
        std::string(p.language) + std::string(p.home_language) + std::string(p.proficiency));
  }
  for (const Staff& s : day.staff)
    put("staff " + s.id, s.title + s.forename + s.surname + std::string(s.role));
  for (const Group& g : day.groups)
    put("group " + g.id,
        g.name + std::string(g.kind) + std::string(g.year) + std::to_string(g.academic_year));
  for (const Membership& m : day.memberships)
    put("membership " + day.groups[m.group].id +
            (m.staff ? day.staff[m.member].id : day.pupils[m.member].id) + m.from.iso(),
        shown(m.to));
  for (const FsmSpell& s : day.fsm)
    put("fsm " + day.pupils[s.pupil].id + s.start.iso(),
        std::string(s.category) + shown(s.end) + shown(s.reviewed));
  for (const SenSpell& s : day.sen)
    put("sen " + day.pupils[s.pupil].id + s.start.iso(), std::string(s.provision) + shown(s.end));
  for (const SenNeed& n : day.sen_needs)
    put("need " + day.pupils[n.pupil].id + std::to_string(n.rank), std::string(n.type));
  for (const Suspension& s : day.suspensions)
    put("suspension " + s.id, day.pupils[s.pupil].id + s.start.iso() + std::to_string(s.sessions));
  for (const Assessment& a : day.results)
    put("result " + day.pupils[a.pupil].id + std::string(a.stage) + std::string(a.subject) +
            std::string(a.method) + std::string(a.component) + std::string(a.qualifier),
        a.result + a.date.iso());
  for (const Activity& a : day.activities)
    put("activity " + a.id, a.title + a.start.iso() + a.end.iso() + std::string(a.promise));
  for (const Participation& p : day.participations)
    put("participation " + day.activities[p.activity].id + p.date.iso() + day.pupils[p.pupil].id,
        std::string(p.status) + std::string(p.role));
  REQUIRE(unique);
  return out;
}

Hash256 digest(const DemoDay& day) {
  Hasher hasher("demo-test");
  for (const auto& [key, value] : lines(day)) hasher.update(bytes_of(key + "=" + value + "\n"));
  day.for_each_mark([&](const Mark& m) {
    hasher.update(bytes_of(m.date.iso() + (m.pm ? "P" : "A") + day.pupils[m.pupil].id + std::string(m.code) +
                           std::to_string(m.minutes_late.value_or(-1))));
  });
  return hasher.finish();
}

// Changes from one day to the next, by kind of row: "pupil+" added, "pupil~" changed, "pupil-" gone.
std::map<std::string, int> changes(const DemoDay& before, const DemoDay& after) {
  const auto a = lines(before), b = lines(after);
  std::map<std::string, int> out;
  const auto kind = [](const std::string& key) { return key.substr(0, key.find(' ')); };
  for (const auto& [key, value] : b) {
    const auto old = a.find(key);
    if (old == a.end())
      ++out[kind(key) + "+"];
    else if (old->second != value)
      ++out[kind(key) + "~"];
  }
  for (const auto& [key, value] : a)
    if (!b.contains(key)) ++out[kind(key) + "-"];
  // Marks, square against square.
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < before.pupils.size(); ++i) place[before.pupils[i].id] = i;
  std::size_t matched = 0, all = 0;
  before.for_each_mark([&](const Mark&) { ++all; });
  for (std::size_t p = 0; p < after.pupils.size(); ++p) {
    const auto old = place.find(after.pupils[p].id);
    for (std::size_t d = 0; d < after.marks.days(); ++d)
      for (const bool pm : {false, true}) {
        const Register::Cell now = after.marks.at(d, p, pm);
        Register::Cell then;
        if (old != place.end() && d < before.marks.days()) then = before.marks.at(d, old->second, pm);
        matched += now.code != 0 && then.code != 0;
        if (now.code != 0 && then.code == 0) ++out["mark+"];
        if (now.code != 0 && then.code != 0 && (now.code != then.code || now.minutes != then.minutes))
          ++out["mark~"];
      }
  }
  if (matched < all) out["mark-"] = static_cast<int>(all - matched);
  return out;
}

std::map<std::string, double> mark_mix(const DemoDay& day) {
  std::map<std::string, double> out;
  double all = 0;
  day.for_each_mark([&](const Mark& m) {
    ++out[std::string(m.code)];
    ++all;
  });
  for (auto& [code, n] : out) n = n * 100 / all;
  return out;
}

}  // namespace

TEST_CASE("the same question has the same answer, on every machine and for ever") {
  const DemoDay day = on(school(Phase::kPrimary, 1, 60), "2026-11-20");
  CHECK(digest(day) == digest(on(school(Phase::kPrimary, 1, 60), "2026-11-20")));
  // A change to this value is a change to every demo and bench: say so in the changelog.
  CHECK(digest(day).hex() == "a639ce9956b33e904e1e2353c518d7ce5aa6d6d78c53d4aadf8599ea39b21ad2");
  CHECK(digest(on(school(Phase::kSecondary, 1, 60), "2026-11-20")).hex() ==
        "65df02261773313390a71a3e54d1e8cc84a64fc24705e87bb237627afd563eaf");
}

TEST_CASE("another seed, or another phase, is another school") {
  const DemoDay a = on(school(Phase::kPrimary, 1, 60), "2026-10-02");
  for (const DemoDay& b : {on(school(Phase::kPrimary, 2, 60), "2026-10-02"),
                           on(school(Phase::kSecondary, 1, 60), "2026-10-02")}) {
    std::set<std::string> ids;
    for (const Pupil& p : a.pupils) ids.insert(p.id);
    CHECK(std::none_of(b.pupils.begin(), b.pupils.end(), [&](const Pupil& p) { return ids.contains(p.id); }));
  }
}

TEST_CASE("a school holds what the domain sheet says that one of its size holds") {
  struct Expected {
    Phase phase;
    std::size_t pupils, marks, forms, memberships, fsm, sen, needs, suspensions, results, activities,
        participations, leavers, staff;
  };
  for (const Expected& e :
       {Expected{Phase::kPrimary, 420, 159'600, 14, 600, 230, 150, 110, 6, 8'000, 120, 15'000, 130, 55},
        Expected{Phase::kSecondary, 1500, 570'000, 60, 15'500, 850, 650, 400, 180, 110'000, 200, 36'000, 480,
                 170}}) {
    const DemoDay day = on(school(e.phase), "2027-07-20");
    const auto on_roll = static_cast<std::size_t>(std::count_if(
        day.pupils.begin(), day.pupils.end(), [&](const Pupil& p) { return p.on_roll(day.day); }));
    CHECK(about(static_cast<double>(on_roll), static_cast<double>(e.pupils), 0.02));
    std::size_t marks = 0;
    day.for_each_mark([&](const Mark&) { ++marks; });
    CHECK(about(static_cast<double>(marks), static_cast<double>(e.marks), 0.03));
    std::map<std::string, std::size_t> groups;
    for (const Group& g : day.groups) ++groups[std::string(g.kind)];
    CHECK(groups["registration"] == e.forms);
    CHECK(groups["year"] == 7);
    if (e.phase == Phase::kPrimary) CHECK(groups["intervention"] == 20);
    if (e.phase == Phase::kSecondary) CHECK(about(static_cast<double>(groups["class"]), 620, 0.05));
    std::size_t now = 0;
    for (const Membership& m : day.memberships)
      if (!m.staff && !m.to &&
          (day.groups[m.group].kind == "class" || day.groups[m.group].kind == "registration" ||
           day.groups[m.group].kind == "intervention"))
        ++now;
    CHECK(about(static_cast<double>(now), static_cast<double>(e.memberships), 0.15));
    const auto open = [&](const auto& spells) {
      return std::count_if(spells.begin(), spells.end(),
                           [&](const auto& s) { return !s.end && day.pupils[s.pupil].on_roll(day.day); });
    };
    // FSM Targeted 35 to 40 %, Expanded 8 %; K 15 %, E 6 %.
    CHECK(about(share(static_cast<std::size_t>(open(day.fsm)), on_roll), 0.46, 0.2));
    CHECK(about(share(static_cast<std::size_t>(open(day.sen)), on_roll), 0.20, 0.25));
    CHECK(about(static_cast<double>(day.fsm.size()), static_cast<double>(e.fsm), 0.75));
    CHECK(about(static_cast<double>(day.sen.size()), static_cast<double>(e.sen)));
    CHECK(about(static_cast<double>(day.sen_needs.size()), static_cast<double>(e.needs), 0.5));
    CHECK(about(static_cast<double>(day.suspensions.size()), static_cast<double>(e.suspensions), 0.75));
    CHECK(about(static_cast<double>(day.results.size()), static_cast<double>(e.results), 0.1));
    CHECK(about(static_cast<double>(day.activities.size()), static_cast<double>(e.activities), 0.05));
    CHECK(about(static_cast<double>(day.participations.size()), static_cast<double>(e.participations), 0.25));
    CHECK(about(static_cast<double>(day.pupils.size() - on_roll), static_cast<double>(e.leavers), 0.4));
    CHECK(day.staff.size() == e.staff);
    std::size_t eal = 0;
    std::set<std::string_view> promises;
    for (const Pupil& p : day.pupils)
      if (p.on_roll(day.day) && p.language != "ENG" && p.language != "ENB") ++eal;
    CHECK(about(share(eal, on_roll), 0.55, 0.1));
    for (const Activity& a : day.activities) promises.insert(a.promise);
    CHECK(promises.size() == 12);
  }
}

TEST_CASE("marks have the mix of a real year: present, late, ill, and a few who are hardly ever there") {
  const DemoDay primary = on(school(Phase::kPrimary), "2027-07-20"),
                secondary = on(school(Phase::kSecondary), "2027-07-20");
  auto mix = mark_mix(primary);
  CHECK(about(mix["/"] + mix["\\"], 92.6, 0.03));
  CHECK(about(mix["L"], 1.4));
  CHECK(about(mix["I"], 2.8));
  CHECK(about(mix["V"] + mix["P"] + mix["B"] + mix["W"], 1.0, 0.5));
  CHECK(about(mix["N"], 0.2, 0.8));
  CHECK(about(mix["U"], 0.2, 0.5));
  CHECK(about(mix["O"], 0.4, 0.5));
  mix = mark_mix(secondary);
  CHECK(about(mix["/"] + mix["\\"], 87, 0.03));
  CHECK(about(mix["L"], 2.6));
  CHECK(about(mix["I"], 3.8));
  CHECK(about(mix["V"] + mix["P"] + mix["B"] + mix["W"], 2.0, 0.5));
  CHECK(about(mix["N"], 0.3, 0.8));
  CHECK(about(mix["O"], 1.8));
  CHECK(about(mix["E"], 0.4, 0.6));

  // At or above a tenth: 15 % / 24 % of pupils. Above a half: 1 % / 4 %. Mornings tell afternoons.
  for (const auto& [day, tenth, half] :
       {std::tuple{&primary, 0.15, 0.01}, std::tuple{&secondary, 0.24, 0.04}}) {
    std::vector<std::pair<std::size_t, std::size_t>> away(day->pupils.size());
    std::size_t both = 0, mornings = 0;
    std::array<std::pair<std::size_t, std::size_t>, 5> by_weekday{};
    std::set<std::uint32_t> morning;
    Date last;
    day->for_each_mark([&](const Mark& m) {
      if (m.date != last) morning.clear();
      last = m.date;
      const bool absent = std::string_view("IMCGONUESR").find(m.code) != std::string_view::npos;
      if (m.code == "S") return;
      away[m.pupil].first += absent;
      ++away[m.pupil].second;
      by_weekday[m.date.weekday()].first += absent;
      ++by_weekday[m.date.weekday()].second;
      if (!m.pm && absent) {
        morning.insert(m.pupil);
        ++mornings;
      }
      if (m.pm && absent && morning.contains(m.pupil)) ++both;
    });
    std::size_t counted = 0, persistent = 0, severe = 0;
    for (const auto& [absent, all] : away) {
      if (all < 100) continue;
      ++counted;
      persistent += absent * 10 >= all;
      severe += absent * 2 >= all;
    }
    CHECK(about(share(persistent, counted), tenth, 0.25));
    CHECK(about(share(severe, counted), half, 0.8));
    CHECK(share(both, mornings) > 0.6);
    const auto rate = [&](std::size_t d) { return share(by_weekday[d].first, by_weekday[d].second); };
    CHECK(rate(0) + rate(4) > 2 * 1.02 * (rate(1) + rate(2) + rate(3)) / 3);
  }
}

TEST_CASE("from one school day to the next changes what the domain sheet says, and nothing else") {
  struct Expected {
    Phase phase;
    double marks, rewritten, edits, moves, churn, parts;
  };
  for (const Expected& e : {Expected{Phase::kPrimary, 840, 8, 4, 1, 0.3, 80},
                            Expected{Phase::kSecondary, 3000, 60, 15, 25, 1.0, 190}}) {
    const DemoSchool of = school(e.phase);
    // Four weeks of autumn and two of spring, whole weeks apart.
    std::map<std::string, double> sum;
    int days = 0;
    const Calendar calendar = on(of, "2026-09-01").calendar;
    DemoDay before = on(of, calendar.school[20].iso());
    for (int d = 21; d < 60; ++d, ++days) {
      DemoDay after = on(of, calendar.school[static_cast<std::size_t>(d)].iso());
      const auto found = changes(before, after);
      for (const auto& [kind, n] : found) sum[kind] += n;
      // What never changes within a term.
      for (const char* never : {"mark-", "participation-", "group+", "group-", "group~", "staff+", "staff-",
                                "staff~", "membership-", "activity-", "activity~", "result-", "result~",
                                "suspension-", "suspension~", "ethnicity~", "language~"}) {
        CAPTURE(never);
        CHECK_FALSE(found.contains(never));
      }
      // A leaver's record is cleared away whole, or not at all.
      const auto gone = [&](const char* kind) { return found.contains(kind) ? found.at(kind) : 0; };
      CHECK(gone("pupil-") == gone("enrolment-"));
      CHECK(gone("pupil-") == gone("language-"));
      if (gone("pupil-") == 0) CHECK(gone("fsm-") + gone("sen-") == 0);
      // New marks are the new day's marks.
      std::size_t today = 0;
      after.for_each_mark([&](const Mark& m) { today += m.date == after.day; });
      CHECK(static_cast<std::size_t>(gone("mark+")) == today);
      before = std::move(after);
    }
    for (auto& [kind, n] : sum) n /= days;
    INFO("marks~ " << sum["mark~"] << " pupil~ " << sum["pupil~"] << " membership+ " << sum["membership+"]
                   << " part+ " << sum["participation+"]);
    CHECK(sum["participation~"] < 2);  // present after all
    CHECK(about(sum["mark+"], e.marks, 0.05));
    CHECK(about(sum["mark~"], e.rewritten, 0.6));
    CHECK(about(sum["pupil~"], e.edits, 0.5));
    CHECK(about(sum["membership+"], e.moves, e.phase == Phase::kPrimary ? 1.0 : 0.6));
    CHECK(about(sum["pupil+"] * 2, e.churn, 0.8));
    CHECK(about(sum["participation+"], e.parts, 0.5));
  }
}

TEST_CASE("a weekend, a holiday and August show the last state, but for what the office enters") {
  const DemoSchool of = school(Phase::kPrimary);
  CHECK(changes(on(of, "2026-11-20"), on(of, "2026-11-22")).empty());
  const auto christmas = changes(on(of, "2026-12-22"), on(of, "2026-12-29"));
  CHECK_FALSE(christmas.contains("mark+"));
  CHECK_FALSE(christmas.contains("mark~"));
}

TEST_CASE("marks are of pupils on roll, on days on which the school is open") {
  const DemoSchool of = school(Phase::kSecondary, 3, 300);
  for (const char* text : {"2024-09-10", "2025-02-14", "2027-08-20"}) {
    const DemoDay day = on(of, text);
    std::set<Date> open;
    for (const CalendarDay& d : day.calendar.days)
      if (d.kind == DayKind::kSchool) open.insert(d.date);
    bool fine = true;
    std::size_t n = 0;
    day.for_each_mark([&](const Mark& m) {
      ++n;
      fine = fine && open.contains(m.date) && m.date <= day.day && day.pupils[m.pupil].on_roll(m.date);
      fine = fine && (m.pm ? m.code != "/" : m.code != "\\");
      fine = fine && (!m.minutes_late || m.code == "L" || m.code == "U");
    });
    CHECK(fine);
    CHECK(n > 1000);
    for (const Participation& p : day.participations) {
      REQUIRE(open.contains(p.date));
      REQUIRE(day.pupils[p.pupil].on_roll(p.date));
    }
  }
}

TEST_CASE("UPNs carry the letter that belongs to them, but for the few that are wrong as in life") {
  CHECK(upn_check_letter("674123101121") == 'R');
  CHECK(upn_check_letter("202200125001") == 'W');
  CHECK(upn_check_letter("202453819042") == 'Y');
  CHECK(upn_check_letter("20220012512A") == 'V');
  CHECK(upn_check_letter("20245382307K") == 'F');

  for (const Phase phase : {Phase::kPrimary, Phase::kSecondary}) {
    std::size_t wrong = 0, all = 0;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      const DemoDay september = on(school(phase, seed), "2026-09-10"),
                    summer = on(school(phase, seed), "2027-06-30");
      const auto unsettled = [](const DemoDay& day) {
        std::size_t open = 0, roll = 0;
        for (const Pupil& p : day.pupils) {
          if (!p.on_roll(day.day)) continue;
          ++roll;
          open += p.upn.empty() || (p.upn.back() >= 'A' && p.upn.back() <= 'Z');
        }
        return share(open, roll);
      };
      CHECK(unsettled(september) > 0.02);
      CHECK(unsettled(september) < 0.07);
      CHECK(unsettled(summer) < 0.03);
      std::set<std::string> seen;
      for (const Pupil& p : summer.pupils) {
        if (p.upn.empty()) continue;
        ++all;
        REQUIRE(p.upn.size() == 13);
        CHECK(seen.insert(p.upn).second);
        wrong += p.upn[0] != upn_check_letter(std::string_view(p.upn).substr(1));
      }
    }
    CHECK(about(share(wrong, all), 0.002, 0.9));
  }
}

TEST_CASE("ULNs have a right check digit and belong to the older pupils") {
  const DemoDay day = on(school(Phase::kSecondary), "2027-05-04");
  std::size_t with = 0;
  for (const Pupil& p : day.pupils) {
    if (p.uln.empty()) continue;
    ++with;
    REQUIRE(p.uln.size() == 10);
    int sum = 0;
    for (std::size_t i = 0; i < 9; ++i) sum += (p.uln[i] - '0') * static_cast<int>(10 - i);
    CHECK(sum % 11 != 0);
    CHECK(p.uln[9] == static_cast<char>('0' + 10 - sum % 11));
    CHECK_FALSE((p.year == "7" || p.year == "8" || p.year == "9"));
  }
  CHECK(with > 600);
}

TEST_CASE("on 1 August everybody moves up, the oldest have gone, the new ones are there") {
  for (const Phase phase : {Phase::kPrimary, Phase::kSecondary}) {
    const DemoSchool of = school(phase);
    const DemoDay july = on(of, "2027-07-31"), august = on(of, "2027-08-01"),
                  september = on(of, "2027-09-06");
    std::map<std::string, const Pupil*> before;
    for (const Pupil& p : july.pupils) before[p.id] = &p;
    std::size_t moved = 0, new_ones = 0, stayed = 0;
    for (const Pupil& p : august.pupils) {
      const auto old = before.find(p.id);
      if (old == before.end()) {
        ++new_ones;
        CHECK(p.entry > august.day);
        continue;
      }
      CHECK(old->second->forename == p.forename);
      CHECK(old->second->entry == p.entry);
      const bool left = old->second->last_day < july.day;
      (old->second->year != p.year ? moved : stayed) += 1;
      CHECK((old->second->year == p.year) == left);
    }
    CHECK(moved > 300);
    CHECK(stayed > 50);
    CHECK(new_ones >= (phase == Phase::kPrimary ? 60U : 280U));
    // Marks of the year stay until it is over; in September they begin again.
    std::size_t in_july = 0, in_august = 0, in_september = 0;
    july.for_each_mark([&](const Mark&) { ++in_july; });
    august.for_each_mark([&](const Mark&) { ++in_august; });
    september.for_each_mark([&](const Mark&) { ++in_september; });
    CHECK(in_july == in_august);
    CHECK(in_september < in_july / 10);
    // All classes are new, houses are not.
    std::set<std::string> ids;
    for (const Group& g : july.groups) ids.insert(g.id);
    for (const Group& g : august.groups) CHECK(ids.contains(g.id) == (g.kind == "house"));
    // Fewer than one in ten goes at once: the shrink guard has nothing to say about pupils.
    std::size_t gone = 0;
    std::set<std::string> after;
    for (const Pupil& p : august.pupils) after.insert(p.id);
    for (const Pupil& p : july.pupils) gone += !after.contains(p.id);
    CHECK(gone * 10 < july.pupils.size());
    // September's roll is full again.
    const auto roll = std::count_if(september.pupils.begin(), september.pupils.end(),
                                    [&](const Pupil& p) { return p.on_roll(september.day); });
    CHECK(about(static_cast<double>(roll), phase == Phase::kPrimary ? 420 : 1500, 0.02));
  }
}

TEST_CASE("a leaver keeps the record and the marks; a joiner has none from before") {
  const DemoDay day = on(school(Phase::kSecondary), "2027-06-30");
  std::vector<std::size_t> marks(day.pupils.size());
  day.for_each_mark([&](const Mark& m) { ++marks[m.pupil]; });
  std::size_t leavers = 0, joiners = 0;
  for (std::size_t i = 0; i < day.pupils.size(); ++i) {
    const Pupil& p = day.pupils[i];
    if (p.leaving && *p.leaving<day.day&& * p.leaving> day.calendar.school[10]) {
      ++leavers;
      CHECK(marks[i] > 0);
    }
    if (p.entry > day.calendar.school[10] && p.entry < day.day) ++joiners;
  }
  CHECK(leavers > 50);
  CHECK(joiners > 50);
}

TEST_CASE("free meals before autumn 2026 have no category; afterwards they are targeted or expanded") {
  const DemoSchool of = school(Phase::kPrimary);
  const DemoDay before = on(of, "2026-08-31"), after = on(of, "2026-12-01");
  std::map<std::string, Date> starts;
  for (const FsmSpell& s : before.fsm) {
    CHECK(s.category == "LEGACY");
    CHECK((!s.end || *s.end >= s.start));
    starts[before.pupils[s.pupil].id + s.start.iso()] = s.start;
  }
  std::size_t kept = 0, expanded = 0;
  for (const FsmSpell& s : after.fsm) {
    CHECK(s.category != "LEGACY");
    kept += starts.contains(after.pupils[s.pupil].id + s.start.iso());
    if (s.category == "EXPANDED") {
      ++expanded;
      CHECK(s.start >= *Date::parse("2026-09-01"));
    }
  }
  CHECK(kept > starts.size() * 8 / 10);  // start dates were not rewritten
  CHECK(about(share(expanded, 420), 0.08, 0.5));
}

TEST_CASE("any school of any size works on any day, and what is out of range is refused") {
  for (const Phase phase : {Phase::kPrimary, Phase::kSecondary})
    for (const int pupils : {kPupilsMin, 37, 211})
      for (int year = kFirstYear; year < kLastYear; year += 5)
        for (const char* day : {"-09-01", "-12-25", "-02-29", "-04-17", "-07-31", "-08-31"}) {
          const auto date = Date::parse(std::to_string(year + (day[1] == '0' && day[2] < '9' ? 1 : 0)) + day);
          if (!date) continue;  // no 29 February in that year
          CHECK(school(phase, 11, pupils).on(*date).has_value());
        }
  CHECK_FALSE(DemoSchool::make({Phase::kPrimary, 1, 3}).has_value());
  CHECK_FALSE(DemoSchool::make({Phase::kPrimary, 1, kPupilsMax + 1}).has_value());
  CHECK_FALSE(school(Phase::kPrimary).on(*Date::parse("1990-01-01")).has_value());
  CHECK_FALSE(school(Phase::kPrimary).on(*Date::parse("2090-01-01")).has_value());
}
