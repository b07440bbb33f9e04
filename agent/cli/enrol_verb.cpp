#include "agent/cli/enrol_verb.hpp"

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "agent/cli/console.hpp"
#include "agent/cli/progress.hpp"
#include "agent/cli/restore_verb.hpp"
#include "agent/config/checks.hpp"
#include "agent/line/curl_transport.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/school/words.hpp"
#include "agent/service/jobs.hpp"
#include "agent/store/line_state.hpp"
#include "agent/uplink/enrol.hpp"
#include "platform/names.hpp"
#include "platform/platform.hpp"
#include "trust/invitation.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

// A code is some 40 letters, with an address some 300.
constexpr std::size_t kCodeBytesMax = 4096;

Result<Invitation> code_of(EnrolWish& wish) {
  std::string text = std::move(wish.code);
  if (!wish.code_file.empty()) {
    auto content = platform::read_file(wish.code_file, kCodeBytesMax);
    if (!content) return fail(std::move(content).error());
    text = std::move(*content);
  } else if (text.empty() && !platform::is_terminal(0)) {
    return fail(Code::kUsage, "enrol needs the invitation code",
                "Give it as an argument, with --code-file FILE, or on standard input with: enrol -");
  } else if (text.empty() || text == "-") {
    if (text.empty()) std::fputs("Invitation code: ", stderr);
    if (!std::getline(std::cin, text) || text.size() > kCodeBytesMax)
      return fail(Code::kUsage, "no invitation code came on standard input",
                  "Ask the hub's operator for one: towpath-hub school invite URN");
  }
  auto code = Invitation::parse(text);
  wipe(text);
  return code;
}

// Where the hub is, and what to say where its addresses differ.
Result<std::string> address_of(const EnrolWish& wish, const AgentConfig& config, const Invitation& code,
                               std::vector<std::string>& notes) {
  const std::string from_code = code.url();
  const bool told = !wish.hub.empty();
  std::string url = told ? wish.hub : !config.hub_url.empty() ? config.hub_url : from_code;
  while (url.ends_with('/')) url.pop_back();
  if (url.empty())
    return fail(Code::kUsage, "neither the code nor " + config.file + " says where the hub is",
                "Add --hub https://... to this command, or [hub] url to the configuration");
  if (const std::string fault = config::url_fault(url); !fault.empty())
    return fail(Code::kUsage,
                told ? "--hub " + fault : "the address that follows the @ in the invitation code " + fault,
                "For example: https://hub.example");
  if (told && !config.hub_url.empty() && url != config.hub_url)
    notes.push_back("enrolled at " + url + ", but " + config.file + " says " + config.hub_url +
                    ", and that is where exchanges go; correct [hub] url there, or remove it");
  else if (!told && !config.hub_url.empty() && !from_code.empty() && from_code != url)
    notes.push_back("the code says that the hub is at " + from_code + "; " + config.file + " says " + url +
                    ", and that was used");
  return url;
}

struct Work {
  Enrolment enrolment;
  std::uint64_t rows_at_hub = 0;
  std::optional<RestoreCounts> restored;
  std::optional<Error> restore_failed;
  std::vector<std::string> notes;
};

