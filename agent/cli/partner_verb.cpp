#include "agent/cli/partner_verb.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "agent/cli/console.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/school/sharing_here.hpp"
#include "agent/school/words.hpp"
#include "dictionary/dictionary.hpp"
#include "export/rows_out.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

struct Seen {
  Partner partner;
  std::optional<Partners::Held> held;  // none: nothing has come yet
};
struct Looked {
  DataFolder folder;
  Partners partners;
  std::vector<Seen> all;
};

Result<Looked> look(const AgentConfig& config, const Command& command) {
  auto folder = DataFolder::open_to_look(config);
  if (!folder) return fail(std::move(folder).error());
  auto partners = open_partners(config, command.clock, true);
  if (!partners) return fail(std::move(partners).error());
  Sharing sharing(folder->store(), command.clock, sharing_options(config, nullptr, command.program()));
  auto today = sharing.partners(utc_date(command.clock.now()));
  if (!today) return fail(std::move(today).error());
  const auto held = partners->held();
  if (!held) return fail(held.error());
  Looked out{std::move(*folder), std::move(*partners), {}};
  for (Partner& partner : *today) {
    const auto at = std::find_if(held->begin(), held->end(), [&](const Partners::Held& h) {
      return h.federation == partner.federation && h.urn == partner.urn;
    });
    out.all.push_back({std::move(partner), {}});
    if (at != held->end()) out.all.back().held = *at;
  }
  return out;
}

bool readable(const Seen& one) { return one.held && one.held->epoch.number > 0; }

std::string state(const Seen& one) {
  if (one.partner.keys.empty()) return "not enrolled yet";
  if (!one.held) return "nothing has come yet";
  if (!readable(one)) return "first load under way";
  return one.held->loading ? "complete; a newer state is being loaded" : "complete";
}

ordered_json to_json(const Seen& one) {
  const auto key =
      one.partner.keys.empty() ? ordered_json(nullptr) : ordered_json(one.partner.keys.front().fingerprint());
  return {{"federation", one.partner.federation},
          {"federation_name", one.partner.federation_name},
          {"urn", one.partner.urn},
          {"name", one.partner.name},
          {"agreement", one.partner.agreement},
          {"key", key},
          {"state", state(one)},
          {"complete", readable(one)},
          {"epoch", one.held ? one.held->epoch.number : 0},
          {"loading", one.held && one.held->loading ? ordered_json(one.held->loading->number) : nullptr},
          {"rows", one.held ? one.held->rows : 0},
          {"heard", one.held ? ordered_json(iso(one.held->heard)) : nullptr},
          {"since", one.held ? ordered_json(iso(one.held->since)) : nullptr}};
}

}  // namespace

int partner_list(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  const auto looked = look(*config, command);
  if (!looked) return console.failed(looked.error());
  const Instant now = command.clock.now();
  ordered_json list = ordered_json::array();
  std::string federation;
  Table table({"federation", "school", "name", "changed", "rows", "since", "key", "state"});
  for (const Seen& one : looked->all) {
    table.row({one.partner.federation, one.partner.urn, one.partner.name,
               one.held ? age(one.held->heard, now) : "-", one.held ? number(one.held->rows) : "-",
               one.held ? utc_date(one.held->since).iso() : "-",
               one.partner.keys.empty() ? "-" : one.partner.keys.front().fingerprint(), state(one)});
    list.push_back(to_json(one));
  }
  if (table.empty())
    console.line("no partners: no agreement of a federation is in force here. What is offered: " +
                 command.program() + " agreement list");
  else
    table.print(console, "");
  console.result({{"schema_version", kSchemaVersion}, {"partners", std::move(list)}, {"exit_code", kFine}});
  return kFine;
}

int partner_export(const Command& command, const PartnerExport& wish) {
  const Console& console = command.console;
  const auto failed = [&](const Error& error) {
    console.error({}, error);  // standard output is the rows'
    return exit_code_of(error.code());
  };
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  const auto dataset = exported_dataset(built_in_dictionary(), wish.dataset);
  if (!dataset) return failed(dataset.error());
  auto looked = look(*config, command);
  if (!looked) return failed(looked.error());
  std::erase_if(looked->all, [&](const Seen& one) {
    return (wish.urn && one.partner.urn != *wish.urn) ||
           (wish.federation && one.partner.federation != *wish.federation);
  });
  if (looked->all.empty() && (wish.urn || wish.federation))
    return failed(Error{Code::kNotFound,
                        (wish.urn ? "school " + wish.urn->substr(0, 12) : std::string("no school")) + " is " +
                            (wish.urn ? "no" : "a") + " partner of this one" +
                            (wish.federation ? " in federation " + wish.federation->substr(0, 40) : ""),
                        "Those that are: " + command.program() + " partner list"});
  std::set<std::string> federations;
  for (const Seen& one : looked->all) federations.insert(one.partner.federation);
  if (federations.size() > 1) {
    // A school may be in two of them and share more in one: its rows would come twice.
    std::string list;
    for (const std::string& one : federations) list += (list.empty() ? "" : ", ") + one;
    return failed(Error{Code::kChoice, "there are partners in several federations: " + list,
                        "Say which: --federation NAME"});
  }
#ifdef SIGPIPE
  std::signal(SIGPIPE, SIG_IGN);  // `| head` has seen enough: we end without a word
#endif
  bool reader_gone = false;
  const TextSink out = [&](std::string_view text) -> Result<void> {
    if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return {};
    reader_gone = errno == EPIPE;
    return fail(Code::kIo, "writing to standard output failed", "Is the disk full?");
  };
  const Instant now = command.clock.now();
  RowsOut rows(built_in_dictionary(), **dataset,
               wish.format == "ndjson" ? ExportFormat::kNdjson : ExportFormat::kCsv, out);
  ordered_json schools = ordered_json::array();
  std::vector<std::string> notes;
  std::uint64_t count = 0;
  const auto all = [&]() -> Result<void> {
    for (const Seen& one : looked->all) {
      const std::string who = "school " + one.partner.urn + " (" + one.partner.name + ")";
      if (!readable(one)) {
        notes.push_back(who + ": " + state(one) + "; left out");
        schools.push_back(to_json(one));
        continue;
      }
      auto replica = looked->partners.read(one.partner.federation, one.partner.urn);
      if (!replica) return fail(std::move(replica).error());
      if (!*replica) continue;  // removed since
      const auto added = rows.add(one.partner.urn, **replica);
      if (!added) return fail(added.error());
      count += *added;
      notes.push_back(who + ": " + counted(*added, "row", "rows") + ", last changed " +
                      age(one.held->heard, now));
      schools.push_back(to_json(one));
      schools.back()["exported"] = *added;
    }
    TP_TRY(rows.finish());
    if (std::fflush(stdout) == 0) return {};
    reader_gone = errno == EPIPE;
    return fail(Code::kIo, "writing to standard output failed", "Is the disk full?");
  };
  const auto done = all();
  if (reader_gone) return kFine;
  if (!done) return failed(done.error());
  if (command.json) {
    const ordered_json document{{"schema_version", kSchemaVersion},
                                {"dataset", wish.dataset},
                                {"rows", count},
                                {"schools", std::move(schools)}};
    std::fputs((document.dump() + "\n").c_str(), stderr);
  } else {
    for (const std::string& note : notes) std::fputs((note + "\n").c_str(), stderr);
  }
  return kFine;
}

}  // namespace towpath::cli
