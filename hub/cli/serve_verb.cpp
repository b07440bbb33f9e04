#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "bundle/bundle.hpp"
#include "hub/cli/command.hpp"
#include "hub/cli/inbox.hpp"
#include "hub/cli/words.hpp"
#include "hub/exchange/http_server.hpp"
#include "hub/exchange/service.hpp"
#include "platform/daemon.hpp"

namespace towpath::hub_cli {
namespace {

volatile std::sig_atomic_t stop_asked = 0;
void ask_to_stop(int /*signal*/) { stop_asked = 1; }

// How soon a signal is noticed; ten wake-ups a second cost nothing that can be measured.
constexpr std::chrono::milliseconds kLookEvery{100};

// Agreements end at midnight (UTC); an hour later nothing of them is here any more.
constexpr std::chrono::minutes kTendEvery{60};
// Orders that another process has written down (federation leave).
constexpr std::chrono::seconds kOrdersEvery{2};

// An import that waits fetches its report within a second, and gives up after 10 minutes: what lies
// longer was left by one that was ended.
constexpr std::chrono::minutes kFetchedWithin{15}, kTidyEvery{5};

}  // namespace

int serve(const Command& command, const ServeOptions& how) {
  const Console& console = command.console;
  {
    // A folder without a hub is said to be one before it is locked.
    RegistryOptions look;
    look.data = command.data;
    look.may_write = false;
    const auto registry = Registry::open(look, command.dictionary, command.clock);
    // One of an earlier version is brought up below, once the folder is ours.
    if (!registry && registry.error().code() != Code::kUnknownVersion)
      return console.failed(registry.error());
  }
  auto lock = platform::FolderLock::take(command.data);
  if (!lock) return console.failed(lock.error());
  RegistryOptions options;
  options.data = command.data;
  auto registry = Registry::open(options, command.dictionary, command.clock);
  if (!registry) return console.failed(registry.error());

  auto keys = hub_keys(command);
  if (!keys) return console.failed(keys.error());
  // After an upgrade; else each file is only looked at, a millisecond a school.
  auto left = (*registry)->bring_up();
  if (!left) return console.failed(left.error());
  for (const std::string& why : *left) console.note(why);
  HubService service(**registry, **keys, command.clock, command.random, command.dictionary, command.software);
  if (!how.quiet)
    service.log_to([&](const std::string& line) { console.note(iso(command.clock.now()) + " " + line); });
  // Before the port is open: whoever was told the address may stop us at once.
  std::signal(SIGTERM, ask_to_stop);
  std::signal(SIGINT, ask_to_stop);
#ifdef SIGPIPE
  std::signal(SIGPIPE, SIG_IGN);  // a client that has gone is an error of its connection only
#endif
  HttpOptions http;
  http.listen = how.listen;
  http.tls_certificate = how.tls_certificate;
  http.tls_key = how.tls_key;
  http.behind_proxy = how.behind_proxy;
  http.proxies = how.proxies;
  // What --quiet leaves out is a line for each exchange; a certificate that does not work is not one.
  http.log = [&](const std::string& line) { console.note(iso(command.clock.now()) + " " + line); };
  auto server = HttpServer::start([&](ByteView bundle) { return service.answer(bundle); }, http);
  if (!server) return console.failed(server.error());
  console.line("listening on " + (*server)->address() +
               ((*server)->tls() ? " (https)" : " (http, without TLS)") + "; stop with Ctrl-C");
  console.result({{"schema_version", kSchemaVersion},
                  {"listening", (*server)->address()},
                  {"tls", (*server)->tls()},
                  {"pid", platform::process_id()}});
  platform::notify_manager("READY=1\nSTATUS=listening on " + (*server)->address());
  const Inbox inbox(command.data);
  inbox.tidy(std::chrono::minutes{0});  // whoever asked an earlier hub asks again
  Instant tidied = command.clock.now();
  std::optional<Instant> tended, ordered;
  const auto due = [](std::optional<Instant>& last, Instant now, std::chrono::milliseconds every) {
    if (last && now - *last < every && now >= *last) return false;
    last = now;
    return true;
  };
  const auto trouble = [&](const Result<void>& done) {
    if (!done) console.note(iso(command.clock.now()) + " " + done.error().sentence());
  };
  while (stop_asked == 0) {
    if (due(tended, command.clock.now(), kTendEvery)) trouble(service.tend());
    if (due(ordered, command.clock.now(), kOrdersEvery)) trouble(service.finish_orders());
    if (const Instant now = command.clock.now(); now - tidied >= kTidyEvery || now < tidied) {
      inbox.tidy(kFetchedWithin);
      tidied = now;
    }
    inbox.serve(
        service, [] { return stop_asked == 0; },
        [&](const std::string& line) {
          if (!how.quiet) console.note(iso(command.clock.now()) + " " + line);
        });
    std::this_thread::sleep_for(kLookEvery);
  }
  platform::notify_manager("STOPPING=1");
  (*server)->stop();
  service.close_files();
  if (!how.quiet) console.note(iso(command.clock.now()) + " stopped");
  return kFine;
}

}  // namespace towpath::hub_cli
