// One piece of work for the service's worker, and how it ended.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/config/config.hpp"
#include "agent/school/told.hpp"
#include "agent/service/schedule.hpp"
#include "agent/service/wish.hpp"
#include "agent/store/agenda.hpp"

namespace towpath {

inline constexpr const char* kExchangeItem = "exchange";
[[nodiscard]] inline std::string source_item(const std::string& source) { return "source " + source; }

enum class Work : std::uint8_t { kExtract, kExchange };

struct Task {
  std::uint64_t id = 0;
  std::shared_ptr<const AgentConfig> config;  // as it was when the task began
  Work work = Work::kExtract;
  ExtractWish wish;  // kExtract
  bool by_hand = false;
  std::string program = "towpath";           // what advised commands begin with
  std::map<std::string, AgendaItem> before;  // what is remembered of the items it is about
  [[nodiscard]] std::string what() const;    // "extract mis", "exchange"
};

enum class Ending : std::uint8_t {
  kDone,
  kNotNeeded,  // nothing waits, and the hub has been called today
  kLater,      // the hub asked for patience
  kFailed,
  kBusy,     // somebody else has the data folder
  kStopped,  // the service is to end; as if it had not begun
};
[[nodiscard]] std::string_view name(Ending ending);

struct TaskEnd {
  std::uint64_t id = 0;
  Ending ending = Ending::kDone;
  std::string sentence;                     // for the log and status: what came of it
  std::map<std::string, AgendaItem> after;  // what is to be remembered now
  std::optional<cli::Told> told;            // for who asked
};

// What is remembered of an item after a task that began at `began` has ended so.
[[nodiscard]] AgendaItem settle(const AgendaItem& before, Ending ending, Instant began, Instant now,
                                const Manners& manners, std::chrono::seconds later, Random& chance);

// Does one task at a time; its end comes to Loop::ended(). The service's own thread, or a test.
class Worker {
 public:
  virtual ~Worker() = default;
  [[nodiscard]] virtual bool free() const = 0;
  virtual void start(Task task) = 0;
  // "pupils, 20,000 rows": how far it is.
  [[nodiscard]] virtual std::string moves() const = 0;
};

}  // namespace towpath
