#include "agent/doctor/gather.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "adapters/text/file_set.hpp"
#include "agent/identity/identity.hpp"
#include "agent/line/curl_transport.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/hub_line.hpp"
#include "agent/school/load.hpp"
#include "agent/school/sharing_here.hpp"
#include "agent/store/line_state.hpp"
#include "agent/uplink/refusal.hpp"
#include "platform/platform.hpp"

namespace towpath::doctor {
namespace {

namespace fs = std::filesystem;

// What the packages call the service's user.
constexpr const char* kServiceUser = "towpath";

FolderFacts look(const std::string& path) {
  FolderFacts out{path, platform::look_at(path), false};
  if (out.seen.kind == platform::PathKind::kNothing)
    out.can_be_made = platform::look_at(platform::nearest_folder(path)).may_write;
  return out;
}

// Identity::load() mends what a crash has left; who only looks leaves that to the next exchange.
class LookOnly final : public KeyFiles {
 public:
  explicit LookOnly(std::string folder) : files_(std::move(folder)) {}
  Result<std::optional<std::string>> read(const std::string& name) override { return files_.read(name); }
  Result<void> write(const std::string& /*name*/, const std::string& /*content*/) override { return {}; }
  Result<void> rename(const std::string& /*from*/, const std::string& /*to*/) override { return {}; }
  Result<void> remove(const std::string& /*name*/) override { return {}; }
  std::string place() const override { return files_.place(); }

 private:
  KeyFolder files_;
};

StoreFacts look_at_store(const AgentConfig& config, Clock& clock, Facts& facts) {
  StoreFacts out;
  out.there = cli::has_store(config);
  if (!out.there) return out;
  std::error_code unknown;
  const auto bytes = fs::file_size(fs::path(config.data) / "school.db", unknown);
  if (!unknown) out.file_bytes = bytes;
  auto folder = cli::DataFolder::open_to_look(config);
  if (!folder) {
    if (folder.error().code() == Code::kNotFound)
      out.there = false;  // its first extract was stopped: the next begins again
    else
      out.error = std::move(folder).error();
    return out;
  }
  // A store that an older program has left knows nothing of it.
  if (const auto told = LineState(folder->store()).credential(); told && told->refused)
    facts.refused = RefusedFacts{*told->refused, Error{told->code, told->what, told->next}};
  if (auto sharing = cli::see_sharing(config, folder->store(), clock)) facts.sharing = std::move(*sharing);
  const auto sound = folder->store().db().text("PRAGMA quick_check(1)");
  if (!sound)
    out.damage = sound.error();
  else if (*sound != "ok")
    out.damage = Error{Code::kDamaged, "a page of its file is not as it was written"};
  return out;
}

SourceFacts look_at_source(const cli::ReadySource& source) {
  SourceFacts out;
  out.name = source.config->name;
  out.kind = source.config->kind;
  out.path = source.config->path;
  if (!source.adapter) {
    out.error = source.adapter.error();
    return out;
  }
  if (out.path.empty()) return out;
  const platform::PathSeen seen = platform::look_at(out.path);
  if (seen.hidden || (seen.kind != platform::PathKind::kNothing && !seen.may_read)) {
    out.error = Error{Code::kNotPermitted, "this user may not read it",
                      "Give the service's user the right to read it, and to enter the folders above it"};
    return out;
  }
  const auto files = FileSet::open(out.path);
  if (!files) {
    out.error = files.error();
    return out;
  }
  out.files = files->names().size();
  for (const TableMapping& table : source.config->tables) {
    const auto& names = files->names();
    const bool pattern = table.file.find_first_of("*?") != std::string::npos;
    const bool there =
        table.file.empty() ||
        (pattern ? std::any_of(names.begin(), names.end(),
                               [&](const std::string& n) { return glob_matches(table.file, n); })
                 : files->find(table.file).has_value());
    if (!there && std::find(out.missing.begin(), out.missing.end(), table.file) == out.missing.end())
      out.missing.push_back(table.file);
  }
  out.newest = seen.changed;
  if (seen.kind != platform::PathKind::kFolder) return out;
  out.newest.reset();
  for (const std::string& name : files->names())
    if (const auto changed = platform::look_at((fs::path(out.path) / name).string()).changed)
      out.newest = std::max(out.newest, changed);
  return out;
}

ScheduleFacts look_at_schedule(const AgentConfig& config) {
  ScheduleFacts out;
  for (const SourceConfig& source : config.sources) {
    if (extract_windows(config, source.name).empty())
      ++out.unread_sources;
    else
      out.reads = true;
  }
  out.sends = !config.schedule.exchange.empty();
  out.unread_holidays = config.calendar.unread;
  for (const Holiday& holiday : config.calendar.holidays)
    out.last_holiday = std::max(out.last_holiday, std::optional(holiday.last));
  return out;
}

IdentityFacts look_at_identity(const AgentConfig& config, const std::string& program) {
  IdentityFacts out;
  const std::string folder = identity_folder(config.data);
  out.folder = look(folder);
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed))
    out.files.push_back(look(entry.path().string()));
  std::sort(out.files.begin(), out.files.end(),
            [](const FolderFacts& a, const FolderFacts& b) { return a.path < b.path; });
  LookOnly files(folder);
  auto enrolment = read_enrolment(files);
  if (!enrolment) {
    out.error = std::move(enrolment).error();
  } else if (*enrolment) {
    out.enrolled = true;
    out.hub = (*enrolment)->hub;
    out.hub_url = (*enrolment)->hub_url;
    if (auto identity = Identity::load(files, program); !identity) out.error = std::move(identity).error();
  } else {
    out.pending = std::any_of(out.files.begin(), out.files.end(), [](const FolderFacts& file) {
      return fs::path(file.path).filename() == "enrol.key";
    });
  }
  return out;
}

