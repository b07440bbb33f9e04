// Hostile export files under a mapping: the package's towpath.toml names the tables, as a technician
// would, and everything else is the export. Through configuration, adapter and intake.
#include <array>

#include "agent/config/config.hpp"
#include "memory_file.hpp"
#include "source_check.hpp"

using namespace towpath;

namespace {
constexpr std::array<std::string_view, 48> kWords{"pupil",
                                                  "session_mark",
                                                  "group",
                                                  "group_membership",
                                                  "enrolment",
                                                  "fsm",
                                                  "sen",
                                                  "activity",
                                                  "2026-09-01",
                                                  "01/09/2026",
                                                  "1/9/26",
                                                  "31/02/2026",
                                                  "05-Sep-2026",
                                                  "2026-09-01T08:00:00Z",
                                                  "",
                                                  "AM",
                                                  "PM",
                                                  "/",
                                                  "\\",
                                                  "L",
                                                  "ZZ",
                                                  "p1",
                                                  "p2",
                                                  "A100000000001",
                                                  "true",
                                                  "N",
                                                  "-1",
                                                  "9223372036854775807",
                                                  "1e9",
                                                  "0x10",
                                                  "\"a\nb\"",
                                                  "\"\"\"\"",
                                                  "\xef\xbb\xbf",
                                                  "\xff",
                                                  "\xc3",
                                                  "windows-1252",
                                                  "tab",
                                                  "append",
                                                  "full",
                                                  "\"*\"",
                                                  "DD/MM/YYYY",
                                                  "D/M/YY|YYYY-MM-DD",
                                                  "{ value = \"C\" }",
                                                  "marks-*.csv",
                                                  "registration",
                                                  "07",
                                                  "Mixed",
                                                  "\xe2\x80\xae"};
constexpr std::string_view kHead =
    "[school]\nurn = 100001\nname = \"Example School\"\n[agent]\ndata = \"/data\"\n"
    "[[source]]\nname = \"mis\"\nkind = \"csv\"\npath = \"/exports\"\n";
}  // namespace

FUZZ_PACKAGES(kWords)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::Folder folder;
  static fuzz::SourceCheck check;
  static fuzz::MemoryFile file;
  static constexpr std::array<std::string_view, 3> kKinds{"oneroster-csv", "csv", "demo"};
  const fuzz::Package package = fuzz::package_of({reinterpret_cast<const char*>(data), size});
  const fuzz::PackedFile* mapping = package.find("towpath.toml");
  if (mapping == nullptr) return 0;
  const std::string text = std::string(kHead) + mapping->content;
  file.hold(bytes_of(text));
  const auto config = load_config(file.path(), built_in_dictionary(), kKinds, Paths::kAsWritten);
  if (!config || config->sources.empty() || config->sources.front().kind != "csv") return 0;
  SourceConfig source = config->sources.front();
  source.path = folder.hold(package, package.words.find("zip") != std::string::npos);
  check.run(source);
  return 0;
}
