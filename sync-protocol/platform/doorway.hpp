// Local doors: how a verb speaks to the running service, and how the service hears it, its signals
// and its own worker, all in one place to wait.
//
// A door is a socket in a folder that only its owner may enter (0600 in 0700); a visitor must be the
// owner or root. One request, a line; then lines back, the last of which ends the visit. Nothing that
// comes in is believed beyond its length: what it means is the caller's to check.
// Owned by one thread; wake() may be called from any.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace towpath::platform {

// A request names a verb and its options.
inline constexpr std::size_t kRequestBytesMax = 64 * 1024;
// An answer holds an extract's report: some 20 KB for a school with many files.
inline constexpr std::size_t kAnswerBytesMax = 16 * 1024 * 1024;
// A technician's terminals, a monitoring program, and some that hang.
inline constexpr std::size_t kVisitorsMax = 16;
// Who opens the door says something at once.
inline constexpr std::chrono::seconds kRequestPatience{5};
// The service says every few seconds that it is still at it; longer silence: it is gone.
inline constexpr std::chrono::seconds kAnswerPatience{60};

class Doorway {
 public:
  using Door = std::uint64_t;
  using Visitor = std::uint64_t;
  struct Visit {
    Visitor visitor = 0;
    Door door = 0;
    std::string line;
  };
  struct Came {
    std::vector<Visit> visits;
    bool stop = false;    // SIGTERM, SIGINT
    bool reload = false;  // SIGHUP
  };

  // Signals come here from now on, and a reader that has gone is no reason to die.
  [[nodiscard]] static Result<Doorway> make();
  Doorway(Doorway&&) noexcept;
  Doorway& operator=(Doorway&&) noexcept;
  ~Doorway();

  // kBusy if a living process listens there; what a killed one has left is no obstacle.
  [[nodiscard]] Result<Door> open(const std::string& socket_path);
  void close(Door door);
  // Returns when something came, or when the time is over.
  [[nodiscard]] Came wait(std::chrono::milliseconds most);
  // A line for a visitor; one that has left is nobody. `last`: the visit ends when it has been read.
  void say(Visitor visitor, std::string line, bool last);
  void wake();

 private:
  struct State;
  explicit Doorway(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Asks whoever listens there; `each` gets every line of the answer but the last, which is returned.
// kNotFound: nobody listens. kNotPermitted: it is not ours to ask.
[[nodiscard]] Result<std::string> ask_door(const std::string& socket_path, std::string_view line,
                                           const std::function<void(std::string_view)>& each = {});

}  // namespace towpath::platform
