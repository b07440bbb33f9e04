#include "agent/cli/verify_verb.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "agent/cli/console.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/hub_line.hpp"
#include "agent/school/load.hpp"
#include "agent/school/sharing_here.hpp"
#include "agent/school/words.hpp"
#include "agent/uplink/verify.hpp"
#include "dictionary/dictionary.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const VerifyReport& report) {
  ordered_json datasets = ordered_json::array();
  for (const DatasetComparison& d : report.datasets)
    datasets.push_back(
        {{"dataset", d.dataset}, {"rows_here", d.rows_here}, {"rows_hub", d.rows_hub}, {"equal", d.equal}});
  return {{"equal", report.equal},
          {"up_to_date", report.up_to_date},
          {"datasets", std::move(datasets)},
          {"keys", report.keys},
          {"problems", report.problems},
          {"bytes_sent", report.bytes_sent},
          {"bytes_received", report.bytes_received}};
}

int print(const Command& command, const VerifyReport& report) {
  const Console& console = command.console;
  Table table({"dataset", "rows here", "rows at the hub", "equal"});
  for (const DatasetComparison& d : report.datasets)
    table.row({d.dataset, number(d.rows_here), number(d.rows_hub), d.equal ? "yes" : "NO"});
  if (!table.empty()) table.print(console, "");
  for (const std::string& event : report.events) console.line("note: " + event);
  for (const std::string& problem : report.problems) console.error("the hub says: " + problem);
  if (report.equal) {
    console.line("both ends equal");
    return kFine;
  }
  if (!report.up_to_date) {
    console.error(
        "there are changes here that have not been sent, so the ends differ. Before verifying again, run: " +
        command.program() + " sync");
    return kDegraded;
  }
  for (const DatasetComparison& d : report.datasets)
    if (!d.equal)
      console.error("dataset " + d.dataset + " differs: " + counted(d.rows_here, "row", "rows") + " here, " +
                    number(d.rows_hub) + " at the hub");
  for (const std::string& key : report.keys) console.error("differs: " + key);
  console.error(
      "the hub does not hold what was sent. This sends it, in a new epoch if the hub asks for one: " +
      command.program() + " sync");
  return kFailed;
}

}  // namespace

int verify(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  if (const auto may = may_look(*config); !may) return console.failed(may.error());
  if (!has_store(*config))
    return console.failed(Error{Code::kNotFound, "there is no data in " + config->data + " to verify yet",
                                "Run " + command.program() + " extract first"});
  auto folder = DataFolder::open_to_work(*config);
  if (!folder) return console.failed(folder.error());
  if (auto sound = folder->store().db().integrity_check(); !sound)
    return console.failed(std::move(sound.error())
                              .during("the store in " + config->data + " is damaged")
                              .advise("Move the folder aside and run " + command.program() +
                                      " extract; keep the old one for support"));
  console.line("the store in " + config->data + " is sound");
  ordered_json document{{"schema_version", kSchemaVersion}, {"store_sound", true}};
  if (hub_url(*config).empty()) {
    console.line("no hub is configured, and this machine is not enrolled: there is nothing to compare with");
    document["hub"] = nullptr;
    document["exit_code"] = kFine;
    console.result(document);
    return kFine;
  }
  auto uplink = open_uplink(*config, command.clock, command.random, nullptr);
  if (!uplink) return console.failed(uplink.error());
  uplink->options.program = command.program();
  // What the agreement lets through is compared: even a sum over other rows is for nobody else.
  Sharing sharing(folder->store(), command.clock, sharing_options(*config, nullptr, command.program()));
  const auto audiences = sharing.audiences(utc_date(command.clock.now()));
  if (!audiences) return console.failed(audiences.error());
  const auto audience = std::find_if(audiences->begin(), audiences->end(),
                                     [](const Audience& one) { return one.name == kBorough; });
  if (audience == audiences->end()) {
    console.line(
        "nothing is shared with the borough: no agreement is approved and in force, and there is "
        "nothing to compare (" +
        command.program() + " agreement list)");
    document["hub"] = nullptr;
    document["exit_code"] = kFine;
    console.result(document);
    return kFine;
  }
  const std::vector<std::string> grants = audience->grants;
  Publisher publisher(folder->store(), *audience);
  LineState line(folder->store());
  const auto report = verify_with_hub(publisher, built_in_dictionary(), grants, line, *uplink->peer,
                                      *uplink->transport, command.clock, command.random, uplink->options);
  if (!report) return console.failed(report.error());
  document["hub"] = to_json(*report);
  const int code = print(command, *report);
  document["exit_code"] = code;
  console.result(document);
  return code;
}

}  // namespace towpath::cli
