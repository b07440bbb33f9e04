// The program `towpath`: reads the command line, makes the real world, hands both to a verb.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/cli/agreement_verb.hpp"
#include "agent/cli/bundle_verb.hpp"
#include "agent/cli/command.hpp"
#include "agent/cli/config_verb.hpp"
#include "agent/cli/console.hpp"
#include "agent/cli/doctor_verb.hpp"
#include "agent/cli/enrol_verb.hpp"
#include "agent/cli/extract_verb.hpp"
#include "agent/cli/key_verb.hpp"
#include "agent/cli/partner_verb.hpp"
#include "agent/cli/pupil_verb.hpp"
#include "agent/cli/quarantine_verb.hpp"
#include "agent/cli/receipts_verb.hpp"
#include "agent/cli/restore_verb.hpp"
#include "agent/cli/run_verb.hpp"
#include "agent/cli/status_verb.hpp"
#include "agent/cli/support_verb.hpp"
#include "agent/cli/sync_verb.hpp"
#include "agent/cli/verify_verb.hpp"
#include "agent/config/checks.hpp"
#include "agent/line/pac/pac_child.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/hub_line.hpp"
#include "platform/platform.hpp"

namespace {

using namespace towpath;

constexpr const char* kSmallest = R"(The smallest configuration:

  [school]
  urn  = 100001
  name = "Example School"
  [hub]
  url  = "http://127.0.0.1:8440"
  [[source]]
  name = "mis"
  kind = "oneroster-csv"
  path = "/exports/oneroster"   # folder or zip

Then, with the code that the hub's operator gives out: towpath enrol
(it asks for the code, which is then seen by nobody else on this machine)

Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 not enrolled, 4 something to
look at, 5 service not running, 6 not permitted, 78 configuration invalid.
)";

std::vector<std::string_view> verbs_of(const CLI::App& app) {
  std::vector<std::string_view> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  return names;
}

// What is wrong with the words: the first that means nothing, with the one that was probably meant.
Error usage_error(const CLI::App& app, std::span<char*> words, const CLI::ParseError& wrong) {
  const CLI::App* at = &app;
  std::string verb = "towpath";
  std::vector<std::string> options;  // that may stand here: fallthrough lets the outer ones stand inside
  const auto enter = [&](const CLI::App& inner) {
    for (const CLI::Option* option : inner.get_options())
      for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  };
  const auto help = [&] { return "For what may be said here: " + verb + " --help"; };
  enter(app);
  std::size_t plain = 0;  // words of the verb itself
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word.starts_with("--") && word.size() > 2) {
      const std::string_view name = word.substr(0, word.find('='));
      if (std::find(options.begin(), options.end(), name) == options.end()) {
        const std::vector<std::string_view> known(options.begin(), options.end());
        const auto meant = config::nearest(name, known);
        return {Code::kUsage, "there is no option '" + std::string(name) + "' for " + verb,
                meant ? "Did you mean '" + std::string(*meant) + "'?" : help()};
      }
      for (const CLI::App* from = at; from != nullptr; from = from->get_parent()) {
        const CLI::Option* option = from->get_option_no_throw(std::string(name));
        if (option == nullptr || option->get_items_expected_max() == 0) continue;
        if (word.find('=') == std::string_view::npos && ++i == words.size())
          return {Code::kUsage, std::string(name) + " needs a value", help()};
        break;
      }
      continue;
    }
    if (word.starts_with('-')) continue;
    const auto verbs = verbs_of(*at);
    if (std::find(verbs.begin(), verbs.end(), word) != verbs.end()) {
      at = at->get_subcommand(std::string(word));
      verb += " " + std::string(word);
      enter(*at);
    } else if (!verbs.empty()) {
      return {Code::kUsage, "there is no verb '" + std::string(word) + "' of " + verb,
              config::suggestion(word, verbs)};
    } else if (++plain > at->get_options([](const CLI::Option* o) { return o->get_positional(); }).size()) {
      // What follows a pupil may be about it, too: it is not repeated.
      if (at->get_option_no_throw("PUPIL") != nullptr)
        return {Code::kUsage, verb + " takes one PUPIL",
                "A surname with a date of birth goes in after -, and not into the command line"};
      return {Code::kUsage, "'" + std::string(word) + "' means nothing after " + verb, help()};
    }
  }
  if (at->get_name() == "show" && at->get_parent()->get_name() == "quarantine" && plain == 0)
    return {Code::kUsage, verb + " needs the ID of a row", "towpath quarantine list gives the IDs"};
  if (at->get_parent() != nullptr && at->get_parent()->get_name() == "bundle" && plain == 0)
    return {Code::kUsage, verb + " needs a FILE", help()};
  if (const auto verbs = verbs_of(*at); !verbs.empty())
    return {Code::kUsage, verb + " needs a verb", config::suggestion("", verbs) + ". " + help()};
  return {Code::kUsage, wrong.what(), help()};
}

