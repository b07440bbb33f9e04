#include "agreement/agreement.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <exception>
#include <set>
#include <utility>

#include "agreement/words.hpp"

namespace towpath {
namespace {

// Each is several times what an agreement of a whole borough needs; a person has to read it.
constexpr std::size_t kLineBytesMax = 300;      // a title, a role, an address
constexpr std::size_t kPassageBytesMax = 4000;  // a purpose, a basis: half a page
constexpr std::size_t kListMax = 200;           // grants, fields left out, roles, retentions
constexpr std::size_t kFaultsMax = 50;          // more help nobody, and a hostile text has thousands
constexpr std::int64_t kVersionMax = 1'000'000;
constexpr std::int64_t kYearsMax = 100;
// Dots outside of quotes: a key of a thousand parts is a tree a thousand deep, and what takes it down
// goes as deep. Our own keys have none; decimal numbers do not occur.
constexpr std::size_t kDotsMax = 100;

std::string quoted(std::string_view text) { return "'" + safe_line(text, 60) + "'"; }

template <class Names>
std::string listed(const Names& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

// --- before parsing -------------------------------------------------------------------------
unsigned line_at(std::string_view text, std::size_t at) {
  return 1 + static_cast<unsigned>(
                 std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

// The line of the dot that is one too many, 0 if there are not so many.
unsigned too_many_dots(std::string_view text) {
  std::size_t dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '"' || c == '\'') {
      const std::string three(3, c);
      const bool several = text.substr(at, 3) == three;
      at += several ? 3U : 1U;
      while (at < text.size() && (several ? text.substr(at, 3) != three : text[at] != c && text[at] != '\n'))
        at += c == '"' && text[at] == '\\' ? 2U : 1U;
      at = std::min(at + (several ? 3U : 1U), text.size());
      // A closing may have up to two quotes of the text before it.
      for (int i = 0; several && i < 2 && at < text.size() && text[at] == c; ++i) ++at;
    } else {
      if (c == '.' && ++dots > kDotsMax) return line_at(text, at);
      ++at;
    }
  }
  return 0;
}

// The first line that does not look like what it is, 0 if all do.
unsigned unreadable_line(std::string_view text) {
  unsigned number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    if (!words::is_page(text.substr(0, end) == text ? text : text.substr(0, end + 1))) return number;
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return 0;
}

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
unsigned line_of(const toml::node& node) { return static_cast<unsigned>(node.source().begin.line); }
unsigned line_of(const toml::key& key) { return static_cast<unsigned>(key.source().begin.line); }

class Faults {
 public:
  void add(unsigned line, std::string text) {
    if (all_.size() < kFaultsMax) all_.push_back({line, std::move(text)});
  }
  [[nodiscard]] bool none() const { return all_.empty(); }
  [[nodiscard]] std::vector<AgreementFault> sorted() && {
    std::stable_sort(all_.begin(), all_.end(),
                     [](const AgreementFault& a, const AgreementFault& b) { return a.line < b.line; });
    return std::move(all_);
  }

 private:
  std::vector<AgreementFault> all_;
};

// One section of the text: what is asked for becomes known, the rest is a fault.
class Section {
 public:
  Section(Faults& faults, const toml::table* table, std::string where, unsigned line)
      : faults_(faults), table_(table), where_(std::move(where)), line_(line) {}

  const toml::node* get(std::string_view key) {
    known_.push_back(key);
    return table_ == nullptr ? nullptr : table_->get(key);
  }
  [[nodiscard]] unsigned line(std::string_view key) const {
    const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
    return node == nullptr ? line_ : line_of(*node);
  }
  void fault(std::string_view key, std::string text) { faults_.add(line(key), name(key) + ": " + text); }
  [[nodiscard]] std::string name(std::string_view key) const {
    return where_.empty() ? std::string(key) : where_ + " " + std::string(key);
  }

  // One line, white space made single blanks; empty where it is missing or wrong (then a fault says so).
  std::string line_of_text(std::string_view key, std::size_t bytes_max, std::string_view what) {
    const toml::node* node = get(key);
    if (node == nullptr) {
      if (!what.empty()) faults_.add(line_, "there is no " + name(key) + ": " + std::string(what));
      return {};
    }
    const auto* value = node->as_string();
    if (value == nullptr) {
      fault(key, "expected text in quotes, got " + std::string(kind_of(*node)));
      return {};
    }
    const std::string& text = value->get();
    if (text.size() > bytes_max) {
      fault(key, "is longer than " + std::to_string(bytes_max) + " bytes; put the rest into the signed text");
      return {};
    }
    if (!words::is_page(text)) {
      fault(key, "holds a character that cannot be seen, or is no UTF-8; write it without");
      return {};
    }
    std::string out = safe_line(text, bytes_max);
    if (out.empty() && !what.empty()) fault(key, "is empty: " + std::string(what));
    return out;
  }
  std::optional<std::int64_t> whole(std::string_view key, std::int64_t least, std::int64_t most,
                                    std::string_view what) {
    const toml::node* node = get(key);
    if (node == nullptr) {
      faults_.add(line_, "there is no " + name(key) + ": " + std::string(what));
      return std::nullopt;
    }
    const auto* value = node->as_integer();
    if (value == nullptr)
      fault(key, "expected a whole number, got " + std::string(kind_of(*node)));
    else if (value->get() < least || value->get() > most)
      fault(key, "is " + std::to_string(value->get()) + ", which is outside " + std::to_string(least) +
                     " to " + std::to_string(most));
    else
      return value->get();
    return std::nullopt;
  }
  std::optional<Date> day(std::string_view key, std::string_view what) {
    const toml::node* node = get(key);
    if (node == nullptr) {
      faults_.add(line_, "there is no " + name(key) + ": " + std::string(what));
      return std::nullopt;
    }
    std::optional<Date> out;
    if (const auto* value = node->as_date())
      out = Date::from_ymd(value->get().year, value->get().month, value->get().day);
    else if (const auto* text = node->as_string())
      out = Date::parse(text->get());
    if (!out) fault(key, "expected a day of the calendar, as 2026-09-01");
    return out;
  }
  // A list of texts (or whole numbers where that is how they are said), each once; with their lines.
  std::vector<std::pair<std::string, unsigned>> list(std::string_view key, bool numbers = false) {
    std::vector<std::pair<std::string, unsigned>> out;
    const toml::node* node = get(key);
    if (node == nullptr) return out;
    const toml::array* all = node->as_array();
    if (all == nullptr) {
      fault(key, "expected a list, as [\"...\", \"...\"], got " + std::string(kind_of(*node)));
      return out;
    }
    if (all->size() > kListMax) {
      fault(key, "has " + std::to_string(all->size()) + " entries, and " + std::to_string(kListMax) +
                     " is the limit");
      return out;
    }
    std::set<std::string> seen;
    for (const toml::node& item : *all) {
      std::string value;
      if (const auto* text = item.as_string()) {
        value = text->get();
      } else if (const auto* number = item.as_integer(); number != nullptr && numbers) {
        value = std::to_string(number->get());
      } else {
        faults_.add(line_of(item),
                    name(key) + ": expected text in quotes, got " + std::string(kind_of(item)));
        continue;
      }
      if (!words::is_line(value, kLineBytesMax))
        faults_.add(line_of(item),
                    name(key) + ": " + quoted(value) + " is empty, too long, or no plain line");
      else if (!seen.insert(value).second)
        faults_.add(line_of(item), name(key) + ": " + quoted(value) + " is there twice; once is enough");
      else
        out.emplace_back(value, line_of(item));
    }
    return out;
  }
  // Every key that nobody asked for.
  void finish() {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_)
      if (std::find(known_.begin(), known_.end(), key.str()) == known_.end())
        faults_.add(line_of(key), "unknown key " + quoted(key.str()) +
                                      (where_.empty() ? std::string() : " in " + where_) +
                                      "; known here: " + listed(known_));
  }

 private:
  Faults& faults_;
  const toml::table* table_;
  std::string where_;
  unsigned line_;
  std::vector<std::string_view> known_;
};

class Text {
 public:
  Text(Faults& faults, const Dictionary& dictionary) : faults_(faults), dictionary_(dictionary) {}

