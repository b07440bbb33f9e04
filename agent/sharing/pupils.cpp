#include "agent/sharing/pupils.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "agent/sharing/sharing.hpp"
#include "agent/sharing/statements.hpp"
#include "agent/store/change_log.hpp"
#include "agent/store/erased.hpp"
#include "agent/store/prints.hpp"
#include "core/ascii.hpp"
#include "core/text.hpp"
#include "sqlite/table.hpp"

namespace towpath {

using sharing::each;
using sharing::number;
using sharing::run;

namespace {

// A surname shared by so many born on one day does not happen; a list longer than that helps nobody.
constexpr std::size_t kCandidatesMax = 20;
constexpr std::size_t kReasonBytesMax = 300;
// A shorter id of a source stands in many records that are about somebody else.
constexpr std::size_t kTellingBytes = 5;
// What a source may name a pupil by, beside its own id.
constexpr std::string_view kAttributes[] = {"UPN", "UniqueLearnerNumber"};
constexpr std::string_view kNames[] = {"Surname", "Forename", "PreferredSurname", "PreferredForename"};

const Dataset& pupils(const Store& store) {
  const Dataset* dataset = store.dictionary().find("pupil");
  TP_ASSERT(dataset != nullptr);
  return *dataset;
}

std::string column(const Dataset& dataset, std::string_view field) {
  const auto at = dataset.position(field);
  return at ? column_name(dataset.fields[*at]) : std::string("NULL");
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "2014-03-09", "9/3/2014" (a British form).
std::optional<Date> day_of(std::string_view text) {
  if (const auto iso = Date::parse(text)) return iso;
  int parts[3] = {0, 0, 0};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int i = 0; i < 3; ++i) {
    const auto read = std::from_chars(at, end, parts[i]);
    if (read.ec != std::errc{} || parts[i] <= 0) return std::nullopt;
    at = read.ptr;
    if (i < 2 && (at == end || (*at != '/' && *at != '.'))) return std::nullopt;
    if (i < 2) ++at;
  }
  if (at != end) return std::nullopt;
  return Date::from_ymd(parts[2], static_cast<unsigned>(parts[1]), static_cast<unsigned>(parts[0]));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() &&
         (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == ','))
    text.remove_suffix(1);
  return text;
}

bool contains(std::string_view text, std::string_view part) {
  return !part.empty() && lower(text).find(lower(part)) != std::string::npos;
}

// As a word of its own: "An" is not in "answer".
bool has_word(std::string_view text, std::string_view word) {
  const std::string in = lower(text), what = lower(word);
  const auto letter = [&](std::size_t at) {
    const auto c = static_cast<unsigned char>(in[at]);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
  };
  for (std::size_t at = 0; !what.empty() && (at = in.find(what, at)) != std::string::npos; ++at)
    if ((at == 0 || !letter(at - 1)) && (at + what.size() == in.size() || !letter(at + what.size())))
      return true;
  return false;
}

// What is known of a pupil that a record about it may hold.
struct Traits {
  std::map<std::string, std::string> of;  // field -> value
  std::optional<Uuid> uuid;
  std::optional<Date> born;
  std::vector<std::string> source_ids;

