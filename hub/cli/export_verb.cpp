#include <cerrno>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "hub/cli/command.hpp"
#include "hub/cli/words.hpp"
#include "hub/export/export.hpp"

namespace towpath::hub_cli {

// Rows go to standard output. With --json what was exported is said on standard error, since
// standard output is the rows'.
int export_rows(const Command& command, const std::string& dataset, const std::optional<std::string>& urn,
                const std::string& format) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
#ifdef SIGPIPE
  std::signal(SIGPIPE, SIG_IGN);  // `| head` has seen enough: we end without a word
#endif
  bool reader_gone = false;
  const auto unwritten = [&] {
    reader_gone = errno == EPIPE;
    return fail(Code::kIo, "writing to standard output failed", "Is the disk full?");
  };
  auto report = export_dataset(look->registry(), command.dictionary, dataset, urn,
                               format == "ndjson" ? ExportFormat::kNdjson : ExportFormat::kCsv,
                               [&](std::string_view text) -> Result<void> {
                                 if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
                                   return unwritten();
                                 return {};
                               });
  if (report && std::fflush(stdout) != 0) report = unwritten();
  if (reader_gone) return kFine;
  if (!report) {
    console.note(report.error().sentence());
    return exit_code_of(report.error().code());
  }
  for (const std::string& school : report->without_data)
    console.note("school " + school + " has sent nothing whole yet; left out");
  if (console.json()) {
    const nlohmann::ordered_json document{{"schema_version", kSchemaVersion},
                                          {"dataset", dataset},
                                          {"schools", report->schools},
                                          {"rows", report->rows},
                                          {"without_data", report->without_data}};
    std::fputs((document.dump() + "\n").c_str(), stderr);
  }
  return kFine;
}

}  // namespace towpath::hub_cli
