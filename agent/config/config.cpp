#include "agent/config/config.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "agent/config/checks.hpp"
#include "bundle/bundle.hpp"
#include "platform/platform.hpp"

namespace towpath {
namespace {

namespace fs = std::filesystem;
using config::line_of_text_fault;
using config::nearest;
using config::suggestion;
using Names = std::vector<std::string_view>;

int line_of(const toml::node& node) { return static_cast<int>(node.source().begin.line); }
int line_of(const toml::key& key) { return static_cast<int>(key.source().begin.line); }

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

// What a value is, in words for people.
std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a decimal number";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time";
    case toml::node_type::date_time:
      return "a date with time";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::table:
      return "a section";
    default:
      return "nothing";
  }
}

std::string iso_text(const toml::date& date) {
  const auto day = Date::from_ymd(date.year, date.month, date.day);
  return day ? day->iso() : std::string();
}

// What is collected while the file is read.
struct Findings {
  ConfigProblems problems;
  std::vector<Setting> settings;
  void problem(int line, std::string what, std::string next = {}) {
    problems.push_back({line, std::move(what), std::move(next)});
  }
};

// Where each key of the file belongs, so that one in the wrong section is sent home.
constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kHomes{
    {{"urn", "[school]"},
     {"data", "[agent]"},
     {"min_free_mb", "[agent]"},
     {"backup_days", "[agent]"},
     {"url", "[hub]"},
     {"grants", "[hub]"},
     {"body_kib", "[hub]"},
     {"proxy", "[hub]"},
     {"pac_url", "[hub]"},
     {"proxy_user_file", "[hub]"},
     {"extra_ca", "[hub]"},
     {"line_kbit", "[hub]"},
     {"extract", "[schedule]"},
     {"exchange", "[schedule]"},
     {"holidays", "[calendar]"},
     {"holidays_file", "[calendar]"},
     {"kind", "[[source]]"},
     {"path", "[[source]]"},
     {"dataset", "[[source.table]]"},
     {"delimiter", "[[source.table]]"},
     {"encoding", "[[source.table]]"},
     {"file", "[[source.table]]"}}};

// One section of the file. Each key that is asked for becomes known; finish() reports the rest.
class Section {
 public:
  Section(Findings& findings, const toml::table* table, std::string title, std::string prefix, int line)
      : findings_(findings),
        table_(table),
        title_(std::move(title)),
        prefix_(std::move(prefix)),
        line_(line) {}

  [[nodiscard]] int line() const { return line_; }
  [[nodiscard]] std::string name_of(std::string_view key) const {
    return prefix_.empty() ? std::string(key) : prefix_ + "." + std::string(key);
  }
  [[nodiscard]] const std::string& title() const { return title_; }
  void rename(std::string prefix) { prefix_ = std::move(prefix); }

  const toml::node* get(std::string_view key) {
    known_.push_back(key);
    return table_ == nullptr ? nullptr : table_->get(key);
  }
  [[nodiscard]] int line_at(std::string_view key) const {
    const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
    return node == nullptr ? line_ : line_of(*node);
  }

