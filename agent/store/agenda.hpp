// What the schedule must remember over a restart: when each item was last begun and done, and how
// long it is to wait after failing.
//
// An item is a source ("source mis") or the exchange with the hub ("exchange"). Written by the
// service after each piece of work, read when it starts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "agent/store/store.hpp"
#include "core/result.hpp"

namespace towpath {

struct AgendaItem {
  std::optional<Instant> begun;       // the last attempt
  std::optional<Instant> done;        // the last that succeeded
  std::uint32_t failures = 0;         // since then
  std::optional<Instant> not_before;  // the back-off, or what the hub asked for

  friend bool operator==(const AgendaItem&, const AgendaItem&) = default;
};

// Empty in a store that an older program has written.
[[nodiscard]] Result<std::map<std::string, AgendaItem>> read_agenda(Store& store);
[[nodiscard]] Result<void> write_agenda(Store& store, const std::string& name, const AgendaItem& item);

}  // namespace towpath
