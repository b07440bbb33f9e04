#include "adapters/demo/demo_adapter.hpp"

#include <array>

#include "adapters/demo/demo_school.hpp"

namespace towpath {
namespace {

using demo::DemoDay;

// Hands one dataset's rows to the sink, from one virtual file.
class Emitter {
 public:
  // Fields of ours that this dictionary does not know (an older one) are left out.
  Emitter(RowSink& sink, const Dataset& dataset, std::span<const std::string_view> fields)
      : sink_(sink), dataset_(dataset), fields_(fields), cells_(dataset.fields.size()) {
    for (const std::string_view field : fields) positions_.push_back(dataset.position(field));
    seed_ = fingerprint(dataset.name);
    for (const std::string_view field : fields) seed_ = fingerprint(field, seed_);
  }

  Result<bool> open() {  // false: the sink wants nothing of this file
    auto file = sink_.open_file(std::string(dataset_.name) + " (demo)", fields_, {});
    if (!file && file.error().code() == Code::kSourceChanged) {
      sink_.abandon(dataset_, std::move(file).error());
      return false;
    }
    if (!file) return fail(std::move(file).error());
    file_ = *file;
    TP_TRY(sink_.begin(dataset_, Completeness::kFull));
    return true;
  }

  // `cells` in the order of `fields`.
  Result<void> row(std::span<const InCell> cells) {
    print_.clear();
    for (const InCell& cell : cells) {
      print_ += static_cast<char>('0' + static_cast<int>(cell.kind));
      switch (cell.kind) {
        case InCell::Kind::kNull:
          break;
        case InCell::Kind::kInt:
          print_.append(reinterpret_cast<const char*>(&cell.number), sizeof cell.number);
          break;
        case InCell::Kind::kText:
          print_ += cell.text;
          break;
        case InCell::Kind::kRef:
          print_ += cell.ref.id;
          break;
      }
      print_ += '\0';
    }
    const Fingerprint print = fingerprint(print_, seed_);
    const Origin origin{file_, ++line_, true, {}};
    if (sink_.unchanged(origin, print)) return {};
    for (std::size_t i = 0; i < cells.size(); ++i)
      if (positions_[i]) cells_[*positions_[i]] = cells[i];
    return sink_.row(origin, print, cells_);
  }

  Result<void> close() {
    TP_TRY(sink_.end(dataset_));
    sink_.close_file(file_, line_);
    return {};
  }

 private:
  RowSink& sink_;
  const Dataset& dataset_;
  std::span<const std::string_view> fields_;
  std::vector<std::optional<std::size_t>> positions_;
  std::vector<InCell> cells_;
  std::uint64_t seed_ = 0;
  std::string print_;
  FileId file_ = 0;
  std::uint64_t line_ = 0;
};

InCell text_or_null(std::string_view text) { return text.empty() ? InCell::null() : InCell::of(text); }
InCell date_or_null(const std::optional<Date>& date) { return date ? InCell::date(*date) : InCell::null(); }
InCell yes_no(bool value) { return InCell::integer(value ? 1 : 0); }
InCell pupil_ref(const DemoDay& day, std::uint32_t index) {
  return InCell::to(day.pupils[index].id, {}, {}, "pupil");
}

class DemoAdapter : public Adapter {
 public:
  DemoAdapter(const AdapterContext& context, demo::DemoSchool school, Date day)
      : context_(context), school_(school), day_(day) {}

  [[nodiscard]] std::vector<std::string_view> provides() const override {
    std::vector<std::string_view> names;
    for (const std::string_view name : kDatasets)
      if (context_.dictionary.find(name) != nullptr) names.push_back(name);
    return names;
  }

  Result<void> extract(RowSink& sink) override {
    auto made = school_.on(day_);
    if (!made) return fail(std::move(made).error());
    const DemoDay& day = *made;
    TP_TRY(school_row(sink, day));
    TP_TRY(calendar(sink, day));
    TP_TRY(people(sink, day));
    TP_TRY(groups(sink, day));
    TP_TRY(characteristics(sink, day));
    TP_TRY(marks(sink, day));
    TP_TRY(results(sink, day));
    return pledge(sink, day);
  }

 private:
  static constexpr std::array<std::string_view, 17> kDatasets = {
      "school",   "school_day",       "staff",      "pupil",        "enrolment",
      "group",    "group_membership", "ethnicity",  "language",     "fsm",
      "sen",      "sen_need",         "suspension", "session_mark", "assessment_result",
      "activity", "participation"};

