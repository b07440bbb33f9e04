// Writes what an invented school would export on a day, as files: what benches and demos
// give the agent to read, in the formats that real schools have.
//
// In: a school on a day. Out: a folder with a OneRoster 1.1 bulk bundle (people, classes,
// enrolments) in oneroster/ and, for what OneRoster has no place for, mapped CSV files in
// exports/; and an agent configuration that reads both. A line is the same bytes on every
// day on which its row is the same; marks are in (date, session, pupil) order.
#pragma once

#include <string>

#include "adapters/demo/demo_school.hpp"
#include "core/result.hpp"

namespace towpath::demo {

struct ExportOptions {
  std::string folder;  // made if missing; files in it are replaced
  std::string urn = "100001";
  std::string name = "Example School";
  bool oneroster_only = false;  // leave exports/ out
};
// kIo when a file cannot be written.
[[nodiscard]] Result<void> write_exports(const DemoSchool& school, Date day, const ExportOptions& options);

struct AgentConfigOptions {
  std::string file;           // where to write it
  std::string data = "data";  // [agent] data
  std::string hub = "http://127.0.0.1:8440";
};
[[nodiscard]] Result<void> write_agent_config(const ExportOptions& exports,
                                              const AgentConfigOptions& options);

}  // namespace towpath::demo