  // Text; none if it is missing or wrong (then it has been reported).
  std::optional<std::string> text(std::string_view key) {
    const toml::node* node = get(key);
    if (node == nullptr) return std::nullopt;
    if (const auto* value = node->as_string()) return value->get();
    wrong_type(key, "text in quotes", *node);
    return std::nullopt;
  }
  // Text, or a number written without quotes.
  std::optional<std::string> text_or_number(std::string_view key) {
    const toml::node* node = get(key);
    if (node == nullptr) return std::nullopt;
    if (const auto* value = node->as_string()) return value->get();
    if (const auto* number = node->as_integer()) return std::to_string(number->get());
    wrong_type(key, "text or a whole number", *node);
    return std::nullopt;
  }
  std::optional<std::string> date(std::string_view key) {
    const toml::node* node = get(key);
    if (node == nullptr) return std::nullopt;
    std::string written;
    if (const auto* value = node->as_date())
      written = iso_text(value->get());
    else if (const auto* as_text = node->as_string())
      written = as_text->get();
    else {
      wrong_type(key, "a date (2026-11-19)", *node);
      return std::nullopt;
    }
    if (Date::parse(written)) return written;
    findings_.problem(line_of(*node), name_of(key) + " is not a day of the calendar: " + in_quotes(written),
                      "Write it as YYYY-MM-DD");
    return std::nullopt;
  }
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most) {
    const toml::node* node = get(key);
    if (node == nullptr) return std::nullopt;
    const auto* value = node->as_integer();
    if (value == nullptr) {
      wrong_type(key, "a whole number", *node);
      return std::nullopt;
    }
    if (value->get() >= least && value->get() <= most) return value->get();
    findings_.problem(line_of(*node), name_of(key) + " is " + std::to_string(value->get()) +
                                          ", which is outside " + std::to_string(least) + " to " +
                                          std::to_string(most));
    return std::nullopt;
  }
  // One of a few words, or the first of them where the key is missing.
  std::string choice(std::string_view key, std::span<const std::string_view> words) {
    const auto written = text(key);
    if (!written) return std::string(words.front());
    if (std::find(words.begin(), words.end(), *written) != words.end()) return *written;
    findings_.problem(line_at(key), name_of(key) + " is " + in_quotes(*written) + ", which is not known",
                      suggestion(*written, words));
    return std::string(words.front());
  }
  const toml::table* table(std::string_view key) {
    const toml::node* node = get(key);
    if (node == nullptr) return nullptr;
    if (const toml::table* value = node->as_table()) return value;
    wrong_type(key, "a section", *node);
    return nullptr;
  }
  // [[name]]: a list of sections.
  std::vector<const toml::table*> tables(std::string_view key, std::string_view heading, std::size_t most) {
    std::vector<const toml::table*> found;
    const toml::node* node = get(key);
    if (node == nullptr) return found;
    const toml::array* list = node->as_array();
    if (list == nullptr) {
      findings_.problem(line_of(*node),
                        "expected a list of sections under " + std::string(heading) + ", got " +
                            std::string(kind_of(*node)),
                        "Write the heading with double brackets: " + std::string(heading));
      return found;
    }
    for (const toml::node& item : *list) {
      if (const toml::table* value = item.as_table())
        found.push_back(value);
      else
        findings_.problem(line_of(item), "expected a section " + std::string(heading) + ", got " +
                                             std::string(kind_of(item)));
    }
    if (found.size() > most) {
      findings_.problem(line_of(*found[most]), "there are " + std::to_string(found.size()) + " sections " +
                                                   std::string(heading) + ", and " + std::to_string(most) +
                                                   " is the limit");
      found.resize(most);
    }
    return found;
  }

  void missing(std::string_view key, std::string next) {
    if (table_ != nullptr && table_->contains(key)) return;  // there, but wrong: already reported
    missing_.emplace_back(key, std::move(next));             // said by finish(), unless it is there misspelt
  }
  // True if an unknown key of the section was probably meant to be this one.
  [[nodiscard]] bool meant(std::string_view key) const {
    if (table_ == nullptr) return false;
    return std::any_of(table_->begin(), table_->end(), [&](const auto& entry) {
      const std::string_view name = entry.first.str();
      return std::find(known_.begin(), known_.end(), name) == known_.end() && !config::looks_secret(name) &&
             nearest(name, known_) == key;
    });
  }
  void note(std::string_view key, std::string value) {
    const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
    findings_.settings.push_back({name_of(key), std::move(value), node == nullptr ? 0 : line_of(*node)});
  }
  void wrong_type(std::string_view key, std::string_view expected, const toml::node& got) {
    findings_.problem(line_of(got), name_of(key) + ": expected " + std::string(expected) + ", got " +
                                        std::string(kind_of(got)));
  }

  // Every key that nobody asked for, and every one that is missing.
  void finish() {
    for (auto& [key, next] : missing_)
      if (!meant(key)) findings_.problem(line_, title_ + " has no key " + in_quotes(key), std::move(next));
    missing_.clear();
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_) {
      const std::string_view name = key.str();
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      if (config::looks_secret(name)) {
        findings_.problem(line_of(key),
                          title_ + " has a key " + in_quotes(name) + ", which looks like a secret",
                          "Remove it: this file holds no secrets, and towpath reads none from it");
        continue;
      }
      const std::string what = "unknown key " + in_quotes(name) + " in " + title_;
      const auto home =
          std::find_if(kHomes.begin(), kHomes.end(), [&](const auto& entry) { return entry.first == name; });
      if (!nearest(name, known_) && home != kHomes.end() && home->second != title_)
        findings_.problem(line_of(key), what, "It belongs under " + std::string(home->second));
      else
        findings_.problem(line_of(key), what, suggestion(name, known_));
    }
  }

 private:
  Findings& findings_;
  const toml::table* table_;
  std::string title_, prefix_;
  int line_;
  Names known_;
  std::vector<std::pair<std::string_view, std::string>> missing_;  // key, what to do
};

// The longest part of a path that exists, for messages.
std::string where_it_ends(const fs::path& path) {
  std::error_code ignored;
  for (fs::path at = path.parent_path(); !at.empty() && at != at.parent_path(); at = at.parent_path())
    if (fs::exists(at, ignored)) return "There is " + at.string() + ", but nothing below it of that name";
  return "No folder on the way to it exists";
}

class File {
 public:
  File(Findings& findings, const Dictionary& dictionary, std::span<const std::string_view> kinds, Paths paths,
       const fs::path& folder, AgentConfig& out)
      : findings_(findings),
        dictionary_(dictionary),
        kinds_(kinds),
        paths_(paths),
        folder_(folder),
        out_(out) {}

  void read(const toml::table& root) {
    Section file{findings_, &root, "the file", "", 0};
    const toml::table* school = file.table("school");
    const toml::table* agent = file.table("agent");
    const toml::table* hub = file.table("hub");
    const toml::table* schedule = file.table("schedule");
    const toml::table* calendar = file.table("calendar");
    const auto sources = file.tables("source", "[[source]]", kSourcesMax);
    file.finish();
    if (school != nullptr || !file.meant("school")) read_school(school);
    read_agent(agent);
    read_hub(hub);
    read_schedule(schedule);
    read_calendar(calendar);
    if (sources.empty() && !root.contains("source") && !file.meant("source"))
      findings_.problem(0, "there is no [[source]], so there would be nothing to read",
                        "Add a [[source]] with name, kind and path");
    for (const toml::table* source : sources) read_source(*source);
    check_references();
  }

 private:
  // A mapping that names another source; looked at when all sources are known.
  struct Reference {
    std::string source;
    int line;
  };

