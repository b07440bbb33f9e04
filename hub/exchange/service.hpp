// The hub's answer to one bundle. Logic only: no sockets; hub/exchange/http_server calls it,
// and so does the simulation.
//
// In: a bundle from a school. Out: a bundle with the hub's heads (the acknowledgement, sent
// only after the commit) and problems. Refuses schools that are not registered.
// Segments of a bundle are applied in order, as many as fit, in one transaction; a refused one
// takes nothing with it. A repeated one is no problem: the head says that it is here.
// Schools are served in parallel; one school's bundles one after another.
#pragma once

#include <functional>
#include <string>

#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"
#include "dictionary/dictionary.hpp"
#include "hub/registry/registry.hpp"

namespace towpath {

// Replicas kept open between exchanges: a first load comes in a few bundles, and opening costs a
// fifth of a delta. Each may hold a page cache of 1 MB and its statements.
inline constexpr std::size_t kReplicasOpen = 8;
// When the hub has no room or its disk fails: long enough for a person to have looked.
inline constexpr std::uint32_t kLaterDiskSeconds = 600;
// When another process holds the school's file for longer than SQLite waits.
inline constexpr std::uint32_t kLaterBusySeconds = 30;
// Keys named where both ends differ: enough to see what kind of rows they are.
inline constexpr std::size_t kKeysNamed = 20;

class HubService {
 public:
  HubService(Registry& registry, Sealer& sealer, Clock& clock, Random& random, const Dictionary& dictionary,
             std::string software);
  ~HubService();
  // Never fails for what a school sent: that becomes a problem frame. kDamaged only where the
  // bundle cannot be opened at all (the server answers 400).
  [[nodiscard]] Result<Bytes> answer(ByteView bundle);

  // One line for each bundle that a hub operator should see: school, epoch, counts, reasons;
  // never a cell. Called from whatever thread answers. Set before the first bundle.
  using Log = std::function<void(const std::string& line)>;
  void log_to(Log log);
  // Closes the files kept open, e.g. before a test copies them.
  void close_files();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace towpath