// Everything but the first exchange, with the folder held.
Result<Work> become_enrolled(const Command& command, const AgentConfig& config, const EnrolWish& wish,
                             const Invitation& code) {
  Work work;
  auto url = address_of(wish, config, code, work.notes);
  if (!url) return fail(std::move(url).error());
  auto folder = DataFolder::open_to_work(config);
  if (!folder) return fail(std::move(folder).error());
  const std::string place = identity_folder(config.data);
  const auto mended = mend_rights(place);
  if (!mended) return fail(mended.error());
  TP_TRY(remove_unfinished(place));
  KeyFolder files(place);
  const auto before = read_enrolment(files);
  if (!wish.force && before && *before)
    return fail(Code::kRepeated,
                "this machine is enrolled already: school " + (*before)->urn + ", " + (*before)->name +
                    ", at " + (*before)->hub_url + ", since " + iso((*before)->when),
                "Nothing was changed. To enrol it anew, with a new key: " + command.program() +
                    " enrol CODE --force");
  if (!wish.force && !before)
    return fail(Error(before.error())
                    .advise("To enrol this machine anew: " + command.program() + " enrol CODE --force"));

  LineState line(folder->store());
  Speaker who = speaker(exchange_options(config));
  who.program = command.program();
  who.hub_url = *url;
  CurlTransport transport(line_options(config, *url));
  auto enrolled =
      enrol(code, platform::machine_name(), who, files, line, transport, command.clock, command.random);
  if (!enrolled) return fail(std::move(enrolled).error());
  work.enrolment = enrolled->identity.enrolment();
  work.rows_at_hub = enrolled->rows_at_hub;
  for (std::string& note : enrolled->notes) work.notes.push_back(std::move(note));

  const auto pending = line.restore_pending();
  if (!pending) return fail(pending.error());
  if (*pending) {
    auto uplink = open_uplink(config, command.clock, command.random, nullptr);
    auto counts = uplink ? restore_into(*folder, config, *uplink, command.clock, command.random)
                         : Result<RestoreCounts>(fail(uplink.error()));
    if (counts)
      work.restored = std::move(*counts);
    else
      work.restore_failed = std::move(counts).error();
  }
  return work;
}

}  // namespace

int enrol(const Command& command, EnrolWish wish) {
  const Console& console = command.console;
  // Read as who was asked; loading the configuration may make root another user.
  auto code = code_of(wish);
  if (!code) return console.failed(code.error());
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  auto done = become_enrolled(command, *config, wish, *code);
  if (!done) return console.failed(done.error());

  Told told;
  told.line("enrolled: school " + done->enrolment.urn + ", " + done->enrolment.name + ", at " +
            done->enrolment.hub_url + " (hub's key " + done->enrolment.hub.fingerprint() + ")");
  if (done->restored) told.line(sentence(*done->restored));
  for (const std::string& note : done->notes) told.line("note: " + note);
  told.document = {{"schema_version", kSchemaVersion},
                   {"enrolled", true},
                   {"school", done->enrolment.urn},
                   {"name", done->enrolment.name},
                   {"hub", done->enrolment.hub_url},
                   {"hub_key", done->enrolment.hub.fingerprint()},
                   {"rows_at_hub", done->rows_at_hub},
                   {"restored", done->restored ? to_json(*done->restored) : ordered_json(nullptr)},
                   {"notes", done->notes},
                   {"sync", nullptr}};
  std::string next;
  if (done->restore_failed) {
    told.error("enrolled, but what the hub still has was not brought back: ", *done->restore_failed);
    next = command.program() + " restore";
    told.exit_code = exit_code_of(done->restore_failed->code());
    told.document["error"] = to_json(*done->restore_failed);
  } else {
    // The hub's offers come with it, also before anything was read.
    Progress progress;
    const SyncOutcome outcome =
        run_sync_job(*config, {command.clock, command.random, nullptr, &progress, command.program()});
    progress.clear();
    const bool heard = outcome.report.exchanges > 0;
    Told exchange = tell(outcome);
    for (std::string& text : exchange.lines) told.line(text);
    if (outcome.error && !(outcome.only_post && heard))
      told.error("enrolled, but the first exchange failed: ", *outcome.error);
    told.document["sync"] = std::move(exchange.document);
    // Enrolled it is; that a person has to decide, or to read the sources, is what comes next.
    const bool goes_on = heard && (outcome.only_post || !outcome.error) && outcome.report.equal;
    told.exit_code = goes_on ? kFine : exchange.exit_code;
    next =
        command.program() + (!goes_on                   ? " sync"
                             : !outcome.waiting.empty() ? " agreement show " + outcome.waiting.front().second
                             : outcome.only_post        ? " extract"
                                                        : " status");
  }
  told.line("next: " + next);
  told.document["next"] = next;
  told.document["exit_code"] = told.exit_code;
  return console.say(told);
}

}  // namespace towpath::cli