  void read_school(const toml::table* table) {
    if (table == nullptr) {
      findings_.problem(0, "there is no section [school]", "Add [school] with urn and name");
      return;
    }
    Section school{findings_, table, "[school]", "school", line_of(*table)};
    if (const auto urn = school.text_or_number("urn")) {
      const bool six = urn->size() == 6 && urn->find_first_not_of("0123456789") == std::string::npos;
      if (six && urn->front() != '0')
        out_.school_urn = *urn;
      else
        findings_.problem(school.line_at("urn"),
                          "school.urn is " + in_quotes(*urn) + ", which is not six digits",
                          "Look the school up on get-information-schools.service.gov.uk");
    } else {
      school.missing("urn", "Add the school's six-digit URN: urn = 100001");
    }
    school.note("urn", out_.school_urn);
    if (const auto name = school.text("name")) {
      const std::string fault = line_of_text_fault(*name, 200);
      if (fault.empty())
        out_.school_name = *name;
      else
        findings_.problem(school.line_at("name"), "school.name " + fault);
    } else {
      school.missing("name", "Add the school's name: name = \"Example School\"");
    }
    school.note("name", out_.school_name);
    school.finish();
  }

  void read_agent(const toml::table* table) {
    Section agent{findings_, table, "[agent]", "agent", table == nullptr ? 0 : line_of(*table)};
    const std::string data = agent.text("data").value_or("data");
    if (const std::string fault = line_of_text_fault(data, 4000); !fault.empty())
      findings_.problem(agent.line_at("data"), "agent.data " + fault);
    out_.data = absolute(data);
    std::error_code ignored;
    if (fs::exists(out_.data, ignored) && !fs::is_directory(out_.data, ignored))
      findings_.problem(agent.line_at("data"), "agent.data is " + out_.data + ", which is not a folder",
                        "Name a folder; towpath makes it");
    agent.note("data", out_.data);
    // 0 switches the check off; a terabyte is more than any school server keeps free on purpose.
    const std::int64_t mb = agent.integer("min_free_mb", 0, 1'000'000).value_or(kMinFreeMbDefault);
    out_.min_free_bytes = static_cast<std::uint64_t>(mb) * 1'000'000;
    agent.note("min_free_mb", std::to_string(mb));
    out_.backup_days = static_cast<int>(
        agent.integer("backup_days", 0, kSchoolBackupDaysMax).value_or(kSchoolBackupDaysDefault));
    agent.note("backup_days", std::to_string(out_.backup_days));
    agent.finish();
  }

  void read_hub(const toml::table* table) {
    Section hub{findings_, table, "[hub]", "hub", table == nullptr ? 0 : line_of(*table)};
    if (const auto url = hub.text("url")) {
      const std::string fault = config::url_fault(*url);
      if (fault.empty()) {
        out_.hub_url = *url;
        while (out_.hub_url.ends_with('/')) out_.hub_url.pop_back();
      } else {
        // The value is not repeated: it may hold a password.
        findings_.problem(hub.line_at("url"), "hub.url " + fault);
      }
    }
    hub.note("url", out_.hub_url.empty() ? "(none, or as enrolled)" : out_.hub_url);
    read_grants(hub);
    // A segment is some 20 KiB as a rule and goes whole, so that a smaller body would hold none; 1 MiB
    // is what filters pass at most.
    constexpr std::int64_t kLeastKib = 32;
    const std::int64_t kib =
        hub.integer("body_kib", kLeastKib, static_cast<std::int64_t>(kBundleBytesMax / 1024))
            .value_or(static_cast<std::int64_t>(kBundleBytesDefault / 1024));
    out_.body_bytes = static_cast<std::size_t>(kib) * 1024;
    hub.note("body_kib", std::to_string(kib));
    read_line(hub);
    hub.finish();
  }

  void read_line(Section& hub) {
    LineConfig& line = out_.line;
    // Neither value is repeated where it is wrong: it may hold a password.
    if (const auto proxy = hub.text("proxy")) {
      if (const std::string fault = config::proxy_fault(*proxy); fault.empty())
        line.proxy = proxy->ends_with('/') ? proxy->substr(0, proxy->size() - 1) : *proxy;
      else
        findings_.problem(hub.line_at("proxy"), "hub.proxy " + fault,
                          "The user's name and password, if the proxy asks, go into hub.proxy_user_file");
    }
    hub.note("proxy", line.proxy);
    if (const auto pac = hub.text("pac_url")) {
      if (const std::string fault = config::pac_url_fault(*pac); fault.empty())
        line.pac_url = *pac;
      else
        findings_.problem(hub.line_at("pac_url"), "hub.pac_url " + fault);
    }
    if (!line.pac_url.empty()) hub.note("pac_url", line.pac_url);
    line.proxy_user_file = hub_file(hub, "proxy_user_file", "one line, user:password");
    if (!line.proxy_user_file.empty()) check_private(hub.line_at("proxy_user_file"), line.proxy_user_file);
    line.extra_ca = hub_file(hub, "extra_ca", "the web filter's certificate, PEM");
    if (!line.extra_ca.empty()) check_certificates(hub.line_at("extra_ca"), line.extra_ca);
    // A gigabit is more than any exchange could use.
    line.kbit = static_cast<std::uint64_t>(
        hub.integer("line_kbit", 0, 1'000'000).value_or(static_cast<std::int64_t>(kLineKbitDefault)));
    hub.note("line_kbit", line.kbit == 0 ? "0 (no ceiling)" : std::to_string(line.kbit));
  }