  [[nodiscard]] std::string_view at(std::string_view field) const {
    const auto found = of.find(std::string(field));
    return found == of.end() ? std::string_view{} : std::string_view(found->second);
  }
  [[nodiscard]] bool told_by(std::string_view record) const {
    for (const std::string_view attribute : kAttributes)
      if (contains(record, at(attribute))) return true;
    for (const std::string& id : source_ids)
      if (id.size() >= kTellingBytes && contains(record, id)) return true;
    return (contains(record, at("Surname")) || contains(record, at("PreferredSurname"))) &&
           (contains(record, at("Forename")) || contains(record, at("PreferredForename")));
  }
  // A line that is kept when the pupil is gone: no name, no part of one, no number, no date of birth.
  [[nodiscard]] bool named_in(std::string_view line) const {
    const auto in_line = [&](const std::string& value) { return value.size() > 1 && has_word(line, value); };
    for (const auto& [field, value] : of) {
      if (in_line(value)) return true;
      if (!field.ends_with("name")) continue;
      for (std::size_t at = 0; at < value.size();) {
        const std::size_t end = std::min(value.find_first_of(" -'", at), value.size());
        if (end - at > 2 && has_word(line, std::string_view(value).substr(at, end - at))) return true;
        at = end + 1;
      }
    }
    for (const std::string& id : source_ids)  // a short one may be any number
      if (id.size() >= kTellingBytes && in_line(id)) return true;
    if (uuid && has_word(line, uuid->text())) return true;
    if (!born) return false;
    const std::string iso = born->iso();
    const std::string y = iso.substr(0, 4), m = iso.substr(5, 2), d = iso.substr(8, 2);
    return in_line(iso) || in_line(d + "/" + m + "/" + y) || in_line(d + "." + m + "." + y) ||
           in_line(d + "-" + m + "-" + y);
  }
};

Result<Traits> traits(Store& store, std::int64_t pupil) {
  const Dataset& dataset = pupils(store);
  Traits out;
  std::string columns;
  std::vector<std::string> fields;
  for (const Field& field : dataset.fields)
    if (field.type == Type::kText) {
      columns += (columns.empty() ? "" : ",") + column_name(field);
      fields.emplace_back(field.name);
    }
  const std::string sql = "SELECT " + columns + " FROM " + table_name(dataset) + " WHERE " +
                          column_name(dataset.fields[0]) + "=?1";
  TP_TRY(each(
      store.db(), sql.c_str(),
      [&](Statement::Use& row) -> Result<void> {
        for (std::size_t i = 0; i < fields.size(); ++i)
          if (!row.is_null(static_cast<int>(i))) out.of[fields[i]] = row.text(static_cast<int>(i));
        return {};
      },
      pupil));
  const std::string birth = "SELECT " + column(dataset, "DOB") + " FROM " + table_name(dataset) + " WHERE " +
                            column_name(dataset.fields[0]) + "=?1 AND " + column(dataset, "DOB") +
                            " IS NOT NULL";
  TP_TRY(each(
      store.db(), birth.c_str(),
      [&](Statement::Use& row) -> Result<void> {
        out.born = Date{static_cast<std::int32_t>(row.integer(0))};
        return {};
      },
      pupil));
  TP_TRY(each(
      store.db(), "SELECT uuid FROM d_entity WHERE number=?1",
      [&](Statement::Use& row) -> Result<void> {
        out.uuid = sharing::fixed<Uuid>(row.blob(0));
        return {};
      },
      pupil));
  TP_TRY(each(
      store.db(), "SELECT source_id FROM identity WHERE dataset=?1 AND number=?2",
      [&](Statement::Use& row) -> Result<void> {
        out.source_ids.emplace_back(row.text(0));
        return {};
      },
      dataset.id, pupil));
  return out;
}

tl::unexpected<Error> erased_already(std::int64_t pupil, std::int64_t when) {
  return fail(Code::kRepeated,
              "pupil " + std::to_string(pupil) + " was erased on " + utc_date(sharing::instant(when)).iso() +
                  " already",
              "Nothing to do: what the sources still say about it is dropped as it comes");
}

}  // namespace

Result<void> check_by(std::string_view by) {
  if (by.empty() || by.size() > kByBytesMax || safe_line(by, kByBytesMax) != by)
    return fail(Code::kUsage,
                by.empty() ? "it has to be said who decides"
                           : "who decides has to be one line of at most " + std::to_string(kByBytesMax) +
                                 " letters, with single blanks",
                "For example: --by \"head teacher, A. Example\"");
  return {};
}

// --- who is meant ----------------------------------------------------------------------------------

Result<bool> Pupils::known(std::int64_t pupil) {
  const auto any =
      number(store_.db(),
             "SELECT EXISTS(SELECT 1 FROM d_pupil WHERE pupil=?1) OR EXISTS(SELECT 1 FROM d_entity "
             "WHERE number=?1 AND kind=?2) OR EXISTS(SELECT 1 FROM pupil_rule WHERE pupil=?1)",
             pupil, pupils(store_).id);
  if (!any) return fail(any.error());
  return *any != 0;
}

