// Enrolment: with an invitation's code, a machine and a hub come to know each other.
//
// In: the code, a line to the hub. Out: keys made here and the hub's pinned, in the identity's files;
// or a sentence that says which of the many things that go wrong did.
//   1. The hub is asked for its card. It must be signed by the key that the code names: whatever
//      stands in between, nothing else is spoken to.
//   2. A key is made and kept; a bundle sealed to the hub shows it, with the code's secret.
//   3. The hub's welcome, sealed for that key, names the school; it must be the configuration's.
// A lost answer costs nothing: the same code with the same key is welcome again.
// Two requests. No sockets, no sleeping.
#pragma once

#include <string>
#include <vector>

#include "agent/identity/identity.hpp"
#include "agent/store/line_state.hpp"
#include "agent/uplink/conversation.hpp"
#include "agent/uplink/transport.hpp"
#include "core/result.hpp"
#include "core/world.hpp"
#include "trust/invitation.hpp"

namespace towpath {

struct Enrolled {
  Identity identity;
  std::uint64_t rows_at_hub = 0;  // of this school: what an earlier machine had sent
  std::string hub_software;
  std::vector<std::string> notes;  // a clock that is wrong
};

// `speaker.hub_url`: where `transport` goes; `label`: this machine's name, for the hub's list.
[[nodiscard]] Result<Enrolled> enrol(const Invitation& code, const std::string& label, const Speaker& speaker,
                                     KeyFiles& files, LineState& line, Transport& transport, Clock& clock,
                                     Random& random);

// The hub's card, for enrolment and doctor: who answers at this address, and what its clock says.
[[nodiscard]] Result<HubCard> ask_card(Transport& transport, Random& random, const std::string& url);

}  // namespace towpath
