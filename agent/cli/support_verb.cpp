#include "agent/cli/support_verb.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "adapters/text/zip_writer.hpp"
#include "agent/cli/console.hpp"
#include "agent/cli/doctor_verb.hpp"
#include "agent/cli/progress.hpp"
#include "agent/doctor/gather.hpp"
#include "agent/doctor/support.hpp"
#include "agent/school/data_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/school/words.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

std::string default_name(Instant now) {
  std::string time = iso(now).substr(0, 19);  // "2026-11-23T08:15:00"
  std::erase(time, '-');
  std::erase(time, ':');
  return "towpath-support-" + time + ".zip";
}

std::vector<doctor::SupportEntry> collect(const Command& command, const doctor::World& world) {
  const auto config = load(command.config, Paths::kAsWritten);
  doctor::SupportFacts support;
  support.now = world.clock.now();
  support.machine = platform::look_at_machine(support.now);
  support.environment = ProxyEnvironment::of_process();
  std::optional<DataFolder> folder;
  if (config) {
    doctor::Facts facts = doctor::gather_here(*config, world);
    facts.service = service_of(*config);
    {
      Progress progress;
      if (!facts.config.hub_url.empty()) progress.moves("trying the ways to the hub");
      doctor::gather_line(facts, *config, world);
    }
    support.findings = doctor::judge(facts);
    support.config = &*config;
    if (auto opened = DataFolder::open_to_look(*config)) folder = std::move(*opened);
    if (folder) support.store = &folder->store();
  } else {
    support.findings = doctor::judge(doctor::gather(command.config, config.error(), world));
  }
  return doctor::support_entries(support, TOWPATH_VERSION);
}

}  // namespace

int support_bundle(const Command& command, const std::string& out, bool list) {
  const Console& console = command.console;
  const doctor::World world{command.clock, command.random, platform::this_user(), command.program()};
  const Instant now = command.clock.now();
  const std::string path = out.empty() ? default_name(now) : out;
  std::optional<platform::NewFile> file;
  if (!list) {
    auto made = platform::NewFile::open(path);  // before the sources' owner is all that we are
    if (!made) return console.failed(made.error());
    file.emplace(std::move(*made));
  }
  const std::vector<doctor::SupportEntry> entries = collect(command, world);
  ordered_json told = ordered_json::array();
  std::vector<ZipEntry> members;
  for (const doctor::SupportEntry& entry : entries) {
    told.push_back(
        {{"name", entry.name.text()}, {"bytes", entry.content.size()}, {"what", entry.story.text()}});
    members.push_back({std::string(entry.name.text()), entry.content});
  }
  ordered_json document{{"schema_version", kSchemaVersion},
                        {"file", list ? ordered_json(nullptr) : ordered_json(path)}};
  if (list) {
    for (const doctor::SupportEntry& entry : entries) {
      std::string name(entry.name.text());
      name.resize(20, ' ');
      console.line(name + std::string(entry.story.text()) + ", " + size(entry.content.size()));
    }
    console.line("Nothing was written. Without --list they go into one zip.");
  } else {
    const auto zip = make_zip(members, now);
    if (!zip) return console.failed(zip.error());
    if (auto written = file->write(*zip); !written) return console.failed(written.error());
    console.line(path + ": " + counted(entries.size(), "file", "files") + ", " + size(zip->size()) +
                 "; no personal data and no secrets. To see what is in it: " + command.program() +
                 " support-bundle --list");
    document["bytes"] = zip->size();
  }
  document["entries"] = std::move(told);
  document["exit_code"] = kFine;
  console.result(document);
  return kFine;
}

}  // namespace towpath::cli