  // A file that [hub] names; empty where none is named or where it is wrong.
  std::string hub_file(Section& hub, std::string_view key, std::string_view holds) {
    const auto written = hub.text(key);
    const std::string name = "hub." + std::string(key);
    std::string path;
    if (written) {
      if (const std::string fault = line_of_text_fault(*written, 4000); !fault.empty())
        findings_.problem(hub.line_at(key), name + " " + fault);
      else
        path = absolute(*written);
    }
    std::error_code error;
    if (!path.empty() && paths_ == Paths::kMustExist && !fs::is_regular_file(path, error)) {
      const bool there = fs::exists(path, error);
      findings_.problem(hub.line_at(key),
                        name + " is " + path + (there ? ", which is not a file" : ", which does not exist"),
                        there ? "Name a file: " + std::string(holds) : where_it_ends(path));
      path.clear();
    }
    if (!path.empty()) hub.note(key, path);
    return path;
  }
  // A password that every user of the machine may read is none.
  void check_private(int line, const std::string& path) {
    std::error_code error;
    const auto rights = fs::status(path, error).permissions();
    if (error || rights == fs::perms::unknown) return;  // away today, or a system without such rights
    if ((rights & (fs::perms::others_all | fs::perms::group_write)) != fs::perms::none)
      findings_.problem(
          line, "hub.proxy_user_file is " + path + ", which other users of this machine can read or change",
          "Run: chmod 600 " + path);
  }
  void check_certificates(int line, const std::string& path) {
    const auto text = platform::read_file(path, kConfigBytesMax);
    if (!text) {
      if (paths_ == Paths::kMustExist)
        findings_.problem(line, "hub.extra_ca: " + text.error().what(), text.error().next());
      return;
    }
    if (text->find("PRIVATE KEY-----") != std::string::npos)
      findings_.problem(line, "hub.extra_ca is " + path + ", which holds a private key",
                        "Name a file with certificates only; the key belongs to the web filter alone");
    else if (text->find("-----BEGIN CERTIFICATE-----") == std::string::npos)
      findings_.problem(line, "hub.extra_ca is " + path + ", which holds no certificate in PEM form",
                        "Convert it: openssl x509 -inform der -in FILE -out FILE.pem");
  }

  void read_grants(Section& hub) {
    const toml::node* node = hub.get("grants");
    const auto& all = dictionary_.grants;
    if (node == nullptr) {
      out_.grants.assign(all.begin(), all.end());
    } else if (const toml::array* list = node->as_array()) {
      if (list->empty())
        findings_.problem(line_of(*node), "hub.grants is empty, so nothing could leave the school",
                          "Name at least one grant, or remove the key to send what every grant allows");
      for (const toml::node& item : *list) {
        const auto* grant = item.as_string();
        if (grant == nullptr) {
          findings_.problem(line_of(item),
                            "hub.grants: expected names in quotes, got " + std::string(kind_of(item)));
        } else if (std::find(all.begin(), all.end(), grant->get()) == all.end()) {
          findings_.problem(line_of(item), "hub.grants: unknown grant " + in_quotes(grant->get()),
                            suggestion(grant->get(), all));
        } else if (std::find(out_.grants.begin(), out_.grants.end(), grant->get()) == out_.grants.end()) {
          out_.grants.push_back(grant->get());
        }
      }
    } else {
      hub.wrong_type("grants", "a list of names, [\"ROLL\", \"ATT-CAT\"]", *node);
    }
    std::string shown;
    for (const std::string& grant : out_.grants) shown += (shown.empty() ? "" : ", ") + grant;
    hub.note("grants", shown);
  }

  void read_schedule(const toml::table* table) {
    Section schedule{findings_, table, "[schedule]", "schedule", table == nullptr ? 0 : line_of(*table)};
    // Most systems write their export at night, and registers of the afternoon are closed by two; the
    // hub then has each school's data before and after lessons.
    const std::vector<Window> twice{{0x1f, 330, 420, 0}, {0x1f, 840, 930, 0}};
    const std::vector<Window> by_day{{0x1f, 360, 1080, 30}};
    out_.schedule.extract = windows(schedule, "extract", twice).value_or(twice);
    out_.schedule.exchange = windows(schedule, "exchange", by_day).value_or(by_day);
    schedule.finish();
  }

  // None where the key is missing and there is no default. An empty list: only by hand.
  std::optional<std::vector<Window>> windows(Section& section, std::string_view key,
                                             std::optional<std::vector<Window>> by_default) {
    const toml::node* node = section.get(key);
    std::optional<std::vector<Window>> out = std::move(by_default);
    if (node != nullptr) {
      out.emplace();
      each_text(section, key, *node, kWindowsMax, "windows, [\"mon-fri 05:30-07:00\"]",
                [&](const std::string& text, int line) {
                  Window window;
                  const std::string fault = config::read_window(text, window);
                  if (fault.empty())
                    out->push_back(window);
                  else
                    findings_.problem(line, section.name_of(key) + ": " + in_quotes(text) + " " + fault);
                });
    }
    if (!out) return out;
    std::string shown;
    for (const Window& window : *out) shown += (shown.empty() ? "" : "; ") + window.text();
    section.note(key, shown.empty() ? "(only by hand)" : shown);
    return out;
  }

