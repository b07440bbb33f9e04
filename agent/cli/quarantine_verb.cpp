#include "agent/cli/quarantine_verb.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <vector>

#include "agent/cli/console.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/school/words.hpp"
#include "agent/store/quarantine.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

// One list on a screen; beyond it the counts say enough.
constexpr std::size_t kIdsShown = 5;
constexpr std::size_t kRowsListed = 100'000;

std::string where(const QuarantinedRow& row) {
  if (row.file.empty()) return row.dataset;
  return row.line > 0 ? row.file + ":" + std::to_string(row.line) : row.file;
}

ordered_json to_json(const QuarantinedRow& row) {
  return {{"id", row.id},           {"run", row.run},     {"source", row.source},
          {"dataset", row.dataset}, {"file", row.file},   {"line", row.line},
          {"rule", row.rule},       {"field", row.field}, {"text", row.text}};
}

}  // namespace

int quarantine_list(const Command& command, const std::string& source) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  auto folder = DataFolder::open_to_look(*config);
  if (!folder) return console.failed(folder.error());
  Quarantine quarantine(folder->store());
  const auto rows = quarantine.list(kRowsListed);
  if (!rows) return console.failed(rows.error());
  const auto total = quarantine.count();
  if (!total) return console.failed(total.error());

  // Rows of one reason are one line: a lost column makes hundreds of them.
  using Reason =
      std::tuple<std::string, std::string, std::string, std::string>;  // source, dataset, rule, text
  std::map<Reason, std::vector<const QuarantinedRow*>> reasons;
  ordered_json list = ordered_json::array();
  for (const QuarantinedRow& row : *rows) {
    if (!source.empty() && row.source != source) continue;
    reasons[{row.source, row.dataset, row.rule, row.text}].push_back(&row);
    list.push_back(to_json(row));
  }
  ordered_json groups = ordered_json::array();
  for (const auto& [reason, of_it] : reasons) {
    const auto& [from, dataset, rule, text] = reason;
    console.line(from + ", " + dataset + ": " + counted(of_it.size(), "row", "rows") + ": " + text + " (" +
                 rule + ")");
    for (std::size_t i = 0; i < of_it.size() && i < kIdsShown; ++i)
      console.line("  " + std::to_string(of_it[i]->id) + "  " + where(*of_it[i]));
    if (of_it.size() > kIdsShown) console.line("  and " + number(of_it.size() - kIdsShown) + " more");
    groups.push_back(
        {{"source", from}, {"dataset", dataset}, {"rule", rule}, {"text", text}, {"rows", of_it.size()}});
  }
  if (reasons.empty())
    console.line("nothing in quarantine");
  else
    console.line("To see a row: " + command.program() +
                 " quarantine show ID. It leaves quarantine when the source gives it right.");
  console.result({{"schema_version", kSchemaVersion},
                  {"total", *total},
                  {"reasons", std::move(groups)},
                  {"rows", std::move(list)},
                  {"cut", rows->size() < *total}});
  return kFine;
}

int quarantine_show(const Command& command, std::int64_t id, bool raw) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  auto folder = DataFolder::open_to_look(*config);
  if (!folder) return console.failed(folder.error());
  const auto row = Quarantine(folder->store()).show(id);
  if (!row) return console.failed(row.error());
  if (!*row)
    return console.failed(Error{Code::kNotFound, "there is no row " + std::to_string(id) + " in quarantine",
                                "It may have been mended since: " + command.program() + " quarantine list"});
  const QuarantinedRow& found = **row;
  console.line("row " + std::to_string(found.id) + ", source " + found.source + ", " + where(found) +
               ", run " + std::to_string(found.run));
  console.line("dataset " + found.dataset + (found.field.empty() ? std::string() : ", " + found.field));
  console.line(found.text + " (" + found.rule + ")");
  const bool show_raw = raw || (!command.json && platform::is_terminal(1));
  if (show_raw)
    console.line(found.raw.substr(0, found.raw.find_last_not_of("\r\n") + 1));
  else
    console.line("The record itself is personal data and is shown on a terminal, or with --raw.");
  ordered_json document{{"schema_version", kSchemaVersion}};
  document.update(to_json(found));
  if (show_raw) document["raw"] = found.raw;
  console.result(document);
  return kFine;
}

}  // namespace towpath::cli