  Agreement read(const toml::table& root) {
    Section top{faults_, &root, "", 0};
    read_words(top);
    read_days(top);
    const auto grants = read_grants(top);
    const auto without = read_without(top);
    check_special(top);
    for (const auto& [grant, line] : grants) {
      if (gives_something(grant)) continue;
      faults_.add(line, "grants: every field of " + quoted(grant) + " is left out; leave out the grant");
    }
    read_pupils(top);
    read_retention(top);
    read_parties(top);
    top.finish();
    return std::move(out_);
  }

 private:
  void read_words(Section& top) {
    out_.id = top.line_of_text("id", kLineBytesMax, "a short name, as \"kentish-2026\"");
    if (!out_.id.empty() && !words::is_id(out_.id))
      top.fault("id", quoted(out_.id) + " may have a-z, 0-9 and '-' only, and at most " +
                          std::to_string(words::kIdMax) + " characters");
    if (const auto version = top.whole("version", 1, kVersionMax, "1, and one more with each change"))
      out_.version = static_cast<std::uint32_t>(*version);
    out_.title = top.line_of_text("title", kLineBytesMax, "what people call it");
    out_.audience = top.line_of_text("audience", kLineBytesMax, "\"borough\" or \"federation:ID\"");
    if (!out_.audience.empty() && !words::is_audience(out_.audience))
      top.fault("audience", quoted(out_.audience) + " is neither \"borough\" nor \"federation:ID\"");
    out_.text_reference = top.line_of_text("text", kLineBytesMax, "where the signed text lies");
    const std::string controllers =
        top.line_of_text("controllers", kLineBytesMax,
                         "\"controller-to-processor\", \"controller-to-controller\" or \"joint\"");
    if (controllers == "controller-to-processor")
      out_.controllers = ControllerModel::kControllerToProcessor;
    else if (controllers == "controller-to-controller")
      out_.controllers = ControllerModel::kControllerToController;
    else if (controllers == "joint")
      out_.controllers = ControllerModel::kJoint;
    else if (!controllers.empty())
      top.fault("controllers", quoted(controllers) +
                                   " is none of \"controller-to-processor\", \"controller-to-controller\", "
                                   "\"joint\"");
    out_.purpose = top.line_of_text("purpose", kPassageBytesMax, "what the data is for");
    out_.lawful_basis =
        top.line_of_text("lawful_basis", kPassageBytesMax, "UK GDPR Article 6(1), as a rule (e)");
    out_.special_basis = top.line_of_text("special_basis", kPassageBytesMax, "");
    out_.onward_sharing = top.line_of_text("onward_sharing", kPassageBytesMax, "to whom else, or \"none\"");
    out_.disposal = top.line_of_text("disposal", kPassageBytesMax, "what happens to the data at the end");
    out_.subject_rights_contact =
        top.line_of_text("subject_rights_contact", kLineBytesMax, "where a parent turns to");
    out_.breach_contact = top.line_of_text("breach_contact", kLineBytesMax, "who is told of a breach");
    out_.frequency = top.line_of_text("frequency", kLineBytesMax, "how often it is sent");
    out_.method = top.line_of_text("method", kLineBytesMax, "how it is sent");
  }

