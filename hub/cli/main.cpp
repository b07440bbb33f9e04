// towpath-hub: makes the real world and hands it to the verb that was asked for.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>

#include "hub/cli/command.hpp"
#include "hub/cli/sharing_verbs.hpp"
#include "hub/federation/orders.hpp"
#include "platform/owner.hpp"
#include "platform/platform.hpp"

int main(int argc, char** argv) {
  using namespace towpath;
  using namespace towpath::hub_cli;

  platform::leave_no_core_dumps();
  CLI::App app{"The borough's hub: takes in what schools send, and shows it."};
  app.name("towpath-hub");
  app.set_version_flag("--version", "towpath-hub " TOWPATH_VERSION);
  app.require_subcommand(1);
  app.fallthrough();  // --data and --json may stand before or after the verb
  app.footer(
      "Exit codes: 0 fine, 1 failed, 2 usage, 4 degraded, 5 not running, 6 not permitted, 78 configuration "
      "invalid.");

  std::string data;
  bool json = false;
  app.add_option("--data", data, "The hub's data folder")->required()->type_name("DIR");
  app.add_flag("--json", json, "Answer with one JSON document (schema_version 1)");

  auto* init_verb =
      app.add_subcommand("init", "Make a hub in the data folder, with its keys; harmless if there is one");
  std::string url;
  bool new_keys = false;
  std::optional<int> backup_days;
  init_verb->add_option("--url", url, "The address at which schools reach it; goes into invitation codes")
      ->type_name("https://HOST");
  init_verb->add_flag("--new-keys", new_keys,
                      "Make new keys although schools know others: each has to be enrolled again");
  init_verb
      ->add_option("--backup-days", backup_days,
                   "How long what is removed may still lie in the hub's backups, at most; receipts say so")
      ->type_name("N")
      ->check(CLI::Range(0, kBackupDaysMax));
  auto* key_verb = app.add_subcommand("key", "The hub's own keys");
  key_verb->require_subcommand(1);
  auto* key_show_verb = key_verb->add_subcommand("show", "Their fingerprints");
  auto* key_rotate_verb =
      key_verb->add_subcommand("rotate", "Make a new one; schools take it over by themselves");
  auto* school_verb = app.add_subcommand("school", "The schools that may send to this hub");
  school_verb->require_subcommand(1);
  auto* add_verb = school_verb->add_subcommand("add", "Register a school");
  std::string urn, name;
  add_verb->add_option("URN", urn, "Its unique reference number, six digits")->required();
  add_verb->add_option("--name", name, "Its name, for people")->required();
  auto* list_verb = school_verb->add_subcommand("list", "Show them");
  auto* invite_verb =
      school_verb->add_subcommand("invite", "Make a code by which one machine of a school can enrol");
  std::string expires = "7d";
  invite_verb->add_option("URN", urn, "The school")->required();
  invite_verb->add_option("--expires", expires, "How long it is good: days or hours")
      ->type_name("7d|12h")
      ->capture_default_str();
  auto* agent_verb = app.add_subcommand("agent", "The machines that speak for schools");
  agent_verb->require_subcommand(1);
  auto* agent_list_verb = agent_verb->add_subcommand("list", "Show their keys, and when each was heard");
  auto* revoke_verb = agent_verb->add_subcommand("revoke", "End a school's key, from its next request on");
  revoke_verb->add_option("URN", urn, "The school")->required();
  auto* rotate_verb = agent_verb->add_subcommand("rotate", "Ask a school's machine to make new keys");
  rotate_verb->add_option("URN", urn, "The school")->required();
  auto* bundle_verb = app.add_subcommand("bundle", "Bundles that come on a stick");
  bundle_verb->require_subcommand(1);
  auto* import_verb =
      bundle_verb->add_subcommand("import", "Take in a file of bundles; the same one any number of times");
  std::string file, answer;
  import_verb->add_option("FILE", file, "What towpath bundle export wrote; - for standard input")->required();
  import_verb->add_option("--answer", answer, "Write the hub's answer here, to be taken back")
      ->type_name("FILE");

  SharingVerbs sharing(app);

  auto* serve_verb = app.add_subcommand("serve", "Exchange bundles with schools until stopped");
  ServeOptions how;
  serve_verb
      ->add_option("--listen", how.listen,
                   "Address and port; port 0 takes a free one. Loopback, unless with TLS")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  serve_verb
      ->add_option("--tls-certificate", how.tls_certificate,
                   "Speak HTTPS: its certificate with the chain, PEM; read again when it changes")
      ->type_name("FILE");
  serve_verb->add_option("--tls-key", how.tls_key, "Its key, PEM, without a passphrase")->type_name("FILE");
  serve_verb->add_flag(
      "--behind-proxy", how.behind_proxy,
      "A proxy that ends TLS stands before this hub: plain HTTP on any address, and the last "
      "address of X-Forwarded-For is who asks. Let nothing but that proxy reach the port");
  serve_verb
      ->add_option("--proxy-address", how.proxies,
                   "That proxy's; then nobody else is let in, besides loopback")
      ->type_name("ADDRESS");
  serve_verb->add_flag("--quiet", how.quiet, "No line for each exchange on standard error");
  auto* status_verb = app.add_subcommand("status", "How the hub and each school's data are");
  auto* export_verb = app.add_subcommand("export", "Write a dataset's rows to standard output");
  std::string dataset, school, format = "csv";
  export_verb->add_option("DATASET", dataset, "For example pupil or session_mark")->required();
  export_verb->add_option("--school", school, "One school only")->type_name("URN");
  export_verb->add_option("--format", format, "csv (RFC 4180) or ndjson")
      ->check(CLI::IsMember({"csv", "ndjson"}))
      ->capture_default_str();
  auto* verify_verb = app.add_subcommand("verify", "Recompute every school's digest from its rows");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    const bool asked_json = [&] {
      for (int i = 1; i < argc; ++i)
        if (std::string_view(argv[i]) == "--json") return true;
      return false;
    }();
    // Which help is the right one, and the first word that nothing takes.
    std::string help = "towpath-hub";
    const CLI::App* at = &app;
    for (const auto parsed = [](const CLI::App* a) { return a->parsed(); };;) {
      const auto inner = at->get_subcommands(parsed);
      if (inner.empty()) break;
      at = inner.front();
      help += " " + at->get_name();
    }
    std::string what = e.what();
    const auto extra = app.remaining(true);
    for (int i = 1; i < argc && !extra.empty(); ++i)
      if (std::find(extra.begin(), extra.end(), argv[i]) != extra.end()) {
        what = "'" + std::string(argv[i]) + "' means nothing to " + help;
        break;
      }
    return Console(asked_json)
        .failed(Error{Code::kUsage, std::move(what), "For what may be said here: " + help + " --help"});
  }
  while (data.size() > 1 && data.back() == '/') data.pop_back();
  platform::keep_new_files_private();
  std::optional<StickFiles> stick;
  if (*import_verb) stick.emplace(open_stick(file, answer));
  sharing.read_files();
  if (const auto user = platform::become_owner_of(data); !user) return Console(json).failed(user.error());

  platform::SystemClock clock;
  platform::SystemRandom random;
  const Command command{data,   Console(json),         clock,
                        random, built_in_dictionary(), "towpath-hub " TOWPATH_VERSION};
  try {
    if (*init_verb) return init(command, url, new_keys, backup_days);
    if (*key_show_verb) return key_show(command);
    if (*key_rotate_verb) return key_rotate(command);
    if (*invite_verb) return school_invite(command, urn, expires);
    if (*agent_list_verb) return agent_list(command);
    if (*revoke_verb) return agent_revoke(command, urn);
    if (*rotate_verb) return agent_rotate(command, urn);
    if (*import_verb) return bundle_import(command, std::move(*stick));
    if (*add_verb) return school_add(command, urn, name);
    if (*list_verb) return school_list(command);
    if (*serve_verb) return serve(command, how);
    if (*status_verb) return status(command);
    if (*export_verb)
      return export_rows(command, dataset, school.empty() ? std::nullopt : std::optional(school), format);
    if (*verify_verb) return verify(command);
    if (const auto code = sharing.run(command)) return *code;
  } catch (const std::exception& error) {  // out of memory, mostly: say so instead of aborting
    return command.console.failed(Error{Code::kInternal,
                                        std::string("towpath-hub had to stop: ") + error.what(),
                                        "What was acknowledged is on disk; start it again"});
  }
  return kUsage;
}
