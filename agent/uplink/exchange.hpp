// Talks to the hub until both ends are equal, one bounded step at a time.
//
// In: the publisher's waiting segments. Out: bundles; what the hub answers goes back to
// the publisher. A daily sync is one exchange. Logic only: no sockets, no sleeping.
#pragma once

#include <cstdint>
#include <string>

#include "agent/publish/publisher.hpp"
#include "agent/uplink/transport.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

struct SyncReport {
  std::uint64_t exchanges = 0;
  std::uint64_t segments = 0;               // acknowledged in this sync
  std::uint64_t bytes_sent = 0, bytes_received = 0;
  bool equal = false;                       // the hub's digest is ours, by its answer
  bool up_to_date = false;                  // nothing waits
  std::uint32_t later_seconds = 0;          // the hub asked to come back
  std::vector<std::string> events;          // "the hub is behind what it had acknowledged; new epoch 3"
  Head head;
};

struct ExchangeOptions {
  std::string school_urn;
  std::string software;
  std::size_t body_bytes = kBundleBytesDefault;
  std::size_t exchanges_max = 1000;         // a first load is some 5; this ends a quarrel
};

class Exchange {
 public:
  Exchange(Publisher& publisher, Sealer& sealer, Transport& transport, Clock& clock, Random& random,
           ExchangeOptions options);
  // One request and its answer. True: there is more to do.
  [[nodiscard]] Result<bool> step();
  // Steps until there is no more to do.
  [[nodiscard]] Result<SyncReport> run();
  [[nodiscard]] const SyncReport& report() const { return report_; }

 private:
  Publisher& publisher_;
  Sealer& sealer_;
  Transport& transport_;
  Clock& clock_;
  Random& random_;
  ExchangeOptions options_;
  SyncReport report_;
};

}  // namespace towpath
