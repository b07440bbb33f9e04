// The hub's answer to one message. Logic only: no sockets; hub/exchange/http_server calls it, the
// import of a stick does, and so does the simulation.
//
// In: a sealed bundle from a school, or the question who this hub is. Out: a sealed bundle with
// the hub's heads (the acknowledgement, sent only after the commit) and problems; the hub's card;
// or a signed notice where a bundle cannot be answered sealed.
// In this order: whose key, its signature, the key's standing, the school's limits, its name, its
// turn, then the work. Before the signature is known to be right nothing is changed, counted or
// believed. A school is whom its key stands for, not what it says.
// Segments of a bundle are applied in order, as many as fit, in one transaction; a refused one
// takes nothing with it. A repeated one is no problem: the head says that it is here.
// Schools are served in parallel; one school's bundles one after another.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"
#include "dictionary/dictionary.hpp"
#include "hub/exchange/limits.hpp"
#include "hub/registry/registry.hpp"
#include "hub/trust/keyring.hpp"

namespace towpath {

// Keys named where both ends differ: enough to see what kind of rows they are.
inline constexpr std::size_t kKeysNamed = 20;

// How a message came: a stick's clock says nothing, and whoever carries one is not limited.
enum class Way : std::uint8_t { kLine, kStick };

class HubService {
 public:
  HubService(Registry& registry, Keyring& keys, Clock& clock, Random& random, const Dictionary& dictionary,
             std::string software, const LimitOptions& limits = kSchoolLimits);
  ~HubService();
  // Never fails for what a school sent: that becomes a problem frame, or a notice. kDamaged only
  // where it is no message of ours at all (the server answers 400).
  [[nodiscard]] Result<Bytes> answer(ByteView message);

  struct Answered {
    Bytes bytes;
    std::string urn;              // whom it came from; empty where that is not proven
    std::optional<Code> refused;  // the first problem
    std::string text;             // of it; no personal data
  };
  [[nodiscard]] Result<Answered> take(ByteView message, Way way);

  // One line for each bundle that a hub operator should see: school, epoch, counts, reasons;
  // never a cell. Called from whatever thread answers. Set before the first bundle.
  using Log = std::function<void(const std::string& line)>;
  void log_to(Log log);
  // Daily, and when the hub starts: for each school what its next visit would do without a bundle: orders
  // that a kill has left unfinished, agreements that have come to their end. Its own trouble it says to the
  // log.
  [[nodiscard]] Result<void> tend();
  // Orders alone, such as the operator's beside a running hub; a look-up where there are none.
  [[nodiscard]] Result<void> finish_orders();
  // Closes the files kept open, e.g. before a test copies them.
  void close_files();

  struct State;  // for service.cpp

 private:
  void tend(const std::string& urn);
  std::unique_ptr<State> state_;
};

}  // namespace towpath
