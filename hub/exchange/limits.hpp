// How much one school, or one address, may ask of the hub at once and in a minute. Logic only: no
// sockets, no waiting; whoever is not let in is told when to come back.
//
// In: a key at each arrival (a school's URN once its signature is known to be its own, or an
// address). Out: a Ticket, held while the hub is busy with it, or Later with a time.
// Always: never more tickets under a key than its limit; no key takes a place or a token from another.
// Thread-safe. The clock may jump: backwards gives nothing, forwards no more than a full burst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "core/world.hpp"

namespace towpath {

struct LimitOptions {
  std::uint32_t at_once = 2;  // tickets under one key; 0: any number
  // Tickets beyond the first of their key, over all keys. The first of each is not counted, so that
  // one who asks for one thing at a time is never refused for what others do. 0: any number.
  std::uint32_t extra_at_once = 0;
  // One for each ticket; refused ones cost nothing.
  std::uint32_t burst = 1000;
  std::uint32_t per_minute = 60;
  std::uint32_t busy_seconds = 5;  // Later, where one's own earlier ones are still in work
};

// A school's bundles. One in work and one waiting behind it: that is an agent whose line was cut and
// who asks again. A third would only hold another of the hub's threads.
// A first load is some 5 bundles, a county's largest school over a slow line perhaps 1,000 in a row:
// these pass at once. Then one a second, which is a hundredth of a core, and thousands of times
// what a school needs.
inline constexpr LimitOptions kSchoolLimits{};

class Limits {
 public:
  struct Later {
    enum class Why { kBusy, kTooMany } why;
    std::uint32_t seconds;  // at least 1
  };
  class Ticket {
   public:
    Ticket(Ticket&& other) noexcept;
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket();  // makes its place free; may outlive the Limits

   private:
    friend class Limits;
    struct Place;
    explicit Ticket(std::unique_ptr<Place> place);
    std::unique_ptr<Place> place_;
  };

  Limits(Clock& clock, const LimitOptions& options);
  ~Limits();
  [[nodiscard]] tl::expected<Ticket, Later> admit(const std::string& key);
  // Keys remembered: those with a ticket or without a full burst, and some that are forgotten soon.
  [[nodiscard]] std::size_t remembered() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace towpath
