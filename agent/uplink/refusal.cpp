#include "agent/uplink/refusal.hpp"

#include "agent/uplink/page.hpp"

namespace towpath {
namespace {

// A hub may say itself what its operator has to do.
constexpr std::string_view kOperator = "; its operator ";

}  // namespace

bool ends_the_key(Code code) {
  return code == Code::kUnknownKey || code == Code::kRevoked || code == Code::kReplaced ||
         code == Code::kTwoMachines;
}

std::string in_time(std::uint32_t seconds) {
  if (seconds == 1) return "in a second";
  if (seconds < 120) return "in " + std::to_string(seconds) + " seconds";
  const std::uint64_t minutes = (std::uint64_t{seconds} + 59) / 60;  // a hub may say the largest number
  if (minutes < 120) return "in " + std::to_string(minutes) + " minutes";
  const std::uint64_t hours = (minutes + 59) / 60;
  if (hours < 48) return "in " + std::to_string(hours) + " hours";
  return "in " + std::to_string((hours + 23) / 24) + " days";
}

Error refusal(Code code, std::string_view hub_says, const std::string& program, const std::string& hub) {
  const std::string text = safe_line(hub_says, kHubTextMax);
  const std::size_t remedy = text.find(kOperator);
  const std::string said = text.substr(0, remedy);
  const std::string more = said.empty() ? std::string() : " (" + said + ")";
  const std::string at = hub.empty() ? std::string() : " at " + hub;
  const std::string enrol =
      "ask the hub's operator for a new invitation code, then run: " + program + " enrol CODE --force";
  switch (code) {
    case Code::kUnknownKey:
      return {code, "the hub" + at + " does not know this machine's key" + more,
              "It may have been set back to a backup from before the enrolment. Tell its operator, " + enrol};
    case Code::kRevoked:
      return {code, "the hub's operator has ended this machine's key" + more,
              "If this machine is still to speak for the school, " + enrol};
    case Code::kReplaced:
      return {code,
              "another machine has been enrolled for this school since, or this machine was set back to "
              "before its key was replaced" +
                  more,
              "If this machine is the right one, " + enrol +
                  "; no data is lost by it. Otherwise remove towpath here"};
    case Code::kTwoMachines:
      return {code, "two machines speak as this school, with the same key" + more,
              "One is a copy of the other: find it and stop it. Then, for the one that stays, " + enrol};
    case Code::kNotSigned:
    case Code::kDamaged:
      return {
          code, "the bundle was changed on its way to the hub" + at + more,
          "Run it again. If it happens each time, something here rewrites what is sent: ask for the hub's "
          "address to be let through without inspection"};
    case Code::kOtherRecipient:
      return {code, "what answers" + at + " says that the bundle is sealed for another hub" + more,
              "If the hub has been made anew, " + enrol};
    case Code::kUnknownVersion:
      return {code, "the hub" + at + " cannot read what this program writes" + more,
              "One of the two is too old: update towpath here, and ask the hub's operator to update"};
    case Code::kTooLarge:
      return {code, "the hub" + at + " takes no bundle as large as this" + more,
              "Set [hub] body_kib = 64 in the configuration, and tell the hub's operator"};
    case Code::kTooMany:
      return {code, "the hub" + at + " has heard from this school too often" + more,
              "Wait, and run it again later. If nothing here sends so often, another machine speaks as "
              "this school: tell the hub's operator"};
    case Code::kBusy:
      return {code, "the hub" + at + " is busy" + more, "Run it again later"};
    default:
      return {Code::kRefused,
              "the hub" + at + " did not take the bundle" + (said.empty() ? std::string() : ": " + said),
              remedy != std::string::npos ? "The hub's operator " + text.substr(remedy + kOperator.size())
                                          : std::string("Ask the hub's operator")};
  }
}

}  // namespace towpath
