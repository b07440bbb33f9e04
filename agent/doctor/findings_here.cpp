// What can be known without the line.
#include <algorithm>
#include <array>
#include <cstdio>

#include "agent/doctor/findings.hpp"
#include "agent/school/words.hpp"

namespace towpath::doctor {
namespace {

using cli::counted;
using platform::PathKind;

// Some lines of a terminal; the rest is counted.
constexpr std::size_t kMissingNamed = 8;

std::string octal(unsigned mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04o", mode);
  return text.data();
}

// The packages' user, whose the service's folder is to be.
constexpr std::string_view kServiceUser = "towpath";

// What another user has made works for that user; taking it away would break their service.
std::string as_owner(const std::string& owner) { return "Run this as the user " + owner + ", or with sudo"; }

void judge_config(const Facts& facts, std::vector<Finding>& out) {
  const ConfigFacts& config = facts.config;
  const auto many = static_cast<std::int64_t>(config.problems.size());
  for (const ConfigProblem& problem : config.problems) {
    const std::string where =
        problem.line > 0 ? "line " + std::to_string(problem.line) + ": " : std::string();
    out.push_back({"configuration",
                   "wrong",
                   Light::kRed,
                   where + problem.what,
                   config.file,
                   problem.next,
                   {{"problems", many}, {"line", problem.line}}});
  }
  if (many == 0)
    out.push_back({"configuration",
                   "fine",
                   Light::kGreen,
                   "every key is known and right",
                   config.file,
                   {},
                   {{"sources", static_cast<std::int64_t>(config.sources)}}});
}

void judge_user(const UserFacts& user, const Facts& facts, std::vector<Finding>& out) {
  const std::string data = facts.data ? facts.data->path : std::string();
  if (user.root && user.service_user_exists)
    out.push_back({"user", "root-owns", Light::kAmber,
                   "the data folder belongs to root, and the service's user towpath could not open it",
                   "root", "sudo chown -R towpath: " + data});
  else if (user.root)
    out.push_back(
        {"user", "root", Light::kGreen, "root runs this, and the data folder is root's", "root", {}});
  else if (user.root_started)
    out.push_back({"user",
                   "became-owner",
                   Light::kGreen,
                   "root started this; it works as " + user.user + ", whose the data folder is",
                   user.user,
                   {}});
  else
    out.push_back({"user", "itself", Light::kGreen, "works as " + user.user, user.user, {}});
}

// What is the same for the folder of data and that of keys. True: nothing more needs to be said.
bool judge_folder(Literal check, const FolderFacts& folder, const std::string& user,
                  std::vector<Finding>& out) {
  const platform::PathSeen& seen = folder.seen;
  const auto say = [&](Literal kind, Light light, std::string what, std::string next) {
    out.push_back({check,
                   kind,
                   light,
                   std::move(what),
                   folder.path,
                   std::move(next),
                   {{"mode", static_cast<std::int64_t>(seen.mode)}}});
    return true;
  };
  if (seen.kind == PathKind::kNothing) {
    if (seen.hidden)
      return say("hidden", Light::kRed, user + " may not look into the folder above it",
                 "Give " + user + " the right to enter it, or run this as the service's user");
    if (seen.link)
      return say("dead-link", Light::kRed, "it is a symbolic link that leads nowhere",
                 "Make what it leads to, or remove it: rm " + folder.path);
    return false;
  }
  if (seen.kind != PathKind::kFolder)
    return say("no-folder", Light::kRed, "something that is no folder has its name",
               "Move it away, or name another folder as agent.data");
  if (seen.network)
    return say("network", Light::kRed,
               "it lies on a network share (" + seen.file_system + "), where a store is soon damaged",
               "Name a folder on this machine's own disk as agent.data");
  if (!seen.may_write || !seen.may_read)
    return say("not-writable", Light::kRed,
               user + " may not write there: it belongs to " + seen.owner + ", mode " + octal(seen.mode),
               seen.ours                                      ? "chmod 700 " + folder.path
               : user == kServiceUser && seen.owner == "root" ? "sudo chown -R " + user + ": " + folder.path
                                                              : as_owner(seen.owner));
  if (!seen.ours)
    return say("not-ours", Light::kAmber, "it belongs to " + seen.owner + ", and this runs as " + user,
               as_owner(seen.owner));
  if ((seen.mode & 077U) != 0)
    return say("open", Light::kAmber, "others on this machine may look into it: mode " + octal(seen.mode),
               "chmod 700 " + folder.path);
  if (seen.link)
    return say("link", Light::kAmber, "it is a symbolic link; a service that is fenced in may not follow it",
               "Name the folder itself as agent.data");
  return false;
}

void judge_data(const FolderFacts& data, const std::string& user, std::vector<Finding>& out) {
  if (judge_folder("data-folder", data, user, out)) return;
  if (data.seen.kind == PathKind::kFolder)
    out.push_back(
        {"data-folder", "fine", Light::kGreen, "it is there, and " + user + "'s alone", data.path, {}});
  else if (data.can_be_made)
    out.push_back({"data-folder",
                   "not-yet",
                   Light::kGreen,
                   "not there yet; the first extract makes it",
                   data.path,
                   {}});
  else
    out.push_back({"data-folder", "cannot-be-made", Light::kRed,
                   "it is not there, and " + user + " may not make it", data.path,
                   "sudo install -d -m 700 -o " + user + " " + data.path});
}

void judge_disk(const DiskFacts& disk, std::vector<Finding>& out) {
  const std::vector<Figure> figures{{"free_mb", static_cast<std::int64_t>(disk.free_bytes / 1'000'000)},
                                    {"wanted_mb", static_cast<std::int64_t>(disk.wanted_bytes / 1'000'000)}};
  const std::string value = cli::size(disk.free_bytes) + " free";
  const std::string wanted = cli::size(disk.wanted_bytes);
  if (disk.free_bytes < disk.wanted_bytes)
    out.push_back({"disk", "full", Light::kRed, "too little room: nothing is read below " + wanted, value,
                   "Free " + cli::size(disk.wanted_bytes - disk.free_bytes) +
                       " on that disk, or lower agent.min_free_mb",
                   figures});
  else if (disk.free_bytes < 2 * disk.wanted_bytes)
    out.push_back({"disk", "low", Light::kAmber, "room runs out: nothing is read below " + wanted, value,
                   "Free some of that disk", figures});
  else
    out.push_back(
        {"disk", "fine", Light::kGreen, "room enough: " + wanted + " must be free", value, {}, figures});
}

void judge_store(const StoreFacts& store, const Facts& facts, std::vector<Finding>& out) {
  const std::vector<Figure> figures{{"file_mb", static_cast<std::int64_t>(store.file_bytes / 1'000'000)}};
  const std::string value = cli::size(store.file_bytes);
  if (!store.there)
    out.push_back({"store", "not-yet", Light::kGreen, "not there yet; the first extract makes it", {}, {}});
  else if (store.error)
    out.push_back({"store", "does-not-open", Light::kRed, store.error->what(), value,
                   store.error->next().empty()
                       ? "Keep the folder for support, and see: " + facts.program + " verify"
                       : store.error->next(),
                   figures});
  else if (store.damage)
    out.push_back({"store", "damaged", Light::kRed, "it is damaged: " + store.damage->what(), value,
                   "Move the data folder aside, keep it for support, and run: " + facts.program +
                       " enrol with a new code, then restore",
                   figures});
  else
    out.push_back({"store", "sound", Light::kGreen, "it opens, and is sound", value, {}, figures});
}

void judge_source(const SourceFacts& source, std::int64_t number, const Facts& facts,
                  std::vector<Finding>& out) {
  std::vector<Figure> figures{{"number", number}};
  const std::string name = source.name + ": ";
  if (source.error) {
    out.push_back({"source", "not-readable", Light::kRed, name + source.error->what(), source.path,
                   source.error->next().empty() ? "Check the path, and that this user may read it"
                                                : source.error->next(),
                   figures});
    return;
  }
  if (source.path.empty()) {
    out.push_back({"source",
                   "no-files",
                   Light::kGreen,
                   name + "reads no files (" + source.kind + ")",
                   {},
                   {},
                   figures});
    return;
  }
  figures.push_back({"files", static_cast<std::int64_t>(source.files)});
  if (source.files == 0 || !source.newest) {
    out.push_back({"source", "empty", Light::kRed, name + "there is no file in it", source.path,
                   "Have the MIS write its export there", figures});
    return;
  }
  if (!source.missing.empty()) {
    figures.push_back({"missing", static_cast<std::int64_t>(source.missing.size())});
    std::string names;
    for (std::size_t i = 0; i < source.missing.size() && i < kMissingNamed; ++i)
      names += (i == 0 ? "" : ", ") + source.missing[i];
    if (source.missing.size() > kMissingNamed)
      names += " and " + std::to_string(source.missing.size() - kMissingNamed) + " more";
    out.push_back(
        {"source", "files-missing", Light::kAmber,
         name + counted(source.missing.size(), "file", "files") + " of the configuration not there: " + names,
         source.path, "Have the MIS export them, or correct `file` in the source's tables", figures});
    return;
  }
  const auto days = std::chrono::duration_cast<std::chrono::days>(facts.now - *source.newest).count();
  figures.push_back({"newest_days", days});
  const std::string files = counted(source.files, "file", "files");
  if (facts.now - *source.newest > kExportOld)
    out.push_back({"source", "old", Light::kAmber,
                   name + files + ", the newest from " + cli::age(*source.newest, facts.now) +
                       ": is the export still made?",
                   source.path, "Look at the export's schedule in the MIS; in holidays this is usual",
                   figures});
  else
    out.push_back({"source",
                   "fine",
                   Light::kGreen,
                   name + files + ", the newest from " + cli::age(*source.newest, facts.now),
                   source.path,
                   {},
                   figures});
}

// The same sentences as status has; figures for the bundle are counts.
void judge_sharing(const cli::SharingSeen& sharing, const Facts& facts, std::vector<Finding>& out) {
  if (!sharing.known) return;
  const auto count = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  const std::vector<Figure> figures{{"in_force", count(sharing.shared.size())},
                                    {"waiting_for_decision", count(sharing.waiting.size())},
                                    {"ended", count(sharing.ended.size())},
                                    {"withdrawn", count(sharing.withdrawn.size())},
                                    {"suspended", sharing.suspended ? 1 : 0},
                                    {"orders_not_answered_by_all", count(sharing.orders.size())},
                                    {"deeds_waiting", static_cast<std::int64_t>(sharing.deeds_waiting)},
                                    {"partners", count(sharing.partners.size())}};
  const std::vector<cli::Reason> reasons = cli::sharing_reasons(sharing, facts.now, facts.program);
  for (const cli::Reason& reason : reasons)
    out.push_back({"sharing", "look", reason.light, reason.text, {}, reason.next, figures});
  if (reasons.empty())
    out.push_back({"sharing",
                   "as-agreed",
                   Light::kGreen,
                   counted(sharing.shared.size(), "agreement is", "agreements are") + " in force, and " +
                       counted(sharing.partners.size(), "partner's data is", "partners' data are") + " here",
                   {},
                   {},
                   figures});
}

void judge_schedule(const ScheduleFacts& schedule, const Facts& facts, std::vector<Finding>& out) {
  if (!schedule.reads || schedule.unread_sources > 0) {
    out.push_back({"schedule",
                   "does-not-read",
                   Light::kAmber,
                   schedule.reads ? counted(schedule.unread_sources, "source has", "sources have") +
                                        " no window: the service never reads them"
                                  : "there is no window in which the service reads",
                   {},
                   "Give [schedule] an extract window, as \"05:30-07:00\"",
                   {{"sources", static_cast<std::int64_t>(schedule.unread_sources)}}});
    return;
  }
  if (!schedule.sends && !facts.config.hub_url.empty()) {
    out.push_back({"schedule",
                   "does-not-send",
                   Light::kAmber,
                   "there is no window in which the service sends",
                   {},
                   "Give [schedule] an exchange window, as \"07:00-18:00 every 30 min\""});
    return;
  }
  if (!schedule.unread_holidays.empty()) {
    out.push_back({"schedule", "holidays-unread", Light::kAmber,
                   "holidays are not known, and there will be alarms in them", schedule.unread_holidays,
                   "Bring the file back or mend the path in [calendar]"});
    return;
  }
  const Date today = utc_date(facts.now);
  if (schedule.last_holiday && *schedule.last_holiday < today) {
    out.push_back({"schedule", "calendar-over", Light::kAmber,
                   "the calendar's last holiday is over: it will raise alarms in the next",
                   schedule.last_holiday->iso(), "Add the coming holidays to [calendar]"});
    return;
  }
  out.push_back({"schedule",
                 "fine",
                 Light::kGreen,
                 schedule.last_holiday ? "windows and holidays are set"
                                       : "windows are set; no holidays are ([calendar])",
                 {},
                 {}});
}

void judge_service(const ServiceFacts& service, const Facts& facts, std::vector<Finding>& out) {
  if (service.running)
    out.push_back({"service", "running", Light::kGreen, "it runs, and answers", {}, {}});
  else if (service.error)
    out.push_back({"service",
                   "does-not-answer",
                   Light::kAmber,
                   service.error->what(),
                   {},
                   service.error->next().empty() ? "systemctl status towpath" : service.error->next()});
  else if (facts.user && facts.user->service_user_exists)
    out.push_back({"service",
                   "stopped",
                   Light::kAmber,
                   "it does not run: nothing is read or sent by itself",
                   {},
                   "sudo systemctl enable --now towpath"});
  else
    out.push_back({"service",
                   "none",
                   Light::kGreen,
                   "none is installed: extract and sync work when somebody calls them",
                   {},
                   {}});
}

void judge_identity(const IdentityFacts& identity, const std::string& user, const Facts& facts,
                    std::vector<Finding>& out) {
  const std::size_t before = out.size();
  if (identity.folder.seen.kind != PathKind::kNothing || identity.folder.seen.hidden ||
      identity.folder.seen.link)
    judge_folder("identity", identity.folder, user, out);
  for (const FolderFacts& file : identity.files) {
    if (file.seen.link)
      out.push_back({"identity", "file-link", Light::kAmber, "a key is a symbolic link", file.path,
                     "Put the file itself there, mode 600"});
    else if (!file.seen.ours || !file.seen.may_read)
      out.push_back(
          {"identity", "file-not-ours", Light::kRed,
           "a key's file belongs to " + file.seen.owner + ", and this runs as " + user, file.path,
           identity.folder.seen.ours ? "sudo chown " + user + ": " + file.path : as_owner(file.seen.owner)});
    else if ((file.seen.mode & 077U) != 0)
      out.push_back(
          {"identity",
           "file-open",
           Light::kAmber,
           "others on this machine may read a key: mode " + octal(file.seen.mode),
           file.path,
           "chmod 600 " + file.path + ". If somebody may have copied it: " + facts.program + " key rotate",
           {{"mode", static_cast<std::int64_t>(file.seen.mode)}}});
  }
  const bool said = std::any_of(out.begin() + static_cast<std::ptrdiff_t>(before), out.end(),
                                [](const Finding& finding) { return finding.light == Light::kRed; });
  if (identity.error && said && identity.error->code() == Code::kNotPermitted) return;
  if (identity.error)
    out.push_back({"identity", "not-usable", Light::kRed, identity.error->what(), identity.folder.path,
                   identity.error->next().empty()
                       ? "Enrol again with a new code: " + facts.program + " enrol --force"
                       : identity.error->next()});
  else if (!identity.enrolled)
    out.push_back({"identity",
                   identity.pending ? Literal("half-enrolled") : Literal("not-enrolled"),
                   facts.config.hub_url.empty() && !identity.pending ? Light::kAmber : Light::kRed,
                   identity.pending ? "enrolment was begun, and the hub's welcome has not come"
                                    : "this machine is not enrolled: it has no keys that a hub knows",
                   {},
                   identity.pending
                       ? "Give the same code again: " + facts.program + " enrol CODE"
                       : "Ask the hub's operator for a code, then: " + facts.program + " enrol CODE"});
  else if (out.size() == before)
    out.push_back({"identity",
                   "fine",
                   Light::kGreen,
                   "keys are there, and " + user + "'s alone",
                   identity.folder.path,
                   {}});
}

}  // namespace

void judge_here(const Facts& facts, std::vector<Finding>& out) {
  judge_config(facts, out);
  const std::string user = facts.user ? facts.user->user : std::string("this user");
  if (facts.user) judge_user(*facts.user, facts, out);
  if (facts.data) judge_data(*facts.data, user, out);
  if (facts.disk) judge_disk(*facts.disk, out);
  if (facts.store) judge_store(*facts.store, facts, out);
  std::int64_t number = 0;
  for (const SourceFacts& source : facts.sources) judge_source(source, ++number, facts, out);
  if (facts.schedule) judge_schedule(*facts.schedule, facts, out);
  if (facts.service) judge_service(*facts.service, facts, out);
  if (facts.identity) judge_identity(*facts.identity, user, facts, out);
  if (facts.sharing && facts.identity && facts.identity->enrolled) judge_sharing(*facts.sharing, facts, out);
}

}  // namespace towpath::doctor
