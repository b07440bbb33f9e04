// towpath-demo-school: writes what an invented school would export on a day.
#include <CLI/CLI.hpp>
#include <iostream>

#include "adapters/demo/export_writer.hpp"

using towpath::Date;
using towpath::demo::DemoOptions;
using towpath::demo::Phase;

int main(int argc, char** argv) {
  CLI::App app{
      "Writes the files that an invented school would export on a day: a OneRoster bundle in OUT/oneroster\n"
      "and mapped CSV files in OUT/exports. The same question always gives the same bytes."};
  DemoOptions school;
  towpath::demo::ExportOptions exports;
  towpath::demo::AgentConfigOptions agent;
  std::string day, phase = "primary", format = "exports";
  app.add_option("--phase", phase, "primary (420 pupils, R to 6) or secondary (1,500, 7 to 13)")
      ->check(CLI::IsMember({"primary", "secondary"}));
  app.add_option("--seed", school.seed, "which school: any number");
  app.add_option("--day", day, "YYYY-MM-DD")->required();
  app.add_option("--pupils", school.pupils, "seats, if not the usual number");
  app.add_option("--out", exports.folder, "folder to write into")->required();
  app.add_option("--format", format, "exports (OneRoster and CSV) or oneroster (that alone)")
      ->check(CLI::IsMember({"exports", "oneroster"}));
  app.add_option("--urn", exports.urn, "six digits");
  app.add_option("--name", exports.name, "the school's name");
  app.add_option("--agent-config", agent.file, "also write an agent configuration that reads the files");
  app.add_option("--data", agent.data, "its data folder");
  app.add_option("--hub", agent.hub, "its hub");
  CLI11_PARSE(app, argc, argv);

  school.phase = phase == "secondary" ? Phase::kSecondary : Phase::kPrimary;
  exports.oneroster_only = format == "oneroster";
  const auto stop = [](const std::string& why) {
    std::cerr << "towpath-demo-school: " << why << "\n";
    return 64;  // usage, as sysexits has it
  };
  const auto date = Date::parse(day);
  if (!date) return stop("--day " + day + " is not a date. Write it as YYYY-MM-DD");
  const bool digits = exports.urn.find_first_not_of("0123456789") == std::string::npos;
  if (exports.urn.size() != 6 || !digits) return stop("--urn " + exports.urn + " is not six digits");
  const auto made = towpath::demo::DemoSchool::make(school);
  if (!made) return stop(made.error().sentence());
  auto done = towpath::demo::write_exports(*made, *date, exports);
  if (done && !agent.file.empty()) done = towpath::demo::write_agent_config(exports, agent);
  if (done) return 0;
  std::cerr << "towpath-demo-school: " << done.error().sentence() << "\n";
  return done.error().code() == towpath::Code::kUsage ? 64 : 74;  // 74: input or output failed
}