// A bundle without a frame asks whether its key is good: the hub checks signature and standing, and
// says hello under its seal. No turn is used, and nothing is left at the hub.
std::optional<CredentialFacts> ask_about_credential(const AgentConfig& config, const std::string& url,
                                                    const World& world) {
  LookOnly files(identity_folder(config.data));
  const auto identity = Identity::load(files, world.program);
  if (!identity) return std::nullopt;  // said of the keys
  CredentialFacts out;
  PeerSealer sealer(identity->own(), identity->hub(), world.random);
  Bundle bundle;
  world.random.fill(bundle.id.uuid.bytes);
  bundle.sent = world.clock.now();
  const auto sealed = sealer.seal(bundle);
  if (!sealed) {
    out.error = sealed.error();
    return out;
  }
  CurlTransport line(cli::line_options(config, url));
  const auto reply = line.exchange(*sealed);
  if (!reply) {
    out.error = reply.error();
    return out;
  }
  if (message_kind(reply->body) == MessageKind::kBundle) {
    const auto answer = sealer.open(reply->body);
    if (answer && answer->answers == bundle.id)
      out.accepted = out.pinned_hub = true;
    else
      out.error = answer ? Error{Code::kTransport, "what came answers another question: an old answer"}
                         : answer.error();
    return out;
  }
  const auto notice = read_notice(reply->body, identity->hub());
  if (!notice || !notice->is_about(*sealed)) {
    out.error = Error{Code::kTransport, "what came is not signed by the hub as an answer to this question",
                      "Try again; if it stays so, something on the line changes what passes"};
    return out;
  }
  out.pinned_hub = true;
  if (notice->code == Code::kReplaced && identity->next())
    out.accepted = true;  // our next key is in force there; the next exchange uses it
  else if (ends_the_key(notice->code))
    out.error = refusal(notice->code, notice->text, world.program, url);
  else
    out.accepted = true;  // it has looked at the key, and says something else
  return out;
}

}  // namespace

Facts gather(const std::string& file, const ConfigProblems& problems, const World& world) {
  Facts facts;
  facts.program = world.program;
  facts.now = world.clock.now();
  facts.config.file = file;
  facts.config.problems = problems;
  return facts;
}

Facts gather_here(const AgentConfig& config, const World& world) {
  Facts facts = gather(config.file, {}, world);
  facts.config.sources = config.sources.size();
  facts.config.hub_url = config.hub_url;
  facts.config.extra_ca = config.line.extra_ca;
  const auto sources = cli::make_sources(config, platform::local_date(facts.now));
  if (!sources) {
    facts.config.problems = sources.error();
    return facts;
  }
  const platform::UserSeen user = platform::this_user();
  facts.user =
      UserFacts{world.started.root && !user.root, user.name, user.root, platform::user_exists(kServiceUser)};
  facts.data = look(config.data);
  if (const auto free = platform::free_bytes(platform::nearest_folder(config.data)))
    facts.disk = DiskFacts{*free, config.min_free_bytes};
  facts.store = look_at_store(config, world.clock, facts);
  for (const cli::ReadySource& source : *sources) facts.sources.push_back(look_at_source(source));
  facts.schedule = look_at_schedule(config);
  facts.identity = look_at_identity(config, world.program);
  if (facts.config.hub_url.empty()) facts.config.hub_url = facts.identity->hub_url;
  return facts;
}

void gather_line(Facts& facts, const AgentConfig& config, const World& world) {
  if (facts.config.hub_url.empty() || !facts.config.problems.empty()) return;
  CardNonce nonce{};
  world.random.fill(nonce);
  LineFacts line;
  line.seen = probe_line(cli::line_options(config, facts.config.hub_url), card_question(nonce));
  Instant heard = world.clock.now();
  for (auto route = line.seen.routes.rbegin(); route != line.seen.routes.rend(); ++route) {
    if (route->works()) line.heard = heard;
    heard -= route->took;  // the ways were tried one after the other
  }
  for (const RouteSeen& route : line.seen.routes) {
    CardSeen seen;
    if (message_kind(route.body) == MessageKind::kCard) {
      auto card = read_card(route.body, nonce);
      if (card)
        seen.card = std::move(*card);
      else
        seen.forged = true;
    }
    line.cards.push_back(std::move(seen));
  }
  const bool answered = std::any_of(line.cards.begin(), line.cards.end(),
                                    [](const CardSeen& seen) { return seen.card.has_value(); });
  facts.line = std::move(line);
  if (answered && facts.identity && facts.identity->hub)
    facts.credential = ask_about_credential(config, facts.config.hub_url, world);
}

}  // namespace towpath::doctor