  void read_calendar(const toml::table* table) {
    Section calendar{findings_, table, "[calendar]", "calendar", table == nullptr ? 0 : line_of(*table)};
    std::vector<Holiday>& holidays = out_.calendar.holidays;
    const auto add = [&](const std::string& text, int line, const std::string& where) {
      Holiday holiday;
      const std::string fault = config::read_holiday(text, holiday);
      if (fault.empty())
        holidays.push_back(holiday);
      else
        findings_.problem(line, where + ": " + in_quotes(text) + " " + fault);
    };
    if (const toml::node* node = calendar.get("holidays"))
      each_text(calendar, "holidays", *node, kHolidaysMax, "days off, [\"2026-12-19 to 2027-01-03\"]",
                [&](const std::string& text, int line) { add(text, line, "calendar.holidays"); });
    calendar.note("holidays", std::to_string(holidays.size()));
    if (const auto written = calendar.text("holidays_file")) {
      const int line = calendar.line_at("holidays_file");
      const std::string path = absolute(*written);
      calendar.note("holidays_file", path);
      read_holidays_file(path, line, add);
    }
    calendar.finish();
  }

  // One range a line; what follows a '#' is for people.
  void read_holidays_file(const std::string& path, int line,
                          const std::function<void(const std::string&, int, const std::string&)>& add) {
    const auto text = platform::read_file(path, kConfigBytesMax);
    if (!text) {
      // Away today: alarms may come in holidays, and work at their hours. That stops nobody, and is told.
      if (paths_ == Paths::kAsWritten) {
        out_.calendar.unread = "calendar.holidays_file: " + text.error().what();
        return;
      }
      findings_.problem(line, "calendar.holidays_file: " + text.error().what(), text.error().next());
      return;
    }
    std::size_t count = 0, number = 0;
    for (std::size_t at = 0; at < text->size();) {
      const std::size_t end = std::min(text->find('\n', at), text->size());
      std::string one = text->substr(at, end - at);
      at = end + 1;
      ++number;
      one.resize(std::min(one.find('#'), one.size()));
      while (one.ends_with('\r') || one.ends_with(' ') || one.ends_with('\t')) one.pop_back();
      if (one.empty()) continue;
      if (++count > kHolidaysMax) {
        findings_.problem(line,
                          "calendar.holidays_file holds more than " + std::to_string(kHolidaysMax) + " lines",
                          "Leave out the years that are over");
        return;
      }
      if (const std::string fault = line_of_text_fault(one, 100); !fault.empty())
        findings_.problem(line, path + ":" + std::to_string(number) + " " + fault);
      else
        add(one, line, path + ":" + std::to_string(number));
    }
  }

  // A list of texts, each handed on with its line.
  void each_text(Section& section, std::string_view key, const toml::node& node, std::size_t most,
                 std::string_view expected, const std::function<void(const std::string&, int)>& each) {
    const toml::array* list = node.as_array();
    if (list == nullptr) {
      section.wrong_type(key, "a list of " + std::string(expected), node);
      return;
    }
    if (list->size() > most) {
      findings_.problem(line_of(node), section.name_of(key) + " holds " + std::to_string(list->size()) +
                                           " entries, and " + std::to_string(most) + " is the limit");
      return;
    }
    for (const toml::node& item : *list) {
      if (const auto* text = item.as_string())
        each(text->get(), line_of(item));
      else
        findings_.problem(line_of(item), section.name_of(key) + ": expected " + std::string(expected) +
                                             ", got " + std::string(kind_of(item)));
    }
  }

  void read_source(const toml::table& table) {
    SourceConfig source;
    Section section{findings_, &table, "[[source]]", "source", line_of(table)};
    if (const auto name = section.text("name")) {
      source.name = *name;
      const int line = section.line_at("name");
      if (const std::string fault = config::source_name_fault(*name); !fault.empty()) {
        findings_.problem(line, "source.name " + in_quotes(*name) + " " + fault);
      } else if (const auto first = lines_.emplace(*name, line); !first.second) {
        findings_.problem(line,
                          "there are two sources named " + in_quotes(*name) + "; the other is in line " +
                              std::to_string(first.first->second),
                          "Rename one of them");
      }
      section.rename("source " + *name);
    } else {
      section.missing("name", "Add a name of your choice: name = \"mis\"");
    }
    section.note("name", source.name);
    bool known = false;
    if (const auto kind = section.text("kind")) {
      known = std::find(kinds_.begin(), kinds_.end(), *kind) != kinds_.end();
      if (known)
        source.kind = *kind;
      else
        findings_.problem(section.line_at("kind"), "unknown kind of source " + in_quotes(*kind),
                          suggestion(*kind, kinds_));
    } else {
      std::string list;
      for (const std::string_view each : kinds_) list += (list.empty() ? "" : ", ") + std::string(each);
      section.missing("kind", "Add one of: " + list);
    }
    section.note("kind", source.kind);
    const bool demo = source.kind == "demo";
    const bool csv = source.kind == "csv";

    if (demo)
      not_for(section, table, source.kind, "path");
    else
      read_path(section, source, known);
    if (csv || demo)
      not_for(section, table, source.kind, "org");
    else if (const auto org = section.text_or_number("org")) {
      if (const std::string fault = line_of_text_fault(*org, 255); !fault.empty())
        findings_.problem(section.line_at("org"), "source.org " + fault);
      source.org = *org;
      section.note("org", source.org);
    }
    source.id_space = source.name;
    if (const auto space = section.text("id_space")) {
      if (const std::string fault = config::source_name_fault(*space); !fault.empty())
        findings_.problem(section.line_at("id_space"), "source.id_space " + in_quotes(*space) + " " + fault);
      source.id_space = *space;
    }
    section.note("id_space", source.id_space);
    if (auto own = windows(section, "extract", std::nullopt))
      out_.source_windows.insert_or_assign(source.name, std::move(*own));
    if (csv)
      read_tables(section, source);
    else
      not_for(section, table, source.kind, "table");
    if (demo)
      read_demo(section, source);
    else
      for (const std::string_view key : {"phase", "seed", "pupils", "day"})
        not_for(section, table, source.kind, key);
    section.finish();
    out_.sources.push_back(std::move(source));
  }

