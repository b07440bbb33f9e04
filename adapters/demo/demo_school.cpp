#include "adapters/demo/demo_school.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "adapters/demo/curriculum.hpp"
#include "adapters/demo/draw.hpp"
#include "adapters/demo/names.hpp"
#include "core/hash.hpp"

namespace towpath::demo {
namespace {

// A day after every day that is modelled.
constexpr Date kNever{60'000};
constexpr std::string_view kUpnLetters = "ABCDEFGHJKLMNPQRTUVWXYZ";

// From about 10 June.
constexpr int kExamsFrom = 160;

// Marks by number, so that a day is four bytes. 0 is no mark.
enum MarkCode : std::uint8_t {
  kNone,
  kAm,
  kPm,
  kLate,
  kIll,
  kMedical,
  kLeave,
  kHoliday,
  kOther,
  kUnknownYet,
  kAfterClose,
  kVisit,
  kSport,
  kOffSite,
  kWork,
  kSuspended,
  kStudy,
  kNotRequired,
  kReligious
};
constexpr std::array<std::string_view, 19> kMarkText = {"",  "/", "\\", "L", "I", "M", "C", "G", "O", "N",
                                                        "U", "V", "P",  "B", "W", "E", "S", "X", "R"};
bool is_absence(std::uint8_t code) {
  switch (code) {
    case kIll:
    case kMedical:
    case kLeave:
    case kHoliday:
    case kOther:
    case kUnknownYet:
    case kAfterClose:
    case kSuspended:
    case kStudy:
    case kReligious:
      return true;
    default:
      return false;
  }
}

std::string digits(std::uint64_t value, std::size_t width) {
  std::string out(width, '0');
  for (std::size_t i = width; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out;
}

template <class T>
const T& pick(Draw& draw, std::span<const T> list) {
  return list[static_cast<std::size_t>(draw.below(static_cast<int>(list.size())))];
}

struct Share {
  int weight;
  std::string_view code;
  Heritage heritage;
};
// Percent, as in the domain sheet's mix for the borough.
constexpr Share kEthnicities[] = {
    {25, "WBRI", Heritage::kBritish},  {1, "WIRI", Heritage::kBritish},    {17, "WOTH", Heritage::kEuropean},
    {12, "ABAN", Heritage::kBengali},  {14, "BAFR", Heritage::kSomali},    {4, "MWBC", Heritage::kCaribbean},
    {3, "MWBA", Heritage::kAfrican},   {3, "MWAS", Heritage::kSouthAsian}, {4, "MOTH", Heritage::kEuropean},
    {8, "OOTH", Heritage::kArabic},    {4, "AOTH", Heritage::kSouthAsian}, {1, "BCRB", Heritage::kCaribbean},
    {1, "CHNE", Heritage::kEastAsian}, {1, "AIND", Heritage::kSouthAsian}, {1, "REFU", Heritage::kBritish},
    {1, "NOBT", Heritage::kEuropean}};
struct Tongue {
  int weight;
  std::string_view code;
};
// First language by heritage; more than half of the school has English as an additional one.
std::span<const Tongue> tongues(Heritage heritage) {
  static constexpr Tongue kBritish[] = {{98, "ENG"}, {2, "ENB"}};
  static constexpr Tongue kEuropean[] = {{14, "ENG"}, {24, "ALB"}, {16, "SPA"}, {14, "POR"},
                                         {12, "FRN"}, {10, "TUR"}, {10, "OTB"}};
  static constexpr Tongue kBengali[] = {{10, "ENG"}, {88, "BNG"}, {2, "OTB"}};
  static constexpr Tongue kSouthAsian[] = {{50, "ENG"}, {50, "OTH"}};
  static constexpr Tongue kSomali[] = {{10, "ENG"}, {80, "SOM"}, {10, "ARA"}};
  static constexpr Tongue kAfrican[] = {{60, "ENG"}, {20, "OTH"}, {20, "FRN"}};
  static constexpr Tongue kCaribbean[] = {{97, "ENG"}, {3, "ENB"}};
  static constexpr Tongue kArabic[] = {{10, "ENG"}, {60, "ARA"}, {20, "KUR"}, {10, "OTB"}};
  static constexpr Tongue kEastAsian[] = {{20, "ENG"}, {80, "OTH"}};
  switch (heritage) {
    case Heritage::kBritish:
      return kBritish;
    case Heritage::kEuropean:
      return kEuropean;
    case Heritage::kBengali:
      return kBengali;
    case Heritage::kSouthAsian:
      return kSouthAsian;
    case Heritage::kSomali:
      return kSomali;
    case Heritage::kAfrican:
      return kAfrican;
    case Heritage::kCaribbean:
      return kCaribbean;
    case Heritage::kArabic:
      return kArabic;
    case Heritage::kEastAsian:
      return kEastAsian;
  }
  return kBritish;
}
constexpr std::string_view kSenTypes[] = {"SLCN", "SLCN", "SLCN", "SEMH", "SEMH", "ASD", "ASD", "MLD",
                                          "SPLD", "SPLD", "HI",   "VI",   "PD",   "DS",  "OTH"};
constexpr std::string_view kReasons[] = {"DB", "DB", "DB", "PP", "PP", "VA", "VA", "VP", "PA", "BU",
                                         "DM", "DA", "OW", "TH", "RA", "MT", "PH", "SM", "LG"};

// Chances of a million, by phase. Reasons: the domain sheet's volumes (rows held, change per day).
struct Rates {
  int leaves;        // a seat's occupant, during a year: half of the joiners and leavers a day
  int hard_from;     // pupils above this rank are absent a tenth of the time or more
  int chronic_from;  // ... and above this half of it
  int top_easy;      // absence at hard_from, and so on down the curve
  int unexplained;   // an absence that is N at first and is settled on a later day
  int late;          // a morning; the mean of a skewed spread
  int suspended_easy, suspended_hard;
};
constexpr Rates kPrimaryRates = {66'000, 900'000, 990'000, 86'000, 210'000, 29'000, 5'000, 60'000};
constexpr Rates kSecondaryRates = {63'000, 785'000, 963'000, 96'000, 300'000, 54'000, 45'000, 300'000};

// One person in one seat, from entry to leaving.
struct Stay {
  int cohort = 0, seat = 0, ordinal = 0;
  Date known_since, entry;
  Date last_day = kNever;
  int last_year = 9999;  // academic year of last_day
};

class Builder {
 public:
  Builder(Phase phase, std::uint64_t seed, int pupils, Date day)
      : phase_(phase),
        seed_(seed),
        pupils_(pupils),
        rates_(phase == Phase::kPrimary ? kPrimaryRates : kSecondaryRates) {
    year_ = academic_year(day);
    out_.system_year = system_ = system_year(day);
    // Nobody is in the office on a weekend: it shows Friday's state, unless a year began.
    const Date friday = day.plus(day.weekday() >= 5 ? 4 - static_cast<int>(day.weekday()) : 0);
    out_.day = academic_year(friday) == year_ && system_year(friday) == system_ ? friday : day;
    day = out_.day;
    for (int y = system_ - kYearsBack; y <= system_ + 1; ++y) calendars_.push_back(make_calendar(y, seed_));
    out_.calendar = calendar(year_);
    taught_ = out_.calendar.school_days_until(day);
    own_estab_ = static_cast<int>(mix(seed_, About::kSchool, 1) % 900) + (primary() ? 2000 : 4000);
    out_.laestab = "202" + std::to_string(own_estab_);
  }

  DemoDay build() {
    make_pupils();
    make_staff();
    make_groups();
    make_memberships();
    make_characteristics();
    make_marks();
    make_activities();
    make_results();
    return std::move(out_);
  }

 private:
  // Seven year groups, and leavers stay in the MIS for up to two years.
  static constexpr int kGrades = 7;
  static constexpr int kYearsBack = 10;
  static constexpr int kSixthForm = 5;  // grade of Year 12

  [[nodiscard]] bool primary() const { return phase_ == Phase::kPrimary; }
  [[nodiscard]] const Calendar& calendar(int year) const {
    return calendars_.at(static_cast<std::size_t>(year - (system_ - kYearsBack)));
  }
  [[nodiscard]] int lower_seats() const {
    return primary() ? std::max(2, (pupils_ + 3) / 7) : (pupils_ * 16 + 50) / 100;
  }
  [[nodiscard]] int seats(int grade) const {
    return !primary() && grade >= kSixthForm ? std::max(1, (pupils_ + 5) / 10) : lower_seats();
  }
  [[nodiscard]] int forms(int grade) const {
    const int size = primary() || grade >= kSixthForm ? 30 : 24;
    return std::max(1, (seats(grade) + size / 2) / size);
  }
  [[nodiscard]] int form(const Pupil& pupil, int grade) const { return pupil.seat % forms(grade); }
  [[nodiscard]] std::string_view year_name(int grade) const {
    return primary() ? kPrimaryYears.at(static_cast<std::size_t>(grade))
                     : kSecondaryYears.at(static_cast<std::size_t>(grade));
  }
  // The grade in `year`, or in the year of leaving; -1 before.
  [[nodiscard]] static int grade(const Pupil& pupil, int year) {
    return std::min(year - pupil.cohort, kGrades - 1);
  }

  void make_stays(int cohort, std::vector<Stay>& stays) const;
  void make_pupils();
  void name_pupil(const Stay& stay, Pupil& pupil) const;
  void edit_pupil(const Stay& stay, Pupil& pupil) const;
  void make_staff();
  void make_groups();
  void make_memberships();
  void pupil_memberships(std::uint32_t index);
  void membership(std::size_t group, std::uint32_t member, Date from, std::optional<Date> to);
  void make_characteristics();
  void make_fsm(std::uint32_t index, Pupil& pupil);
  void make_sen(std::uint32_t index, const Pupil& pupil);
  void make_suspensions(std::uint32_t index, const Pupil& pupil);
  void make_marks();
  void attend(std::uint32_t index);
  void make_activities();
  void make_results();
  void add_result(std::uint32_t pupil, int day, std::string_view stage, std::string_view subject,
                  std::string_view method, std::string_view component, std::string_view qualifier,
                  std::string result);
  [[nodiscard]] int absence_rate(const Pupil& pupil, bool& hard) const;
  [[nodiscard]] int first_year_of(const Pupil& pupil) const {
    return std::max(academic_year(pupil.entry), system_ - kYearsBack);
  }

  Phase phase_;
  std::uint64_t seed_;
  int pupils_;
  const Rates& rates_;
  int year_ = 0;    // marks, activities and results
  int system_ = 0;  // year groups and classes
  int taught_ = 0;  // school days of year_ up to the day
  int own_estab_ = 0;
  std::vector<Calendar> calendars_;
  // Where each kind of group begins in out_.groups.
  std::array<std::size_t, kGrades> first_form_{};
  std::array<std::size_t, kGrades> first_class_{};
  std::size_t first_house_ = 0, first_intervention_ = 0;
  int teachers_ = 1;
  DemoDay out_;
};

// --- who is there ----------------------------------------------------------------------------

void Builder::make_stays(int cohort, std::vector<Stay>& stays) const {
  // Before the calendars begin nothing is asked that could still show.
  const int begin = std::max(cohort, system_ - kYearsBack);
  for (int seat = 0; seat < lower_seats(); ++seat) {
    Stay stay{cohort, seat, 0, *Date::from_ymd(cohort, 8, 1), calendar(begin).school[0]};
    bool taken = true;
    const auto leave = [&](Date last, int year) {
      stay.last_day = last;
      stay.last_year = year;
      stays.push_back(stay);
      taken = false;
    };
    const auto join = [&](Date entry, Date known) {
      stay = Stay{cohort, seat, stay.ordinal + 1, known, entry};
      taken = true;
    };
    for (int g = 0; g < kGrades && cohort + g <= system_; ++g) {
      const int year = cohort + g;
      if (year < begin) continue;
      if (seat >= seats(g)) break;
      const Calendar& cal = calendar(year);
      if (!taken) join(cal.school[0], cal.school[0]);
      Draw draw(mix(seed_, About::kSeat, static_cast<std::uint64_t>(cohort), static_cast<std::uint64_t>(seat),
                    static_cast<std::uint64_t>(year)));
      const bool exams = !primary() && (g == kSixthForm - 1 || g == kGrades - 1);
      const bool moves = draw.chance(rates_.leaves);
      const int day = draw.between(8, exams ? 110 : kSchoolDays - 4);
      const int gap = draw.between(3, 20);
      const bool new_at_sixteen = draw.chance(300'000);
      if (moves) {
        leave(cal.school[static_cast<std::size_t>(day)], year);
        if (day + gap < kSchoolDays) {  // else the place stays empty until September
          const Date entry = cal.school[static_cast<std::size_t>(day + gap)];
          join(entry, entry);
        }
      }
      if (g == kGrades - 1) {
        if (taken) leave(cal.school[kSchoolDays - 1], year);
      } else if (exams && (seat >= seats(g + 1) || new_at_sixteen)) {
        leave(cal.school[kSchoolDays - 1], year);
        if (seat < seats(g + 1) && year + 1 <= system_)
          join(calendar(year + 1).school[0], *Date::from_ymd(year + 1, 8, 1));
        else
          break;
      }
    }
    if (taken) stays.push_back(stay);
  }
}

void Builder::make_pupils() {
  std::vector<Stay> stays;
  for (int cohort = system_ - kYearsBack; cohort <= system_; ++cohort) make_stays(cohort, stays);
  std::erase_if(stays, [&](const Stay& s) {
    // A leaver's record is cleared away 400 to 650 days after: some 1.4 years of leavers are held.
    const std::uint64_t late =
        mix(seed_, About::kPurge, static_cast<std::uint64_t>(s.cohort), static_cast<std::uint64_t>(s.seat),
            static_cast<std::uint64_t>(s.ordinal)) %
        250;
    return s.known_since > out_.day ||
           (s.last_day != kNever && s.last_day.plus(400 + static_cast<int>(late)) <= out_.day);
  });
  std::sort(stays.begin(), stays.end(), [](const Stay& a, const Stay& b) {
    return std::tie(a.known_since, a.cohort, a.seat, a.ordinal) <
           std::tie(b.known_since, b.cohort, b.seat, b.ordinal);
  });
  out_.pupils.reserve(stays.size());
  for (const Stay& stay : stays) {
    Pupil pupil;
    pupil.key = mix(seed_, About::kPupil, static_cast<std::uint64_t>(stay.cohort),
                    static_cast<std::uint64_t>(stay.seat), static_cast<std::uint64_t>(stay.ordinal));
    pupil.id = guid(pupil.key, 0);
    pupil.cohort = stay.cohort;
    pupil.seat = stay.seat;
    pupil.known_since = stay.known_since;
    pupil.entry = stay.entry;
    pupil.last_day = stay.last_day;
    pupil.year = year_name(grade(pupil, std::min(system_, stay.last_year)));
    if (stay.last_day != kNever) {
      // Who moves away says so up to two weeks ahead; the year's leavers are entered in the week after term.
      const int hash = static_cast<int>(mix(pupil.key, About::kShown) % 14);
      const bool at_year_end =
          stay.last_day == calendar(std::max(stay.last_year, system_ - kYearsBack)).school[kSchoolDays - 1];
      if (stay.last_day.plus(at_year_end ? 1 + hash % 5 : -hash) <= out_.day) pupil.leaving = stay.last_day;
    }
    name_pupil(stay, pupil);
    edit_pupil(stay, pupil);
    out_.pupils.push_back(std::move(pupil));
  }
}

void Builder::name_pupil(const Stay& stay, Pupil& pupil) const {
  Draw draw(mix(pupil.key, About::kName));
  int roll = draw.below(100);
  const Share* share = kEthnicities;
  for (const Share& s : kEthnicities) {
    share = &s;
    if ((roll -= s.weight) < 0) break;
  }
  Heritage heritage = share->heritage;
  if (heritage == Heritage::kSomali && draw.chance(500'000)) heritage = Heritage::kAfrican;
  const NameLists& names = names_of(heritage);
  const bool girl = draw.chance(500'000);
  pupil.sex = girl ? "F" : "M";
  pupil.forename = pick(draw, girl ? names.girls : names.boys);
  pupil.surname = pick(draw, names.surnames);
  if (draw.chance(600'000)) pupil.middle_names = pick(draw, girl ? names.girls : names.boys);
  pupil.ethnicity = share->code;
  constexpr std::array<std::string_view, 10> kSources = {"P", "P", "P", "P", "P", "P", "P", "C", "S", "O"};
  pupil.ethnicity_source = kSources.at(static_cast<std::size_t>(draw.below(10)));
  roll = draw.below(100);
  for (const Tongue& t : tongues(heritage)) {
    pupil.language = t.code;
    if ((roll -= t.weight) < 0) break;
  }
  const bool also_english = draw.chance(250'000);
  const int level = draw.below(10);
  if (pupil.language != "ENG" && pupil.language != "ENB") {
    if (also_english) pupil.home_language = "ENG";
    constexpr std::array<std::string_view, 10> kLevels = {"A", "B", "C", "C", "D", "D", "D", "E", "E", "E"};
    pupil.proficiency = kLevels.at(static_cast<std::size_t>(level));
  }
  const int dual = draw.below(1000);
  pupil.enrol_status = dual < 7 ? "M" : dual < 10 ? "S" : "C";
  const int age = primary() ? 4 : 11;  // on 31 August before the first year
  pupil.dob = Date::from_ymd(stay.cohort - age - 1, 9, 1)->plus(draw.below(365));

  // UPN: issued by this school to a primary's intake, elsewhere to everybody else.
  Draw upn(mix(pupil.key, About::kUpn));
  const int issued = primary() ? stay.cohort : stay.cohort - 7;
  const bool own = primary() && stay.ordinal == 0;
  const int number = own ? stay.seat : stay.seat * 16 + std::min(stay.ordinal, 15);
  constexpr std::array<std::string_view, 8> kAuthorities = {"202", "202", "202", "206",
                                                            "304", "302", "213", "309"};
  std::string rest;
  const auto write = [&](bool temporary) {
    const int estab = own ? own_estab_ : 3000 + 7 * (number % 40);
    const int serial = own ? number + 1 : number / 40 + 1;
    rest = own ? "202" : std::string(kAuthorities.at(static_cast<std::size_t>(number % 8)));
    rest +=
        digits(static_cast<std::uint64_t>(estab), 4) + digits(static_cast<std::uint64_t>(issued % 100), 2);
    if (temporary) {
      rest += digits(static_cast<std::uint64_t>(serial % 100), 2);
      rest += kUpnLetters[static_cast<std::size_t>(serial / 100 + number % 7) % kUpnLetters.size()];
    } else {
      rest += digits(static_cast<std::uint64_t>(serial), 3);
    }
    pupil.upn = upn_check_letter(rest) + rest;
  };
  // In September 4 % of a school has a temporary UPN or none; most are settled within weeks.
  const bool unsettled = upn.chance(primary() ? 250'000 : 200'000);
  const bool missing = upn.chance(333'000);
  const bool for_ever = upn.chance(80'000);
  const int settled = upn.between(5, 75);
  if (unsettled && (for_ever || out_.day < stay.entry.plus(settled))) {
    if (!missing) write(true);
  } else {
    write(false);
  }
  if (upn.chance(2'000) && !pupil.upn.empty())  // 0.2 % carry a wrong check letter for good
    pupil.upn[0] = kUpnLetters[(kUpnLetters.find(pupil.upn[0]) + 5) % kUpnLetters.size()];

  // ULN: in Year 10, during the autumn.
  const int year10 = stay.cohort + 3;
  if (!primary() && year10 <= system_ && year10 <= stay.last_year) {
    const Calendar& cal = calendar(std::max(year10, system_ - kYearsBack));
    const std::uint64_t h = mix(pupil.key, About::kUpn, 10);
    if (std::max(stay.entry, cal.school[static_cast<std::size_t>(20 + h % 40)]) <= out_.day) {
      for (std::uint64_t base = 100'000'000 + h % 800'000'000;; ++base) {
        const std::string nine = digits(base, 9);
        int sum = 0;
        for (std::size_t i = 0; i < 9; ++i) sum += (nine[i] - '0') * static_cast<int>(10 - i);
        if (sum % 11 == 0) continue;  // no check digit exists for this one
        pupil.uln = nine + static_cast<char>('0' + 10 - sum % 11);
        break;
      }
    }
  }
}

// The office corrects records: 4 a day in the primary, 15 in the secondary, more around a census.
void Builder::edit_pupil(const Stay& stay, Pupil& pupil) const {
  std::vector<std::pair<Date, std::uint64_t>> edits;
  for (int year = first_year_of(pupil); year <= std::min(year_, stay.last_year); ++year) {
    const Calendar& cal = calendar(year);
    Draw draw(mix(pupil.key, About::kEdit, static_cast<std::uint64_t>(year)));
    const auto at = [&](int day, std::uint64_t what) {
      const Date date = cal.school[static_cast<std::size_t>(std::max(0, day))];
      if (date <= out_.day && date > stay.entry && date <= stay.last_day) edits.emplace_back(date, what);
    };
    for (int i = 0; i < 4; ++i) {  // 4 x 0.34 a year, and the census: 15 a day of 1,500
      const bool happens = draw.chance(340'000);
      const int day = draw.below(kSchoolDays);
      const std::uint64_t what = draw.next();
      if (happens) at(day, what);
    }
    for (const int census : cal.census) {
      const bool happens = draw.chance(60'000);
      const int day = census - draw.below(4);
      const std::uint64_t what = draw.next();
      if (happens) at(day, what);
    }
  }
  std::stable_sort(edits.begin(), edits.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  Heritage heritage = Heritage::kBritish;
  for (const Share& s : kEthnicities)
    if (s.code == pupil.ethnicity) heritage = s.heritage;
  const NameLists& names = names_of(heritage);
  for (const auto& [date, what] : edits) {
    Draw draw(what);
    const int kind = draw.below(100);
    const std::string_view given = pick(draw, pupil.sex == "F" ? names.girls : names.boys);
    const std::string_view family = pick(draw, names.surnames);
    if (kind < 50) {
      pupil.middle_names = pupil.middle_names == given ? std::string() : std::string(given);
    } else if (kind < 70) {
      const std::size_t hyphen = pupil.surname.find('-', 1);
      if (hyphen != std::string::npos && !pupil.surname.starts_with("Al-") &&
          !pupil.surname.starts_with("El-"))
        pupil.surname.resize(hyphen);
      else
        pupil.surname += "-" + std::string(family == pupil.surname ? names.surnames[0] : family);
    } else if (kind < 82) {
      const std::size_t hyphen = pupil.forename.find('-');
      if (hyphen != std::string::npos)
        pupil.forename.resize(hyphen);
      else
        pupil.forename += "-" + std::string(given == pupil.forename ? names.girls[0] : given);
    } else if (kind < 90) {
      pupil.preferred_forename = pupil.preferred_forename == given ? std::string() : std::string(given);
    } else if (kind < 95) {
      pupil.preferred_surname = pupil.preferred_surname == family ? std::string() : std::string(family);
    } else {
      pupil.dob = pupil.dob.plus(pupil.dob.day() > 15 ? -9 : 9);  // two digits had been swapped
    }
  }
}

void Builder::make_staff() {
  const int count = std::max(4, (primary() ? 13 : 20) + pupils_ / 10);
  teachers_ = std::max(2, count * 6 / 10);
  for (int slot = 0; slot < count; ++slot) {
    // One in eight posts changes hands each summer.
    int since = system_;
    while (since > system_ - 30 &&
           mix(seed_, About::kStaff, static_cast<std::uint64_t>(slot), static_cast<std::uint64_t>(since)) %
                   8 !=
               0)
      --since;
    if (since == system_ - 30) since = 0;  // as good as always
    Draw draw(
        mix(seed_, About::kStaff, static_cast<std::uint64_t>(slot), static_cast<std::uint64_t>(since), 1));
    Staff person;
    person.id = guid(draw.next(), 1);
    const NameLists& names = names_of(static_cast<Heritage>(draw.below(9)));
    const bool woman = draw.chance(700'000);
    person.title = woman ? (draw.chance(600'000) ? "Ms" : "Mrs") : "Mr";
    person.forename = pick(draw, woman ? names.girls : names.boys);
    person.surname = pick(draw, names.surnames);
    person.role = slot < teachers_ ? "teacher" : slot < count - count / 8 ? "teaching assistant" : "office";
    out_.staff.push_back(std::move(person));
  }
}

// --- groups and who is in them ---------------------------------------------------------------

void Builder::make_groups() {
  const auto add = [&](std::string_view kind, std::string name, std::string_view year,
                       std::string_view subject, int academic) {
    const std::uint64_t key =
        mix(seed_, About::kGroup, static_cast<std::uint64_t>(academic), out_.groups.size());
    out_.groups.push_back(Group{guid(key, 2), kind, std::move(name), year, subject, academic});
  };
  for (int g = 0; g < kGrades; ++g) {
    add("year", year_title(year_name(g)), year_name(g), {}, system_);
  }
  for (int g = 0; g < kGrades; ++g) {
    first_form_[static_cast<std::size_t>(g)] = out_.groups.size();
    for (int f = 0; f < forms(g); ++f)
      add("registration", form_name(year_name(g), f), year_name(g), {}, system_);
  }
  if (primary()) {
    first_intervention_ = out_.groups.size();
    for (std::size_t i = 0; i < kInterventions.size() * 4; ++i)
      add("intervention",
          std::string(kInterventions.at(i % kInterventions.size())) + " " +
              std::to_string(i / kInterventions.size() + 1),
          {}, {}, system_);
  } else {
    for (int g = 0; g < kGrades; ++g) {
      first_class_[static_cast<std::size_t>(g)] = out_.groups.size();
      const bool sixth = g >= kSixthForm;
      const std::size_t subjects = sixth ? kSixthFormSubjects.size() : kSubjects.size();
      const int sets = sixth ? kSixthFormSets : forms(g);
      for (std::size_t s = 0; s < subjects; ++s) {
        const Subject& subject = sixth ? kSixthFormSubjects.at(s) : kSubjects.at(s);
        for (int n = 0; n < sets; ++n)
          add("class", class_name(year_name(g), subject.code, n), year_name(g), subject.name, system_);
      }
    }
  }
  first_house_ = out_.groups.size();
  const std::size_t houses = primary() ? 4 : 5;
  for (std::size_t h = 0; h < houses; ++h) add("house", std::string(kHouses.at(h)), {}, {}, 0);
}

void Builder::membership(std::size_t group, std::uint32_t member, Date from, std::optional<Date> to) {
  out_.memberships.push_back(Membership{static_cast<std::uint32_t>(group), member, false, from, to});
}

void Builder::make_memberships() {
  const Date start = calendar(system_).first;
  for (std::size_t g = 0; g < out_.groups.size(); ++g) {
    const Group& group = out_.groups[g];
    if (group.kind == "year" || group.kind == "house") continue;
    const auto slot = static_cast<std::uint32_t>(
        group.kind == "registration" ? g % static_cast<std::size_t>(teachers_)
                                     : mix(seed_, About::kStaff, g, static_cast<std::uint64_t>(system_), 7) %
                                           static_cast<std::uint64_t>(teachers_));
    out_.memberships.push_back(Membership{static_cast<std::uint32_t>(g), slot, true, start, std::nullopt});
  }
  for (std::uint32_t p = 0; p < out_.pupils.size(); ++p) pupil_memberships(p);
}

void Builder::pupil_memberships(std::uint32_t index) {
  const Pupil& pupil = out_.pupils[index];
  const Calendar& cal = calendar(system_);
  if (pupil.last_day < cal.first) return;
  const int g = grade(pupil, system_);
  const auto place = static_cast<std::size_t>(g);
  const Date from = std::max(pupil.entry, cal.first);
  const std::size_t houses = primary() ? 4 : 5;
  membership(first_house_ + pupil.key % houses, index, pupil.entry, pupil.leaving);
  membership(first_form_[place] + static_cast<std::size_t>(form(pupil, g)), index, from, pupil.leaving);

  Draw draw(mix(pupil.key, About::kMove, static_cast<std::uint64_t>(system_)));
  // A chain of places in one slot: each move ends one and begins the next.
  struct Move {
    Date date;
    int to;
  };
  const auto happens = [&](Date date) { return date <= out_.day && date > from && date <= pupil.last_day; };
  if (primary()) {
    // In and out of small groups: some 180 places, 40 of them given in September, one change a day.
    const int groups = static_cast<int>(kInterventions.size()) * 4;
    int now = draw.chance(270'000) ? draw.below(groups) : -1;
    Date since = cal.school[static_cast<std::size_t>(draw.below(10))];
    since = std::max(since, from);
    if (now >= 0 && since > out_.day) now = -1;
    std::array<Move, 2> moves;
    for (Move& move : moves) {
      const bool moved = draw.chance(220'000);
      move.date = cal.school[static_cast<std::size_t>(draw.between(11, kSchoolDays - 1))];
      move.to = draw.below(groups);
      if (!moved || !happens(move.date)) move.to = -2;
    }
    if (moves[1].date < moves[0].date) std::swap(moves[0], moves[1]);
    if (moves[1].date == moves[0].date) moves[1].to = -2;
    for (const Move& move : moves) {
      if (move.to == -2) continue;
      if (now >= 0) {
        membership(first_intervention_ + static_cast<std::size_t>(now), index, since, move.date.plus(-1));
        now = -1;
      } else {
        now = move.to;
        since = move.date;
      }
    }
    if (now >= 0)
      membership(first_intervention_ + static_cast<std::size_t>(now), index, since, pupil.leaving);
    return;
  }

  const bool sixth = g >= kSixthForm;
  const int sets = sixth ? kSixthFormSets : forms(g);
  std::vector<int> subjects;
  if (sixth) {                                    // four of twenty
    Draw choice(mix(pupil.key, About::kSet, 1));  // for both years
    while (subjects.size() < 4) {
      const int s = choice.below(static_cast<int>(kSixthFormSubjects.size()));
      if (std::find(subjects.begin(), subjects.end(), s) == subjects.end()) subjects.push_back(s);
    }
  } else {
    for (std::size_t s = 0; s < kSubjects.size(); ++s) subjects.push_back(static_cast<int>(s));
  }
  // 25 moves a day of 1,500 pupils, and another 1,500 in the first two weeks.
  std::array<std::vector<Move>, 16> moves;
  for (int i = 0; i < 10; ++i) {
    const bool september = i < 2;
    const bool moved = draw.chance(september ? 500'000 : 310'000);
    const int day = september ? draw.below(10) : draw.between(10, kSchoolDays - 1);
    const auto slot = static_cast<std::size_t>(draw.below(static_cast<int>(subjects.size())));
    const int step = draw.between(1, std::max(1, sets - 1));
    const Date date = cal.school[static_cast<std::size_t>(day)];
    if (moved && sets > 1 && happens(date)) moves.at(slot).push_back({date, step});
  }
  for (std::size_t slot = 0; slot < subjects.size(); ++slot) {
    const std::size_t first = first_class_[place] + static_cast<std::size_t>(subjects[slot] * sets);
    std::vector<Move>& chain = moves.at(slot);
    std::stable_sort(chain.begin(), chain.end(),
                     [](const Move& a, const Move& b) { return a.date < b.date; });
    const bool setted = !sixth && slot < 3;  // English, maths and science are taught in sets
    int now = sixth || setted
                  ? static_cast<int>(mix(pupil.key, About::kSet, 2, slot) % static_cast<std::uint64_t>(sets))
                  : form(pupil, g) % sets;
    Date since = from;
    for (const Move& move : chain) {
      if (move.date == since) continue;  // two on one day: the first counts
      membership(first + static_cast<std::size_t>(now), index, since, move.date.plus(-1));
      now = (now + move.to) % sets;
      since = move.date;
    }
    membership(first + static_cast<std::size_t>(now), index, since, pupil.leaving);
  }
}

// --- characteristics -------------------------------------------------------------------------

void Builder::make_characteristics() {
  for (std::uint32_t p = 0; p < out_.pupils.size(); ++p) {
    make_fsm(p, out_.pupils[p]);
    make_sen(p, out_.pupils[p]);
  }
  for (std::uint32_t p = 0; p < out_.pupils.size(); ++p) make_suspensions(p, out_.pupils[p]);
  std::stable_sort(out_.suspensions.begin(), out_.suspensions.end(),
                   [](const Suspension& a, const Suspension& b) { return a.start < b.start; });
}

void Builder::make_fsm(std::uint32_t index, Pupil& pupil) {
  // From autumn 2026 eligibility is split; spells that were open then were all migrated.
  const Date split = *Date::from_ymd(2026, 9, 1);
  const bool after = out_.day >= split;
  const std::string_view usual = after ? "TARGETED" : "LEGACY";
  std::vector<FsmSpell> spells;
  const auto open = [&](Date start, std::string_view category) {
    for (const FsmSpell& s : spells)
      if (s.start == start) return;
    spells.push_back(FsmSpell{index, start, category, {}, {}});
  };
  Draw base(mix(pupil.key, About::kFsm));
  const bool entitled = base.chance(390'000);
  pupil.fsm_at_entry = entitled;
  const bool before = base.chance(80'000);
  const int earlier = base.below(500);
  const bool expanded = base.chance(150'000);
  const int expanded_day = base.below(40);
  if (before && !entitled) {
    open(pupil.entry.plus(-600 - earlier), usual);
    spells.back().end = pupil.entry.plus(-earlier);
  }
  if (entitled && pupil.known_since <= out_.day) open(pupil.entry.plus(-earlier), usual);
  for (int year = first_year_of(pupil); year <= year_; ++year) {
    const Calendar& cal = calendar(year);
    Draw draw(mix(pupil.key, About::kFsm, static_cast<std::uint64_t>(year)));
    const bool changes = draw.chance(150'000);
    const Date date = cal.school[static_cast<std::size_t>(draw.below(kSchoolDays))];
    const bool taken_up = draw.chance(700'000);
    const bool now_open = !spells.empty() && !spells.back().end;
    if (year == 2026 && !now_open && expanded) {
      const Date start = std::max(pupil.entry, cal.school[static_cast<std::size_t>(expanded_day)]);
      if (start <= out_.day && start <= pupil.last_day) open(start, "EXPANDED");
      continue;  // one change a year is enough
    }
    if (!changes || date > out_.day || date <= pupil.entry || date > pupil.last_day) continue;
    if (now_open)
      spells.back().end = std::max(date, spells.back().start);
    else if (taken_up)
      open(date, usual);
  }
  if (!spells.empty() && !spells.back().end && year_ >= 2026) {
    // Every open spell is looked at again in September and October.
    const Date looked =
        calendar(year_).school[mix(pupil.key, About::kShown, static_cast<std::uint64_t>(year_)) % 40];
    if (looked <= out_.day && looked >= spells.back().start && looked <= pupil.last_day)
      spells.back().reviewed = looked;
  }
  out_.fsm.insert(out_.fsm.end(), spells.begin(), spells.end());
}

void Builder::make_sen(std::uint32_t index, const Pupil& pupil) {
  std::vector<SenSpell> spells;
  Draw base(mix(pupil.key, About::kSen));
  const int level = base.below(100);
  const int earlier = base.below(700);
  const std::string_view first = level < 13 ? "K" : level < 18 ? "E" : "";
  if (!first.empty())
    spells.push_back({index, pupil.entry.plus(primary() ? base.below(3) : -earlier), first, {}});
  if (!primary() && level >= 18 && level < 34) {  // had support at primary school
    spells.push_back({index, pupil.entry.plus(-earlier - 500), "K", pupil.entry.plus(-earlier)});
  }
  if (!spells.empty() && spells.back().start > out_.day) spells.clear();
  for (int year = first_year_of(pupil); year <= year_; ++year) {
    const Calendar& cal = calendar(year);
    Draw draw(mix(pupil.key, About::kSen, static_cast<std::uint64_t>(year)));
    const bool changes = draw.chance(120'000);
    const Date date = cal.school[static_cast<std::size_t>(draw.below(kSchoolDays))];
    const int way = draw.below(100);
    if (!changes || date > out_.day || date <= pupil.entry.plus(3) || date > pupil.last_day) continue;
    const bool now_open = !spells.empty() && !spells.back().end;
    if (!now_open) {
      if (way < 22) spells.push_back({index, date, "K", {}});
    } else if (spells.back().provision == "K") {
      spells.back().end = date.plus(-1);
      if (way < 30) spells.push_back({index, date, "E", {}});
    }
  }
  const bool current = !spells.empty() && !spells.back().end;
  if (current) {
    Draw needs(mix(pupil.key, About::kSen, 1));
    std::string_view type = pick<std::string_view>(needs, kSenTypes);
    if (type == "DS" && year_ < 2024) type = "MLD";  // a type of its own since 2024/25
    out_.sen_needs.push_back({index, 1, type});
    std::string_view second = pick<std::string_view>(needs, kSenTypes);
    if (needs.chance(400'000) && second != type && second != "DS")
      out_.sen_needs.push_back({index, 2, second});
  }
  out_.sen.insert(out_.sen.end(), spells.begin(), spells.end());
}

int Builder::absence_rate(const Pupil& pupil, bool& hard) const {
  // A curve by rank: most are hardly ever away, a few nearly always.
  const std::int64_t rank = Draw(mix(pupil.key, About::kRate)).below(1'000'000);
  hard = rank >= rates_.hard_from;
  if (!hard) {
    const std::int64_t part = rank * 1000 / rates_.hard_from;  // 0..999
    return static_cast<int>(4'000 + (rates_.top_easy - 4'000) * part * part / 1'000'000 * part / 1000);
  }
  if (rank < rates_.chronic_from) {
    const std::int64_t part = (rank - rates_.hard_from) * 1000 / (rates_.chronic_from - rates_.hard_from);
    return static_cast<int>(125'000 + 230'000 * part * part / 1'000'000 * part / 1000);
  }
  return 550'000 + static_cast<int>(rank % 250) * 1000;
}

void Builder::make_suspensions(std::uint32_t index, const Pupil& pupil) {
  if (pupil.last_day < out_.calendar.first) return;
  bool hard = false;
  (void)absence_rate(pupil, hard);
  Draw draw(mix(pupil.key, About::kSuspension, static_cast<std::uint64_t>(year_)));
  for (int i = 0; i < 2; ++i) {
    const bool happens = draw.chance((hard ? rates_.suspended_hard : rates_.suspended_easy) * 6 / 10);
    const int day = draw.between(6, kSchoolDays - 8);
    const int days = draw.between(2, 8);
    const bool lunch = draw.chance(60'000);
    const std::string_view first = pick<std::string_view>(draw, kReasons);
    const std::string_view second = pick<std::string_view>(draw, kReasons);
    const std::uint64_t id = draw.next();
    const Date date = out_.calendar.school[static_cast<std::size_t>(day)];
    if (!happens || date > out_.day || !pupil.on_roll(date)) continue;
    Suspension row{guid(id, 3), index, lunch ? "LNCH" : "SUSP", date, lunch ? 1 : days * 2, {first, {}}};
    if (second != first && id % 4 == 0) row.reasons[1] = second;
    out_.suspensions.push_back(std::move(row));
  }
}

// --- marks -----------------------------------------------------------------------------------

void Builder::make_marks() {
  out_.marks = Register(static_cast<std::size_t>(taught_), out_.pupils.size());
  for (std::uint32_t p = 0; p < out_.pupils.size(); ++p) attend(p);
  for (const Suspension& s : out_.suspensions) {
    if (s.category != "SUSP") continue;
    auto day = static_cast<std::size_t>(out_.calendar.school_days_until(s.start) - 1);
    for (int n = 0; n < s.sessions && day < out_.marks.days(); n += 2, ++day)
      for (const bool pm : {false, true})
        if (Register::Cell& cell = out_.marks.at(day, s.pupil, pm); cell.code != kNone)
          cell = {kSuspended, 0};
  }
}

void Builder::attend(std::uint32_t index) {
  const Pupil& pupil = out_.pupils[index];
  const Calendar& cal = out_.calendar;
  if (pupil.last_day < cal.first) return;
  bool hard = false;
  const std::int64_t rate = absence_rate(pupil, hard);
  const int g = grade(pupil, year_);
  const bool leaves_for_exams = !primary() && (g == kSixthForm - 1 || g == kGrades - 1);

  // Kinds of absence: share of the starts (per mille) and sessions that one takes.
  struct Kind {
    int weight;
    std::uint8_t code;
  };
  static constexpr std::array<Kind, 7> kPrimaryKinds = {{{395, kIll},
                                                         {265, kMedical},
                                                         {80, kLeave},
                                                         {28, kHoliday},
                                                         {110, kOther},
                                                         {112, kAfterClose},
                                                         {10, kReligious}}};
  static constexpr std::array<Kind, 7> kSecondaryKinds = {{{290, kIll},
                                                           {180, kMedical},
                                                           {72, kLeave},
                                                           {13, kHoliday},
                                                           {265, kOther},
                                                           {172, kAfterClose},
                                                           {8, kReligious}}};
  const auto& kinds = primary() ? kPrimaryKinds : kSecondaryKinds;
  // Mean length of a start in sessions, times 10; those who are away half of the year stay away longer.
  const bool chronic = rate >= 500'000;
  const std::int64_t length10 = (primary() ? 26 : 23) * (chronic ? 4 : 1);
  const std::int64_t start =
      std::min<std::int64_t>(900'000, 20 * rate * 1'000'000 / (length10 * (1'000'000 - rate)));

  Draw draw(mix(pupil.key, About::kAttendance, static_cast<std::uint64_t>(year_)));
  const std::int64_t slack = Draw(mix(pupil.key, About::kRate, 2)).below(1000);
  const auto late =
      static_cast<int>(std::min<std::int64_t>(600'000, rates_.late * 3 * slack * slack / 1'000'000));

  int left = 0;  // sessions of the absence that runs
  std::uint8_t code = kNone;
  int settled = 0;  // from this school day on its reason is known
  for (int d = 0; d < taught_; ++d) {
    const Date date = cal.school[static_cast<std::size_t>(d)];
    if (!pupil.on_roll(date)) continue;
    int begins = -1;  // session at which an absence begins today
    if (left == 0) {
      const unsigned weekday = date.weekday();
      const std::int64_t today = start * (weekday == 0 || weekday == 4 ? 111 : 93) / 100;
      if (draw.below(1'000'000) < today) begins = draw.chance(780'000) ? 0 : 1;
    }
    for (int session = 0; session < 2; ++session) {
      Register::Cell& cell = out_.marks.at(static_cast<std::size_t>(d), index, session == 1);
      if (begins == session) {
        int roll = draw.below(1000);
        for (const Kind& kind : kinds) {
          code = kind.code;
          if ((roll -= kind.weight) < 0) break;
        }
        int days = 1;
        if (code == kIll || (chronic && code == kOther)) {
          while (days < 10 && draw.chance(500'000)) ++days;
          if (chronic) days *= 5;
        } else if (code == kHoliday) {
          days = draw.between(3, 8);
        }
        const bool one_session =
            code == kMedical || code == kAfterClose || (code == kOther && !chronic && draw.chance(300'000));
        left = one_session ? 1 : days * 2 - session;
        settled = 0;
        const bool open = draw.chance(rates_.unexplained);
        const int way = draw.below(100);
        const int soon = draw.between(1, 4), later = draw.between(5, 20);
        if (open && code != kAfterClose) settled = way < 10 ? kSchoolDays * 2 : d + (way < 77 ? soon : later);
      }
      if (left > 0) {
        --left;
        cell.code = taught_ - 1 < settled ? std::uint8_t{kUnknownYet} : code;
        if (code == kAfterClose) cell.minutes = static_cast<std::uint8_t>(draw.between(31, 120));
        continue;
      }
      // There, in one way or another.
      cell.code = session == 0 ? kAm : kPm;
      const int roll = draw.below(1'000'000);
      const int late_now = session == 0 ? late : late / 12;
      if (roll < late_now) {
        cell = {kLate, static_cast<std::uint8_t>(draw.between(2, 29))};
      } else if (roll >= 1'000'000 - 800) {  // missed by the register, found by the office on a later day
        if (taught_ - 1 < d + draw.between(1, 3)) cell.code = kUnknownYet;
      } else if (roll >= 1'000'000 - (primary() ? 1'500 : 4'500)) {
        cell.code = roll % 3 == 0 ? kOffSite : kSport;
      }
    }
    const auto overlay = [&](std::uint8_t with, bool morning, bool afternoon) {
      for (int session = 0; session < 2; ++session) {
        Register::Cell& cell = out_.marks.at(static_cast<std::size_t>(d), index, session == 1);
        if (!is_absence(cell.code) && (session == 0 ? morning : afternoon)) cell = {with, 0};
      }
    };
    // Reception begins with mornings; Year 10 has a week at work; in June exam
    // years are at home for one day in four.
    if (primary() && g == 0 && d < 5) overlay(kNotRequired, false, true);
    if (!primary() && g == 3 && d >= 172 && d < 177) overlay(kWork, true, true);
    if (leaves_for_exams && d >= kExamsFrom &&
        mix(pupil.key, About::kAttendance, static_cast<std::uint64_t>(year_), static_cast<std::uint64_t>(d)) %
                4 ==
            0)
      overlay(kStudy, true, true);
  }
}

// --- the pledge ------------------------------------------------------------------------------

void Builder::make_activities() {
  // Those who can take part this year, by grade and form.
  std::map<std::pair<int, int>, std::vector<std::uint32_t>> by_form;
  for (std::uint32_t p = 0; p < out_.pupils.size(); ++p) {
    const Pupil& pupil = out_.pupils[p];
    const int g = year_ - pupil.cohort;
    if (pupil.last_day < out_.calendar.first || g < 0 || g >= kGrades) continue;
    by_form[{g, form(pupil, g)}].push_back(p);
  }
  const auto template_of = [&](Scope scope, Draw& draw) -> const Template& {
    for (;;) {
      const Template& t = pick<Template>(draw, activity_templates());
      if (t.scope == scope && (primary() ? t.primary : t.secondary)) return t;
    }
  };
  struct Plan {
    Scope scope;
    int count;
  };
  // Some 15,000 rows a year in a primary, 36,000 in a secondary.
  constexpr std::array<Plan, 4> kPrimaryPlans = {
      {{Scope::kForm, 44}, {Scope::kClub, 40}, {Scope::kYear, 31}, {Scope::kSchool, 5}}};
  constexpr std::array<Plan, 4> kSecondaryPlans = {
      {{Scope::kForm, 92}, {Scope::kClub, 74}, {Scope::kYear, 32}, {Scope::kSchool, 2}}};
  struct Planned {
    int known, first_day, dates, step, grade, form;
    Scope scope;
    bool shared;
    std::uint64_t key;
    const Template* what;
  };
  std::vector<Planned> planned;
  for (const Plan& plan : primary() ? kPrimaryPlans : kSecondaryPlans) {
    for (int i = 0; i < plan.count; ++i) {
      Planned next{};
      next.scope = plan.scope;
      next.key = mix(seed_, About::kActivity, static_cast<std::uint64_t>(year_),
                     static_cast<std::uint64_t>(plan.scope), static_cast<std::uint64_t>(i));
      Draw draw(next.key);
      next.what = &template_of(plan.scope, draw);
      next.dates = plan.scope == Scope::kClub   ? draw.between(5, 8)
                   : plan.scope == Scope::kYear ? draw.between(2, 4)
                                                : 1;
      next.step = plan.scope == Scope::kClub ? 5 : 1;
      // As many in July as in March: what would begin before the year or end after it is shorter.
      next.first_day = draw.between(4 - (next.dates - 1) * next.step, kSchoolDays - 1);
      for (; next.first_day < 4; next.first_day += next.step) --next.dates;
      next.dates = std::min(next.dates, (kSchoolDays - 1 - next.first_day) / next.step + 1);
      next.grade = draw.below(kGrades);
      next.form = draw.below(forms(next.grade));
      next.shared = draw.chance(120'000);
      next.known = std::max(0, next.first_day - draw.between(5, 14));
      if (next.known < taught_) planned.push_back(next);
    }
  }
  // A new plan is a line at the end.
  std::stable_sort(planned.begin(), planned.end(),
                   [](const Planned& a, const Planned& b) { return a.known < b.known; });
  {
    for (const Planned& plan : planned) {
      const Template& t = *plan.what;
      const std::uint64_t key = plan.key;
      const int first_day = plan.first_day, dates = plan.dates, step = plan.step, g = plan.grade,
                f = plan.form;
      const int last_day = first_day + (dates - 1) * step;
      Activity activity;
      activity.id = guid(key, 4);
      activity.title = t.title;
      if (plan.scope == Scope::kForm) activity.title += " (" + form_name(year_name(g), f) + ")";
      if (plan.scope == Scope::kYear) activity.title += " (" + year_title(year_name(g)) + ")";
      if (plan.scope == Scope::kClub)
        activity.title +=
            ", from " +
            std::string(month_name(out_.calendar.school[static_cast<std::size_t>(first_day)].month()));
      activity.promise = t.promise;
      activity.promise2 = t.promise2;
      activity.provider = t.provider;
      activity.kind = t.kind;
      activity.shared_with = plan.shared ? "federation" : "school";
      activity.start = out_.calendar.school[static_cast<std::size_t>(first_day)];
      activity.end = out_.calendar.school[static_cast<std::size_t>(last_day)];
      activity.minutes = t.minutes;
      activity.in_school_time = t.in_school_time;
      activity.cost_pence = t.cost_pence;
      const auto index = static_cast<std::uint32_t>(out_.activities.size());
      out_.activities.push_back(std::move(activity));

      for (int n = 0; n < dates; ++n) {
        const int d = first_day + n * step;
        if (d > taught_ - 1) break;
        const Date date = out_.calendar.school[static_cast<std::size_t>(d)];
        const auto takes_part = [&](std::uint32_t p) {
          const Pupil& pupil = out_.pupils[p];
          if (!pupil.on_roll(date)) return;
          Draw chance(mix(key, About::kTakesPart, pupil.key, static_cast<std::uint64_t>(d)));
          Register::Cell& am = out_.marks.at(static_cast<std::size_t>(d), p, false);
          Register::Cell& pm = out_.marks.at(static_cast<std::size_t>(d), p, true);
          std::string_view status = "attended";
          const int roll = chance.below(1000);
          if (is_absence(am.code) || is_absence(pm.code))
            status = "absent";
          else if (plan.scope != Scope::kClub && roll < (pupil.fsm_at_entry ? 45 : 20))
            status = "declined";
          else if (n == dates - 1 && dates > 1)
            status = "completed";
          if ((status == "attended" || status == "completed") && t.whole_day) am = pm = {kVisit, 0};
          out_.participations.push_back(
              {index, date, p, status, roll > 960 && t.kind == "club" ? std::string_view("leader") : t.role});
        };
        if (plan.scope == Scope::kClub) {
          // 20 or so come, from two years; fewer of those with free meals: the gap that the pledge looks for.
          for (int near = g; near <= std::min(g + 1, kGrades - 1); ++near)
            for (int nf = 0; nf < forms(near); ++nf)
              for (const std::uint32_t p : by_form[{near, nf}]) {
                const Pupil& pupil = out_.pupils[p];
                const int wanted = primary() ? 190'000 : 62'000;
                if (Draw(mix(key, About::kTakesPart, pupil.key))
                        .chance(pupil.fsm_at_entry ? wanted * 7 / 10 : wanted))
                  takes_part(p);
              }
        } else {
          for (auto& [where, members] : by_form) {
            const bool in = plan.scope == Scope::kSchool ||
                            (where.first == g && (plan.scope == Scope::kYear || where.second == f));
            if (in)
              for (const std::uint32_t p : members) takes_part(p);
          }
        }
      }
    }
  }
  std::stable_sort(out_.participations.begin(), out_.participations.end(),
                   [](const Participation& a, const Participation& b) {
                     return std::tie(a.date, a.activity, a.pupil) < std::tie(b.date, b.activity, b.pupil);
                   });
}

// --- assessment ------------------------------------------------------------------------------

void Builder::add_result(std::uint32_t pupil, int day, std::string_view stage, std::string_view subject,
                         std::string_view method, std::string_view component, std::string_view qualifier,
                         std::string result) {
  if (day > taught_ - 1 || day >= kSchoolDays) return;
  const Date date = out_.calendar.school[static_cast<std::size_t>(day)];
  if (!out_.pupils[pupil].on_roll(date)) return;
  out_.results.push_back(Assessment{pupil, year_ + 1, stage, subject, method, component, qualifier, "R",
                                    std::move(result), date});
}

void Builder::make_results() {
  static constexpr std::array<std::string_view, 3> kRounds = {"AUT", "SPR", "SUM"};
  static constexpr std::array<int, 3> kEntryDays = {62, 118, 158};  // data-entry days: December, March, June
  static constexpr std::array<std::string_view, 5> kPrimarySubjects = {"REA", "WRI", "MAT", "SCI", "GPS"};
  for (std::uint32_t p = 0; p < out_.pupils.size(); ++p) {
    const Pupil& pupil = out_.pupils[p];
    const int g = year_ - pupil.cohort;
    if (pupil.last_day < out_.calendar.first || g < 0 || g >= kGrades) continue;
    const int ability = static_cast<int>(mix(pupil.key, About::kResult) % 100);
    for (std::size_t round = 0; round < kRounds.size(); ++round) {
      Draw draw(mix(pupil.key, About::kResult, static_cast<std::uint64_t>(year_), round));
      // Most are in on the day, the rest trickle in over the week.
      const auto day = [&] { return kEntryDays.at(round) + (draw.chance(850'000) ? 0 : draw.between(1, 5)); };
      if (primary()) {
        for (const std::string_view subject : kPrimarySubjects) {
          const int on = day(), score = ability + draw.between(-15, 15);
          add_result(p, on, g < 3 ? "KS1" : "KS2", subject, "TA", kRounds.at(round), "AT",
                     score < 30   ? "WTS"
                     : score < 78 ? "EXS"
                                  : "GDS");
        }
        continue;
      }
      const bool sixth = g >= kSixthForm;
      const std::string_view stage = sixth ? "KS5" : g >= 3 ? "KS4" : "KS3";
      const std::size_t subjects = sixth ? 4 : kSubjects.size();
      Draw choice(mix(pupil.key, About::kSet, 1));
      std::vector<int> chosen;
      while (sixth && chosen.size() < 4) {
        const int s = choice.below(static_cast<int>(kSixthFormSubjects.size()));
        if (std::find(chosen.begin(), chosen.end(), s) == chosen.end()) chosen.push_back(s);
      }
      for (std::size_t s = 0; s < subjects; ++s) {
        const Subject& subject =
            sixth ? kSixthFormSubjects.at(static_cast<std::size_t>(chosen[s])) : kSubjects.at(s);
        const int on = day(), score = std::clamp(ability + draw.between(-12, 12), 0, 99);
        const int effort = 1 + draw.below(4);
        std::string result = sixth ? std::string(1, "EDCBA"[score / 20]) : std::to_string(1 + score / 12);
        add_result(p, on, stage, subject.code, "TA", kRounds.at(round), "AT", result);
        add_result(p, on, stage, subject.code, "TA", kRounds.at(round), "EF", std::to_string(effort));
        if (g >= 3) add_result(p, on, stage, subject.code, "TA", kRounds.at(round), "PR", result);
      }
    }
    Draw draw(mix(pupil.key, About::kResult, static_cast<std::uint64_t>(year_), 9));
    const int some_day = draw.between(10, kSchoolDays - 10), summer = draw.between(176, 182);
    const int age = 60 + 12 * g + ability / 2;
    if (!primary() && g <= 2) {  // a reading test once a year, on any day
      add_result(p, some_day, "KS3", "REA", "TT", "NGRT", "RA", std::to_string(age + 72));
      add_result(p, some_day, "KS3", "REA", "TT", "NGRT", "SS", std::to_string(70 + ability * 6 / 10));
    }
    if (primary() && g == 0)
      for (std::size_t goal = 0; goal < kGoals.size(); ++goal)
        add_result(p, summer, "FSP", kGoals.at(goal), "TA", "FSP", "NM",
                   ability + draw.between(-10, 10) < 28 ? "1" : "2");
    if (primary() && g == 1) {
      const int marks = std::clamp(10 + ability / 2 + draw.between(-6, 6), 0, 40);
      add_result(p, summer, "KS1", "PHO", "TT", "PHO", "NM", std::to_string(marks));
      add_result(p, summer, "KS1", "PHO", "TT", "PHO", "NO", marks >= 32 ? "Wa" : "Wt");
    }
    if (primary() && g == 4)
      add_result(p, summer, "KS2", "MAT", "TT", "MTC", "MT",
                 std::to_string(std::clamp(5 + ability / 4 + draw.below(4), 0, 25)));
    if (primary() && g == 6)
      for (const std::string_view subject : {"REA", "MAT", "GPS"})
        add_result(p, summer, "KS2", subject, "TT", "KS2", "NS",
                   std::to_string(std::clamp(85 + ability / 3 + draw.between(-5, 6), 80, 120)));
  }
}

}  // namespace

std::string guid(std::uint64_t key, std::uint64_t salt) {
  Uuid id;
  std::uint64_t high = mix(key, About::kId, salt, 1), low = mix(key, About::kId, salt, 2);
  for (std::size_t i = 0; i < 8; ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(high >> (8 * i));
    id.bytes[8 + i] = static_cast<std::uint8_t>(low >> (8 * i));
  }
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x40);  // looks like version 4
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id.text();
}

std::string_view mark_code(std::uint8_t code) { return kMarkText.at(code); }

char upn_check_letter(std::string_view rest) {
  TP_ASSERT(rest.size() == 12);
  std::size_t sum = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    sum += (c >= '0' && c <= '9' ? static_cast<std::size_t>(c - '0') : kUpnLetters.find(c)) * (i + 2);
  }
  return kUpnLetters[sum % kUpnLetters.size()];
}

Result<DemoSchool> DemoSchool::make(const DemoOptions& options) {
  const int pupils = options.pupils != 0 ? options.pupils : options.phase == Phase::kPrimary ? 420 : 1500;
  if (pupils < kPupilsMin || pupils > kPupilsMax)
    return fail(Code::kUsage, "a demo school of " + std::to_string(pupils) + " pupils is not possible",
                "Choose " + std::to_string(kPupilsMin) + " to " + std::to_string(kPupilsMax));
  // A primary and a secondary of one seed are different schools.
  return DemoSchool(options.phase,
                    mix(options.seed, About::kSchool, static_cast<std::uint64_t>(options.phase)), pupils);
}

Result<DemoDay> DemoSchool::on(Date day) const {
  if (academic_year(day) < kFirstYear || system_year(day) > kLastYear)
    return fail(Code::kUsage, "the demo school does not exist on " + day.iso(),
                "Choose a day from " + std::to_string(kFirstYear) + "-09-01 to " + std::to_string(kLastYear) +
                    "-07-31");
  return Builder(phase_, seed_, pupils_, day).build();
}

}  // namespace towpath::demo
