// Hostile configuration files: taken whole, or refused with problems that name a key.
#include <array>
#include <cstdlib>

#include "agent/config/config.hpp"
#include "core/bytes.hpp"
#include "dictionary/dictionary.hpp"
#include "memory_file.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile file;
  file.hold({data, size});
  static constexpr std::array<std::string_view, 3> kKinds{"oneroster-csv", "csv", "demo"};
  // As written: no folder of this machine is looked at.
  const auto config = load_config(file.path(), built_in_dictionary(), kKinds, Paths::kAsWritten);
  if (config) return 0;
  if (config.error().empty()) std::abort();
  for (const ConfigProblem& problem : config.error())
    if (problem.what.empty()) std::abort();
  return 0;
}