  void read_days(Section& top) {
    const auto start = top.day("start", "the first day of sharing");
    const auto end = top.day("end", "the last day of sharing");
    const auto review = top.day("review", "the day by which it is looked at again");
    if (start) out_.start = *start;
    if (end) out_.end = *end;
    if (review) out_.review = *review;
    if (start && end && *end < *start)
      top.fault("end", "is " + end->iso() + ", before the start on " + start->iso());
    else if (start && end && review && (*review < *start || *end < *review))
      top.fault("review", "is " + review->iso() + ", which is not between start and end (" + start->iso() +
                              " to " + end->iso() + ")");
  }

  std::vector<std::pair<std::string, unsigned>> read_grants(Section& top) {
    auto written = top.list("grants");
    std::set<std::string> taken;
    bool needs_role = false;
    for (const auto& [grant, line] : written) {
      if (std::find(dictionary_.grants.begin(), dictionary_.grants.end(), grant) ==
          dictionary_.grants.end()) {
        faults_.add(
            line, "grants: there is no grant " + quoted(grant) + "; there are " + listed(dictionary_.grants));
        continue;
      }
      const GrantRight* found = dictionary_.grant(grant);
      const GrantRight right = found == nullptr ? GrantRight{} : *found;  // none said: none has it
      const bool federation = out_.is_federation();
      if (words::is_audience(out_.audience) && !(federation ? right.federation : right.borough))
        faults_.add(line, "grants: " + quoted(grant) + " may not go to " +
                              (federation ? "a federation" : "the borough") + " at all; leave it out");
      if (right.named_role) {
        needs_role = true;
        role_for_ = grant;
      }
      taken.insert(grant);
    }
    for (const std::string_view grant : dictionary_.grants)  // in the dictionary's order
      if (taken.contains(std::string(grant))) out_.grants.emplace_back(grant);
    if (written.empty())
      faults_.add(top.line("grants"),
                  "there are no grants; name at least one of " + listed(dictionary_.grants));
    for (const auto& role : top.list("named_roles")) out_.named_roles.push_back(role.first);
    if (needs_role && out_.named_roles.empty())
      faults_.add(top.line("named_roles"), "named_roles: " + quoted(role_for_) +
                                               " may be seen by named roles only; say which, as "
                                               "[\"Education welfare officer\"]");
    written.erase(std::remove_if(written.begin(), written.end(),
                                 [&](const auto& w) { return !taken.contains(w.first); }),
                  written.end());
    return written;
  }

