// What the service does next: several schools, one worker. No threads, no files, no waiting.
//
// In: schools with their configuration and what is remembered of them, the time, ends of tasks,
// requests from visitors. Out: tasks for the worker, one at a time; answers; lines for the journal.
//   - What a person asks for comes before what the schedule wants; who asks without end lets it
//     through now and then.
//   - One school's trouble (a broken file, a busy folder, a hub that is down, work that takes longer than
//     its windows leave) is not another's: of what is due, that comes first which has waited for most turns.
//   - After every step it says when it wants the next; a later one is no harm.
// Owned by the main thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/service/journal.hpp"
#include "agent/service/schedule.hpp"
#include "agent/service/task.hpp"
#include "core/world.hpp"

namespace towpath {

// What people ask for waits for what is running; more than this is a script gone wild. After so many in
// a row the schedule has a turn, if something is due.
inline constexpr std::size_t kAskedMax = 8;
// The clock on the wall may jump: it is looked at so often, whatever comes next.
inline constexpr std::chrono::seconds kLookLeast{60};
// One that has not moved since the last look is not waited for by the millisecond.
inline constexpr std::chrono::seconds kStoodStill{5};
// Who waits for an answer hears so often that the service still lives.
inline constexpr std::chrono::seconds kHeartbeat{2};

// Where answers go. The service's local door, or a test.
class Visitors {
 public:
  virtual ~Visitors() = default;
  // `last`: the visitor is answered.
  virtual void say(std::uint64_t visitor, const std::string& line, bool last) = 0;
};

class Loop {
 public:
  struct Parts {
    const CivilTime& civil;
    Random& chance;
    Worker& worker;
    Visitors& desk;
    Journal& journal;
    std::string software;  // "towpath 0.1.0"
    // Of this process, for status: pid, memory, processor time.
    std::function<nlohmann::ordered_json()> process;
    // What to say to whoever asks of a school whose file has changed since it was read; empty: it has not.
    std::function<std::string(const std::string& file)> outdated = {};
    // How long it may rest without looking at the clock.
    std::chrono::milliseconds look = kLookLeast;
  };
  Loop(Parts parts, Instant started);

  // A school that is new, or whose file has changed. `to_hub`: whether there is a hub to speak to.
  void put(std::shared_ptr<const AgentConfig> config, bool to_hub, std::map<std::string, AgendaItem> memory,
           Instant now);
  // No longer configured. What runs for it comes to its end.
  void drop(const std::string& file);
  // The file as it is now cannot be used (empty: it can). What was in force before stays in force.
  void problem(const std::string& file, const std::string& sentence, Instant now);
  [[nodiscard]] bool knows(const std::string& file) const { return schools_.contains(file); }

  // Starts what is due, if the worker is free. Returns when it wants the next turn.
  [[nodiscard]] Instant step(Instant now);
  void ended(TaskEnd end, Instant now);
  // A request that came through the door of that school.
  void ask(std::uint64_t visitor, const std::string& file, const std::string& line, Instant now);
  // Nothing is started any more, and who waits is told so.
  void stop(Instant now);

  // What status shows of one school.
  [[nodiscard]] nlohmann::ordered_json status(const std::string& file, Instant now);
  // One line for the service manager.
  [[nodiscard]] std::string summary(Instant now);

 private:
  struct Item {
    Work work;
    std::string source;  // kExtract
    Manners manners;
    std::unique_ptr<Timetable> table;
    AgendaItem memory;
    std::string last;        // what came of it the last time
    std::uint64_t turn = 0;  // the last task that the schedule has begun for it; 0: none yet
  };
  struct School {
    std::shared_ptr<const AgentConfig> config;
    std::map<std::string, Item> items;  // by the agenda's names
    std::string problem;
    Instant in_force{};
    std::optional<Instant> since;  // when it was first here: reading its file again is no new start
    std::uint64_t turn = 0;        // of its items, the latest
  };
  struct Asked {
    std::uint64_t visitor;
    std::string file;
    Work work;
    ExtractWish wish;
    std::string program;
  };
  struct Running {
    std::uint64_t id;
    std::string file, what;
    Instant since;
    std::optional<std::uint64_t> visitor;
  };

  [[nodiscard]] std::optional<std::pair<Due, Item*>> next_of(School& school, Instant now);
  void start(Task task, const std::string& file, std::optional<std::uint64_t> visitor, Instant now);
  void start_asked(Instant now);
  bool start_due(Instant now, bool stands, Instant& wanted);
  void answer(std::uint64_t visitor, const cli::Told& told);
  [[nodiscard]] std::string about(const std::string& file) const;

  Parts parts_;
  Instant started_;
  std::map<std::string, School> schools_;
  std::deque<Asked> asked_;
  std::optional<Running> running_;
  std::uint64_t next_id_ = 1;
  Instant heartbeat_{};
  std::size_t asked_in_row_ = 0;
  std::optional<Instant> looked_;  // by the last step
  bool stopping_ = false;
};

}  // namespace towpath