  // A key that exists, but for other kinds of source.
  void not_for(Section& section, const toml::table& table, const std::string& kind, std::string_view key) {
    if (!table.contains(key)) return;
    (void)section.get(key);
    if (kind.empty()) return;  // the kind itself is wrong and reported
    findings_.problem(section.line_at(key),
                      "key " + in_quotes(key) + " means nothing for a source of kind " + in_quotes(kind),
                      "Remove it, or change the kind");
  }

  void read_path(Section& section, SourceConfig& source, bool known) {
    const auto path = section.text("path");
    if (!path) {
      if (known) section.missing("path", "Add the folder or file that the MIS exports to");
      return;
    }
    const int line = section.line_at("path");
    if (const std::string fault = line_of_text_fault(*path, 4000); !fault.empty()) {
      findings_.problem(line, "source.path " + fault);
      return;
    }
    source.path = absolute(*path);
    section.note("path", source.path);
    if (paths_ == Paths::kAsWritten) return;
    std::error_code error;
    if (!fs::exists(source.path, error)) {
      if (error && error != std::errc::no_such_file_or_directory)
        findings_.problem(line, "source.path " + source.path + " cannot be looked at: " + error.message(),
                          "Give towpath's account the right to read it");
      else
        findings_.problem(line, "source.path leads nowhere: " + source.path, where_it_ends(source.path));
    }
  }