Result<std::vector<PupilCandidate>> Pupils::find(std::string_view text, Date today) {
  text = trimmed(text);
  const Dataset& dataset = pupils(store_);
  std::set<std::int64_t> numbers;
  const auto add = [&](Statement::Use& row) -> Result<void> {
    if (numbers.size() < kCandidatesMax) numbers.insert(row.integer(0));
    return {};
  };
  Database& db = store_.db();
  std::int64_t plain = 0;
  if (all_digits(text) && text.size() < 10) {
    std::from_chars(text.data(), text.data() + text.size(), plain);
    const auto is = known(plain);
    if (!is) return fail(is.error());
    if (*is) numbers.insert(plain);
  } else if (const auto uuid = Uuid::parse(lower(text))) {
    TP_TRY(each(db, "SELECT number FROM d_entity WHERE uuid=?1 AND kind=?2", add, *uuid, dataset.id));
    const auto name = erased_name(audit_, "uuid", uuid->text());
    if (!name) return fail(name.error());
    TP_TRY(each(db, "SELECT pupil FROM erased_name WHERE name=?1", add, *name));
  } else if (const std::size_t gap = text.find_last_of(" ,\t"); gap != std::string_view::npos) {
    const auto born = day_of(text.substr(gap + 1));
    if (!born)
      return fail(Code::kUsage, "after the surname there has to be the date of birth",
                  "For example: Example 2014-03-09");
    const std::string sql = "SELECT pupil FROM " + table_name(dataset) + " WHERE " + column(dataset, "DOB") +
                            "=?2 AND (" + column(dataset, "Surname") + "=?1 COLLATE NOCASE OR " +
                            column(dataset, "PreferredSurname") + "=?1 COLLATE NOCASE)";
    TP_TRY(each(db, sql.c_str(), add, trimmed(text.substr(0, gap)), born->days));
  } else if (!text.empty()) {
    const std::string sql = "SELECT pupil FROM " + table_name(dataset) + " WHERE " + column(dataset, "UPN") +
                            "=?1 COLLATE NOCASE";
    TP_TRY(each(db, sql.c_str(), add, text));
    const auto name = erased_name(audit_, "UPN", text);
    if (!name) return fail(name.error());
    TP_TRY(each(db, "SELECT pupil FROM erased_name WHERE name=?1", add, *name));
  }
  std::vector<PupilCandidate> out;
  for (const std::int64_t pupil : numbers) {
    PupilCandidate candidate;
    candidate.pupil = pupil;
    const std::string year =
        "SELECT coalesce(" + column(dataset, "NCyearActual") + ",'') FROM d_pupil WHERE pupil=?1";
    TP_TRY(each(
        db, year.c_str(),
        [&](Statement::Use& row) -> Result<void> {
          candidate.year_group = row.text(0);
          return {};
        },
        pupil));
    const auto here =
        number(db,
               "SELECT EXISTS(SELECT 1 FROM d_enrolment WHERE pupil=?1 AND \"EntryDate\"<=?2 AND "
               "(\"LeavingDate\" IS NULL OR \"LeavingDate\">=?2))",
               pupil, today.days);
    if (!here) return fail(here.error());
    candidate.on_roll = *here != 0;
    out.push_back(std::move(candidate));
  }
  return out;
}

Result<std::int64_t> Pupils::one(std::string_view text, Date today) {
  const auto found = find(text, today);
  if (!found) return fail(found.error());
  if (found->size() == 1) return found->front().pupil;
  if (found->empty())
    return fail(
        Code::kNotFound, "no pupil of this school fits that",
        "A pupil is named by its number, its UUID, its UPN, or, after -, by surname and date of birth");
  std::string list;
  for (const PupilCandidate& one : *found)
    list += "\n" + std::to_string(one.pupil) + (one.year_group.empty() ? "" : ", year " + one.year_group) +
            (one.on_roll ? ", on roll" : ", not on roll");
  return fail(Code::kChoice, "several pupils fit that", "Say which, by its number:" + list);
}

// --- what is set for it ----------------------------------------------------------------------------