  [[nodiscard]] bool granted(std::string_view grant) const {
    return std::find(out_.grants.begin(), out_.grants.end(), grant) != out_.grants.end();
  }
  [[nodiscard]] bool left_out(const Dataset& dataset, const Field& field) const {
    const std::string name = std::string(dataset.name) + "." + std::string(field.name);
    return std::find(out_.without.begin(), out_.without.end(), name) != out_.without.end();
  }

  std::vector<std::pair<std::string, unsigned>> read_without(Section& top) {
    auto written = top.list("without");
    for (const auto& [name, line] : written) {
      const std::size_t dot = name.find('.');
      const Dataset* dataset = dictionary_.find(std::string_view(name).substr(0, dot));
      if (dot == std::string::npos || dataset == nullptr) {
        faults_.add(line, "without: " + quoted(name) + " is no field; write it as \"pupil.UPN\"");
        continue;
      }
      const auto at = dataset->position(std::string_view(name).substr(dot + 1));
      if (!at) {
        faults_.add(line, "without: " + quoted(name.substr(0, dot)) + " has no field " +
                              quoted(name.substr(dot + 1)));
        continue;
      }
      const Field& field = dataset->fields[*at];
      if (!granted(field.grant))
        faults_.add(line, "without: " + quoted(name) + " is left out, but no grant here gives it");
      else if (*at < dataset->key_count)
        faults_.add(line, "without: " + quoted(name) +
                              " is part of what names a row and goes with it; leave out the grant instead");
      else
        out_.without.push_back(name);
    }
    return written;
  }

  // Whether a grant still gives a field that is not left out.
  [[nodiscard]] bool gives_something(std::string_view grant) const {
    for (const Dataset& dataset : dictionary_.datasets)
      for (const Field& field : dataset.fields)
        if (field.grant == grant && !left_out(dataset, field)) return true;
    return false;
  }