  void read_demo(Section& section, SourceConfig& source) {
    static constexpr std::array<std::string_view, 2> kPhases{"primary", "secondary"};
    source.demo_phase = section.choice("phase", kPhases);
    section.note("phase", source.demo_phase);
    source.demo_seed = static_cast<std::uint64_t>(section.integer("seed", 0, INT64_MAX).value_or(1));
    section.note("seed", std::to_string(source.demo_seed));
    // The largest school in England has some 4,000 pupils; more only serves load tests.
    source.demo_pupils = section.integer("pupils", 0, 20'000).value_or(0);
    section.note("pupils",
                 source.demo_pupils == 0 ? "usual for the phase" : std::to_string(source.demo_pupils));
    source.demo_day = section.date("day").value_or("");
    section.note("day", source.demo_day.empty() ? "today" : source.demo_day);
  }

  void read_tables(Section& section, SourceConfig& source) {
    const auto tables = section.tables("table", "[[source.table]]", kTablesMax);
    if (tables.empty()) section.missing("table", "Add a [[source.table]] for each export file");
    std::error_code ignored;
    // A zip is a folder as far as files in it are concerned.
    const bool zip =
        source.path.size() > 4 && config::same_word(fs::path(source.path).extension().string(), ".zip");
    const bool one_file = !zip && fs::is_regular_file(source.path, ignored);
    const bool folder = zip || fs::is_directory(source.path, ignored);
    for (std::size_t i = 0; i < tables.size(); ++i) {
      TableMapping table;
      table.line = line_of(*tables[i]);
      Section at{findings_, tables[i], "[[source.table]]",
                 "source " + source.name + ".table " + std::to_string(i + 1), table.line};
      const Dataset* dataset = nullptr;
      if (const auto name = at.text("dataset")) {
        table.dataset = *name;
        dataset = *name == kEntityDataset ? nullptr : dictionary_.find(*name);
        if (dataset == nullptr)
          findings_.problem(at.line_at("dataset"), "unknown dataset " + in_quotes(*name),
                            suggestion(*name, dataset_names()));
      } else {
        at.missing("dataset", "Name the dataset that the file's rows become");
      }
      at.note("dataset", table.dataset);
      table.file = at.text("file").value_or("");
      if (!table.file.empty()) {
        const fs::path name{table.file};
        if (name.is_absolute() || std::find(name.begin(), name.end(), fs::path("..")) != name.end())
          findings_.problem(at.line_at("file"),
                            "file " + in_quotes(table.file) + " must lie within the source's path",
                            "Name it relative to " + source.path);
        else if (one_file)
          findings_.problem(
              at.line_at("file"),
              "file " + in_quotes(table.file) + " is named, but the source's path is a file itself",
              "Remove one of them");
      } else if (folder) {
        at.missing("file", "Name the file, or a pattern such as \"marks*.csv\"");
      }
      at.note("file", table.file.empty() ? "(the source's path)" : table.file);
      static constexpr std::array<std::string_view, 2> kModes{"full", "append"};
      table.mode = at.choice("mode", kModes);
      at.note("mode", table.mode);
      read_delimiter(at, table);
      static constexpr std::array<std::string_view, 2> kEncodings{"utf-8", "windows-1252"};
      table.encoding = at.choice("encoding", kEncodings);
      at.note("encoding", table.encoding);
      read_where(at, source, table);
      if (const toml::table* columns = at.table("columns"))
        read_columns(*columns, source, table, dataset);
      else
        at.missing("columns", "Add [source.table.columns] with a line per field: Surname = \"Last name\"");
      at.finish();
      source.tables.push_back(std::move(table));
    }
  }

  void read_delimiter(Section& at, TableMapping& table) {
    if (const auto delimiter = at.text("delimiter")) {
      if (*delimiter == "tab") {
        table.delimiter = "\t";
      } else if (delimiter->size() == 1 &&
                 std::string_view(",;|\t:^").find(delimiter->front()) != std::string_view::npos) {
        table.delimiter = *delimiter;
      } else {
        findings_.problem(at.line_at("delimiter"),
                          "delimiter is " + in_quotes(*delimiter) + ", which cannot part columns",
                          "Use one of: , ; | : ^ tab");
      }
    }
    at.note("delimiter", table.delimiter == "\t" ? "tab" : table.delimiter);
  }

  // Which records are meant: column = "value" or ["one", "or another"].
  void read_where(Section& at, const SourceConfig& source, TableMapping& table) {
    const toml::table* where = at.table("where");
    if (where == nullptr) return;
    for (const auto& [key, node] : *where) {
      std::vector<std::string> values;
      bool fine = true;
      const auto take = [&](const toml::node& value) {
        if (const auto* text = value.as_string())
          values.push_back(text->get());
        else if (const auto* number = value.as_integer())
          values.push_back(std::to_string(number->get()));
        else
          fine = false;
      };
      if (const toml::array* list = node.as_array())
        for (const toml::node& item : *list) take(item);
      else
        take(node);
      const std::string column{key.str()};
      if (!fine || values.empty())
        findings_.problem(line_of(key),
                          "where: " + in_quotes(column) + " needs a value or a list of values in quotes",
                          "Write " + column + " = [\"one\", \"another\"]");
      std::string shown;
      for (const std::string& value : values) shown += (shown.empty() ? "" : ", ") + in_quotes(value);
      findings_.settings.push_back(
          {"source " + source.name + "." + table.dataset + ".where " + column, shown, line_of(key)});
      table.where.emplace(column, std::move(values));
    }
  }

  void read_columns(const toml::table& columns, const SourceConfig& source, TableMapping& table,
                    const Dataset* dataset) {
    std::set<std::string_view> mapped;
    for (const auto& [key, node] : columns) {
      const std::string name{key.str()};
      const Field* field = nullptr;
      if (dataset != nullptr) {
        if (const auto at = dataset->position(name)) field = &dataset->fields[*at];
        if (field != nullptr && (field->type == Type::kRawCode || field->type == Type::kUuid)) {
          findings_.problem(line_of(key),
                            in_quotes(name) + " is filled by towpath itself and cannot be mapped",
                            "Map the field that it belongs to");
          continue;
        }
        if (field == nullptr) {
          findings_.problem(line_of(key),
                            "dataset " + in_quotes(dataset->name) + " has no field " + in_quotes(name),
                            suggestion(name, field_names(*dataset)));
          continue;
        }
        mapped.insert(field->name);
      }
      ColumnMapping mapping;
      mapping.field = name;
      const std::string prefix = "source " + source.name + "." + table.dataset;
      if (const auto* column = node.as_string()) {
        mapping.column = column->get();
        if (const std::string fault = line_of_text_fault(mapping.column, 255); !fault.empty())
          findings_.problem(line_of(node), "the column name of " + in_quotes(name) + " " + fault);
      } else if (const toml::table* detail = node.as_table()) {
        read_column(*detail, line_of(key), name, prefix, field, dataset, mapping);
      } else {
        findings_.problem(line_of(node), prefix + "." + name +
                                             ": expected a column name in quotes or { column = ... }, got " +
                                             std::string(kind_of(node)));
      }
      findings_.settings.push_back({prefix + "." + name,
                                    mapping.value.empty() ? "column " + in_quotes(mapping.column)
                                                          : "always " + in_quotes(mapping.value),
                                    line_of(key)});
      table.columns.push_back(std::move(mapping));
    }
    if (dataset == nullptr) return;
    std::string lacking;
    for (std::size_t i = 0; i < dataset->fields.size(); ++i) {
      const Field& field = dataset->fields[i];
      if (field.type == Type::kRawCode || (i >= dataset->key_count && !field.required)) continue;
      if (!mapped.contains(field.name)) lacking += (lacking.empty() ? "" : ", ") + std::string(field.name);
    }
    if (!lacking.empty())
      findings_.problem(
          line_of(columns),
          "rows of " + in_quotes(dataset->name) + " need " + lacking + ", and no column is named for it",
          "Add a line for each under [source.table.columns]");
  }

  void read_column(const toml::table& detail, int line, const std::string& name, const std::string& prefix,
                   const Field* field, const Dataset* dataset, ColumnMapping& mapping) {
    Section at{findings_, &detail, "the mapping of " + in_quotes(name), prefix + "." + name, line};
    mapping.column = at.text("column").value_or("");
    mapping.value = at.text_or_number("value").value_or("");
    if (mapping.column.empty() == mapping.value.empty())
      findings_.problem(line, "the mapping of " + in_quotes(name) + " needs either a column or a value",
                        "Write { column = \"Header\" } or { value = \"constant\" }");
    mapping.format = at.text("format").value_or("");
    if (!mapping.format.empty() && field != nullptr && field->type != Type::kDate &&
        field->type != Type::kInstant)
      findings_.problem(at.line_at("format"), "format is for dates, and " + in_quotes(name) + " is none",
                        "Remove it");
    if (const toml::table* values = at.table("values")) {
      for (const auto& [from, to] : *values) {
        if (const auto* text = to.as_string())
          mapping.values.emplace(std::string(from.str()), text->get());
        else if (const auto* number = to.as_integer())
          mapping.values.emplace(std::string(from.str()), std::to_string(number->get()));
        else
          findings_.problem(line_of(to), "values of " + in_quotes(name) + ": expected text, got " +
                                             std::string(kind_of(to)));
      }
    }
    mapping.source = at.text("source").value_or("");
    mapping.by = at.text("by").value_or("");
    const bool refers = field == nullptr || field->type == Type::kRef || field->type == Type::kEntity;
    if (!mapping.source.empty()) {
      if (refers)
        references_.push_back({mapping.source, at.line_at("source")});
      else
        findings_.problem(at.line_at("source"),
                          "source is for references, and " + in_quotes(name) + " is none", "Remove it");
    }
    if (!mapping.by.empty() && field != nullptr) {
      const Names fields = fields_to_match(*field, dataset);
      if (!refers)
        findings_.problem(at.line_at("by"), "by is for references, and " + in_quotes(name) + " is none",
                          "Remove it");
      else if (std::find(fields.begin(), fields.end(), mapping.by) == fields.end())
        findings_.problem(at.line_at("by"),
                          in_quotes(name) + " cannot be matched by " + in_quotes(mapping.by),
                          suggestion(mapping.by, fields));
    }
    at.finish();
  }

  void check_references() {
    Names known;
    for (const SourceConfig& source : out_.sources) {
      known.push_back(source.name);
      if (source.id_space != source.name) known.push_back(source.id_space);
    }
    for (const Reference& reference : references_)
      if (std::find(known.begin(), known.end(), reference.source) == known.end())
        findings_.problem(reference.line,
                          "source " + in_quotes(reference.source) + " is referred to, but not configured",
                          suggestion(reference.source, known));
  }

  [[nodiscard]] Names dataset_names() const {
    Names names;
    for (const Dataset& dataset : dictionary_.datasets)
      if (dataset.name != kEntityDataset) names.push_back(dataset.name);
    return names;
  }
  [[nodiscard]] static Names field_names(const Dataset& dataset) {
    Names names;
    for (const Field& field : dataset.fields)
      if (field.type != Type::kRawCode && field.type != Type::kUuid && !field.derived())
        names.push_back(field.name);
    return names;
  }
  // The text fields by which a referenced row may be found instead of its id.
  [[nodiscard]] Names fields_to_match(const Field& field, const Dataset* dataset) const {
    Names names;
    std::string_view list = field.type == Type::kRef ? field.ref : dataset->name;
    while (!list.empty()) {
      const std::size_t comma = list.find(',');
      if (const Dataset* target = dictionary_.find(list.substr(0, comma)))
        for (const Field& candidate : target->fields)
          if (candidate.type == Type::kText) names.push_back(candidate.name);
      list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    }
    return names;
  }
  [[nodiscard]] std::string absolute(const std::string& path) const {
    fs::path joined = (folder_ / path).lexically_normal();
    if (!joined.has_filename() && joined.has_relative_path()) joined = joined.parent_path();
    return joined.string();
  }

  Findings& findings_;
  const Dictionary& dictionary_;
  std::span<const std::string_view> kinds_;
  Paths paths_;
  fs::path folder_;
  AgentConfig& out_;
  std::map<std::string, int> lines_;  // source name -> where it was first given
  std::vector<Reference> references_;
};

ConfigProblem syntax_problem(const toml::parse_error& error) {
  std::string what = "this is not TOML: " + std::string(error.description());
  std::string next;
  if (what.find("escape") != std::string::npos)
    next = "Write Windows paths in single quotes: path = 'C:\\exports'";
  else if (what.find("redefine") != std::string::npos || what.find("already") != std::string::npos)
    next = "A key or section may be given once";
  else
    next = "Look at that line and the one before it: quotes and brackets must be closed";
  return {static_cast<int>(error.source().begin.line), std::move(what), std::move(next)};
}

}  // namespace

