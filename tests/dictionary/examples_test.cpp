// The commented example configurations: what a technician copies has to be right.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <regex>
#include <string>

#include "agent/config/config.hpp"

using namespace towpath;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kKinds[] = {"oneroster-csv", "csv", "demo"};

std::string example(const std::string& name) {
  const char* root = std::getenv("TOWPATH_SOURCE");
  REQUIRE(root != nullptr);
  std::ifstream in(fs::path(root) / "config" / name, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The problems of that text as a configuration; `settings` gets what is in force.
std::string problems(const std::string& text, std::map<std::string, std::string>* settings = nullptr) {
  const fs::path folder =
      fs::temp_directory_path() / ("tp-example-" + std::to_string(std::random_device{}()));
  fs::create_directory(folder);
  const std::string file = (folder / "agent.toml").string();
  std::ofstream(file) << text << std::flush;
  const auto config = load_config(file, built_in_dictionary(), kKinds, Paths::kAsWritten);
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  std::string out;
  if (!config)
    for (const ConfigProblem& problem : config.error()) out += problem.sentence("agent.toml") + "\n";
  else if (settings != nullptr)
    for (const Setting& setting : config->settings) settings->emplace(setting.key, setting.value);
  return out;
}

}  // namespace

TEST_CASE("the example configurations are accepted as they stand") {
  const std::string name = GENERATE("agent.example.toml", "csv-mapping.example.toml");
  CAPTURE(name);
  CHECK(problems(example(name)).empty());
}

TEST_CASE("each line that is commented out is accepted too, and each default shown is the default") {
  const std::string name = GENERATE("agent.example.toml", "csv-mapping.example.toml");
  CAPTURE(name);
  const std::string text = example(name);
  const std::string full = std::regex_replace(text, std::regex("\n# (\\[\\[|[a-z_]+ +=)"), "\n$1");
  REQUIRE(full != text);
  CHECK(problems(full).empty());

  std::map<std::string, std::string> as_it_stands, spelt_out;
  REQUIRE(problems(text, &as_it_stands).empty());
  REQUIRE(problems(full, &spelt_out).empty());
  for (const auto& [key, value] : as_it_stands) {
    CAPTURE(key);
    if (key.find("agent.data") == std::string::npos) CHECK(spelt_out[key] == value);
  }
}
