#include "agent/cli/pupil_verb.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agent/cli/console.hpp"
#include "agent/cli/page.hpp"
#include "agent/cli/sharing_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/school/words.hpp"
#include "agent/sharing/explain.hpp"
#include "agent/store/erased.hpp"
#include "agent/store/quarantine.hpp"
#include "core/ascii.hpp"
#include "platform/platform.hpp"
#include "sqlite/table.hpp"
#include "trust/keys.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

// A surname and a date.
constexpr std::size_t kLineMax = 300;

// A decision about one pupil: who is meant, what is done, what is said, and passed on.
template <class Decide>
int decide(const Command& command, const PupilWish& wish, Decide decide_it) {
  const Console& console = command.console;
  // Read as who was asked; loading the configuration may make root another user.
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  if (const auto named = check_by(wish.by); !named) return console.failed(named.error());
  Told told;
  {
    auto here = SharingFolder::open(command, *config, Hold::kToWork);
    if (!here) return console.failed(here.error());
    Pupils pupils((*here)->store(), command.clock, command.program());
    const auto pupil = pupil_of(pupils, wish.pupil, utc_date(command.clock.now()));
    if (!pupil) return console.failed(pupil.error());
    told.document = {{"schema_version", kSchemaVersion}, {"pupil", *pupil}, {"changed", true}};
    if (const auto done = decide_it(**here, pupils, *pupil, told); !done) return console.failed(done.error());
  }
  told.line(pass_on(command, *config));
  return console.say(told);
}

// A cell for people and programs.
ordered_json readable(const Field& field, Statement::Use& row, int at) {
  if (row.is_null(at)) return nullptr;
  switch (field.type) {
    case Type::kDate:
      return Date{static_cast<std::int32_t>(row.integer(at))}.iso();
    case Type::kInstant:
      return iso(Instant{std::chrono::milliseconds{row.integer(at)}});
    case Type::kBool:
      return row.integer(at) != 0;
    case Type::kEnum: {
      const auto i = static_cast<std::size_t>(row.integer(at));
      return i < field.values.size() ? ordered_json(field.values[i]) : ordered_json(row.integer(at));
    }
    case Type::kUuid: {
      Uuid uuid;
      const ByteView bytes = row.blob(at);
      if (bytes.size() == uuid.bytes.size()) std::copy(bytes.begin(), bytes.end(), uuid.bytes.begin());
      return uuid.text();
    }
    case Type::kEntity:
    case Type::kRef:
    case Type::kInt:
      return row.integer(at);
    default:
      return std::string(row.text(at));
  }
}

Result<ordered_json> rows_of(Store& store, const Dataset& dataset, const std::string& where,
                             std::int64_t number) {
  ordered_json rows = ordered_json::array();
  auto statement = store.db().prepare("SELECT " + column_list(dataset) + " FROM " + table_name(dataset) +
                                      " WHERE " + where + " ORDER BY " + key_order(dataset));
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, number);
  for (;;) {
    auto more = use.step();
    if (!more) return fail(std::move(more).error());
    if (!*more) return rows;
    ordered_json row = ordered_json::object();
    for (std::size_t i = 0; i < dataset.fields.size(); ++i)
      if (!dataset.fields[i].derived())
        row[std::string(dataset.fields[i].name)] = readable(dataset.fields[i], use, static_cast<int>(i));
    rows.push_back(std::move(row));
  }
}

std::string_view outcome_words(ReceiptPaper::Outcome outcome) {
  switch (outcome) {
    case ReceiptPaper::Outcome::kRemoved:
      return "removed";
    case ReceiptPaper::Outcome::kNothingHeld:
      return "nothing was held";
    case ReceiptPaper::Outcome::kExpired:
      return "too late: the order had expired";
  }
  return "?";
}