const std::vector<Window>& extract_windows(const AgentConfig& config, const std::string& source) {
  const auto own = config.source_windows.find(source);
  return own == config.source_windows.end() ? config.schedule.extract : own->second;
}

std::string ConfigProblem::sentence(std::string_view file) const {
  std::string text{file};
  if (line > 0) text += ":" + std::to_string(line);
  text += ": " + what;
  if (!next.empty()) text += ". " + next;
  return text;
}

tl::expected<AgentConfig, ConfigProblems> load_config(const std::string& path, const Dictionary& dictionary,
                                                      std::span<const std::string_view> kinds, Paths paths) {
  AgentConfig out;
  std::error_code error;
  const fs::path file = fs::absolute(path, error);
  out.file = error ? path : file.lexically_normal().string();
  auto text = platform::read_file(out.file, kConfigBytesMax);
  if (!text) {
    const bool missing = text.error().code() == Code::kNotFound;
    return tl::unexpected(ConfigProblems{
        {0, missing ? "there is no such configuration file" : text.error().what(),
         missing
             ? "Make it (`towpath config --help` shows the smallest one), or name another with --config FILE"
             : text.error().next()}});
  }
  Findings findings;
  try {
    const toml::table root = toml::parse(*text, out.file);
    File{findings, dictionary, kinds, paths, fs::path(out.file).parent_path(), out}.read(root);
  } catch (const toml::parse_error& bad) {
    return tl::unexpected(ConfigProblems{syntax_problem(bad)});
  }
  if (!findings.problems.empty()) {
    std::stable_sort(findings.problems.begin(), findings.problems.end(),
                     [](const ConfigProblem& a, const ConfigProblem& b) { return a.line < b.line; });
    return tl::unexpected(std::move(findings.problems));
  }
  out.settings = std::move(findings.settings);
  return out;
}

}  // namespace towpath
