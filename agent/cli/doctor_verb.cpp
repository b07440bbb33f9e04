#include "agent/cli/doctor_verb.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/cli/ask_service.hpp"
#include "agent/cli/console.hpp"
#include "agent/cli/progress.hpp"
#include "agent/doctor/findings.hpp"
#include "agent/doctor/gather.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/school/words.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const doctor::Finding& finding) {
  ordered_json figures = ordered_json::object();
  for (const doctor::Figure& figure : finding.figures)
    figures[std::string(figure.name.text())] = figure.value;
  return {{"check", finding.check.text()}, {"kind", finding.kind.text()}, {"light", name(finding.light)},
          {"what", finding.what},          {"value", finding.value},      {"next", finding.next},
          {"figures", std::move(figures)}};
}

int end(const Command& command, const std::vector<doctor::Finding>& findings) {
  const Console& console = command.console;
  const int code = doctor::exit_code(findings);
  Light worst = Light::kGreen;
  std::size_t bad = 0;
  ordered_json list = ordered_json::array();
  for (const doctor::Finding& finding : findings) {
    worst = std::max(worst, finding.light);
    if (finding.light != Light::kGreen) ++bad;
    list.push_back(to_json(finding));
  }
  console.line();
  console.line(bad == 0 ? "GREEN: nothing stands in the way"
                        : std::string(name(worst)) + ": " + counted(bad, "thing", "things") + " to look at");
  console.result({{"schema_version", kSchemaVersion},
                  {"light", name(worst)},
                  {"findings", std::move(list)},
                  {"exit_code", code}});
  return code;
}

void print(const Command& command, const std::vector<doctor::Finding>& findings) {
  for (const std::string& line : doctor::lines(findings)) command.console.line(line);
}

}  // namespace

doctor::ServiceFacts service_of(const AgentConfig& config) {
  const auto answer = ask_status(config);
  if (answer) return {true, {}};
  if (answer.error().code() == Code::kNotFound) return {};
  return {false, answer.error()};
}

int doctor(const Command& command) {
  const doctor::World world{command.clock, command.random, platform::this_user(), command.program()};
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) {
    const auto findings = doctor::judge(doctor::gather(command.config, config.error(), world));
    print(command, findings);
    return end(command, findings);
  }
  doctor::Facts facts = doctor::gather_here(*config, world);
  facts.service = service_of(*config);
  std::vector<doctor::Finding> findings;
  doctor::judge_here(facts, findings);
  print(command, findings);
  {
    Progress progress;
    if (!facts.config.hub_url.empty()) progress.moves("trying the ways to the hub");
    doctor::gather_line(facts, *config, world);
  }
  std::vector<doctor::Finding> of_line;
  doctor::judge_line(facts, of_line);
  print(command, of_line);
  findings.insert(findings.end(), of_line.begin(), of_line.end());
  return end(command, findings);
}

}  // namespace towpath::cli
