#include "agent/store/line_state.hpp"

namespace towpath {
namespace {

// One row, numbered 1; made by the first who writes.
constexpr const char* kMake = "INSERT OR IGNORE INTO line(id,instance,turn,heard) VALUES(1,0,0,0)";

// Instances are kept as SQLite's signed integers.
std::int64_t as_stored(std::uint64_t v) { return static_cast<std::int64_t>(v); }
std::uint64_t as_read(std::int64_t v) { return static_cast<std::uint64_t>(v); }

std::uint64_t draw(Random& random) {
  std::uint64_t instance = 0;
  while (instance == 0) instance = random.u64();
  return instance;
}

}  // namespace

Result<TurnTaken> LineState::next_turn(const BundleId& id, Random& random) {
  Database& db = store_.db();
  auto transaction = db.begin();
  if (!transaction) return fail(std::move(transaction).error());
  TP_TRY(db.exec(kMake));
  auto count = db.prepare(
      "UPDATE line SET turn=turn+1,instance=CASE WHEN instance=0 THEN ?1 ELSE instance END "
      "RETURNING instance,turn");
  if (!count) return fail(std::move(count).error());
  TurnTaken turn;
  {
    auto use = count->use();
    use.bind(1, as_stored(draw(random)));
    for (;;) {  // to its end: only then has the row been changed
      auto row = use.step();
      if (!row) return fail(std::move(row).error());
      if (!*row) break;
      turn = {as_read(use.integer(0)), as_read(use.integer(1))};
    }
  }
  auto keep = db.prepare("INSERT INTO sent(turn,id) VALUES(?1,?2)");
  if (!keep) return fail(std::move(keep).error());
  {
    auto use = keep->use();
    use.bind(1, as_stored(turn.number));
    use.bind_blob(2, id.uuid.bytes);
    TP_TRY(use.run());
  }
  if (turn.number > kSentKept)
    TP_TRY(db.exec("DELETE FROM sent WHERE turn<=" + std::to_string(turn.number - kSentKept)));
  TP_TRY(transaction->commit());
  return turn;
}

Result<std::optional<std::uint64_t>> LineState::turn_of(const BundleId& id) {
  auto find = store_.db().prepare("SELECT turn FROM sent WHERE id=?1");
  if (!find) return fail(std::move(find).error());
  auto use = find->use();
  use.bind_blob(1, id.uuid.bytes);
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row) return std::nullopt;
  return as_read(use.integer(0));
}

Result<std::uint64_t> LineState::newest_heard() {
  auto heard = store_.db().integer("SELECT coalesce((SELECT heard FROM line),0)");
  if (!heard) return fail(std::move(heard).error());
  return as_read(*heard);
}

Result<void> LineState::heard(std::uint64_t turn, Instant now) {
  auto write = store_.db().prepare(
      "UPDATE line SET heard=max(heard,?1),accepted=max(coalesce(accepted,?2),?2),refused=NULL");
  if (!write) return fail(std::move(write).error());
  auto use = write->use();
  use.bind(1, as_stored(turn));
  use.bind(2, std::int64_t{now.time_since_epoch().count()});
  return use.run();
}

Result<void> LineState::past_is_over() { return store_.db().exec("UPDATE line SET heard=turn"); }

Result<void> LineState::new_life(Random& random) {
  TP_TRY(store_.db().exec(kMake));
  auto write = store_.db().prepare("UPDATE line SET instance=?1,heard=turn,restore=1");
  if (!write) return fail(std::move(write).error());
  auto use = write->use();
  use.bind(1, as_stored(draw(random)));
  return use.run();
}

Result<void> LineState::refused(Instant now, Code code, std::string_view what, std::string_view next) {
  TP_TRY(store_.db().exec(kMake));
  auto write = store_.db().prepare("UPDATE line SET refused=?1,code=?2,what=?3,next=?4");
  if (!write) return fail(std::move(write).error());
  auto use = write->use();
  use.bind(1, std::int64_t{now.time_since_epoch().count()});
  use.bind(2, name(code));
  use.bind(3, what);
  use.bind(4, next);
  return use.run();
}

Result<Credential> LineState::credential() {
  Credential out;
  const auto instant = [](std::int64_t ms) { return Instant{std::chrono::milliseconds{ms}}; };
  TP_TRY(store_.db().each("SELECT accepted,refused,code,what,next FROM line", [&](Statement::Use& use) {
    if (!use.is_null(0)) out.accepted = instant(use.integer(0));
    if (use.is_null(1)) return;
    out.refused = instant(use.integer(1));
    out.code = code_named(use.text(2)).value_or(Code::kRefused);
    out.what = use.text(3);
    out.next = use.text(4);
  }));
  return out;
}

Result<bool> LineState::restore_pending() {
  auto pending = store_.db().integer("SELECT coalesce((SELECT restore FROM line),0)");
  if (!pending) return fail(std::move(pending).error());
  return *pending != 0;
}

Result<void> LineState::set_restore_pending(bool pending) {
  TP_TRY(store_.db().exec(kMake));
  return store_.db().exec(std::string("UPDATE line SET restore=") + (pending ? "1" : "0"));
}

Result<bool> LineState::has_published() {
  auto any = store_.db().integer("SELECT EXISTS(SELECT 1 FROM stream)");
  if (!any) return fail(std::move(any).error());
  return *any != 0;
}

}  // namespace towpath
