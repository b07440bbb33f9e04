// The hub's answer to one bundle. Logic only: no sockets; hub/exchange/http_server calls it,
// and so does the simulation.
//
// In: a bundle from a school. Out: a bundle with the hub's heads (the acknowledgement, sent
// only after the commit) and problems. Refuses schools that are not registered.
// Schools are served in parallel; one school's bundles one after another.
#pragma once

#include <string>

#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"
#include "dictionary/dictionary.hpp"
#include "hub/registry/registry.hpp"

namespace towpath {

class HubService {
 public:
  HubService(Registry& registry, Sealer& sealer, Clock& clock, Random& random,
             const Dictionary& dictionary, std::string software);
  ~HubService();
  // Never fails for what a school sent: that becomes a problem frame. kDamaged only where the
  // bundle cannot be opened at all (the server answers 400).
  [[nodiscard]] Result<Bytes> answer(ByteView bundle);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace towpath
