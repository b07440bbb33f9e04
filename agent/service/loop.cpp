#include "agent/service/loop.hpp"

#include <algorithm>
#include <utility>

#include "agent/school/exit_code.hpp"
#include "agent/school/words.hpp"
#include "agent/service/control.hpp"

namespace towpath {

using nlohmann::ordered_json;

std::string Task::what() const {
  if (work == Work::kExchange) return "exchange";
  std::string out = "extract";
  for (const std::string& source : wish.sources) out += " " + source;
  return out;
}

std::string_view name(Ending ending) {
  switch (ending) {
    case Ending::kDone:
      return "done";
    case Ending::kNotNeeded:
      return "not-needed";
    case Ending::kLater:
      return "later";
    case Ending::kFailed:
      return "failed";
    case Ending::kBusy:
      return "busy";
    case Ending::kStopped:
      return "stopped";
  }
  return "failed";
}

AgendaItem settle(const AgendaItem& before, Ending ending, Instant began, Instant now, const Manners& manners,
                  std::chrono::seconds later, Random& chance) {
  AgendaItem after = before;
  switch (ending) {
    case Ending::kDone:
      return after_success(before, began, now);
    case Ending::kNotNeeded:
      after.begun = began;
      after.not_before.reset();
      return after;
    case Ending::kLater:
      return after_later(before, began, now, later);
    case Ending::kFailed:
      return after_failure(before, began, now, manners, chance);
    case Ending::kBusy:
      return after_busy(before, now, chance);
    case Ending::kStopped:
      return after;
  }
  return after;
}

Loop::Loop(Parts parts, Instant started) : parts_(std::move(parts)), started_(started) {}

std::string Loop::about(const std::string& file) const {
  const auto found = schools_.find(file);
  return found == schools_.end() || !found->second.config ? file : found->second.config->school_urn;
}

void Loop::put(std::shared_ptr<const AgentConfig> config, bool to_hub,
               std::map<std::string, AgendaItem> memory, Instant now) {
  School& school = schools_[config->file];
  // What the running service remembers is newer than the store, which holds no looks that found nothing.
  std::map<std::string, std::uint64_t> turns;
  for (auto& [name, item] : school.items) {
    turns.emplace(name, item.turn);
    memory.insert_or_assign(name, std::move(item.memory));
  }
  if (!school.since) school.since = now;
  school.config = config;
  school.items.clear();
  school.problem.clear();
  school.in_force = now;
  const auto add = [&](const std::string& name, Work work, const std::string& source,
                       const std::vector<Window>& windows, const Manners& manners,
                       const CalendarConfig* calendar) {
    school.items.emplace(name, Item{work,
                                    source,
                                    manners,
                                    std::make_unique<Timetable>(windows, manners, calendar, parts_.civil,
                                                                parts_.chance, *school.since),
                                    memory[name],
                                    {},
                                    turns[name]});
  };
  for (const SourceConfig& source : config->sources)
    add(source_item(source.name), Work::kExtract, source.name, extract_windows(*config, source.name),
        kExtractManners, nullptr);
  if (to_hub)
    add(kExchangeItem, Work::kExchange, {}, config->schedule.exchange, kExchangeManners, &config->calendar);
}

void Loop::drop(const std::string& file) {
  schools_.erase(file);
  std::erase_if(asked_, [&](const Asked& one) {
    if (one.file != file) return false;
    answer(one.visitor,
           cli::told(Error{Code::kStopped, file + " is no longer configured", "See: towpath status"}));
    return true;
  });
}

void Loop::problem(const std::string& file, const std::string& sentence, Instant now) {
  schools_[file].problem = sentence;
  if (sentence.empty()) return;
  const bool in_force = schools_.at(file).config != nullptr;  // else the sentence names the file
  parts_.journal.say(now, in_force ? about(file) : "configuration", sentence);
}

std::optional<std::pair<Due, Loop::Item*>> Loop::next_of(School& school, Instant now) {
  std::optional<std::pair<Due, Item*>> out;
  for (auto& [name, item] : school.items) {
    const auto due = item.table->next(item.memory, now);
    if (!due) continue;
    if (out && out->first.when != due->when) {
      if (due->when < out->first.when) out = {*due, &item};
      continue;
    }
    // Where both are due, who has waited longer; at first sources before the exchange: there is then
    // something to send.
    const auto rank = [](const Item& one) { return std::pair(one.turn, one.work == Work::kExchange); };
    if (!out || rank(item) < rank(*out->second)) out = {*due, &item};
  }
  return out;
}

void Loop::start(Task task, const std::string& file, std::optional<std::uint64_t> visitor, Instant now) {
  task.id = next_id_++;
  running_ = Running{task.id, file, task.what(), now, visitor};
  parts_.worker.start(std::move(task));
}

void Loop::start_asked(Instant now) {
  const Asked one = std::move(asked_.front());
  asked_.pop_front();
  const School& school = schools_.at(one.file);
  Task task;
  task.config = school.config;
  task.work = one.work;
  task.wish = one.wish;
  task.by_hand = true;
  task.program = one.program;
  for (const auto& [name, item] : school.items) {
    if (item.work != one.work) continue;
    const auto& only = one.wish.sources;
    if (one.work == Work::kExtract && !only.empty() &&
        std::find(only.begin(), only.end(), item.source) == only.end())
      continue;
    task.before.emplace(name, item.memory);
  }
  start(std::move(task), one.file, one.visitor, now);
}

Instant Loop::step(Instant now) {
  Instant wanted = now + parts_.look;
  const bool stands = std::exchange(looked_, now) == now;
  if (running_) {
    if (running_->visitor || !asked_.empty()) {
      // A clock that was set back must not make them wait.
      if (now - heartbeat_ >= kHeartbeat || now < heartbeat_) {
        heartbeat_ = now;
        const std::string line = control::moves_line(running_->what, parts_.worker.moves());
        if (running_->visitor) parts_.desk.say(*running_->visitor, line, false);
        for (const Asked& one : asked_) parts_.desk.say(one.visitor, line, false);
      }
      wanted = std::min(wanted, heartbeat_ + kHeartbeat);
    }
    return wanted;
  }
  if (stopping_ || !parts_.worker.free()) return wanted;
  if (!asked_.empty() && asked_in_row_ < kAskedMax) {
    ++asked_in_row_;
    start_asked(now);
    return std::min(wanted, now + kHeartbeat);
  }
  asked_in_row_ = 0;
  if (!start_due(now, stands, wanted) && !asked_.empty()) {
    ++asked_in_row_;
    start_asked(now);
    return std::min(wanted, now + kHeartbeat);
  }
  return wanted;
}

// `wanted` becomes earlier where something is due before it.
bool Loop::start_due(Instant now, bool stands, Instant& wanted) {
  std::optional<std::pair<Due, Item*>> first;
  const std::string* file = nullptr;
  School* whose = nullptr;
  for (auto& [name, school] : schools_) {
    const auto one = next_of(school, now);
    if (!one) continue;
    if (first && std::pair(first->first.when, whose->turn) <= std::pair(one->first.when, school.turn))
      continue;
    first = one;
    file = &name;
    whose = &school;
  }
  if (!first) return false;
  const auto& [due, item] = *first;
  if (due.when > now) {
    wanted = std::min(wanted, stands ? std::max(due.when, now + kStoodStill) : due.when);
    return false;
  }
  item->turn = whose->turn = next_id_;
  Task task;
  task.config = whose->config;
  task.work = item->work;
  if (item->work == Work::kExtract) task.wish.sources = {item->source};
  task.before.emplace(item->work == Work::kExtract ? source_item(item->source) : kExchangeItem, item->memory);
  start(std::move(task), *file, std::nullopt, now);
  return true;
}

void Loop::ended(TaskEnd end, Instant now) {
  if (!running_ || running_->id != end.id) return;
  const Running was = *std::exchange(running_, std::nullopt);
  if (const auto school = schools_.find(was.file); school != schools_.end()) {
    for (const auto& [name, memory] : end.after)
      if (const auto item = school->second.items.find(name); item != school->second.items.end()) {
        item->second.memory = memory;
        if (end.ending != Ending::kNotNeeded) item->second.last = end.sentence;
      }
    if (end.ending != Ending::kNotNeeded)
      parts_.journal.say(now, about(was.file) + " " + was.what, end.sentence);
  }
  if (!was.visitor || !end.told) return;
  if (const std::string note = parts_.outdated ? parts_.outdated(was.file) : std::string(); !note.empty()) {
    end.told->error(note);
    end.told->document["older_configuration"] = note;
  }
  answer(*was.visitor, *end.told);
}

void Loop::answer(std::uint64_t visitor, const cli::Told& told) {
  parts_.desk.say(visitor, control::told_line(told), true);
}

void Loop::ask(std::uint64_t visitor, const std::string& file, const std::string& line, Instant now) {
  auto request = control::read_request(line);
  if (!request) {
    answer(visitor, cli::told(request.error()));
    return;
  }
  const auto school = schools_.find(file);
  if (request->verb == control::Verb::kStatus) {
    parts_.desk.say(visitor, control::status_line(status(file, now)), true);
    return;
  }
  if (stopping_ || school == schools_.end() || !school->second.config) {
    answer(visitor, cli::told(Error{Code::kStopped,
                                    stopping_ ? "the service is stopping" : file + " is not in service",
                                    "Try again in a moment"}));
    return;
  }
  if (asked_.size() >= kAskedMax) {
    answer(visitor, cli::told(Error{Code::kBusy, std::to_string(asked_.size()) + " requests wait already",
                                    "See what the service is at: towpath status"}));
    return;
  }
  asked_.push_back({visitor, file,
                    request->verb == control::Verb::kExtract ? Work::kExtract : Work::kExchange,
                    std::move(request->wish), std::move(request->program)});
}

void Loop::stop(Instant now) {
  stopping_ = true;
  for (const Asked& one : asked_)
    answer(one.visitor, cli::told(Error{Code::kStopped, "the service is stopping; nothing was started",
                                        "Try again when it runs"}));
  asked_.clear();
  parts_.journal.say(now, "service",
                     running_ ? "stopping; " + running_->what + " is asked to end" : std::string("stopping"));
}

ordered_json Loop::status(const std::string& file, Instant now) {
  ordered_json out = parts_.process ? parts_.process() : ordered_json::object();
  out["software"] = parts_.software;
  out["since"] = iso(started_);
  out["schools"] = schools_.size();
  out["task"] = running_ ? ordered_json{{"what", running_->what},
                                        {"school", about(running_->file)},
                                        {"since", iso(running_->since)},
                                        {"moves", parts_.worker.moves()},
                                        {"asked", running_->visitor.has_value()}}
                         : ordered_json(nullptr);
  out["asked"] = asked_.size();
  const auto found = schools_.find(file);
  out["config_problem"] = found == schools_.end() ? std::string("not in service") : found->second.problem;
  ordered_json items = ordered_json::array();
  if (found != schools_.end()) {
    out["config_since"] = iso(found->second.in_force);
    for (auto& [name, item] : found->second.items) {
      std::string windows;
      for (const Window& window : item.table->windows())
        windows += (windows.empty() ? "" : "; ") + window.text();
      const auto due = item.table->next(item.memory, now);
      const auto when = [](const std::optional<Instant>& i) {
        return i ? ordered_json(iso(*i)) : ordered_json(nullptr);
      };
      items.push_back({{"item", name},
                       {"windows", windows},
                       {"next", due ? ordered_json(iso(due->when)) : ordered_json(nullptr)},
                       {"because", due ? towpath::name(due->because) : "by-hand"},
                       {"last_begun", when(item.memory.begun)},
                       {"last_done", when(item.memory.done)},
                       {"failures", item.memory.failures},
                       {"last", item.last}});
    }
  }
  out["items"] = std::move(items);
  return out;
}

std::string Loop::summary(Instant now) {
  std::size_t broken = 0;
  std::optional<std::pair<Due, std::string>> first;
  for (auto& [file, school] : schools_) {
    if (!school.problem.empty()) ++broken;
    const auto next = next_of(school, now);
    if (next && (!first || next->first.when < first->first.when))
      first = {next->first,
               about(file) + " " +
                   (next->second->work == Work::kExchange ? "exchange" : "extract " + next->second->source)};
  }
  std::string out = cli::counted(schools_.size(), "school", "schools");
  if (broken > 0) out += ", " + std::to_string(broken) + " with a configuration that cannot be used";
  if (running_) return out + "; now: " + about(running_->file) + " " + running_->what;
  if (first) out += "; next: " + first->second + " at " + iso(first->first.when).substr(11, 5) + "Z";
  return out;
}

}  // namespace towpath
