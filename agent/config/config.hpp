// The agent's configuration: one TOML file, read and checked whole.
//
// In: a path, and what may be named in it (dictionary, adapter kinds). Out: the values in
// force, each with where it came from, or every problem of the file with its line. Nothing is
// guessed: an unknown key is an error with the nearest known name, because a misspelt setting
// that is silently ignored is found at the worst time. `config check` and every other verb use
// this same function, so a file that checks is a file that runs.
// Needs no network and starts nothing. The file holds no secrets; a key that looks like one is
// refused and its value is never shown.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/api/source_config.hpp"
#include "agent/config/windows.hpp"
#include "core/result.hpp"
#include "dictionary/dictionary.hpp"

namespace towpath {

// A configuration is some 50 lines; a value map for a big export may make it thousands.
inline constexpr std::size_t kConfigBytesMax = 1024 * 1024;
// A school has a handful of sources; each costs a run of its own.
inline constexpr std::size_t kSourcesMax = 32;
// One source's tables: a MIS has some 20 kinds of export.
inline constexpr std::size_t kTablesMax = 200;
// An extract needs room for its transaction and the agent is a guest on the disk: below this
// it stops politely (DOMAIN.md, IT-15).
inline constexpr std::int64_t kMinFreeMbDefault = 500;
// Days: what the hub assumes of itself, too: backups of four weeks, and one of them late. At most ten years,
// the longest that a school keeps a yearly copy.
inline constexpr int kSchoolBackupDaysDefault = 35, kSchoolBackupDaysMax = 3650;

// What the agent may take of a school's line, in kilobits a second, so that a first load does not
// spoil a lesson: a tenth of the 10 Mbit/s that the smallest schools have.
inline constexpr std::uint64_t kLineKbitDefault = 1000;

// How the hub is reached. Proxies are tried in the order of docs/: configured, environment, PAC, direct.
struct LineConfig {
  std::string proxy = "auto";             // "auto", "none" or http://host:port
  std::string pac_url;                    // empty: none
  std::string proxy_user_file;            // absolute; holds user:password; read only by the line
  std::string extra_ca;                   // absolute; PEM; beside the operating system's
  std::uint64_t kbit = kLineKbitDefault;  // a second; 0: no ceiling
};

// One value in force, for `config show`.
struct Setting {
  std::string key;    // "hub.url", "source mis.path"
  std::string value;  // as text
  int line = 0;       // in the file; 0: the default
};

struct AgentConfig {
  std::string file;        // absolute
  std::string school_urn;  // six digits
  std::string school_name;
  std::string data;  // absolute
  std::uint64_t min_free_bytes = 0;
  int backup_days = 0;  // how long backups of `data` are kept: goes into receipts
  std::string hub_url;  // without a slash at its end; empty: no hub, or it comes from enrolment
  LineConfig line;
  std::vector<std::string> grants;  // which may leave for the borough; never empty
  std::size_t body_bytes = 0;       // of an exchange
  std::vector<SourceConfig> sources;
  ScheduleConfig schedule;
  std::map<std::string, std::vector<Window>> source_windows;  // of the sources that have their own
  CalendarConfig calendar;
  std::vector<Setting> settings;  // in the order of the file's sections
};

// When this source is read by itself.
[[nodiscard]] const std::vector<Window>& extract_windows(const AgentConfig& config,
                                                         const std::string& source);

struct ConfigProblem {
  int line = 0;  // 0: the file as a whole
  std::string what;
  std::string next;                                                 // may be empty
  [[nodiscard]] std::string sentence(std::string_view file) const;  // "FILE:LINE: what. next"
};
using ConfigProblems = std::vector<ConfigProblem>;

// What a verb needs of the world outside the file. `status` must work while a network share is
// away; `extract` must not start then.
enum class Paths : std::uint8_t { kMustExist, kAsWritten };

[[nodiscard]] tl::expected<AgentConfig, ConfigProblems> load_config(const std::string& path,
                                                                    const Dictionary& dictionary,
                                                                    std::span<const std::string_view> kinds,
                                                                    Paths paths);

}  // namespace towpath
