// The dictionary: every dataset, field and code that schools and hub agree on.
//
// Declared once, in config/datasets/*.toml, config/codesets/*.toml and
// config/promises.toml; compiled into both programs by dictionary/generator. SQL
// tables, wire ids, checks, exports and docs/data-dictionary.md derive from it.
// Everything here is constant and may be used from any thread. Code takes a
// `const Dictionary&`, so that a test can run an older agent against a newer hub.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/date.hpp"

namespace towpath {

// How a field is stored and checked. Everything is an integer or text in SQLite.
enum class Type : std::uint8_t {
  kEntity,   // integer: this row's own number (agent/store hands it out, never reused)
  kRef,      // integer: the number of another entity
  kInt,      // integer
  kBool,     // integer 0 or 1
  kDate,     // integer: days since 1970-01-01
  kInstant,  // integer: milliseconds since 1970-01-01T00:00:00Z
  kEnum,     // integer: index into `values`; never reordered, only appended
  kCode,     // text: canonical code of `codeset`, or UNKNOWN (the raw one is in the companion)
  kRawCode,  // text: the code as received, null where it is the canonical one
  kText,     // text, UTF-8, at most max_chars code points
  kUuid,     // text of exactly 16 bytes (a BLOB in SQLite)
};
[[nodiscard]] constexpr bool is_text(Type t) { return t >= Type::kCode; }

// Who must be careful with it (DOMAIN.md 8).
enum class Sensitivity : std::uint8_t {
  kOperational,
  kIdentity,
  kContact,
  kSpecial,
  kAttainment,
  kAttendance,
  kPledge
};

struct Field {
  std::uint8_t id;        // wire id within the dataset; never reused
  std::string_view name;  // column, CLI and export name
  std::string_view cbds;  // CBDS / CTF element name, empty where there is none
  Type type;
  Sensitivity sensitivity;
  bool required;                  // null makes the row bad (key fields always are)
  std::uint16_t max_chars;        // kText only
  std::string_view grant;         // agreement grant under which it may leave; empty: never leaves
  std::string_view codeset;       // kCode, kRawCode
  std::string_view codeset_date;  // name of the field whose date picks the code set's version; or empty
  std::string_view ref;           // kRef: dataset names it may point at, comma-separated
  std::span<const std::string_view> values;  // kEnum
  std::string_view note;                     // one sentence for the data dictionary page
  // Name of the field of this dataset that it is computed from; or empty. Adapters cannot fill it and
  // stores keep it null: it is computed in the projection, for audiences that may have it and not its
  // origin (domain/derived.hpp).
  std::string_view derived_from = {};
  // 1: from level R1 it does not leave (contacts, earlier schools, former names; SAFE-01, SAFE-06).
  std::uint8_t protect = 0;

  [[nodiscard]] constexpr bool derived() const { return !derived_from.empty(); }
};

struct Dataset {
  std::uint16_t id;  // wire id; never reused
  std::string_view name;
  std::string_view title;  // "Session marks", for people
  std::uint8_t key_count;  // the first key_count fields are the key, in key order
  bool entity;             // its key is one kEntity field; it is introduced by a row of `entity`
  std::span<const Field> fields;
  // How many academic years after the row's own one it may be held beyond the school, and the date that
  // says which is its own. Without a date: the pupils' own rows, counted from the year in which they left.
  std::optional<std::uint8_t> retention_years = {};
  std::string_view retention_date = {};

  // No field of it has a grant: it never leaves the school.
  [[nodiscard]] bool local() const;
  [[nodiscard]] std::span<const Field> key() const { return fields.first(key_count); }
  [[nodiscard]] std::optional<std::size_t> position(std::string_view field) const;
  [[nodiscard]] std::optional<std::size_t> position_of_id(std::uint8_t field_id) const;
};

// One code in one version of a code set.
struct CodeEntry {
  std::string_view code;
  std::string_view label;
  std::string_view category;   // attendance: P E A U X; ethnicity: the group; else may be empty
  std::string_view maps_from;  // comma-separated raw spellings that mean this code
};
struct CodeSetVersion {
  std::string_view name;  // "attendance-2024"
  Date from;              // first day it holds
  Date to;                // last day it holds; Date{INT32_MAX} while in force
  std::span<const CodeEntry> entries;
};
struct CodeSet {
  std::string_view name;
  std::span<const CodeSetVersion> versions;  // oldest first
  // The version in force on that day (the newest for no day), and its entry; null if unknown.
  [[nodiscard]] const CodeSetVersion* version_on(std::optional<Date> day) const;
  [[nodiscard]] const CodeEntry* find(std::string_view raw, std::optional<Date> day) const;
};

struct Promise {
  std::string_view code;  // P01..P12
  std::string_view title;
};

// Who may be given a grant at all.
struct GrantRight {
  std::string_view name, title;
  bool borough, federation;
  bool named_role;  // the agreement has to name the role at the receiver that may see it
};

struct Dictionary {
  std::uint32_t version;
  std::span<const Dataset> datasets;
  std::span<const CodeSet> codesets;
  std::span<const Promise> promises;
  std::span<const std::string_view> grants;       // every grant that a field names
  std::span<const GrantRight> grant_rights = {};  // the same, in the same order

  [[nodiscard]] const Dataset* find(std::string_view name) const;
  [[nodiscard]] const Dataset* find(std::uint16_t id) const;
  [[nodiscard]] const CodeSet* codeset(std::string_view name) const;
  [[nodiscard]] const GrantRight* grant(std::string_view name) const;
};

// The dictionary that this program was built with.
[[nodiscard]] const Dictionary& built_in_dictionary();

// The dataset that introduces every entity: number, kind (dataset id), uuid.
inline constexpr std::string_view kEntityDataset = "entity";
// What a code field holds when no version of its set knows the raw code.
inline constexpr std::string_view kUnknownCode = "UNKNOWN";

}  // namespace towpath
