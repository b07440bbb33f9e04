// The school's desk towards the hub (agent/uplink/desk.hpp): agreements and post of Sharing, replicas of
// Partners.
//
// Orders that an answer brings are carried out before anything else that follows from it. A segment that
// comes with the order about it is applied first: who holds as much need not fetch a snapshot.
// One for one exchange. Used by the sync job, the bundle verb and the simulation.
#pragma once

#include <string>
#include <vector>

#include "agent/identity/identity.hpp"
#include "agent/partners/partners.hpp"
#include "agent/sharing/sharing.hpp"
#include "agent/uplink/desk.hpp"
#include "core/world.hpp"

namespace towpath {

// Deeds in one bundle: a quarter of a body, so that segments go with them.
inline constexpr std::size_t kDeedBytesInBundle = 64 * 1024;

class HubDesk final : public Desk {
 public:
  // All outlive it. `sharing` was made with `partners` as its holdings.
  HubDesk(Sharing& sharing, Partners& partners, Store& store, const Identity& identity, Clock& clock)
      : sharing_(sharing), partners_(partners), store_(store), identity_(identity), clock_(clock) {}

  [[nodiscard]] Result<std::vector<Publisher*>> streams() override;
  [[nodiscard]] Result<void> published() override;
  [[nodiscard]] Result<std::vector<Frame>> outgoing() override;
  [[nodiscard]] Result<Taken> take(const Bundle& answer) override;

  // Before the exchange, and after what changes who shares: what is due. Its events come with the next
  // answer's.
  [[nodiscard]] Result<void> settle();
  // No stream of this school speaks: nothing has been read here, and a store that is empty for that reason
  // must not replace what others hold.
  void only_post() { only_post_ = true; }

 private:
  Sharing& sharing_;
  Partners& partners_;
  Store& store_;
  const Identity& identity_;
  Clock& clock_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<ProblemFrame> problems_;  // about partners' segments, not yet said
  std::vector<std::string> events_;
  bool only_post_ = false;
  bool ended_ = false;    // an audience, since the last answer
  bool settled_ = false;  // something was due, since the last answer
};

}  // namespace towpath