// What goes of this pupil to one audience.
Result<ordered_json> shared_with(SharingFolder& here, const Decided& d, std::int64_t pupil) {
  const auto explained =
      towpath::explain(here.store(), here.sharing(), *d.offer->agreement, d.offer->hash.hex());
  if (!explained) return fail(explained.error());
  ordered_json datasets = ordered_json::array();
  const auto audience = here.sharing().audience_of(*d.offer->agreement);
  if (audience && d.standing == Standing::kInForce) {
    Publisher publisher(here.store(), *audience);
    for (const ExplainedDataset& e : explained->datasets) {
      const Dataset& dataset = *here.store().dictionary().find(e.name);
      if (pupil_fields(dataset).empty() && e.name != kEntityDataset) continue;
      std::string fields;
      for (const ExplainedField& field : e.fields) fields += (fields.empty() ? "" : ", ") + field.name;
      std::uint64_t rows = 0;
      TP_TRY(publisher.each_row(
          dataset,
          [&](RowView) -> Result<void> {
            ++rows;
            return {};
          },
          pupil));
      if (rows > 0)
        datasets.push_back({{"dataset", e.name}, {"title", e.title}, {"rows", rows}, {"fields", fields}});
    }
  }
  return ordered_json{
      {"audience", d.audience},
      {"agreement", d.agreement + " version " + std::to_string(d.version)},
      {"title", explained->agreement.title},
      {"text", explained->agreement.text_reference},
      {"standing", words(d)},
      {"since", iso(d.at)},
      {"decided_by", d.by},
      {"purpose", explained->agreement.purpose},
      {"lawful_basis", explained->agreement.lawful_basis},
      {"last_exchange",
       explained->last_exchange ? ordered_json(iso(*explained->last_exchange)) : ordered_json(nullptr)},
      {"datasets", std::move(datasets)}};
}

Result<ordered_json> report_of(SharingFolder& here, Pupils& pupils, std::int64_t pupil, Instant now) {
  Store& store = here.store();
  const auto rule = pupils.rule(pupil);
  if (!rule) return fail(rule.error());
  ordered_json held = ordered_json::array();
  for (const Dataset& dataset : store.dictionary().datasets) {
    // Whether it is protected, and how, is not for this report: who lives with the pupil may read it. The
    // named safeguarding lead answers for that.
    if (dataset.name == "protection") continue;
    std::string where;
    for (const std::size_t at : pupil_fields(dataset))
      where += (where.empty() ? "" : " OR ") + column_name(dataset.fields[at]) + "=?1";
    if (dataset.name == kEntityDataset) where = column_name(dataset.fields[0]) + "=?1";
    if (where.empty()) continue;
    auto rows = rows_of(store, dataset, where, pupil);
    if (!rows) return fail(std::move(rows).error());
    if (!rows->empty())
      held.push_back({{"dataset", dataset.name}, {"title", dataset.title}, {"rows", std::move(*rows)}});
  }
  ordered_json raw = ordered_json::array();
  const auto ids = pupils.quarantined(pupil);
  if (!ids) return fail(ids.error());
  for (const std::int64_t id : *ids) {
    const auto row = Quarantine(store).show(id);
    if (!row) return fail(row.error());
    if (*row)
      raw.push_back({{"dataset", (*row)->dataset},
                     {"file", (*row)->file},
                     {"line", (*row)->line},
                     {"why", (*row)->text},
                     {"record", (*row)->raw}});
  }
  const auto decided = here.sharing().decided(utc_date(now));
  if (!decided) return fail(decided.error());
  const auto orders = here.sharing().orders();
  if (!orders) return fail(orders.error());
  const auto receipts = here.sharing().receipts();
  if (!receipts) return fail(receipts.error());
  ordered_json shared = ordered_json::array();
  for (const Decided& d : *decided) {
    if (!d.offer || !d.offer->agreement) continue;
    auto one = shared_with(here, d, pupil);
    if (!one) return fail(std::move(one).error());
    ordered_json made = ordered_json::array(), answers = ordered_json::array();
    for (const Sharing::OrderMade& order : *orders) {
      if (order.audience != d.audience) continue;
      made.push_back(
          {{"order", order.deed.text()},
           {"made", iso(order.made)},
           {"about", order.all ? "everything" : "what was kept from before"},
           {"hub_has_it_since", order.taken ? ordered_json(iso(*order.taken)) : ordered_json(nullptr)}});
      for (const Sharing::ReceiptHeld& receipt : *receipts)
        if (receipt.paper.about == order.deed)
          answers.push_back({{"order", order.deed.text()},
                             {"by", receipt.issuer},
                             {"received", iso(receipt.received)},
                             {"outcome", outcome_words(receipt.paper.outcome)},
                             {"backups_gone", receipt.paper.backups_gone.iso()}});
    }
    (*one)["orders"] = std::move(made);
    (*one)["receipts"] = std::move(answers);
    shared.push_back(std::move(*one));
  }
  return ordered_json{{"schema_version", kSchemaVersion},
                      {"pupil", pupil},
                      {"at", iso(now)},
                      {"restricted", rule->restricted},
                      {"erased", rule->erased},
                      {"held", std::move(held)},
                      {"quarantined", std::move(raw)},
                      {"shared", std::move(shared)}};
}

}  // namespace

bool is_telling(std::string_view pupil) {
  return pupil != "-" && !pupil.empty() && !Uuid::parse(lower(pupil)) &&
         !(pupil.size() < 10 &&
           std::all_of(pupil.begin(), pupil.end(), [](char c) { return c >= '0' && c <= '9'; }));
}

