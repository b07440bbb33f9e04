// Each school's post: the numbered, chained log of deeds that it is to have.
//
// What a school should know (agreements that it is a party of, who is in its federations with which keys) is
// compared at each of its visits with what it was told, and what is new becomes the log's next entries: so
// whatever changed it, beside a running hub or between two kills, nothing is forgotten. Orders and
// receipts are put there when they are taken (orders.hpp).
// The log holds deeds' ids; the hub's own deeds are signed, as they leave, with the key that the school
// knows the hub by: an id does not hang on the signature. Part of registry.db. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bundle/bundle.hpp"
#include "hub/registry/registry.hpp"

namespace towpath {

// A quarter of what a filter lets through: segments are to have room beside it.
inline constexpr std::size_t kPostBytesMax = 64 * 1024;

class Post {
 public:
  explicit Post(Registry& registry) : books_(registry.books()) {}

  // Brings the school's log up to what the books say. `hub` signs what is new.
  [[nodiscard]] Result<void> refresh(const std::string& urn, const PartySecret& hub, Instant now);

  struct Part {
    std::vector<PostFrame> frames;
    std::size_t bytes = 0;
    bool more = false;
  };
  // What follows the school's mark; from the start where that is not on the chain. At least one entry, if
  // there is one, and kPostBytesMax in all. `own` is the key that the bundle was addressed to.
  [[nodiscard]] Result<Part> after(const std::string& urn, const PostMark& mark, const PartySecret& own,
                                   Instant now);
  // The school's keys as its partners are told: current first; none where it is revoked or not enrolled.
  [[nodiscard]] Result<std::vector<PartyKey>> keys_of(const std::string& urn);
  // How far each school holds its post, as it last said, and how long it is.
  struct Holding {
    std::string urn;
    std::uint64_t held = 0, length = 0;
    std::optional<Instant> at;
  };
  [[nodiscard]] Result<std::vector<Holding>> holdings();

 private:
  Books books_;
};

// In the caller's transaction: what the school should know of its federations, at the end of its post. Before
// a partner's deed is put there, so that the keys that it is signed with are known.
[[nodiscard]] Result<void> post_papers(Database& db, const std::string& urn, const PartySecret& hub,
                                       Instant now);

}  // namespace towpath
