#include "agent/line/probe.hpp"

#include <utility>

#include "agent/line/route.hpp"
#include "agent/line/wire.hpp"
#include "agent/uplink/page.hpp"
#include "platform/names.hpp"

namespace towpath {
namespace {

// More are a load balancer's and say nothing new.
constexpr std::size_t kAddressesMax = 8;

}  // namespace

bool RouteSeen::works() const {
  if (status != 200) return false;
  Reply reply;
  reply.status = status;
  reply.content_type = content_type;
  reply.body = body;
  return !is_html(reply);
}

LineSeen probe_line(const LineOptions& options, ByteView body) {
  LineSeen seen;
  Wire wire(options);
  seen.host = wire.hub().shown;
  if (auto ready = wire.ready(); !ready) seen.setup_error = ready.error();
  seen.addresses = platform::addresses_of(wire.hub().host, kAddressesMax);
  if (seen.addresses.empty())
    seen.name_error =
        Error{Code::kTransport, "the name of the hub, " + wire.hub().host + ", is not known to DNS here",
              "Check [hub] url in the configuration, and that this machine can look up names"};
  RoutePlan plan(options, [&wire] { return wire.ask_script(); });
  for (std::size_t i = 0; const Route* route = plan.at(i); ++i) {
    RouteSeen one;
    one.route = route->shown();
    one.origin = route->said_by();
    const Attempt attempt = wire.attempt(*route, body, &one);
    const bool stopped = attempt.error && attempt.error->code() == Code::kStopped;
    seen.routes.push_back(std::move(one));
    if (stopped) break;
  }
  seen.script = plan.script_answer();
  seen.script_error = plan.script_error();
  return seen;
}

}  // namespace towpath
