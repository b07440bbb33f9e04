#include "agent/store/agenda.hpp"

namespace towpath {

Result<std::map<std::string, AgendaItem>> read_agenda(Store& store) {
  std::map<std::string, AgendaItem> out;
  auto there = store.db().integer("SELECT count(*) FROM sqlite_schema WHERE name='agenda'");
  if (!there) return fail(std::move(there).error());
  if (*there == 0) return out;
  auto statement = store.db().prepare(
      "SELECT item,failures,coalesce(begun,0),begun IS NULL,coalesce(done,0),done IS NULL,"
      "coalesce(not_before,0),not_before IS NULL FROM agenda");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  const auto instant = [&](int column) {
    return use.integer(column + 1) != 0
               ? std::nullopt
               : std::optional(Instant{std::chrono::milliseconds{use.integer(column)}});
  };
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return out;
    out[std::string(use.text(0))] = {instant(2), instant(4), static_cast<std::uint32_t>(use.integer(1)),
                                     instant(6)};
  }
}

Result<void> write_agenda(Store& store, const std::string& name, const AgendaItem& item) {
  auto statement = store.db().prepare(
      "INSERT OR REPLACE INTO agenda(item,failures,begun,done,not_before) VALUES(?1,?2,?3,?4,?5)");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  const auto bind = [&](int position, const std::optional<Instant>& instant) {
    if (instant)
      use.bind(position, std::int64_t{instant->time_since_epoch().count()});
    else
      use.bind_null(position);
  };
  use.bind(1, std::string_view(name));
  use.bind(2, std::int64_t{item.failures});
  bind(3, item.begun);
  bind(4, item.done);
  bind(5, item.not_before);
  return use.run();
}

}  // namespace towpath
