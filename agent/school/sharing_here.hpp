// Agreements and partners of one school's data folder, put together: what verbs, jobs and the service
// stand on when they touch sharing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/config/config.hpp"
#include "agent/identity/identity.hpp"
#include "agent/partners/partners.hpp"
#include "agent/school/health.hpp"
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

// For status, beside whatever works.
[[nodiscard]] Result<SharingSeen> see_sharing(const AgentConfig& config, Store& store, Clock& clock);
// Agreements whose newest version waits for this school's decision: audience, id.
[[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> waiting_decisions(Sharing& sharing,
                                                                                         Date today);
// Whether an exchange has something to bring the hub beside segments: deeds, recalls, an agreement that has
// begun or ended.
[[nodiscard]] Result<bool> sharing_is_due(const AgentConfig& config, Store& store, Clock& clock);

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