  // Calls `rows(emitter)` between begin and end, where the dictionary has the dataset.
  template <std::size_t N, class Rows>
  Result<void> dataset(RowSink& sink, std::string_view name, const std::array<std::string_view, N>& fields,
                       Rows&& rows) {
    const Dataset* found = context_.dictionary.find(name);
    if (found == nullptr) return {};
    Emitter emitter(sink, *found, fields);
    const auto wanted = emitter.open();
    if (!wanted) return fail(wanted.error());
    if (!*wanted) return {};
    TP_TRY(rows(emitter));
    return emitter.close();
  }
  template <std::size_t N, class List, class Cells>
  Result<void> list(RowSink& sink, std::string_view name, const std::array<std::string_view, N>& fields,
                    const List& items, Cells&& cells) {
    return dataset(sink, name, fields, [&](Emitter& out) -> Result<void> {
      for (const auto& item : items) {
        const std::array<InCell, N> row = cells(item);
        TP_TRY(out.row(row));
      }
      return {};
    });
  }

  Result<void> school_row(RowSink& sink, const DemoDay& day) {
    static constexpr std::array<std::string_view, 8> kFields = {"urn",  "laestab", "name",     "phase",
                                                                "type", "la",      "low_year", "high_year"};
    const bool primary = school_.phase() == demo::Phase::kPrimary;
    return dataset(sink, "school", kFields, [&](Emitter& out) {
      const std::array<InCell, 8> row = {
          InCell::of(context_.school_urn),  InCell::of(day.laestab),
          InCell::of(context_.school_name), InCell::of(primary ? "primary" : "secondary"),
          InCell::of("Invented school"),    InCell::of("202"),
          InCell::of(primary ? "R" : "7"),  InCell::of(primary ? "6" : "13")};
      return out.row(row);
    });
  }

  Result<void> calendar(RowSink& sink, const DemoDay& day) {
    static constexpr std::array<std::string_view, 5> kFields = {"date", "kind", "am_open", "pm_open", "term"};
    return list(sink, "school_day", kFields, day.calendar.days, [](const demo::CalendarDay& d) {
      const bool open = d.kind == demo::DayKind::kSchool;
      return std::array<InCell, 5>{InCell::date(d.date), InCell::of(demo::name(d.kind)), yes_no(open),
                                   yes_no(open),
                                   d.term < 0 ? InCell::null() : InCell::of(demo::term_name(d.term))};
    });
  }

  Result<void> people(RowSink& sink, const DemoDay& day) {
    static constexpr std::array<std::string_view, 3> kStaff = {"staff", "display_name", "role"};
    std::string shown;
    TP_TRY(list(sink, "staff", kStaff, day.staff, [&shown](const demo::Staff& s) {
      shown = s.title + " " + s.surname;
      return std::array<InCell, 3>{InCell::to(s.id, {}, {}, "staff"), InCell::of(shown), InCell::of(s.role)};
    }));
    static constexpr std::array<std::string_view, 11> kPupil = {
        "pupil",    "UPN",         "UniqueLearnerNumber", "Surname",
        "Forename", "MiddleNames", "PreferredSurname",    "PreferredForename",
        "DOB",      "Sex",         "NCyearActual"};
    TP_TRY(list(sink, "pupil", kPupil, day.pupils, [](const demo::Pupil& p) {
      return std::array<InCell, 11>{InCell::to(p.id, {}, {}, "pupil"),
                                    text_or_null(p.upn),
                                    text_or_null(p.uln),
                                    InCell::of(p.surname),
                                    InCell::of(p.forename),
                                    text_or_null(p.middle_names),
                                    text_or_null(p.preferred_surname),
                                    text_or_null(p.preferred_forename),
                                    InCell::date(p.dob),
                                    InCell::of(p.sex),
                                    InCell::of(p.year)};
    }));
    static constexpr std::array<std::string_view, 4> kEnrolment = {"pupil", "EntryDate", "EnrolStatus",
                                                                   "LeavingDate"};
    return list(sink, "enrolment", kEnrolment, day.pupils, [](const demo::Pupil& p) {
      return std::array<InCell, 4>{InCell::to(p.id, {}, {}, "pupil"), InCell::date(p.entry),
                                   InCell::of(p.enrol_status), date_or_null(p.leaving)};
    });
  }