  void check_special(Section& top) {
    if (!out_.special_basis.empty()) return;
    for (const Dataset& dataset : dictionary_.datasets)
      for (const Field& field : dataset.fields)
        if (field.sensitivity == Sensitivity::kSpecial && !field.grant.empty() && granted(field.grant) &&
            !left_out(dataset, field)) {
          faults_.add(top.line("special_basis"),
                      "there is no special_basis, but the grant " + quoted(field.grant) +
                          " gives data of special categories (" + std::string(dataset.name) + "." +
                          std::string(field.name) +
                          "); name the condition of Article 9(2) and of Schedule 1 DPA 2018");
          return;
        }
  }

  void read_pupils(Section& top) {
    const toml::node* node = top.get("pupils");
    const toml::table* table = node == nullptr ? nullptr : node->as_table();
    if (table == nullptr) {
      faults_.add(node == nullptr ? 0 : line_of(*node),
                  "there is no section [pupils]: scope = \"on-roll\", \"everyone\" or \"named\"");
      return;
    }
    Section pupils{faults_, table, "[pupils]", line_of(*table)};
    const std::string scope =
        pupils.line_of_text("scope", kLineBytesMax, "\"on-roll\", \"everyone\" or \"named\"");
    if (scope == "on-roll")
      out_.scope = ScopeKind::kOnRoll;
    else if (scope == "everyone")
      out_.scope = ScopeKind::kEveryone;
    else if (scope == "named")
      out_.scope = ScopeKind::kNamed;
    else if (!scope.empty())
      pupils.fault("scope", quoted(scope) + " is none of \"on-roll\", \"everyone\", \"named\"");
    const CodeSet* years = dictionary_.codeset("year_group");
    for (const auto& [year, line] : pupils.list("year_groups", true)) {
      std::vector<std::string_view> known;
      if (years != nullptr && !years->versions.empty())
        for (const CodeEntry& entry : years->versions.back().entries) known.push_back(entry.code);
      if (std::find(known.begin(), known.end(), year) == known.end())
        faults_.add(line, "[pupils] year_groups: there is no year group " + quoted(year) + "; there are " +
                              listed(known));
      else
        out_.year_groups.push_back(year);
    }
    pupils.finish();
  }

  void read_retention(Section& top) {
    const toml::node* node = top.get("retention");
    if (node == nullptr) return;
    const toml::table* table = node->as_table();
    if (table == nullptr) {
      faults_.add(line_of(*node),
                  "retention: expected a section [retention], got " + std::string(kind_of(*node)));
      return;
    }
    if (table->size() > kListMax) {
      faults_.add(line_of(*table), "[retention] names more datasets than there are");
      return;
    }
    for (const auto& [key, value] : *table) {
      const Dataset* dataset = dictionary_.find(key.str());
      const auto* years = value.as_integer();
      if (dataset == nullptr)
        faults_.add(line_of(key), "[retention]: there is no dataset " + quoted(key.str()));
      else if (std::none_of(dataset->fields.begin(), dataset->fields.end(),
                            [&](const Field& f) { return granted(f.grant); }))
        faults_.add(line_of(key), "[retention]: no grant here gives anything of " + quoted(key.str()));
      else if (years == nullptr || years->get() < 0 || years->get() > kYearsMax)
        faults_.add(line_of(value), "[retention] " + std::string(key.str()) +
                                        ": expected academic years after the row's own, 0 to " +
                                        std::to_string(kYearsMax));
      else if (const auto longest = dataset->retention_years; longest && years->get() > *longest)
        faults_.add(line_of(value), "[retention] " + std::string(key.str()) + ": " +
                                        std::to_string(years->get()) + " years is longer than the " +
                                        std::to_string(*longest) + " that docs/data-dictionary.md allows");
      else
        out_.retention_years.emplace(std::string(key.str()), static_cast<int>(years->get()));
    }
  }

