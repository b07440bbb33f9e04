// Agreements and partners of one school's data folder, put together: what verbs, jobs and the service
// stand on when they touch sharing.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/config/config.hpp"
#include "agent/identity/identity.hpp"
#include "agent/partners/partners.hpp"
#include "agent/sharing/hub_desk.hpp"
#include "agent/sharing/sharing.hpp"
#include "agent/store/store.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath::cli {

// What Sharing is given. `identity`: who signs; null: only to look. It has to outlive what is returned.
[[nodiscard]] SharingOptions sharing_options(const AgentConfig& config, const Identity* identity,
                                             std::string program);
// `<data>/partners`. To work only by who holds the folder's lock.
[[nodiscard]] Result<Partners> open_partners(const AgentConfig& config, Clock& clock, bool read_only);

// To work: with the desk for an exchange. All parameters have to outlive it.
class SharingHere {
 public:
  [[nodiscard]] static Result<std::unique_ptr<SharingHere>> open(const AgentConfig& config, Store& store,
                                                                 const Identity& identity, Clock& clock,
                                                                 const std::string& program);
  Partners partners;
  Sharing sharing;
  HubDesk desk;

 private:
  SharingHere(Partners held, SharingOptions options, Store& store, const Identity& identity, Clock& clock)
      : partners(std::move(held)),
        sharing(store, clock, std::move(options), &partners),
        desk(sharing, partners, store, identity, clock) {}
};

}  // namespace towpath::cli
