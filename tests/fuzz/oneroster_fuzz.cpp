// Hostile OneRoster packages, as a folder or a zip, for one of their schools, through adapter and intake.
#include <array>

#include "source_check.hpp"

using namespace towpath;

namespace {
constexpr std::array<std::string_view, 56> kWords{"o1",
                                                  "o2",
                                                  "u1",
                                                  "t1",
                                                  "c1",
                                                  "k1",
                                                  "y1",
                                                  "student",
                                                  "teacher",
                                                  "aide",
                                                  "parent",
                                                  "guardian",
                                                  "principal",
                                                  "primary",
                                                  "secondary",
                                                  "homeroom",
                                                  "scheduled",
                                                  "active",
                                                  "tobedeleted",
                                                  "inactive",
                                                  "true",
                                                  "false",
                                                  "bulk",
                                                  "delta",
                                                  "absent",
                                                  "1.1",
                                                  "1.2",
                                                  "2.0",
                                                  "schoolYear",
                                                  "term",
                                                  "semester",
                                                  "school",
                                                  "district",
                                                  "2026-09-01",
                                                  "2027-07-20",
                                                  "2026-02-30",
                                                  "01/09/2026",
                                                  "20260901",
                                                  "2026-09-01T00:00:00.000Z",
                                                  "2026-2027",
                                                  "2027",
                                                  "07",
                                                  "\"07,08\"",
                                                  "R",
                                                  "N1",
                                                  "14",
                                                  "male",
                                                  "female",
                                                  "A100000000001",
                                                  "{UPN:B200000000002}",
                                                  "\"{sis:7},{UPN:B200000000002}\"",
                                                  "file.users",
                                                  "sourcedId",
                                                  "\xef\xbb\xbf",
                                                  "\xff",
                                                  "''"};
}  // namespace

FUZZ_PACKAGES(kWords)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::Folder folder;
  static fuzz::SourceCheck check;
  const fuzz::Package package = fuzz::package_of({reinterpret_cast<const char*>(data), size});
  SourceConfig config;
  config.name = "mis";
  config.kind = "oneroster-csv";
  if (package.words.find("o1") != std::string::npos) config.org = "o1";
  config.path = folder.hold(package, package.words.find("zip") != std::string::npos);
  check.run(config);
  return 0;
}
