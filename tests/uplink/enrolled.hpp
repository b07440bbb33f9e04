// A school's keys and its hub's, enrolled with each other without a line: what tests of sealed
// exchanges stand on.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "agent/identity/identity.hpp"
#include "agent/uplink/hub_peer.hpp"
#include "tests/trust/trust_world.hpp"
#include "trust/sealed.hpp"

namespace towpath::test {

inline Identity enrol_without_line(KeyFiles& files, const PartyKey& hub, Random& random,
                                   const std::string& urn = "100001") {
  auto candidate = Candidate::of(files, hash256("towpath invite", Bytes{1}), random);
  REQUIRE(candidate);
  Enrolment enrolment;
  enrolment.urn = urn;
  enrolment.name = "Example School";
  enrolment.hub_url = "http://127.0.0.1:8440";
  enrolment.hub = hub;
  auto identity = std::move(*candidate).enrolled(std::move(enrolment));
  REQUIRE(identity);
  return std::move(*identity);
}

struct Keys {
  SeededRandom random{2026};
  PartySecret hub = PartySecret::make(random);
  KeyMemory files;
  Identity identity = enrol_without_line(files, hub.key(), random);
  HubPeer peer{identity, random};
};

}  // namespace towpath::test