Result<std::int64_t> pupil_of(Pupils& pupils, const std::string& text, Date today) {
  if (text != "-") return pupils.one(text, today);
  if (platform::is_terminal(0))
    std::fputs("Pupil (number, UPN, or surname and date of birth, as Example 2014-03-09): ", stderr);
  std::string line;
  if (!std::getline(std::cin, line) || line.size() > kLineMax)
    return fail(Code::kUsage, "no pupil came on standard input",
                "One line: a number, a UPN, or a surname and a date of birth");
  auto found = pupils.one(line, today);
  wipe(line);
  return found;
}

int protect(const Command& command, const PupilWish& wish) {
  const bool good = wish.level.size() == 2 && (wish.level[0] == 'R' || wish.level[0] == 'r') &&
                    wish.level[1] >= '0' && wish.level[1] < '0' + kLevels;
  if (!good)
    return command.console.failed(Error{Code::kUsage, "--level has to be one of R0, R1, R2 and R3",
                                        "What each means: docs/sharing.md"});
  return decide(command, wish,
                [&](SharingFolder&, Pupils& pupils, std::int64_t pupil, Told& told) -> Result<void> {
                  TP_TRY(pupils.protect(pupil, wish.level[1] - '0', wish.by, wish.lower));
                  told.line("done: what is shared of pupil " + std::to_string(pupil) +
                            " is otherwise from now on; what may not be shared any more is recalled");
                  return {};
                });
}

int restrict_pupil(const Command& command, const PupilWish& wish) {
  return decide(command, wish,
                [&](SharingFolder&, Pupils& pupils, std::int64_t pupil, Told& told) -> Result<void> {
                  TP_TRY(pupils.restrict(pupil, !wish.lift, wish.by));
                  told.line("done: what is shared of pupil " + std::to_string(pupil) +
                            " is otherwise from now on; what may not be shared any more is recalled");
                  return {};
                });
}

int erase(const Command& command, const PupilWish& wish) {
  return decide(
      command, wish,
      [&](SharingFolder& here, Pupils& pupils, std::int64_t pupil, Told& told) -> Result<void> {
        if (!wish.yes)
          TP_TRY(ask(command, "Erase all that towpath holds about pupil " + std::to_string(pupil) +
                                  ", here and wherever it was shared? This cannot be taken back."));
        const auto done = pupils.erase(pupil, wish.reason, wish.by);
        if (!done) return fail(done.error());
        told.line("erased: pupil " + std::to_string(pupil) + ", " + counted(done->rows, "row", "rows") +
                  " and " + counted(done->quarantined, "raw record", "raw records") +
                  " of this school's store");
        if (done->audiences > 0) {
          told.line("to be removed by " + counted(done->audiences, "audience", "audiences") +
                    ", too: " + command.program() + " receipts list");
          // The order is made now; without keys it is made with the first exchange.
          if (auto settled = here.sharing().settle();
              !settled && settled.error().code() != Code::kNotEnrolled)
            return fail(std::move(settled).error());
        }
        if (!done->log_emptied)
          told.line(
              "another program is reading the store: the bytes go from its log once that program has ended "
              "and towpath has run again");
        told.line("what the sources still say about it is dropped as it comes; correct the MIS, too");
        told.document["rows"] = done->rows;
        told.document["quarantined"] = done->quarantined;
        told.document["audiences"] = done->audiences;
        told.document["log_emptied"] = done->log_emptied;
        return {};
      });
}

int subject_report(const Command& command, const PupilWish& wish) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  if (wish.html.empty() && !command.json)
    return console.failed(Error{Code::kUsage, "subject-report needs --html FILE or --json",
                                "Both hold personal data: what becomes of them is yours to answer for"});
  auto here = SharingFolder::open(command, *config, Hold::kToLook);
  if (!here) return console.failed(here.error());
  const Instant now = command.clock.now();
  Pupils pupils((*here)->store(), command.clock, command.program());
  const auto pupil = pupil_of(pupils, wish.pupil, utc_date(now));
  if (!pupil) return console.failed(pupil.error());
  const auto report = report_of(**here, pupils, *pupil, now);
  if (!report) return console.failed(report.error());
  Told told;
  if (!wish.html.empty()) {
    if (const auto written = write_page(wish.html, subject_page(config->school_name, *report)); !written)
      return console.failed(written.error());
    told.line("written: " + wish.html);
  }
  told.document = *report;
  return console.say(told);
}

}  // namespace towpath::cli
