#include "agent/store/quarantine.hpp"

namespace towpath {
namespace {

constexpr const char* kColumns =
    "SELECT q.id,q.run,s.name,q.dataset,q.file,q.line,q.rule,q.field,q.text,q.raw "
    "FROM quarantine q JOIN source s ON s.id=q.source ";

QuarantinedRow read(Statement::Use& use, const Dictionary& dictionary, bool raw) {
  QuarantinedRow row;
  row.id = use.integer(0);
  row.run = use.integer(1);
  row.source = use.text(2);
  const Dataset* dataset = dictionary.find(static_cast<std::uint16_t>(use.integer(3)));
  row.dataset = dataset != nullptr ? std::string(dataset->name) : std::to_string(use.integer(3));
  row.file = use.text(4);
  row.line = static_cast<std::uint64_t>(use.integer(5));
  row.rule = use.text(6);
  row.field = use.text(7);
  row.text = use.text(8);
  if (raw) row.raw = text_of(use.blob(9));
  return row;
}

}  // namespace

Result<std::vector<QuarantinedRow>> Quarantine::list(std::size_t limit) {
  auto statement =
      store_.db().prepare(std::string(kColumns) + "ORDER BY s.name,q.dataset,q.file,q.line,q.id LIMIT ?1");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, static_cast<std::int64_t>(limit));
  std::vector<QuarantinedRow> rows;
  for (;;) {
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return rows;
    rows.push_back(read(use, store_.dictionary(), false));
  }
}

Result<std::optional<QuarantinedRow>> Quarantine::show(std::int64_t id) {
  auto statement = store_.db().prepare(std::string(kColumns) + "WHERE q.id=?1");
  if (!statement) return fail(std::move(statement).error());
  auto use = statement->use();
  use.bind(1, id);
  auto row = use.step();
  if (!row) return fail(std::move(row).error());
  if (!*row) return std::nullopt;
  return read(use, store_.dictionary(), true);
}

Result<std::uint64_t> Quarantine::count() {
  auto n = store_.db().integer("SELECT count(*) FROM quarantine");
  if (!n) return fail(std::move(n).error());
  return static_cast<std::uint64_t>(*n);
}

}  // namespace towpath
