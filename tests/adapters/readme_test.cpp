// The example in adapters/csv/README.md: what a technician copies has to be right.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "adapters/api/source_config.hpp"
#include "agent/config/config.hpp"
#include "fixtures.hpp"

using namespace towpath;
using namespace towpath::testing;

TEST_CASE("the mapping that the csv adapter's README shows is accepted by configuration and adapter") {
  const char* root = std::getenv("TOWPATH_SOURCE");
  REQUIRE(root != nullptr);
  std::ifstream in(std::filesystem::path(root) / "adapters/csv/README.md");
  REQUIRE(in);
  std::string text =
      "[school]\nurn = 100001\nname = \"Example School\"\n"
      "[[source]]\nname = \"mis\"\nkind = \"oneroster-csv\"\npath = \"/exports/oneroster\"\n";
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("    ")) text += line.substr(4) + "\n";
  TempFolder folder;
  const auto file = folder.write("agent.toml", text);
  const auto config = load_config(file.string(), built_in_dictionary(), adapter_kinds(), Paths::kAsWritten);
  std::string problems;
  if (!config)
    for (const ConfigProblem& problem : config.error()) problems += problem.sentence("README.md") + "\n";
  CHECK(problems.empty());
  REQUIRE(config);
  REQUIRE(config->sources.size() == 2);
  CHECK(config->sources[1].tables.at(0).columns.size() == 4);
  const AdapterContext context = school_context("attendance");
  const auto adapter = make_adapter(config->sources[1], context);
  INFO((adapter ? "" : adapter.error().sentence()));
  CHECK(adapter);
}