// How a proxy script is evaluated: by this program again, fenced in, without a configuration, a
// console or a help text. Not for people, so no verb of theirs.
bool evaluates_proxy_script(int argc, char** argv) {
  return argc == 2 && std::string_view(argv[1]) == cli::kPacVerb;
}

// Who lists the machine's processes sees their arguments for as long as they run: not the code.
void hide(std::span<char*> words, std::string_view secret) {
  for (char* word : words)
    if (secret.size() > 1 && std::string_view(word) == secret)
      std::fill_n(static_cast<volatile char*>(word), secret.size(), '*');
}

int run(int argc, char** argv) {
  if (evaluates_proxy_script(argc, argv)) {
    platform::SystemClock clock;
    return pac_child_main(clock);
  }
  CLI::App app{"Carries a school's data to its borough hub."};
  app.name("towpath");
  app.footer(kSmallest);
  app.set_version_flag("--version", "towpath " TOWPATH_VERSION);
  app.fallthrough();
  app.require_subcommand(1);
  std::vector<std::string> configs;
  bool json = false;
  app.add_option("--config", configs, "The configuration file; run takes several, and folders of them")
      ->allow_extra_args(false)
      ->default_str(cli::kDefaultConfig)
      ->type_name("FILE");
  app.add_flag("--json", json, "Answer as one JSON document (schema_version 1)");

  CLI::App* config_verb = app.add_subcommand("config", "Check or show the configuration");
  config_verb->require_subcommand(1);
  config_verb->footer(kSmallest);
  config_verb->fallthrough();
  CLI::App* check =
      config_verb->add_subcommand("check", "Say what is wrong with it; offline, starts nothing");
  CLI::App* show = config_verb->add_subcommand("show", "The values in force, and where each comes from");
  std::string file;
  for (CLI::App* verb : {check, show}) verb->add_option("FILE", file, "Instead of --config");

  ExtractWish extracting;
  CLI::App* extract = app.add_subcommand("extract", "Read the sources into the school's store");
  extract->add_option("--source", extracting.sources, "Only this source (may be repeated)")
      ->type_name("NAME");
  extract->add_flag("--accept-deletions", extracting.accept_deletions, "Delete what an earlier run has held");
  extract->add_flag("--full", extracting.full,
                    "Read and compare every row, also those known to be unchanged");

  cli::EnrolWish enrolling;
  CLI::App* enrol = app.add_subcommand("enrol", "Make this machine the one that speaks for the school");
  enrol->add_option(
      "CODE", enrolling.code,
      "The invitation code. Better none: it is then asked for, and stays out of the shell's history; "
      "- reads it from standard input");
  enrol->add_option("--code-file", enrolling.code_file, "Read the code from this file")->type_name("FILE");
  enrol->add_option("--hub", enrolling.hub, "The hub's address, instead of the configuration's or the code's")
      ->type_name("URL");
  enrol->add_flag("--force", enrolling.force, "Though this machine is enrolled already: with a new key");
  CLI::App* restore = app.add_subcommand(
      "restore", "Bring back what only the hub still has, before anything is published (enrol does it, too)");
  cli::RestoreWish restoring;
  restore->add_flag("--give-up", restoring.give_up, "Go on without it: the hub has lost its copy for good");
  restore->add_flag("--yes", restoring.yes, "Give it up without being asked")->needs("--give-up");
  CLI::App* key = app.add_subcommand("key", "This machine's key");
  key->require_subcommand(1);
  CLI::App* rotate = key->add_subcommand("rotate", "Replace it, on the old one's word");
  CLI::App* bundle = app.add_subcommand("bundle", "The line to the hub, by files on a stick");
  bundle->require_subcommand(1);
  std::string stick;
  CLI::App* bundle_export =
      bundle->add_subcommand("export", "Write what waits to be sent, sealed for the hub");
  CLI::App* bundle_import = bundle->add_subcommand("import", "Read the hub's answer");
  for (CLI::App* verb : {bundle_export, bundle_import}) verb->add_option("FILE", stick)->required();

  CLI::App* sync = app.add_subcommand("sync", "Send what has changed to the hub");
  CLI::App* status = app.add_subcommand("status", "One line of health, and what it is made of");
  int wait_seconds = -1;
  status
      ->add_option("--wait", wait_seconds,
                   "Wait so many seconds for the service to run; exit code 5 if it does not")
      ->check(CLI::Range(0, 3600))
      ->type_name("SECONDS");
  CLI::App* service =
      app.add_subcommand("run", "Be the service: read and send on the schedule, until stopped");

  // --- what is shared -----------------------------------------------------------------------------
  constexpr const char* kBy = "Who decides: role and name, as \"head teacher, A. Example\"";
  constexpr const char* kPupil =
      "A number, UUID or UPN; - asks, or reads standard input (also surname and date of birth)";
  CLI::App* agreement = app.add_subcommand(
      "agreement", "Who may have what of this school's data: offered, approved, withdrawn");
  agreement->require_subcommand(1);
  cli::AgreementWish deciding;
  CLI::App* agreement_list = agreement->add_subcommand("list", "What was offered, and how it stands");
  CLI::App* agreement_show =
      agreement->add_subcommand("show", "What it means: parties, fields, rows, and what would change");
  CLI::App* agreement_approve = agreement->add_subcommand("approve", "Share exactly that, from now on");
  CLI::App* agreement_withdraw =
      agreement->add_subcommand("withdraw", "Share nothing more under it, and recall what was");
  for (CLI::App* verb : {agreement_show, agreement_approve, agreement_withdraw})
    verb->add_option("ID", deciding.id, "As list gives it")->required();
  for (CLI::App* verb : {agreement_show, agreement_approve})
    verb->add_option("--version", deciding.version, "This version, instead of the newest")->type_name("N");
  for (CLI::App* verb : {agreement_approve, agreement_withdraw})
    verb->add_option("--by", deciding.by, kBy)->required()->type_name("WHO");
  agreement_approve->add_flag("--yes", deciding.yes, "Without being asked");
  cli::NamedWish naming;
  CLI::App* agreement_pupils =
      agreement->add_subcommand("pupils", "This school's own list, for an agreement about named pupils");
  agreement_pupils->add_option("ID", naming.id, "As list gives it")->required();
  agreement_pupils->add_option("--add", naming.add, kPupil)->type_name("PUPIL");
  agreement_pupils->add_option("--remove", naming.remove, kPupil)->type_name("PUPIL");
  agreement_pupils->add_flag("--list", naming.list, "Their numbers");
  agreement_pupils->add_option("--by", naming.by, kBy)->type_name("WHO");
  cli::ExplainWish explaining;
  CLI::App* explain = app.add_subcommand("explain", "What is shared with whom, why, and how much");
  explain->add_option("--audience", explaining.audience, "Only this one: borough, or federation:ID")
      ->type_name("NAME");
  explain->add_option("--html", explaining.html, "As a page for a privacy notice")->type_name("FILE");
  cli::PupilWish about;
  CLI::App* protect = app.add_subcommand("protect", "How far one pupil's rows may go (R0 to R3)");
  protect
      ->add_option("--level", about.level,
                   "R0 none, R1 no contacts and earlier schools, R2 no row, R3 not counted either")
      ->required()
      ->type_name("LEVEL");
  protect->add_flag("--lower", about.lower,
                    "Though it is less than what is set: for the named safeguarding lead only");
  CLI::App* restricted = app.add_subcommand("restrict", "Share nothing of one pupil for now");
  restricted->add_flag("--lift", about.lift, "Share it again");
  CLI::App* erase =
      app.add_subcommand("erase", "Remove all that is held about one pupil, here and wherever it was shared");
  erase->add_option("--reason", about.reason, "For the audit log; without names")
      ->required()
      ->type_name("TEXT");
  erase->add_flag("--yes", about.yes, "Without being asked");
  CLI::App* subject =
      app.add_subcommand("subject-report", "All that is held about one pupil, and who received what");
  subject->add_option("--html", about.html, "As a page; it holds personal data")->type_name("FILE");
  for (CLI::App* verb : {protect, restricted, erase, subject})
    verb->add_option("PUPIL", about.pupil, kPupil)->required();
  for (CLI::App* verb : {protect, restricted, erase})
    verb->add_option("--by", about.by, kBy)->required()->type_name("WHO");
  CLI::App* receipts = app.add_subcommand("receipts", "What was ordered to be removed, and who has done it");
  receipts->require_subcommand(1);
  CLI::App* receipts_list = receipts->add_subcommand("list", "Orders, and their receipts");
  CLI::App* receipts_verify = receipts->add_subcommand("verify", "Are they as they were signed?");
  CLI::App* audit = app.add_subcommand("audit", "What was decided and done with personal data");
  audit->require_subcommand(1);
  CLI::App* audit_show = audit->add_subcommand("show", "Every entry, the oldest first");
  CLI::App* audit_verify = audit->add_subcommand("verify", "Was anything changed or taken out?");
  std::string audit_head;
  audit_verify->add_option("--head", audit_head, "What an earlier verify gave: it must be on the chain")
      ->type_name("N:HASH");

  CLI::App* quarantine = app.add_subcommand("quarantine", "Rows that could not be taken, and why");
  quarantine->require_subcommand(1);
  CLI::App* list = quarantine->add_subcommand("list", "By source, dataset and reason");
  std::string of_source;
  list->add_option("--source", of_source, "Only this source")->type_name("NAME");
  CLI::App* one = quarantine->add_subcommand("show", "One row, with the record as the source gave it");
  std::int64_t id = 0;
  bool raw = false;
  one->add_option("ID", id, "As list gives it")->required();
  one->add_flag("--raw", raw, "Show the record (personal data) even if this is not a terminal");

  CLI::App* partner = app.add_subcommand("partner", "What this school holds of its partners; needs no line");
  partner->require_subcommand(1);
  CLI::App* partner_list = partner->add_subcommand("list", "Whose, how much, and how old");
  cli::PartnerExport exporting;
  CLI::App* partner_export =
      partner->add_subcommand("export", "A dataset's rows (personal data) on standard output");
  partner_export->add_option("DATASET", exporting.dataset, "As docs/data-dictionary.md names it")->required();
  partner_export->add_option("--school", exporting.urn, "Only this school's")->type_name("URN");
  partner_export->add_option("--federation", exporting.federation, "Only of this federation's schools")
      ->type_name("NAME");
  partner_export->add_option("--format", exporting.format, "csv or ndjson")
      ->check(CLI::IsMember({"csv", "ndjson"}))
      ->type_name("FORMAT");

  CLI::App* verify = app.add_subcommand("verify", "Is the store sound, and does the hub hold the same?");
  CLI::App* doctor =
      app.add_subcommand("doctor", "What stands in the way, from the configuration to the hub");
  CLI::App* support =
      app.add_subcommand("support-bundle", "A zip for whoever helps; nothing personal, no secrets");
  std::string support_file;
  bool support_list = false;
  support->add_option("--out", support_file, "The zip to make; it must not be there yet")->type_name("FILE");
  support->add_flag("--list", support_list, "Only say what would go in");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);  // --help, --version
  } catch (const CLI::ParseError& wrong) {
    // Whatever was wrong may have come before --json.
    const bool wants_json = std::any_of(argv + 1, argv + argc,
                                        [](const char* word) { return word == std::string_view("--json"); });
    const cli::Console console(wants_json);
    return console.failed(usage_error(app, std::span(argv + 1, static_cast<std::size_t>(argc - 1)), wrong));
  }

  hide(std::span(argv + 1, static_cast<std::size_t>(argc - 1)), enrolling.code);
  for (const std::string* pupil : {&about.pupil, &naming.add, &naming.remove})
    if (cli::is_telling(*pupil)) hide(std::span(argv + 1, static_cast<std::size_t>(argc - 1)), *pupil);
  platform::keep_new_files_private();
  platform::SystemClock clock;
  platform::SystemRandom random;
  cli::Console console(json);
  const std::string config = configs.empty() ? cli::kDefaultConfig : configs.front();
  const cli::Command command{file.empty() ? config : file, json, console, clock, random};
  if (service->parsed()) return cli::run(command, std::move(configs));
  if (configs.size() > 1)
    return console.failed(Error{Code::kUsage,
                                "--config was given " + std::to_string(configs.size()) + " times",
                                "Only towpath run serves several schools at once"});
  if (check->parsed()) return cli::config_check(command);
  if (show->parsed()) return cli::config_show(command);
  if (extract->parsed()) return cli::extract(command, extracting);
  if (enrol->parsed()) return cli::enrol(command, std::move(enrolling));
  if (restore->parsed()) return cli::restore(command, restoring);
  if (rotate->parsed()) return cli::key_rotate(command);
  if (bundle_export->parsed()) return cli::bundle_export(command, stick);
  if (bundle_import->parsed()) return cli::bundle_import(command, stick);
  if (sync->parsed()) return cli::sync(command);
  if (status->parsed()) return cli::status(command, wait_seconds);
  if (agreement_list->parsed()) return cli::agreement_list(command);
  if (agreement_show->parsed()) return cli::agreement_show(command, deciding);
  if (agreement_approve->parsed()) return cli::agreement_approve(command, deciding);
  if (agreement_withdraw->parsed()) return cli::agreement_withdraw(command, deciding);
  if (agreement_pupils->parsed()) return cli::agreement_pupils(command, naming);
  if (explain->parsed()) return cli::explain(command, explaining);
  if (protect->parsed()) return cli::protect(command, about);
  if (restricted->parsed()) return cli::restrict_pupil(command, about);
  if (erase->parsed()) return cli::erase(command, about);
  if (subject->parsed()) return cli::subject_report(command, about);
  if (receipts_list->parsed()) return cli::receipts_list(command);
  if (receipts_verify->parsed()) return cli::receipts_verify(command);
  if (audit_show->parsed()) return cli::audit_show(command);
  if (audit_verify->parsed()) return cli::audit_verify(command, audit_head);
  if (list->parsed()) return cli::quarantine_list(command, of_source);
  if (one->parsed()) return cli::quarantine_show(command, id, raw);
  if (partner_list->parsed()) return cli::partner_list(command);
  if (partner_export->parsed()) return cli::partner_export(command, exporting);
  if (verify->parsed()) return cli::verify(command);
  if (doctor->parsed()) return cli::doctor(command);
  if (support->parsed()) return cli::support_bundle(command, support_file, support_list);
  return cli::kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  towpath::platform::leave_no_core_dumps();
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    // Out of memory, or a promise broken by a library: the store rolls back by itself.
    std::fprintf(stderr, "towpath: stopped: %s\n", error.what());
    return towpath::cli::kFailed;
  }
}
