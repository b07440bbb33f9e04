#include "agent/cli/health.hpp"

#include <algorithm>

#include "agent/cli/words.hpp"
#include "segment/segment.hpp"

namespace towpath::cli {
namespace {

void judge_source(const SourceConfig& configured, const Overview& overview, Instant now,
                  std::vector<Reason>& out) {
  const auto found = std::find_if(overview.sources.begin(), overview.sources.end(),
                                  [&](const SourceOverview& s) { return s.name == configured.name; });
  const std::string what = "source " + configured.name;
  const std::string again = "towpath extract --source " + configured.name;
  if (found == overview.sources.end() || !found->last_attempt) {
    out.push_back({Light::kAmber, what + " has not been read yet", again});
    return;
  }
  const std::string why = found->problems.empty() ? std::string() : ": " + found->problems.front();
  if (!found->last_success) {
    out.push_back({Light::kRed, what + " has never been read" + why, again});
  } else if (*found->last_success < *found->last_attempt) {
    out.push_back({Light::kRed, what + " failed " + age(*found->last_attempt, now) + why, again});
  } else {
    if (!found->problems.empty()) out.push_back({Light::kAmber, what + " was read in part" + why, again});
    if (now - *found->last_success > kDataOld)
      out.push_back({Light::kAmber, what + " was last read " + age(*found->last_success, now), again});
  }
}

void judge_hub(const Overview& overview, Instant now, std::vector<Reason>& out) {
  const auto stream = std::find_if(overview.streams.begin(), overview.streams.end(),
                                   [](const StreamOverview& s) { return s.audience == kBorough; });
  if (stream == overview.streams.end() || !stream->last_exchange) {
    out.push_back({Light::kAmber, "nothing has been sent to the hub yet", "towpath sync"});
    return;
  }
  const bool waits = stream->waiting_segments > 0 || stream->pending;
  if (waits && now - *stream->last_exchange > kHubSilent)
    out.push_back({Light::kRed,
                   "the hub last answered " + age(*stream->last_exchange, now) + ", and changes wait",
                   "towpath sync"});
  else if (waits)
    out.push_back({Light::kAmber, "changes wait to be sent", "towpath sync"});
  else if (!stream->equal)
    out.push_back({Light::kRed, "the hub's data is not the same as here", "towpath sync"});
}

}  // namespace

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

Health health(const Overview& overview, const AgentConfig& config, Instant now) {
  Health health;
  for (const SourceConfig& source : config.sources) judge_source(source, overview, now, health.reasons);
  for (const DatasetOverview& dataset : overview.datasets)
    if (dataset.held > 0)
      health.reasons.push_back({Light::kAmber,
                                counted(dataset.held, "deletion", "deletions") + " of " + dataset.name +
                                    " held, waiting for a person",
                                "towpath extract --accept-deletions, if they are right"});
  if (!config.hub_url.empty()) judge_hub(overview, now, health.reasons);
  std::stable_sort(health.reasons.begin(), health.reasons.end(),
                   [](const Reason& a, const Reason& b) { return a.light > b.light; });
  if (!health.reasons.empty()) health.light = health.reasons.front().light;
  return health;
}

}  // namespace towpath::cli