Result<PupilRule> Pupils::rule(std::int64_t pupil) {
  PupilRule out;
  TP_TRY(each(
      store_.db(), "SELECT level,restricted,erased FROM pupil_rule WHERE pupil=?1",
      [&](Statement::Use& row) -> Result<void> {
        out.level = static_cast<int>(row.integer(0));
        out.restricted = row.integer(1) != 0;
        out.erased = row.integer(2) != 0;
        return {};
      },
      pupil));
  return out;
}

Result<void> Pupils::set(std::int64_t pupil, const PupilRule& rule) {
  const auto done = run(store_.db(),
                        "INSERT OR REPLACE INTO pupil_rule(pupil,level,restricted,erased,changed) "
                        "VALUES(?1,?2,?3,?4,?5)",
                        pupil, rule.level, rule.restricted, rule.erased, clock_.now());
  if (!done) return fail(done.error());
  return {};
}

Result<std::string> Pupils::pseudonym(std::int64_t pupil) {
  const auto of = traits(store_, pupil);
  if (!of) return fail(of.error());
  auto name = audit_.pseudonym(of->uuid.value_or(Uuid::named(kTowpathSpace, std::to_string(pupil))));
  if (!name) return name;
  return "pupil " + *name;
}

namespace {

// The same words whatever was changed: that a pupil is protected is not to be told from that its data is
// restricted.
std::string changed_words(const std::string& pseudonym, std::string_view by) {
  return "what is shared of " + pseudonym + " was changed by " + std::string(by);
}

tl::unexpected<Error> nobody(std::int64_t pupil) {
  return fail(Code::kNotFound, "there is no pupil " + std::to_string(pupil) + " in this school's store",
              "To look one up by surname and date of birth, give - instead of a number");
}

}  // namespace

Result<void> Pupils::protect(std::int64_t pupil, int level, std::string_view by, bool lower) {
  TP_TRY(check_by(by));
  TP_ASSERT(level >= 0 && level < kLevels);
  const auto is = known(pupil);
  if (!is) return fail(is.error());
  if (!*is) return nobody(pupil);
  auto now = rule(pupil);
  if (!now) return fail(now.error());
  if (now->erased)
    return fail(Code::kRefused, "pupil " + std::to_string(pupil) + " was erased: there is nothing to protect",
                "Nothing was changed");
  if (now->level == level)
    return fail(Code::kRepeated, "pupil " + std::to_string(pupil) + " has that already",
                "Nothing was changed");
  if (level < now->level && !lower)
    return fail(Code::kRefused, "that is less than what is set for pupil " + std::to_string(pupil),
                "Only the named safeguarding lead may lower it: add --lower, and name the lead with --by");
  auto transaction = store_.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  now->level = level;
  TP_TRY(set(pupil, *now));
  const auto name = pseudonym(pupil);
  if (!name) return fail(name.error());
  TP_TRY(audit_.append(clock_.now(), "pupil-changed", changed_words(*name, by)));
  return transaction->commit();
}

Result<void> Pupils::restrict(std::int64_t pupil, bool restricted, std::string_view by) {
  TP_TRY(check_by(by));
  const auto is = known(pupil);
  if (!is) return fail(is.error());
  if (!*is) return nobody(pupil);
  auto now = rule(pupil);
  if (!now) return fail(now.error());
  if (now->erased)
    return fail(Code::kRefused,
                "pupil " + std::to_string(pupil) + " was erased: there is nothing to restrict",
                "Nothing was changed");
  if (now->restricted == restricted)
    return fail(
        Code::kRepeated,
        "pupil " + std::to_string(pupil) + (restricted ? " is restricted already" : " is not restricted"),
        "Nothing was changed");
  auto transaction = store_.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  now->restricted = restricted;
  TP_TRY(set(pupil, *now));
  const auto name = pseudonym(pupil);
  if (!name) return fail(name.error());
  TP_TRY(audit_.append(clock_.now(), "pupil-changed", changed_words(*name, by)));
  return transaction->commit();
}