  void read_parties(Section& top) {
    const toml::node* node = top.get("party");
    const toml::array* list = node == nullptr ? nullptr : node->as_array();
    if (list == nullptr || list->empty()) {
      faults_.add(node == nullptr ? 0 : line_of(*node),
                  "there is no [[party]]; name each school with urn, name and role");
      return;
    }
    if (list->size() > kPartiesMax) {
      faults_.add(line_of(*node), "there are " + std::to_string(list->size()) + " parties, and " +
                                      std::to_string(kPartiesMax) + " is the limit");
      return;
    }
    std::set<std::string> urns;
    std::size_t schools = 0;
    bool operator_there = false;
    for (const toml::node& item : *list) {
      const toml::table* table = item.as_table();
      if (table == nullptr) {
        faults_.add(line_of(item), "expected a section [[party]], got " + std::string(kind_of(item)));
        continue;
      }
      Section one{faults_, table, "[[party]]", line_of(*table)};
      Party party;
      party.name = one.line_of_text("name", words::kNameMax, "whose name goes into the privacy notice");
      party.role = one.line_of_text("role", kLineBytesMax, "as \"controller\" or \"processor\"");
      if (const toml::node* urn = one.get("urn")) {
        ++schools;
        if (const auto* number = urn->as_integer())
          party.urn = std::to_string(number->get());
        else if (const auto* text = urn->as_string())
          party.urn = text->get();
        if (!words::is_urn(party.urn))
          one.fault("urn",
                    quoted(party.urn) + " is no URN: six digits; without urn it is the hub's operator");
        else if (!urns.insert(party.urn).second)
          one.fault("urn", party.urn + " is there twice");
      } else {
        if (operator_there)
          faults_.add(line_of(*table), "[[party]]: two without urn; only the hub's operator has none");
        operator_there = true;
      }
      one.finish();
      out_.parties.push_back(std::move(party));
    }
    if (out_.audience == kBorough && !operator_there)
      faults_.add(line_of(*node), "party: the borough is not there, which receives: a [[party]] without urn");
    if (schools == 0) faults_.add(line_of(*node), "party: no school is there");
    if (out_.is_federation() && schools == 1)
      faults_.add(line_of(*node), "party: one school alone has nobody to share with");
  }

  Faults& faults_;
  const Dictionary& dictionary_;
  Agreement out_;
  std::string role_for_;
};

AgreementRead only(unsigned line, std::string text) { return {std::nullopt, {{line, std::move(text)}}}; }

}  // namespace

std::string Agreement::federation() const {
  return is_federation() ? audience.substr(kFederationPrefix.size()) : std::string();
}

bool Agreement::has_party(std::string_view urn) const {
  return std::any_of(parties.begin(), parties.end(), [&](const Party& p) { return p.urn == urn; });
}

AgreementRead read_agreement(std::string_view toml, const Dictionary& dictionary) {
  if (toml.size() > kAgreementBytesMax)
    return only(0, "the text has " + std::to_string(toml.size()) + " bytes, and " +
                       std::to_string(kAgreementBytesMax) + " is the limit");
  if (const unsigned line = unreadable_line(toml); line != 0)
    return only(line,
                "this line holds a character that cannot be seen, or is no UTF-8 (a mark at the start "
                "of the file, too); write it without");
  if (const unsigned line = too_many_dots(toml); line != 0)
    return only(line, "keys with so many parts do not occur in an agreement; text belongs in quotes");
  Faults faults;
  AgreementRead out;
  try {
    const toml::table root = toml::parse(toml);
    Agreement agreement = Text(faults, dictionary).read(root);
    if (faults.none()) out.agreement = std::move(agreement);
  } catch (const toml::parse_error& bad) {
    return only(static_cast<unsigned>(bad.source().begin.line),
                "this is not TOML: " + safe_line(bad.description(), 200) +
                    "; look at this line and the one before it: quotes and brackets must be closed");
  } catch (const std::exception&) {
    return only(0, "this cannot be read as TOML");
  }
  out.faults = std::move(faults).sorted();
  return out;
}

Hash256 agreement_hash(std::string_view toml) { return hash256("towpath agree", bytes_of(toml)); }

}  // namespace towpath
