#include "agent/school/health.hpp"

#include <algorithm>

#include "agent/school/words.hpp"
#include "agreement/agreement.hpp"
#include "segment/segment.hpp"

namespace towpath::cli {
namespace {

// What to do about an error: what it advises itself, else the verb again.
std::string remedy_or(const std::string& remedy, const std::string& command) {
  return remedy.empty() ? command : remedy;
}

void judge_source(const SourceConfig& configured, const Overview& overview, const CalendarConfig& calendar,
                  Instant now, const std::string& program, std::vector<Reason>& out) {
  const auto found = std::find_if(overview.sources.begin(), overview.sources.end(),
                                  [&](const SourceOverview& s) { return s.name == configured.name; });
  const std::string what = "source " + configured.name;
  const std::string again = program + " extract --source " + configured.name;
  if (found == overview.sources.end() || !found->last_attempt) {
    out.push_back({Light::kAmber, what + " has not been read yet", again});
    return;
  }
  std::string why;
  for (const std::string& problem : found->problems) why += (why.empty() ? ": " : "; ") + problem;
  const auto last_part = std::max(found->last_part, found->last_success);
  const bool went_through = last_part && *last_part >= *found->last_attempt;
  if (!went_through) {
    out.push_back(
        {Light::kRed,
         what +
             (last_part ? " failed " + age(*found->last_attempt, now) : std::string(" has never been read")) +
             why,
         remedy_or(found->remedy, again)});
    return;
  }
  const bool whole = found->last_success && *found->last_success >= *found->last_attempt;
  if (!whole || !found->problems.empty())
    out.push_back(
        {Light::kAmber, what + " was read in part" + why, (why.empty() ? "" : "mend that, then: ") + again});
  const auto last_whole = found->last_success ? found->last_success : last_part;
  if (age_in_term(*last_whole, now, calendar) > kDataOld)
    out.push_back(
        {Light::kAmber, what + " was last read " + (whole ? "" : "whole ") + age(*last_whole, now), again});
}

// One audience's stream; `about`: which, where it is not the borough's.
void judge_stream(const Overview& overview, std::string_view audience, const CalendarConfig& calendar,
                  Instant now, const std::string& sync, const ServiceSeen& service,
                  std::vector<Reason>& out) {
  const std::string about = audience == kBorough ? std::string() : " (" + std::string(audience) + ")";
  const auto stream = std::find_if(overview.streams.begin(), overview.streams.end(),
                                   [&](const StreamOverview& s) { return s.audience == audience; });
  if (stream == overview.streams.end() || !stream->last_exchange) {
    out.push_back({Light::kAmber, "nothing has been sent to the hub yet" + about, sync});
    return;
  }
  const bool waits = stream->waiting_segments > 0 || stream->pending;
  // What has just been read goes at the service's next window: nobody has to do anything.
  const auto silent = age_in_term(*stream->last_exchange, now, calendar);
  if (waits && service.runs && !overview.failed_exchange && silent < kGoesByItself) return;
  if (waits && silent > kHubSilent)
    out.push_back({Light::kRed,
                   "the hub last answered " + age(*stream->last_exchange, now) + about + ", and changes wait",
                   sync});
  else if (waits)
    out.push_back({Light::kAmber, "changes wait to be sent" + about, sync});
  else if (!stream->equal)
    out.push_back({Light::kRed, "the hub's data is not the same as here" + about, sync});
}

void judge_hub(const Overview& overview, const CalendarConfig& calendar, Instant now,
               const std::string& program, const ServiceSeen& service, const SharingSeen& sharing,
               std::vector<Reason>& out) {
  const auto& failed = overview.failed_exchange;
  const std::string sync = remedy_or(failed ? failed->remedy : std::string(), program + " sync");
  if (failed)
    out.push_back({Light::kAmber, "last sync failed " + age(failed->when, now) + ": " + failed->what, sync});
  if (!sharing.known) {
    judge_stream(overview, kBorough, calendar, now, sync, service, out);
    return;
  }
  // With whom nothing is agreed, what is missing is a decision.
  for (const SharingSeen::Shared& one : sharing.shared)
    judge_stream(overview, one.audience, calendar, now, sync, service, out);
}

// What a person has to decide, and what ends.
void judge_sharing(const SharingSeen& sharing, Instant now, const std::string& program,
                   std::vector<Reason>& out) {
  if (!sharing.known) return;
  const Date today = utc_date(now);
  if (sharing.suspended)
    out.push_back(
        {Light::kRed,
         "nothing is shared: this machine was set back, and what was set by hand for single pupils "
         "may be lost",
         "look through what is set for single pupils, then approve again: " + program + " agreement list"});
  for (const auto& [audience, agreement] : sharing.waiting)
    out.push_back({Light::kAmber,
                   (sharing.shares(audience) ? "" : "nothing is shared with " + audience + " yet: ") +
                       "agreement " + agreement + " waits for this school's decision",
                   program + " agreement show " + agreement});
  for (const auto& [audience, agreement] : sharing.ended)
    out.push_back({Light::kRed,
                   "nothing is shared with " + audience + " any more: agreement " + agreement + " has ended",
                   "ask the hub's operator for a new one; what there is: " + program + " agreement list"});
  const auto about_borough = [](const auto& one) { return one.first == kBorough; };
  if (!sharing.suspended && !sharing.shares(kBorough) &&
      std::none_of(sharing.waiting.begin(), sharing.waiting.end(), about_borough) &&
      std::none_of(sharing.ended.begin(), sharing.ended.end(), about_borough) &&
      sharing.withdrawn_from(kBorough).empty()) {
    if (sharing.offered == 0)
      out.push_back({Light::kAmber,
                     "nothing is shared with the borough: the hub has not offered an agreement yet",
                     "its operator does: towpath-hub agreement add FILE; then here: " + program + " sync"});
    else
      out.push_back(
          {Light::kAmber, "nothing is shared with the borough: no agreement with it is in force here",
           program + " sync brings what the hub's operator offers; then: " + program + " agreement list"});
  }
  for (const SharingSeen::Shared& one : sharing.shared) {
    const int days = one.end.days - today.days;
    if (days <= kExpiryWarningDays)
      out.push_back(
          {Light::kAmber,
           "agreement " + one.agreement + " with " + one.audience + " ends on " + one.end.iso() + ", in " +
               counted(static_cast<std::uint64_t>(std::max(days, 0)), "day", "days"),
           "ask the hub's operator for the next one; at the end sharing stops, and what was sent is "
           "recalled"});
  }
  for (const SharingSeen::Order& order : sharing.orders)
    if (now - order.made > kReceiptAwaited) {
      std::string who;
      for (const std::string& one : order.missing) who += (who.empty() ? "" : ", ") + one;
      out.push_back({Light::kAmber,
                     "order " + order.id.substr(0, 8) + " of " + age(order.made, now) +
                         " is not yet answered by " + who,
                     "ask them to start their machine; what it recalls may still be there"});
    }
}

void judge_dataset(const DatasetOverview& dataset, const std::string& program, std::vector<Reason>& out) {
  if (dataset.held > 0)
    out.push_back({Light::kAmber,
                   counted(dataset.held, "deletion", "deletions") + " of " + dataset.name +
                       " held, waiting for a person",
                   "if they are right: " + program + " extract --accept-deletions"});
  const std::uint64_t all = dataset.rows + dataset.quarantined;
  if (dataset.quarantined >= kQuarantineLeast && dataset.quarantined > all / kQuarantineShare)
    out.push_back({Light::kAmber,
                   counted(dataset.quarantined, "row", "rows") + " of " + dataset.name +
                       " in quarantine, beside " + number(dataset.rows) + " taken",
                   program + " quarantine list"});
}

}  // namespace

bool SharingSeen::shares(std::string_view audience) const {
  return std::any_of(shared.begin(), shared.end(), [&](const Shared& s) { return s.audience == audience; });
}

std::string SharingSeen::withdrawn_from(std::string_view audience) const {
  for (const auto& [from, agreement] : withdrawn)
    if (from == audience) return agreement;
  return {};
}

std::string_view name(Light light) {
  switch (light) {
    case Light::kGreen:
      return "GREEN";
    case Light::kAmber:
      return "AMBER";
    case Light::kRed:
      return "RED";
  }
  return "RED";
}

std::chrono::milliseconds age_in_term(Instant then, Instant now, const CalendarConfig& calendar) {
  auto age = now - then;
  // Years off would be a clock that is wrong, and need no count to the day.
  constexpr int kDaysMost = 1000;
  const Date today = utc_date(now);
  Date day = utc_date(then).plus(1);
  for (int i = 0; i < kDaysMost && day <= today; ++i, day = day.plus(1))
    if (calendar.holiday(day)) age -= std::chrono::days{1};
  return std::max(age, std::chrono::milliseconds{0});
}

std::vector<Reason> sharing_reasons(const SharingSeen& sharing, Instant now, const std::string& program) {
  std::vector<Reason> out;
  judge_sharing(sharing, now, program, out);
  std::stable_sort(out.begin(), out.end(),
                   [](const Reason& a, const Reason& b) { return a.light > b.light; });
  return out;
}

Health health(const Overview& overview, const AgentConfig& config, Instant now, const std::string& program,
              const ServiceSeen& service, const SharingSeen& sharing) {
  Health health;
  for (const SourceConfig& source : config.sources)
    judge_source(source, overview, config.calendar, now, program, health.reasons);
  for (const DatasetOverview& dataset : overview.datasets) judge_dataset(dataset, program, health.reasons);
  if (!config.hub_url.empty()) {
    judge_sharing(sharing, now, program, health.reasons);
    judge_hub(overview, config.calendar, now, program, service, sharing, health.reasons);
  }
  if (!config.calendar.unread.empty())
    health.reasons.push_back({Light::kAmber, "holidays are not known: " + config.calendar.unread,
                              "bring the file back or mend the path, then: systemctl reload towpath"});
  if (!service.config_problem.empty())
    health.reasons.push_back({Light::kAmber,
                              "the service goes on with an older configuration: " + service.config_problem,
                              "mend the file, then: systemctl reload towpath"});
  std::stable_sort(health.reasons.begin(), health.reasons.end(),
                   [](const Reason& a, const Reason& b) { return a.light > b.light; });
  if (!health.reasons.empty()) health.light = health.reasons.front().light;
  return health;
}

}  // namespace towpath::cli