Result<Erasure> Pupils::erase(std::int64_t pupil, std::string_view reason, std::string_view by) {
  TP_TRY(check_by(by));
  if (reason.empty() || reason.size() > kReasonBytesMax || safe_line(reason, kReasonBytesMax) != reason)
    return fail(Code::kUsage,
                "the reason has to be one line of at most " + std::to_string(kReasonBytesMax) + " letters",
                "For example: --reason \"request of the parents of 3 May, granted\"");
  const auto is = known(pupil);
  if (!is) return fail(is.error());
  if (!*is) return nobody(pupil);
  Database& db = store_.db();
  auto now = rule(pupil);
  if (!now) return fail(now.error());
  if (now->erased) {
    const auto when = number(db, "SELECT changed FROM pupil_rule WHERE pupil=?1", pupil);
    if (!when) return fail(when.error());
    return erased_already(pupil, *when);
  }
  const auto of = traits(store_, pupil);
  if (!of) return fail(of.error());
  if (of->named_in(reason))
    return fail(Code::kUsage,
                "the reason names the pupil, and would be kept for years where nobody may find it",
                "Nothing was erased. Say it without names, numbers or the date of birth of the pupil");
  const auto name = pseudonym(pupil);
  if (!name) return fail(name.error());

  // While it is still known what it is called.
  const auto raw = quarantined(pupil);
  if (!raw) return fail(raw.error());
  Erasure out;
  {
    auto transaction = db.begin();
    if (!transaction) return fail(std::move(transaction).error());
    // How a source may call it later.
    for (const std::string_view attribute : kAttributes) {
      if (of->at(attribute).empty()) continue;
      const auto known_as = erased_name(audit_, attribute, of->at(attribute));
      if (!known_as) return fail(known_as.error());
      TP_TRY(run(db, "INSERT OR REPLACE INTO erased_name VALUES(?1,?2)", *known_as, pupil));
    }
    if (of->uuid) {
      const auto known_as = erased_name(audit_, "uuid", of->uuid->text());
      if (!known_as) return fail(known_as.error());
      TP_TRY(run(db, "INSERT OR REPLACE INTO erased_name VALUES(?1,?2)", *known_as, pupil));
    }

    // Its rows; and the entities that are about it alone.
    std::vector<std::int64_t> entities{pupil};
    for (const Dataset& dataset : store_.dictionary().datasets) {
      for (const std::size_t at : pupil_fields(dataset)) {
        const std::string where =
            " FROM " + table_name(dataset) + " WHERE " + column_name(dataset.fields[at]) + "=?1";
        if (dataset.entity && dataset.name != "pupil") {
          const std::string sql = "SELECT " + column_name(dataset.fields[0]) + where;
          TP_TRY(each(
              db, sql.c_str(),
              [&](Statement::Use& row) -> Result<void> {
                entities.push_back(row.integer(0));
                return {};
              },
              pupil));
        }
        std::vector<std::pair<std::int64_t, std::int64_t>> by_source;
        const std::string count = "SELECT src,count(*)" + where + " GROUP BY src";
        TP_TRY(each(
            db, count.c_str(),
            [&](Statement::Use& row) -> Result<void> {
              by_source.emplace_back(row.integer(0), row.integer(1));
              return {};
            },
            pupil));
        for (const auto& [src, rows] : by_source) {
          out.rows += static_cast<std::uint64_t>(rows);
          TP_TRY(run(db, "UPDATE dataset_state SET rows=max(rows-?3,0) WHERE source=?1 AND dataset=?2", src,
                     dataset.id, rows));
          // It stands for rows that are not there any more.
          TP_TRY(PrintList::drop(store_, src, dataset.id));
        }
        const std::string remove = "DELETE" + where;
        TP_TRY(run(db, remove.c_str(), pupil));
      }
    }
    for (const std::int64_t entity : entities) {
      const auto gone = run(db, "DELETE FROM d_entity WHERE number=?1", entity);
      if (!gone) return fail(gone.error());
      out.rows += static_cast<std::uint64_t>(*gone);
    }

    // Records that could not be taken, if it is about them: a source gives again what is about others.
    for (const std::int64_t id : *raw) TP_TRY(run(db, "DELETE FROM quarantine WHERE id=?1", id));
    out.quarantined = raw->size();

    // What waits to be sent and what was kept to send against holds it, and so does the log of changes: each
    // audience gets a new epoch, and is told to remove all of the one before.
    TP_TRY(db.exec(
        "INSERT OR REPLACE INTO recall(audience,epoch,seq,due) SELECT audience,max(epoch,hub_epoch)+1,1,0 "
        "FROM stream WHERE seq>0 OR hub_epoch>0"));
    const auto told = number(db, "SELECT count(*) FROM stream WHERE seq>0 OR hub_epoch>0");
    if (!told) return fail(told.error());
    out.audiences = static_cast<std::uint64_t>(*told);
    TP_TRY(
        db.exec("UPDATE stream SET grants=''; DELETE FROM outbox; DELETE FROM content; DELETE FROM change"));
    TP_TRY(run(db, "DELETE FROM named_pupil WHERE pupil=?1", pupil));
    now->erased = true;
    TP_TRY(set(pupil, *now));
    TP_TRY(audit_.append(clock_.now(), "pupil-erased",
                         *name + " was erased by " + std::string(by) + ": " + std::string(reason) + " (" +
                             std::to_string(out.rows) + " rows, " + std::to_string(out.quarantined) +
                             " raw records)"));
    TP_TRY(transaction->commit());
  }
  // Whoever reads meanwhile does not undo it; whatever empties the log next takes the bytes with it.
  const auto done = db.checkpoint();
  if (!done && done.error().code() != Code::kBusy) return fail(done.error());
  out.log_emptied = done.has_value();
  return out;
}

