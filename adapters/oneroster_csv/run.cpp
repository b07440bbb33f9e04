#include "adapters/oneroster_csv/run.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "adapters/text/cells.hpp"
#include "core/bytes.hpp"
#include "domain/academic_year.hpp"
#include "domain/upn.hpp"

namespace towpath::oneroster {
namespace {

// Belongs to every fingerprint: raise it when the same bytes come to mean another row.
constexpr std::uint8_t kRulesVersion = 1;
// Enough to recognise one's school by; the list is for a person.
constexpr std::size_t kSchoolsListed = 40;

// A hand-made package of a few pupils may have no demographics yet; a class of them has.
constexpr std::uint64_t kPupilsWithoutDemographics = 20;

constexpr std::string_view kDeleted = "its status is tobedeleted";
constexpr std::string_view kOtherSchool = "it belongs to another school";
constexpr std::string_view kNoSchool = "it names no school";

// Calls `each` for every item of a list cell: "a, b,c".
template <class Each>
void split_list(std::string_view list, Each each) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view item = trimmed(list.substr(0, comma));
    if (!item.empty()) each(item);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

std::string_view first_item(std::string_view list) {
  std::string_view first;
  split_list(list, [&](std::string_view item) {
    if (first.empty()) first = item;
  });
  return first;
}

// "{UPN:A123...},{ULN:...}": the id of that type.
std::string_view user_id_of_type(std::string_view ids, std::string_view type) {
  std::string_view found;
  split_list(ids, [&](std::string_view item) {
    if (item.starts_with('{')) item.remove_prefix(1);
    if (item.ends_with('}')) item.remove_suffix(1);
    const std::size_t colon = item.find(':');
    if (colon == std::string_view::npos || !found.empty()) return;
    if (same_word(trimmed(item.substr(0, colon)), type)) found = trimmed(item.substr(colon + 1));
  });
  return found;
}

// Of a UPN's form; whether its check letter fits is for the quality rules to say.
bool upn_form(std::string_view text) {
  const auto upn = Upn::parse(text);
  return upn || upn.error() == UpnFault::kCheckLetter;
}

bool digits(std::string_view text, std::size_t n) {
  return text.size() == n &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Fingerprint mix(std::initializer_list<std::uint64_t> parts) {
  Bytes bytes;
  Writer out(bytes);
  for (const std::uint64_t part : parts) out.u64(part);
  return fingerprint(text_of(bytes));
}

std::uint64_t number(std::optional<Date> date) {
  return date ? static_cast<std::uint64_t>(std::uint32_t(date->days)) + 1 : 0;
}

// YYYY-MM-DD, with or without a time behind it.
std::optional<Date> parse_date(std::string_view text) {
  if (auto plain = Date::parse(text)) return plain;
  static const DateFormat iso = *DateFormat::compile("");
  return iso.date(text, Date{});
}

Problem not_a_date(std::string_view column) {
  return {"type", column, std::string(column) + " is not a date (expected YYYY-MM-DD)"};
}
Problem required(std::string_view column) { return {"required", column, std::string(column) + " is empty"}; }
Problem faulty(const RecordFault& fault) { return {fault.rule, "", fault.text}; }

Fingerprint seed_of(const SourceConfig& config, const AdapterContext& context) {
  Bytes bytes;
  Writer out(bytes);
  out.u8(kRulesVersion);
  out.varint(context.dictionary.version);
  for (const std::string* text :
       {&context.school_urn, &context.school_name, &context.source, &config.org, &config.id_space})
    out.sized(*text);
  return fingerprint(text_of(bytes));
}

}  // namespace

Run::Row::Row(const AdapterContext& context, std::string_view dataset)
    : dataset_(*context.dictionary.find(dataset)), cells_(dataset_.fields.size()) {}

Run::Row& Run::Row::set(std::string_view field, InCell cell) {
  // An older dictionary may not have the field; the row is then sent without it.
  if (const auto at = dataset_.position(field)) cells_[*at] = cell;
  return *this;
}

void Run::Row::clear() { std::fill(cells_.begin(), cells_.end(), InCell::null()); }

Run::Run(const SourceConfig& config, const AdapterContext& context, FileSet files, RowSink& sink)
    : config_(config),
      context_(context),
      id_space_(config.id_space == config.name ? "" : config.id_space),
      seed_(seed_of(config, context)),
      bundle_(std::move(files), sink, seed_) {}

const Dataset* Run::dataset(std::string_view name) const { return context_.dictionary.find(name); }

const Error* Run::first_failed(std::initializer_list<Kind> kinds) const {
  for (const Kind kind : kinds)
    if (const Error* error = bundle_.failed(kind)) return error;
  return nullptr;
}

void Run::abandon(std::string_view name, const Error& why) { bundle_.sink().abandon(*dataset(name), why); }

bool Run::gone(std::string_view status) const { return same_word(status, "tobedeleted"); }

Completeness Run::completeness(Kind kind) const {
  return bundle_.mode(kind) == Mode::kDelta ? Completeness::kDelta : Completeness::kFull;
}

InCell Run::ref(std::string_view id, std::string_view name) const {
  return InCell::to(id, id_space_, {}, name);
}

Result<void> Run::extract() {
  auto news = bundle_.read_manifest();
  if (!news) return fail(std::move(news).error());
  if (!*news) return {};
  TP_TRY(choose_school());
  TP_TRY(read_school());
  TP_TRY(read_pupils());
  TP_TRY(read_staff());
  settle_people_files();
  TP_TRY(read_groups());
  TP_TRY(read_memberships());
  TP_TRY(read_enrolments());
  return bundle_.finish();
}

// --- which school ------------------------------------------------------------------------

Result<void> Run::choose_school() {
  struct School {
    std::string id, name;
  };
  std::vector<School> schools;
  std::map<std::string, std::string> names;
  // An orgs.csv that cannot be read is reported where it is read; users and classes still
  // say which schools there are.
  const auto looked = bundle_.peek(Kind::kOrgs, [&](const Record& org) {
    if (gone(org[orgs::kStatus]) || org[orgs::kId].empty()) return;
    names.emplace(org[orgs::kId], org[orgs::kName]);
    if (same_word(org[orgs::kType], "school"))
      schools.push_back({std::string(org[orgs::kId]), std::string(org[orgs::kName])});
  });
  if (schools.empty() || !looked) {
    schools.clear();
    std::set<std::string> referred;
    const auto add = [&](std::string_view id) {
      if (!id.empty() && referred.size() <= kSchoolsListed) referred.emplace(id);
    };
    // Likewise: what cannot be read is reported where it is read.
    (void)bundle_.peek(Kind::kClasses, [&](const Record& c) { add(c[classes::kSchool]); });
    (void)bundle_.peek(Kind::kRoles, [&](const Record& r) { add(r[roles::kOrg]); });
    if (referred.empty())
      (void)bundle_.peek(Kind::kUsers, [&](const Record& u) { split_list(u[users::kOrgs], add); });
    for (const std::string& id : referred) schools.push_back({id, names[id]});
  }
  std::string list;
  for (std::size_t i = 0; i < schools.size() && i < kSchoolsListed; ++i)
    list += "\n  " + schools[i].id + "  " + (schools[i].name.empty() ? "(no name)" : schools[i].name);
  if (schools.size() > kSchoolsListed)
    list += "\n  and " + std::to_string(schools.size() - kSchoolsListed) + " more";
  if (!config_.org.empty()) {
    several_schools_ = schools.size() > 1;
    org_ = config_.org;
    const bool known = names.contains(org_) || std::any_of(schools.begin(), schools.end(),
                                                           [&](const School& s) { return s.id == org_; });
    // A package of changes need not hold the school itself.
    if (known || schools.empty() || bundle_.mode(Kind::kOrgs) != Mode::kBulk) return {};
    return fail(Code::kChoice, "there is no org '" + org_ + "' in the package; its schools are:" + list,
                "Set org in the configuration to one of these");
  }
  if (schools.size() > 1)
    return fail(Code::kChoice,
                "the package holds " + std::to_string(schools.size()) +
                    " schools, and org does not say which:" + list,
                "Set org = \"...\" in the [[source]] to one of these");
  if (schools.size() == 1) org_ = schools.front().id;
  return {};
}

Result<void> Run::read_school() {
  if (bundle_.mode(Kind::kOrgs) == Mode::kAbsent) return {};
  if (const Error* why = bundle_.failed(Kind::kOrgs)) {
    abandon("school", *why);
    return {};
  }
  bool here = false;
  if (auto looked = bundle_.peek(
          Kind::kOrgs,
          [&](const Record& org) { here = here || (org[orgs::kId] == org_ && !gone(org[orgs::kStatus])); });
      looked && !here)
    return {};  // only changes to others, or no orgs at all: the records are accounted for by finish()
  Row row(context_, "school");
  TP_TRY(bundle_.sink().begin(row.dataset(), completeness(Kind::kOrgs)));
  auto read = bundle_.read(Kind::kOrgs, [&](const Record& org) -> Result<void> {
    if (org.fault()) return bundle_.reject(Kind::kOrgs, row.dataset(), org.origin(), faulty(*org.fault()));
    if (gone(org[orgs::kStatus])) return bundle_.ignore(Kind::kOrgs, kDeleted), Result<void>{};
    if (org[orgs::kId] != org_) {
      bundle_.ignore(Kind::kOrgs,
                     same_word(org[orgs::kType], "school") ? "it is another school" : "it is not a school");
      return {};
    }
    if (bundle_.unchanged(Kind::kOrgs, org.origin(), org.print())) return {};
    row.clear();
    row.set("urn", InCell::of(context_.school_urn));
    row.text("name",
             context_.school_name.empty() ? org[orgs::kName] : std::string_view(context_.school_name));
    std::string laestab(org[orgs::kIdentifier]);
    if (laestab.size() == 8 && laestab[3] == '/') laestab.erase(3, 1);
    if (digits(laestab, 7)) {
      row.set("laestab", InCell::of(laestab));
      row.set("la", InCell::of(std::string_view(laestab).substr(0, 3)));
    } else if (digits(laestab, 6) && laestab != context_.school_urn) {
      bundle_.notice_once("orgs.csv: the school's identifier " + laestab +
                          " looks like a URN, but the configuration says " + context_.school_urn);
    }
    return bundle_.row(Kind::kOrgs, org.origin(), org.print(), row.cells());
  });
  if (!read) return fail(std::move(read).error());
  if (*read) return bundle_.sink().end(row.dataset());
  abandon("school", *bundle_.failed(Kind::kOrgs));
  return {};
}

// --- people --------------------------------------------------------------------------------

Result<bool> Run::read_roles(const Dataset& pupils) {
  if (bundle_.mode(Kind::kRoles) == Mode::kAbsent) return true;
  return bundle_.read(Kind::kRoles, [&](const Record& role) -> Result<void> {
    const std::string_view user = role[roles::kUser];
    if (role.fault()) {
      if (user.empty())
        role_holes_ = true;
      else
        people_.get(user).role_fault = true;
      return bundle_.reject(Kind::kRoles, pupils, role.origin(), faulty(*role.fault()));
    }
    if (user.empty()) {
      role_holes_ = true;
      return bundle_.reject(Kind::kRoles, pupils, role.origin(), required("userSourcedId"));
    }
    if (gone(role[roles::kStatus])) return bundle_.ignore(Kind::kRoles, kDeleted), Result<void>{};
    Person& person = people_.get(user);
    if (!org_.empty() && !role[roles::kOrg].empty() && role[roles::kOrg] != org_) {
      person.role_elsewhere = true;
      return bundle_.ignore(Kind::kRoles, kOtherSchool), Result<void>{};
    }
    const Role* known = find_role(role[roles::kRole]);
    if (known == nullptr) {
      person.role_fault = true;
      return bundle_.reject(Kind::kRoles, pupils, role.origin(),
                            {"type", "role", "role is not one that OneRoster knows"});
    }
    const auto from = parse_date(role[roles::kBegin]);
    const auto to = parse_date(role[roles::kEnd]);
    if ((!from && !role[roles::kBegin].empty()) || (!to && !role[roles::kEnd].empty())) {
      person.role_fault = true;
      return bundle_.reject(Kind::kRoles, pupils, role.origin(), not_a_date(from ? "endDate" : "beginDate"));
    }
    ++person.role_records;
    person.roles_print = mix({person.roles_print, role.print()});
    const bool primary = same_word(role[roles::kRoleType], "primary");
    // A pupil is one whatever else; staff who are also parents are staff; then the primary role.
    if (person.role == nullptr || known->part > person.role->part ||
        (known->part == person.role->part && primary && !person.role_primary)) {
      person.role = known;
      person.role_primary = primary;
    }
    if (known->part == Part::kPupil) {
      if (from && (!person.role_from || *from < *person.role_from)) person.role_from = from;
      if (to && (!person.role_to || *to > *person.role_to)) person.role_to = to;
    }
    return {};
  });
}

Result<bool> Run::read_demographics(const Dataset& pupils) {
  if (bundle_.mode(Kind::kDemographics) == Mode::kAbsent) return true;
  return bundle_.read(Kind::kDemographics, [&](const Record& record) -> Result<void> {
    const std::string_view user = record[demographics::kId];
    if (record.fault() || user.empty()) {
      if (user.empty()) {
        demographics_holes_ = true;
      } else {
        Person& person = people_.get(user);
        person.demographics_fault = true;
        person.demographics_line = record.line();
      }
      return bundle_.reject(Kind::kDemographics, pupils, record.origin(),
                            record.fault() ? faulty(*record.fault()) : required("sourcedId"));
    }
    if (gone(record[demographics::kStatus]))
      return bundle_.ignore(Kind::kDemographics, kDeleted), Result<void>{};
    Person& person = people_.get(user);
    if (person.demographics)
      return bundle_.ignore(Kind::kDemographics, "its user has demographics on an earlier line"),
             Result<void>{};
    person.demographics = true;
    person.demographics_line = record.line();
    person.demographics_print = record.print();
    race_told_ = race_told_ || std::any_of(record.binding().race.begin(), record.binding().race.end(),
                                           [&](const std::size_t& column) {
                                             const auto cell = record.first_of(std::span(&column, 1));
                                             return !cell.empty() && parse_bool(cell) != false;
                                           });
    if (const std::string_view born = record[demographics::kBirthDate]; !born.empty()) {
      person.born = parse_date(born);
      person.born_fault = !person.born;
    }
    const std::string_view sex = record[demographics::kSex];
    if (same_word(sex, "female") || same_word(sex, "f"))
      person.sex = 'F';
    else if (same_word(sex, "male") || same_word(sex, "m"))
      person.sex = 'M';
    else if (same_word(sex, "other"))
      person.sex = 'O';
    else if (same_word(sex, "unspecified"))
      person.sex = 'U';
    else if (!sex.empty())
      person.sex = '?';
    return {};
  });
}

Run::Standing Run::standing(const Record& user, Person* person) {
  Standing out;
  const Mode roles_mode = bundle_.mode(Kind::kRoles);
  if (roles_mode != Mode::kAbsent) {
    if (person != nullptr && person->role_fault) {
      out.problem = Problem{"roles", "role", "roles.csv holds a record of this user that could not be taken"};
      return out;
    }
    if (person != nullptr && person->role != nullptr) {
      out.role = person->role;
    } else if (role_holes_) {
      out.problem =
          Problem{"roles", "role", "roles.csv holds records that cannot be read, and this user's may be one"};
      return out;
    } else if (person != nullptr && person->role_elsewhere) {
      out.ignored = kOtherSchool;
      return out;
    } else if (user[users::kRole].empty()) {
      out.ignored = roles_mode == Mode::kDelta ? "its role is not in this delta package" : "it has no role";
      return out;
    }
  }
  if (out.role == nullptr) {
    const std::string_view list = user[users::kOrgs];
    if (!org_.empty() && !list.empty()) {
      bool ours = false;
      split_list(list, [&](std::string_view id) { ours = ours || id == org_; });
      if (!ours) {
        out.ignored = kOtherSchool;
        return out;
      }
    } else if (list.empty() && several_schools_) {
      out.ignored = kNoSchool;
      return out;
    }
    if (user[users::kRole].empty()) {
      out.problem = required("role");
      return out;
    }
    out.role = find_role(user[users::kRole]);
    if (out.role == nullptr) {
      out.problem = Problem{"type", "role", "role is not one that OneRoster knows"};
      return out;
    }
  }
  out.part = out.role->part;
  if (out.part == Part::kContact) out.ignored = "it is a parent, guardian or other contact";
  return out;
}

Result<void> Run::pupil_row(const Record& user, Person& person, Row& row) {
  const Mode mode = bundle_.mode(Kind::kDemographics);
  if (!person.demographics && !person.demographics_fault && mode == Mode::kDelta) {
    bundle_.notice_once(
        "users.csv: pupils whose demographics are not in this delta package were left as they are; a "
        "complete (bulk) "
        "package brings their changes");
    bundle_.ignore(Kind::kUsers, "its demographics are not in this delta package");
    return {};
  }
  const auto demographics_say = [&](std::string_view field, std::string_view what) {
    return bundle_.reject(
        Kind::kUsers, row.dataset(), user.origin(),
        {"demographics", field,
         "demographics.csv line " + std::to_string(person.demographics_line) + ": " + std::string(what)});
  };
  if (person.demographics_fault) return demographics_say("", "the record cannot be read");
  if (person.born_fault) return demographics_say("DOB", "birthDate is not a date (expected YYYY-MM-DD)");
  if (!person.demographics && demographics_holes_)
    return bundle_.reject(
        Kind::kUsers, row.dataset(), user.origin(),
        {"demographics", "",
         "demographics.csv holds records that cannot be read, and this pupil's may be one"});

  const Fingerprint print = mix({user.print(), person.roles_print, person.demographics_print});
  if (bundle_.unchanged(Kind::kUsers, user.origin(), print)) return {};
  row.clear();
  row.set("pupil", ref(user[users::kId], "pupil"));
  const std::string_view ids = user[users::kUserIds];
  std::string_view upn = user.first_of(user.binding().upn);
  if (upn.empty()) upn = user_id_of_type(ids, "UPN");
  if (upn.empty() && upn_form(user[users::kIdentifier])) upn = user[users::kIdentifier];
  if (upn.empty() && upn_form(user[users::kMaster])) upn = user[users::kMaster];
  row.text("UPN", upn);
  std::string_view uln = user.first_of(user.binding().uln);
  if (uln.empty()) uln = user_id_of_type(ids, "ULN");
  row.text("UniqueLearnerNumber", uln);
  row.text("Surname", user[users::kFamily]);
  row.text("Forename", user[users::kGiven]);
  row.text("MiddleNames", user[users::kMiddle]);
  row.text("PreferredSurname", user[users::kPreferredFamily]);
  row.text("PreferredForename", user[users::kPreferredGiven]);
  if (person.born) row.set("DOB", InCell::date(*person.born));
  switch (person.sex) {
    case 'F':
      row.set("Sex", InCell::of("F"));
      break;
    case 'M':
      row.set("Sex", InCell::of("M"));
      break;
    case 'O':
      row.set("Sex", InCell::of("other"));
      break;
    case 'U':
      row.set("Sex", InCell::of("unspecified"));
      break;
    case '?':
      row.set("Sex", InCell::of("not one of OneRoster's"));
      break;
    default:
      break;
  }
  row.text("NCyearActual", first_item(user[users::kGrades]));
  return bundle_.row(Kind::kUsers, user.origin(), print, row.cells());
}

Result<void> Run::read_pupils() {
  if (bundle_.mode(Kind::kUsers) == Mode::kAbsent) return {};
  const Mode mode = bundle_.mode(Kind::kUsers);
  // A complete list of users cannot be completed from a list of changes.
  for (const Kind other : {Kind::kRoles, Kind::kDemographics})
    if (mode == Mode::kBulk && bundle_.mode(other) == Mode::kDelta)
      pupils_left_ = Error{Code::kBadInput,
                           "users.csv is bulk, but " + std::string(layout(other).file) +
                               " is delta: the rest of each user is not in the package",
                           "Have both exported as bulk, or both as delta"};
  if (const Error* why = first_failed({Kind::kUsers, Kind::kRoles, Kind::kDemographics});
      why && !pupils_left_)
    pupils_left_ = *why;
  if (pupils_left_) {
    abandon("pupil", *pupils_left_);
    return {};
  }
  Row row(context_, "pupil");
  TP_TRY(bundle_.sink().begin(row.dataset(), completeness(Kind::kUsers)));
  for (auto part : {&Run::read_roles, &Run::read_demographics}) {
    auto read = (this->*part)(row.dataset());
    if (!read) return fail(std::move(read).error());
    if (*read) continue;
    pupils_left_ = *first_failed({Kind::kRoles, Kind::kDemographics});
    abandon("pupil", *pupils_left_);
    return {};
  }
  std::uint64_t pupils = 0;
  const auto leave_to_staff = [&](const Record& user) {
    staff_records_.resize(std::max<std::size_t>(staff_records_.size(), user.number() + 1), false);
    staff_records_[user.number()] = true;
  };
  auto read = bundle_.read(Kind::kUsers, [&](const Record& user) -> Result<void> {
    const std::string_view id = user[users::kId];
    if (user.fault() || id.empty()) {
      user_holes_ = true;
      return bundle_.reject(Kind::kUsers, row.dataset(), user.origin(),
                            user.fault() ? faulty(*user.fault()) : required("sourcedId"));
    }
    Person& person = people_.get(id);
    const bool again = person.line != 0;
    person.line = user.line();
    Standing is = standing(user, &person);
    if (gone(user[users::kStatus])) {
      if (mode == Mode::kBulk) return bundle_.ignore(Kind::kUsers, kDeleted), Result<void>{};
      // A person of unknown role may have been either: read_staff() removes the other one.
      person.part = is.role != nullptr ? is.part : Part::kUnknown;
      if (person.part == Part::kStaff) {
        leave_to_staff(user);
        return {};
      }
      if (person.part == Part::kContact) return bundle_.ignore(Kind::kUsers, is.ignored), Result<void>{};
      row.clear();
      row.set("pupil", ref(id, "pupil"));
      return bundle_.remove(Kind::kUsers, user.origin(), row.key());
    }
    if (is.problem) {
      // What the user is, nobody knows; what refers to it is left to the store.
      person.part = Part::kUnknown;
      person.ours = true;
      return bundle_.reject(Kind::kUsers, row.dataset(), user.origin(), *std::move(is.problem));
    }
    if (!is.ignored.empty()) {
      if (!again) person.part = is.part;
      return bundle_.ignore(Kind::kUsers, is.ignored), Result<void>{};
    }
    if (again && person.ours && person.part != is.part)
      return bundle_.reject(
          Kind::kUsers, row.dataset(), user.origin(),
          {"duplicate", "sourcedId", "an earlier line has the same sourcedId with another role"});
    person.part = is.part;
    person.role = is.role;
    person.ours = true;
    if (is.part == Part::kPupil) {
      ++pupils;
      return pupil_row(user, person, row);
    }
    leave_to_staff(user);
    return {};
  });
  if (!read) return fail(std::move(read).error());
  const bool nobody = bundle_.mode(Kind::kDemographics) == Mode::kBulk && !demographics_holes_ &&
                      std::none_of(people_.all().begin(), people_.all().end(),
                                   [](const Person& p) { return p.demographics || p.demographics_fault; });
  if (*read && nobody && pupils >= kPupilsWithoutDemographics) {
    // Else every birth date would be emptied by a file cut down to its header.
    pupils_left_ =
        Error{Code::kBadInput,
              "demographics.csv lists nobody, but users.csv has " + std::to_string(pupils) +
                  " pupils: it looks cut short",
              "Export the package again; if it is meant, leave demographics.csv out and list it as absent"};
    abandon("pupil", *pupils_left_);
    return {};
  }
  if (*read) return bundle_.sink().end(row.dataset());
  pupils_left_ = *bundle_.failed(Kind::kUsers);
  abandon("pupil", *pupils_left_);
  return {};
}

Result<void> Run::read_staff() {
  if (bundle_.mode(Kind::kUsers) == Mode::kAbsent) return {};
  if (pupils_left_) {
    abandon("staff", *pupils_left_);
    return {};
  }
  Row row(context_, "staff");
  TP_TRY(bundle_.sink().begin(row.dataset(), completeness(Kind::kUsers)));
  std::string name;
  auto read = bundle_.read(Kind::kUsers, [&](const Record& user) -> Result<void> {
    const std::string_view id = user[users::kId];
    // Counted with the pupils; but staff may be missing from this list because of it.
    if (user.fault() || id.empty())
      return bundle_.reject(Kind::kUsers, row.dataset(), user.origin(false),
                            user.fault() ? faulty(*user.fault()) : required("sourcedId"));
    const Person* person = people_.find(id);
    TP_ASSERT(person != nullptr);
    const bool deleted = gone(user[users::kStatus]);
    const bool ours = user.number() < staff_records_.size() && staff_records_[user.number()];
    if (deleted && bundle_.mode(Kind::kUsers) == Mode::kDelta && (ours || person->part == Part::kUnknown)) {
      row.clear();
      row.set("staff", ref(id, "staff"));
      return bundle_.remove(Kind::kUsers, user.origin(ours), row.key());
    }
    if (!ours) {
      if (person->part != Part::kUnknown || deleted) return {};
      return bundle_.reject(Kind::kUsers, row.dataset(), user.origin(false),
                            {"roles", "role", "the user's role could not be read"});
    }
    if (person->part != Part::kStaff || !person->ours)
      return bundle_.reject(
          Kind::kUsers, row.dataset(), user.origin(),
          {"duplicate", "sourcedId", "another line has the same sourcedId with another role"});
    const Fingerprint print = mix({user.print(), person->roles_print});
    if (bundle_.unchanged(Kind::kUsers, user.origin(), print)) return {};
    row.clear();
    row.set("staff", ref(id, "staff"));
    const auto either = [&](std::size_t preferred, std::size_t legal) {
      return user[preferred].empty() ? user[legal] : user[preferred];
    };
    name = either(users::kPreferredGiven, users::kGiven);
    const std::string_view family = either(users::kPreferredFamily, users::kFamily);
    if (!name.empty() && !family.empty()) name += ' ';
    name += family;
    row.text("display_name", name);
    row.text("role", person->role->title);
    return bundle_.row(Kind::kUsers, user.origin(), print, row.cells());
  });
  if (!read) return fail(std::move(read).error());
  if (*read) return bundle_.sink().end(row.dataset());
  staff_left_ = *bundle_.failed(Kind::kUsers);
  abandon("staff", *staff_left_);
  return {};
}

// The files beside users.csv: their records were used if their user was.
void Run::settle_people_files() {
  if (!bundle_.readable(Kind::kUsers) || pupils_left_) return;
  std::uint64_t roles_used = 0, roles_left = 0, used = 0, left = 0;
  for (const Person& person : people_.all()) {
    (person.ours ? roles_used : roles_left) += person.role_records;
    if (person.demographics) ++(person.ours && person.part != Part::kStaff ? used : left);
  }
  if (bundle_.readable(Kind::kRoles)) {
    bundle_.used(Kind::kRoles, roles_used);
    bundle_.ignore(Kind::kRoles, "its user is not read", roles_left);
  }
  if (bundle_.readable(Kind::kDemographics)) {
    bundle_.used(Kind::kDemographics, used);
    bundle_.ignore(Kind::kDemographics, "its user is not a pupil of this school", left);
    if (race_told_)
      bundle_.notice_once(
          "demographics.csv: only birth date and sex are read; its race columns are those of the United "
          "States and cannot say an English ethnicity");
  }
}

// --- groups --------------------------------------------------------------------------------

Result<bool> Run::read_sessions(const Dataset& groups) {
  if (bundle_.mode(Kind::kAcademicSessions) == Mode::kAbsent) return true;
  return bundle_.read(Kind::kAcademicSessions, [&](const Record& record) -> Result<void> {
    const auto reject = [&](Problem problem) {
      session_holes_ = true;
      return bundle_.reject(Kind::kAcademicSessions, groups, record.origin(), std::move(problem));
    };
    if (record.fault()) return reject(faulty(*record.fault()));
    if (record[sessions::kId].empty()) return reject(required("sourcedId"));
    if (gone(record[sessions::kStatus]))
      return bundle_.ignore(Kind::kAcademicSessions, kDeleted), Result<void>{};
    const auto start = parse_date(record[sessions::kStart]);
    if (!start) return reject(not_a_date("startDate"));
    const auto end = parse_date(record[sessions::kEnd]);
    if (!end) return reject(not_a_date("endDate"));
    if (*end < *start) return reject({"order", "endDate", "endDate is before startDate"});
    if (!sessions_
             .emplace(record[sessions::kId],
                      Session{*start, *end, same_word(record[sessions::kType], "schoolYear"), record.print()})
             .second)
      return bundle_.ignore(Kind::kAcademicSessions, "an earlier line has the same sourcedId"),
             Result<void>{};
    bundle_.used(Kind::kAcademicSessions);
    return {};
  });
}

Result<bool> Run::read_courses(const Dataset& groups) {
  if (bundle_.mode(Kind::kCourses) == Mode::kAbsent) return true;
  return bundle_.read(Kind::kCourses, [&](const Record& record) -> Result<void> {
    const auto reject = [&](Problem problem) {
      course_holes_ = true;
      return bundle_.reject(Kind::kCourses, groups, record.origin(), std::move(problem));
    };
    if (record.fault()) return reject(faulty(*record.fault()));
    if (record[courses::kId].empty()) return reject(required("sourcedId"));
    if (gone(record[courses::kStatus])) return bundle_.ignore(Kind::kCourses, kDeleted), Result<void>{};
    const std::string_view subject = first_item(record[courses::kSubjects]);
    if (!courses_
             .emplace(record[courses::kId],
                      Course{std::string(subject.empty() ? record[courses::kTitle] : subject),
                             std::string(record[courses::kSchoolYearId]), record.print()})
             .second)
      return bundle_.ignore(Kind::kCourses, "an earlier line has the same sourcedId"), Result<void>{};
    bundle_.used(Kind::kCourses);
    return {};
  });
}

Result<void> Run::read_groups() {
  if (bundle_.mode(Kind::kClasses) == Mode::kAbsent) return {};
  const bool delta = bundle_.mode(Kind::kClasses) == Mode::kDelta;
  for (const Kind other : {Kind::kCourses, Kind::kAcademicSessions})
    if (!delta && bundle_.mode(other) == Mode::kDelta)
      groups_left_ = Error{Code::kBadInput,
                           "classes.csv is bulk, but " + std::string(layout(other).file) +
                               " is delta: the rest of each class is not in the package",
                           "Have both exported as bulk, or both as delta"};
  if (const Error* why = first_failed({Kind::kClasses, Kind::kCourses, Kind::kAcademicSessions});
      why && !groups_left_)
    groups_left_ = *why;
  if (groups_left_) {
    abandon("group", *groups_left_);
    return {};
  }
  Row row(context_, "group");
  TP_TRY(bundle_.sink().begin(row.dataset(), completeness(Kind::kClasses)));
  for (auto part : {&Run::read_sessions, &Run::read_courses}) {
    auto read = (this->*part)(row.dataset());
    if (!read) return fail(std::move(read).error());
    if (*read) continue;
    groups_left_ = *first_failed({Kind::kAcademicSessions, Kind::kCourses});
    abandon("group", *groups_left_);
    return {};
  }
  auto read = bundle_.read(Kind::kClasses, [&](const Record& record) -> Result<void> {
    const std::string_view id = record[classes::kId];
    if (record.fault() || id.empty()) {
      class_holes_ = true;
      return bundle_.reject(Kind::kClasses, row.dataset(), record.origin(),
                            record.fault() ? faulty(*record.fault()) : required("sourcedId"));
    }
    const std::string_view school = record[classes::kSchool];
    const bool ours = org_.empty() || school == org_ || (school.empty() && !several_schools_);
    Class& known = classes_.emplace(id, Class{}).first->second;
    known.ours = ours;
    if (!ours)
      return bundle_.ignore(Kind::kClasses, school.empty() ? kNoSchool : kOtherSchool), Result<void>{};
    if (gone(record[classes::kStatus])) {
      known.ours = delta;
      if (!delta) return bundle_.ignore(Kind::kClasses, kDeleted), Result<void>{};
      row.clear();
      row.set("group", ref(id, "group"));
      return bundle_.remove(Kind::kClasses, record.origin(), row.key());
    }
    const auto reject = [&](Problem problem) {
      known.fault = true;
      return bundle_.reject(Kind::kClasses, row.dataset(), record.origin(), std::move(problem));
    };
    const auto not_in_delta = [&](std::string_view reason) -> Result<void> {
      known.fault = true;
      bundle_.notice_once(
          "classes.csv: classes whose course or term is not in this delta package were left as they are; a "
          "complete "
          "(bulk) package brings their changes");
      bundle_.ignore(Kind::kClasses, reason);
      return {};
    };
    // Its terms: the group's year, and the dates of memberships that have none.
    Fingerprint terms_print = 0;
    bool unknown_term = false;
    const auto add_term = [&](std::string_view term) {
      const auto session = sessions_.find(term);
      if (session == sessions_.end()) {
        unknown_term = true;
        return;
      }
      terms_print = mix({terms_print, session->second.print});
      if (!known.start || session->second.start < *known.start) known.start = session->second.start;
      if (!known.end || session->second.end > *known.end) known.end = session->second.end;
    };
    split_list(record[classes::kTerms], add_term);
    const auto course = courses_.find(record[classes::kCourse]);
    const bool unknown_course = !record[classes::kCourse].empty() && course == courses_.end();
    if (!known.start && course != courses_.end() && !course->second.school_year.empty())
      add_term(course->second.school_year);
    if (unknown_term && !known.start) {
      if (delta && bundle_.mode(Kind::kAcademicSessions) != Mode::kBulk)
        return not_in_delta("its term is not in this delta package");
      if (session_holes_) return reject({"reference", "termSourcedIds", "its term could not be read"});
      bundle_.notice_once(
          "classes.csv names terms that academicSessions.csv does not hold: those classes have no academic "
          "year");
    }
    std::string_view subject = first_item(record[classes::kSubjects]);
    // Some exports write 0 for none.
    if (subject == "0") subject = {};
    if (subject.empty() && course != courses_.end()) subject = course->second.subject;
    if (subject.empty() && unknown_course) {
      if (delta && bundle_.mode(Kind::kCourses) != Mode::kBulk)
        return not_in_delta("its course is not in this delta package");
      if (course_holes_) return reject({"reference", "courseSourcedId", "its course could not be read"});
      bundle_.notice_once(
          "classes.csv names courses that courses.csv does not hold: those classes have no subject");
    }
    const Fingerprint print =
        mix({record.print(), terms_print, course == courses_.end() ? 0 : course->second.print});
    if (bundle_.unchanged(Kind::kClasses, record.origin(), print)) return {};
    row.clear();
    row.set("group", ref(id, "group"));
    row.set("kind", InCell::of(same_word(record[classes::kType], "homeroom") ? "registration" : "class"));
    row.text("name", record[classes::kTitle].empty() ? record[classes::kCode] : record[classes::kTitle]);
    std::size_t grades = 0;
    split_list(record[classes::kGrades], [&](std::string_view) { ++grades; });
    row.text("NCyear", grades > 1 ? std::string_view("M") : first_item(record[classes::kGrades]));
    row.text("subject", subject);
    if (known.start)
      row.set("academic_year", InCell::integer(AcademicYear::of_system(*known.start).starting()));
    return bundle_.row(Kind::kClasses, record.origin(), print, row.cells());
  });
  if (!read) return fail(std::move(read).error());
  if (*read) return bundle_.sink().end(row.dataset());
  groups_left_ = *bundle_.failed(Kind::kClasses);
  abandon("group", *groups_left_);
  return {};
}

// --- who is in which group -----------------------------------------------------------------

std::optional<Date> Run::school_year_start() const {
  const bool years =
      std::any_of(sessions_.begin(), sessions_.end(), [](const auto& s) { return s.second.school_year; });
  std::optional<Date> around, latest;
  for (const auto& [id, session] : sessions_) {
    if (years && !session.school_year) continue;
    if (session.start <= context_.today && context_.today <= session.end &&
        (!around || session.start < *around))
      around = session.start;
    if (!latest || session.start > *latest) latest = session.start;
  }
  return around ? around : latest;
}

Result<void> Run::read_memberships() {
  if (bundle_.mode(Kind::kEnrollments) == Mode::kAbsent) return {};
  const bool delta = bundle_.mode(Kind::kEnrollments) == Mode::kDelta;
  const Error* why = bundle_.failed(Kind::kEnrollments);
  if (why == nullptr && pupils_left_) why = &*pupils_left_;
  if (why == nullptr && staff_left_) why = &*staff_left_;
  if (why == nullptr && groups_left_) why = &*groups_left_;
  if (why != nullptr) {
    abandon("group_membership", *why);
    return {};
  }
  const bool all_users = bundle_.mode(Kind::kUsers) == Mode::kBulk && !user_holes_;
  const bool all_classes = bundle_.mode(Kind::kClasses) == Mode::kBulk && !class_holes_;
  const std::optional<Date> year_start = school_year_start();
  const Date otherwise = AcademicYear::of_system(context_.today).first_day();
  Row row(context_, "group_membership");
  TP_TRY(bundle_.sink().begin(row.dataset(), completeness(Kind::kEnrollments)));
  auto read = bundle_.read(Kind::kEnrollments, [&](const Record& record) -> Result<void> {
    const auto ignore = [&](std::string_view reason) -> Result<void> {
      bundle_.ignore(Kind::kEnrollments, reason);
      return {};
    };
    const auto reject = [&](Problem problem) {
      return bundle_.reject(Kind::kEnrollments, row.dataset(), record.origin(), std::move(problem));
    };
    if (record.fault()) return reject(faulty(*record.fault()));
    const std::string_view class_id = record[enrollments::kClass], user_id = record[enrollments::kUser];
    if (class_id.empty()) return reject(required("classSourcedId"));
    if (user_id.empty()) return reject(required("userSourcedId"));
    const bool deleted = gone(record[enrollments::kStatus]);
    if (deleted && !delta) return ignore(kDeleted);
    const std::string_view school = record[enrollments::kSchool];
    if (!org_.empty() && !school.empty() && school != org_) return ignore(kOtherSchool);

    const auto group = classes_.find(class_id);
    if (group == classes_.end() && all_classes && !deleted)
      return reject({"reference", "classSourcedId", "it names a class that classes.csv does not hold"});
    if (group != classes_.end() && !group->second.ours) return ignore("its class is not read");
    if (group == classes_.end() && school.empty() && several_schools_) return ignore(kNoSchool);

    Person* person = people_.find(user_id);
    if (person != nullptr && person->line == 0) person = nullptr;  // only roles or demographics name it
    if (person == nullptr && all_users && !deleted)
      return reject({"reference", "userSourcedId", "it names a user that users.csv does not hold"});
    if (person != nullptr && !person->ours && !deleted) return ignore("its user is not read");
    const Role* role = find_role(record[enrollments::kRole]);
    if (role == nullptr) return reject({"type", "role", "role is not one that OneRoster knows"});
    Part part = person != nullptr ? person->part : Part::kUnknown;
    if (part != Part::kPupil && part != Part::kStaff) part = role->part;
    if (part != Part::kPupil && part != Part::kStaff)
      return ignore("it is a parent, guardian or other contact");

    std::optional<Date> from = parse_date(record[enrollments::kBegin]);
    if (!from && !record[enrollments::kBegin].empty()) return reject(not_a_date("beginDate"));
    const std::optional<Date> to = parse_date(record[enrollments::kEnd]);
    if (!to && !record[enrollments::kEnd].empty()) return reject(not_a_date("endDate"));
    if (!from && group != classes_.end()) from = group->second.start;
    if (!from && delta && group == classes_.end()) {
      bundle_.notice_once(
          "enrollments.csv: memberships without beginDate whose class is not in this delta package were left "
          "as they "
          "are; a complete (bulk) package brings their changes");
      return ignore("its class, which has its dates, is not in this delta package");
    }
    if (!from) {
      from = year_start ? *year_start : otherwise;
      bundle_.notice_once("enrollments.csv: memberships without dates are taken to begin on " + from->iso());
    }
    const std::string_view member_kind = part == Part::kPupil ? "pupil" : "staff";
    if (deleted) {
      row.clear();
      row.set("group", ref(class_id, "group"));
      row.set("member", ref(user_id, member_kind));
      row.set("from", InCell::date(*from));
      return bundle_.remove(Kind::kEnrollments, record.origin(), row.key());
    }
    if (person != nullptr && person->part == Part::kPupil && role->part == Part::kPupil) {
      if (!person->first || *from < *person->first) person->first = from;
      // Leaving a class before it ends may be leaving the school; staying to its end is not.
      const std::optional<Date> class_end = group == classes_.end() ? std::nullopt : group->second.end;
      if (!to || !class_end || *to >= *class_end)
        person->stays = true;
      else if (!person->last || *to > *person->last)
        person->last = to;
    }
    const Fingerprint print = mix({record.print(), static_cast<std::uint64_t>(part), number(from)});
    if (bundle_.unchanged(Kind::kEnrollments, record.origin(), print)) return {};
    row.clear();
    row.set("group", ref(class_id, "group"));
    row.set("member", ref(user_id, member_kind));
    row.set("from", InCell::date(*from));
    row.set("member_kind", InCell::of(member_kind));
    if (to) row.set("to", InCell::date(*to));
    std::string_view in_group = "member";
    if (same_word(role->word, "teacher"))
      in_group = "teacher";
    else if (same_word(role->word, "aide") || same_word(role->word, "proctor"))
      in_group = "assistant";
    else if (role->part == Part::kStaff)
      in_group = "leader";
    row.set("role", InCell::of(in_group));
    if (role->part == Part::kStaff) {
      if (const auto primary = parse_bool(record[enrollments::kPrimary]))
        row.set("primary", InCell::integer(*primary ? 1 : 0));
      else if (!record[enrollments::kPrimary].empty())
        return reject({"type", "primary", "primary is neither true nor false"});
    }
    return bundle_.row(Kind::kEnrollments, record.origin(), print, row.cells());
  });
  if (!read) return fail(std::move(read).error());
  if (*read) return bundle_.sink().end(row.dataset());
  abandon("group_membership", *bundle_.failed(Kind::kEnrollments));
  return {};
}

// When each pupil came and, if so, went. OneRoster does not say; its dates do, near enough.
Result<void> Run::read_enrolments() {
  if (bundle_.mode(Kind::kUsers) == Mode::kAbsent) return {};
  const Error* why = first_failed({Kind::kEnrollments, Kind::kAcademicSessions, Kind::kClasses});
  if (pupils_left_) why = &*pupils_left_;
  if (staff_left_) why = &*staff_left_;
  if (groups_left_) why = &*groups_left_;
  if (why != nullptr) {
    abandon("enrolment", *why);
    return {};
  }
  if (bundle_.mode(Kind::kUsers) == Mode::kDelta || bundle_.mode(Kind::kEnrollments) == Mode::kDelta) {
    bundle_.notice_once(
        "entry and leaving dates come from complete (bulk) users and enrollments only: the package of "
        "changes left them "
        "as they are");
    return {};
  }
  std::optional<Date> year_end;
  for (const auto& [id, session] : sessions_)
    if (!year_end || session.end > *year_end) year_end = session.end;
  const std::optional<Date> year_start = school_year_start();
  const Date otherwise = AcademicYear::of_system(context_.today).first_day();
  Row row(context_, "enrolment");
  // A user whose record or role could not be read may be a pupil: then nobody is taken as gone.
  const bool all_known =
      !user_holes_ && std::none_of(people_.all().begin(), people_.all().end(),
                                   [](const Person& p) { return p.ours && p.part == Part::kUnknown; });
  TP_TRY(bundle_.sink().begin(row.dataset(), all_known ? Completeness::kFull : Completeness::kDelta));
  for (const Person& person : people_.all()) {
    if (!person.ours || person.part != Part::kPupil) continue;
    std::optional<Date> entry = person.role_from ? person.role_from : person.first;
    if (!entry) entry = year_start ? *year_start : otherwise;
    std::optional<Date> leaving;
    if (person.role_to && (*person.role_to < context_.today || (year_end && *person.role_to < *year_end)))
      leaving = person.role_to;
    else if (person.first && !person.stays)
      leaving = person.last;
    const Fingerprint print = mix({fingerprint(person.id, seed_), number(entry), number(leaving)});
    const Origin origin{bundle_.file(Kind::kUsers), person.line, false, {}};
    if (bundle_.unchanged(Kind::kUsers, origin, print)) continue;
    row.clear();
    row.set("pupil", ref(person.id, "pupil"));
    row.set("EntryDate", InCell::date(*entry));
    row.set("EnrolStatus", InCell::of("C"));
    if (leaving) row.set("LeavingDate", InCell::date(*leaving));
    TP_TRY(bundle_.row(Kind::kUsers, origin, print, row.cells()));
  }
  return bundle_.sink().end(row.dataset());
}

}  // namespace towpath::oneroster