  Result<void> groups(RowSink& sink, const DemoDay& day) {
    static constexpr std::array<std::string_view, 6> kGroup = {"group",  "kind",    "name",
                                                               "NCyear", "subject", "academic_year"};
    TP_TRY(list(sink, "group", kGroup, day.groups, [](const demo::Group& g) {
      return std::array<InCell, 6>{InCell::to(g.id, {}, {}, "group"),
                                   InCell::of(g.kind),
                                   InCell::of(g.name),
                                   text_or_null(g.year),
                                   text_or_null(g.subject),
                                   g.academic_year == 0 ? InCell::null() : InCell::integer(g.academic_year)};
    }));
    static constexpr std::array<std::string_view, 7> kMember = {"group", "member", "from",   "member_kind",
                                                                "to",    "role",   "primary"};
    return list(sink, "group_membership", kMember, day.memberships, [&day](const demo::Membership& m) {
      return std::array<InCell, 7>{
          InCell::to(day.groups[m.group].id, {}, {}, "group"),
          m.staff ? InCell::to(day.staff[m.member].id, {}, {}, "staff") : pupil_ref(day, m.member),
          InCell::date(m.from),
          InCell::of(m.staff ? "staff" : "pupil"),
          date_or_null(m.to),
          InCell::of(m.staff ? "teacher" : "member"),
          m.staff ? InCell::integer(1) : InCell::null()};
    });
  }

  Result<void> characteristics(RowSink& sink, const DemoDay& day) {
    static constexpr std::array<std::string_view, 3> kEthnicity = {"pupil", "Ethnicity", "EthnicitySource"};
    TP_TRY(list(sink, "ethnicity", kEthnicity, day.pupils, [](const demo::Pupil& p) {
      return std::array<InCell, 3>{InCell::to(p.id, {}, {}, "pupil"), InCell::of(p.ethnicity),
                                   InCell::of(p.ethnicity_source)};
    }));
    static constexpr std::array<std::string_view, 4> kLanguage = {"pupil", "LanguageType", "Language",
                                                                  "proficiency"};
    auto languages = dataset(sink, "language", kLanguage, [&day](Emitter& out) -> Result<void> {
      for (const demo::Pupil& p : day.pupils) {
        const std::array<InCell, 4> first = {InCell::to(p.id, {}, {}, "pupil"), InCell::of("F"),
                                             InCell::of(p.language), text_or_null(p.proficiency)};
        TP_TRY(out.row(first));
        if (p.home_language.empty()) continue;
        const std::array<InCell, 4> home = {InCell::to(p.id, {}, {}, "pupil"), InCell::of("H"),
                                            InCell::of(p.home_language), InCell::null()};
        TP_TRY(out.row(home));
      }
      return {};
    });
    TP_TRY(std::move(languages));
    static constexpr std::array<std::string_view, 6> kFsm = {"pupil",      "FSMstartDate", "category",
                                                             "FSMendDate", "UKcountry",    "reviewed_on"};
    TP_TRY(list(sink, "fsm", kFsm, day.fsm, [&day](const demo::FsmSpell& s) {
      return std::array<InCell, 6>{pupil_ref(day, s.pupil), InCell::date(s.start), InCell::of(s.category),
                                   date_or_null(s.end),     InCell::of("ENG"),     date_or_null(s.reviewed)};
    }));
    static constexpr std::array<std::string_view, 4> kSen = {"pupil", "StartDate", "SENprovision", "EndDate"};
    TP_TRY(list(sink, "sen", kSen, day.sen, [&day](const demo::SenSpell& s) {
      return std::array<InCell, 4>{pupil_ref(day, s.pupil), InCell::date(s.start), InCell::of(s.provision),
                                   date_or_null(s.end)};
    }));
    static constexpr std::array<std::string_view, 3> kNeed = {"pupil", "SENtypeRank", "SENtype"};
    TP_TRY(list(sink, "sen_need", kNeed, day.sen_needs, [&day](const demo::SenNeed& n) {
      return std::array<InCell, 3>{pupil_ref(day, n.pupil), InCell::integer(n.rank), InCell::of(n.type)};
    }));
    static constexpr std::array<std::string_view, 7> kSuspension = {
        "suspension", "pupil", "category", "start", "sessions", "reason1", "reason2"};
    return list(sink, "suspension", kSuspension, day.suspensions, [&day](const demo::Suspension& s) {
      return std::array<InCell, 7>{InCell::to(s.id, {}, {}, "suspension"),
                                   pupil_ref(day, s.pupil),
                                   InCell::of(s.category),
                                   InCell::date(s.start),
                                   InCell::integer(s.sessions),
                                   text_or_null(s.reasons[0]),
                                   text_or_null(s.reasons[1])};
    });
  }