Result<std::vector<std::int64_t>> Pupils::quarantined(std::int64_t pupil) {
  const auto of = traits(store_, pupil);
  if (!of) return fail(of.error());
  std::vector<std::int64_t> out;
  TP_TRY(each(store_.db(), "SELECT id,dataset,raw,key FROM quarantine ORDER BY id",
              [&](Statement::Use& row) -> Result<void> {
                bool about = of->told_by(text_of(row.blob(2)));
                const Dataset* dataset = store_.dictionary().find(static_cast<std::uint16_t>(row.integer(1)));
                if (!about && dataset != nullptr && !row.is_null(3)) {
                  std::vector<Value> key(dataset->key_count);
                  Bytes text;
                  if (read_ordered_key(row.blob(3), key, text))
                    for (const std::size_t at : pupil_fields(*dataset))
                      about = about || (at < key.size() && key[at] == Value{pupil});
                }
                if (about) out.push_back(row.integer(0));
                return {};
              }));
  return out;
}

// --- lists of named pupils -------------------------------------------------------------------------

Result<std::vector<std::int64_t>> Pupils::named(std::string_view audience) {
  std::vector<std::int64_t> out;
  TP_TRY(each(
      store_.db(), "SELECT pupil FROM named_pupil WHERE audience=?1 ORDER BY pupil",
      [&](Statement::Use& row) -> Result<void> {
        out.push_back(row.integer(0));
        return {};
      },
      audience));
  return out;
}

Result<void> Pupils::name(std::string_view audience, std::int64_t pupil, bool add, std::string_view by) {
  TP_TRY(check_by(by));
  const auto is = known(pupil);
  if (!is) return fail(is.error());
  if (!*is) return nobody(pupil);
  const auto now = rule(pupil);
  if (!now) return fail(now.error());
  if (add && now->erased)
    return fail(Code::kRefused, "pupil " + std::to_string(pupil) + " was erased", "Nothing was changed");
  auto transaction = store_.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  const auto changed =
      add ? run(store_.db(), "INSERT OR IGNORE INTO named_pupil VALUES(?1,?2)", audience, pupil)
          : run(store_.db(), "DELETE FROM named_pupil WHERE audience=?1 AND pupil=?2", audience, pupil);
  if (!changed) return fail(changed.error());
  if (*changed == 0)
    return fail(
        Code::kRepeated,
        "pupil " + std::to_string(pupil) + (add ? " is on that list already" : " is not on that list"),
        "Nothing was changed");
  const auto who = pseudonym(pupil);
  if (!who) return fail(who.error());
  TP_TRY(audit_.append(clock_.now(), "pupil-named",
                       *who + (add ? " was put on the list for " : " was taken off the list for ") +
                           std::string(audience) + " by " + std::string(by)));
  return transaction->commit();
}

}  // namespace towpath
