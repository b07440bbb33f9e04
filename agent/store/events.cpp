#include "agent/store/events.hpp"

#include <charconv>

namespace towpath {
namespace {

// "rows=12 segments=1"
std::string packed(const std::vector<std::pair<std::string, std::int64_t>>& counts) {
  std::string out;
  for (const auto& [name, count] : counts)
    out += (out.empty() ? "" : " ") + name + "=" + std::to_string(count);
  return out;
}

std::vector<std::pair<std::string, std::int64_t>> unpacked(std::string_view text) {
  std::vector<std::pair<std::string, std::int64_t>> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos) continue;
    std::int64_t count = 0;
    std::from_chars(one.data() + equals + 1, one.data() + one.size(), count);
    out.emplace_back(std::string(one.substr(0, equals)), count);
  }
  return out;
}

std::int64_t ms(Instant instant) { return instant.time_since_epoch().count(); }
Instant at(std::int64_t ms) { return Instant{std::chrono::milliseconds{ms}}; }

}  // namespace

Result<void> record_event(Store& store, Instant when, std::string_view kind, std::string_view text,
                          const std::vector<std::pair<std::string, std::int64_t>>& counts) {
  text = text.substr(0, kEventTextMax);
  // Only what was said last of this kind can be said again: what came between belongs in its order.
  auto again = store.db().prepare(
      "UPDATE event SET last=?1,times=times+1,counts=?4 WHERE id=(SELECT max(id) FROM event) AND kind=?2 AND "
      "text=?3");
  if (!again) return fail(std::move(again).error());
  auto use = again->use();
  use.bind(1, ms(when));
  use.bind(2, kind);
  use.bind(3, text);
  const std::string numbers = packed(counts);
  use.bind(4, std::string_view(numbers));
  TP_TRY(use.run());
  if (store.db().changes() > 0) return {};
  auto insert =
      store.db().prepare("INSERT INTO event(first,last,times,kind,text,counts) VALUES(?1,?1,1,?2,?3,?4)");
  if (!insert) return fail(std::move(insert).error());
  auto add = insert->use();
  add.bind(1, ms(when));
  add.bind(2, kind);
  add.bind(3, text);
  add.bind(4, std::string_view(numbers));
  TP_TRY(add.run());
  return store.db().exec("DELETE FROM event WHERE id<=(SELECT max(id) FROM event)-" +
                         std::to_string(kEventsMax));
}

Result<std::vector<Event>> recent_events(Store& store, std::size_t most) {
  std::vector<Event> out;
  auto there = store.db().integer("SELECT count(*) FROM sqlite_schema WHERE name='event'");
  if (!there) return fail(std::move(there).error());
  if (*there == 0) return out;
  auto statement =
      store.db().prepare("SELECT id,first,last,times,kind,text,counts FROM event ORDER BY id DESC LIMIT ?1");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, static_cast<std::int64_t>(most));
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return out;
    out.push_back({use.integer(0), at(use.integer(1)), at(use.integer(2)),
                   static_cast<std::uint64_t>(use.integer(3)), std::string(use.text(4)),
                   std::string(use.text(5)), unpacked(use.text(6))});
  }
}

}  // namespace towpath