  Result<void> marks(RowSink& sink, const DemoDay& day) {
    static constexpr std::array<std::string_view, 5> kFields = {"date", "session", "pupil", "code",
                                                                "minutes_late"};
    return dataset(sink, "session_mark", kFields, [&day](Emitter& out) -> Result<void> {
      Result<void> done;
      day.for_each_mark([&](const demo::Mark& m) {
        if (!done) return;
        const std::array<InCell, 5> row = {
            InCell::date(m.date), InCell::of(m.pm ? "PM" : "AM"), pupil_ref(day, m.pupil), InCell::of(m.code),
            m.minutes_late ? InCell::integer(*m.minutes_late) : InCell::null()};
        done = out.row(row);
      });
      return done;
    });
  }

  Result<void> results(RowSink& sink, const DemoDay& day) {
    static constexpr std::array<std::string_view, 11> kFields = {
        "pupil",           "Year",         "Stage",  "Subject", "Method",    "Component",
        "ResultQualifier", "ResultStatus", "Locale", "Result",  "ResultDate"};
    return list(sink, "assessment_result", kFields, day.results, [&day](const demo::Assessment& a) {
      return std::array<InCell, 11>{pupil_ref(day, a.pupil), InCell::integer(a.year), InCell::of(a.stage),
                                    InCell::of(a.subject),   InCell::of(a.method),    InCell::of(a.component),
                                    InCell::of(a.qualifier), InCell::of(a.status),    InCell::of("ENG"),
                                    InCell::of(a.result),    InCell::date(a.date)};
    });
  }

  Result<void> pledge(RowSink& sink, const DemoDay& day) {
    static constexpr std::array<std::string_view, 12> kActivity = {"activity",
                                                                   "title",
                                                                   "promise",
                                                                   "promise2",
                                                                   "provider",
                                                                   "kind",
                                                                   "start",
                                                                   "end",
                                                                   "minutes",
                                                                   "in_school_time",
                                                                   "cost_to_family_pence",
                                                                   "shared_with"};
    TP_TRY(list(sink, "activity", kActivity, day.activities, [](const demo::Activity& a) {
      return std::array<InCell, 12>{InCell::to(a.id, {}, {}, "activity"),
                                    InCell::of(a.title),
                                    InCell::of(a.promise),
                                    text_or_null(a.promise2),
                                    InCell::of(a.provider),
                                    InCell::of(a.kind),
                                    InCell::date(a.start),
                                    InCell::date(a.end),
                                    InCell::integer(a.minutes),
                                    yes_no(a.in_school_time),
                                    InCell::integer(a.cost_pence),
                                    InCell::of(a.shared_with)};
    }));
    static constexpr std::array<std::string_view, 5> kPart = {"activity", "date", "pupil", "status", "role"};
    return list(sink, "participation", kPart, day.participations, [&day](const demo::Participation& p) {
      return std::array<InCell, 5>{InCell::to(day.activities[p.activity].id, {}, {}, "activity"),
                                   InCell::date(p.date), pupil_ref(day, p.pupil), InCell::of(p.status),
                                   InCell::of(p.role)};
    });
  }

  const AdapterContext context_;
  demo::DemoSchool school_;
  Date day_;
};

}  // namespace

Result<std::unique_ptr<Adapter>> make_demo_adapter(const SourceConfig& config,
                                                   const AdapterContext& context) {
  demo::DemoOptions options;
  if (config.demo_phase == "secondary")
    options.phase = demo::Phase::kSecondary;
  else if (!config.demo_phase.empty() && config.demo_phase != "primary")
    return fail(Code::kConfig, "phase '" + config.demo_phase + "' is not known",
                "Write phase = \"primary\" or phase = \"secondary\"");
  options.seed = config.demo_seed;
  if (config.demo_pupils < 0 || config.demo_pupils > demo::kPupilsMax)
    return fail(Code::kConfig, std::to_string(config.demo_pupils) + " pupils are not possible",
                "Choose " + std::to_string(demo::kPupilsMin) + " to " + std::to_string(demo::kPupilsMax) +
                    ", or leave pupils out");
  options.pupils = static_cast<int>(config.demo_pupils);
  Date day = context.today;
  if (!config.demo_day.empty()) {
    const auto parsed = Date::parse(config.demo_day);
    if (!parsed)
      return fail(Code::kConfig, "day '" + config.demo_day + "' is not a date",
                  "Write it as YYYY-MM-DD, or leave it out for today");
    day = *parsed;
  }
  auto school = demo::DemoSchool::make(options);
  if (!school) {
    const Error& e = school.error();
    return fail(Code::kConfig, e.what(), e.next());
  }
  return std::make_unique<DemoAdapter>(context, *school, day);
}

}  // namespace towpath
