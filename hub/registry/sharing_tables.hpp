// Format 3 of registry.db: what the hub knows of agreements, federations, deeds and orders.
//
//   federation, member    who is, and was, in which federation
//   agreement, party      every version that was offered, and to whom
//   decision              all that each school has decided, in its order
//   deed                  every deed, the hub's and the schools', as it travels
//   post                  each school's numbered, chained log of deeds
//   posted                which state of which federation a school was told last
//   orders, task          what is to be removed, and who has done it (urn '': the hub itself)
//   held                  how far each school holds its post, as it last said
//   standing              where each partner's replica of each stream stands, as it last said
//   audit                 sync-protocol/audit
//
// The tables are made here, with the registry's other tables; hub/federation works with them.
#pragma once

#include "core/result.hpp"
#include "sqlite/database.hpp"

namespace towpath {

// In the caller's transaction; the tables of format 2 are there.
[[nodiscard]] Result<void> make_sharing_tables(Database& database);

}  // namespace towpath
