// One [[source]] of the agent's configuration, as its adapter sees it.
//
// Parsed and checked by agent/config (types, unknown keys, file and line); handed to
// make_adapter(). Paths are absolute by now.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/api/adapter.hpp"

namespace towpath {

// Which rows of which file become which dataset: the csv adapter's [[source.table]].
struct ColumnMapping {
  std::string field;   // dictionary field
  std::string column;  // header name; empty with `value`
  std::string value;   // a constant instead of a column
  std::string format;  // date format: "YYYY-MM-DD" (default), "DD/MM/YYYY", "D/M/YY", ...; several with "|"
  std::map<std::string, std::string> values;  // raw -> wanted, before checks; "*" for all others
  std::string source;                         // references: whose ids (another source's name)
  std::string by;                             // references: matched by this field ("UPN") instead of id
};
struct TableMapping {
  std::string dataset;
  std::string file;           // name or glob within `path`; "" when path is the file
  std::string mode = "full";  // "full" or "append"
  std::string delimiter = ",";
  std::string encoding = "utf-8";  // "utf-8", "windows-1252"
  std::vector<ColumnMapping> columns;
  // Only records whose column holds one of these values; the others are ignored, and counted.
  std::map<std::string, std::vector<std::string>> where;
  int line = 0;  // in the configuration, for messages
};

struct SourceConfig {
  std::string name;
  std::string kind;                  // "oneroster-csv", "csv", "demo"
  std::string path;                  // absolute
  std::string org;                   // oneroster: which school of the bundle
  std::string id_space;              // whose ids: default = name
  std::vector<TableMapping> tables;  // csv
  // demo
  std::string demo_phase;  // "primary" or "secondary"
  std::uint64_t demo_seed = 1;
  std::int64_t demo_pupils = 0;  // 0: the phase's usual number
  std::string demo_day;          // YYYY-MM-DD, or "" for today
};

// Makes the adapter of `config.kind`. Defined in adapters/registry.cpp, the only place
// that knows every kind. An error does not say which source it is about: the caller does.
[[nodiscard]] Result<std::unique_ptr<Adapter>> make_adapter(const SourceConfig& config,
                                                            const AdapterContext& context);
// The kinds there are, for messages.
[[nodiscard]] std::span<const std::string_view> adapter_kinds();

}  // namespace towpath
