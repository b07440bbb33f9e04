// What a person sets for single pupils: how far each is protected, whether its data is restricted or
// erased, and the school's own lists for agreements about named pupils.
//
// In: a pupil's number, and who decides. Out: rows of pupil_rule and named_pupil, which the projection
// obeys from the next publish on; for an erased pupil, no row, no raw record and no kept content of it in
// this store any more. The audit log has a line that something was changed for a pseudonym, and by whom;
// levels stand in pupil_rule and nowhere else (SAFE-05): not in errors, counts or file names.
// Called by the CLI's verbs; one process at a time (the data folder's lock).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/store/store.hpp"
#include "audit/audit.hpp"
#include "core/date.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

inline constexpr int kLevels = 4;  // R0 to R3 (DOMAIN 5.3)

struct PupilRule {
  int level = 0;
  bool restricted = false;
  bool erased = false;
};
// Who it may be, without a name: enough for somebody who knows the school to tell them apart.
struct PupilCandidate {
  std::int64_t pupil = 0;
  std::string year_group;
  bool on_roll = false;
};
struct Erasure {
  std::uint64_t rows = 0;         // of the dictionary's tables
  std::uint64_t quarantined = 0;  // raw records that held its UPN or its name
  std::uint64_t audiences = 0;    // that will be told to remove what they have
  // No: another program reads the store, and old pages stay in its log (towpath.db-wal) until the next run.
  bool log_emptied = true;
};

class Pupils {
 public:
  // `program`: what advised commands begin with.
  Pupils(Store& store, Clock& clock, std::string program = "towpath")
      : store_(store), clock_(clock), audit_(store.db()), program_(std::move(program)) {}

  // --- who is meant ----------------------------------------------------------------------------
  // A number, a UUID or a UPN, or a surname with a date of birth ("Example 2014-03-09"): of all pupils that
  // the store holds or has erased. An error repeats nothing of the text.
  [[nodiscard]] Result<std::vector<PupilCandidate>> find(std::string_view text, Date today);
  // Exactly one: kNotFound, or kChoice with the numbers to choose from.
  [[nodiscard]] Result<std::int64_t> one(std::string_view text, Date today);

  // --- what is set for it ----------------------------------------------------------------------
  [[nodiscard]] Result<PupilRule> rule(std::int64_t pupil);
  // kRefused where it would be lowered and `lower` is not set; kRepeated where it is so already.
  [[nodiscard]] Result<void> protect(std::int64_t pupil, int level, std::string_view by, bool lower);
  [[nodiscard]] Result<void> restrict(std::int64_t pupil, bool restricted, std::string_view by);
  // For good. `reason` goes to the audit log: kUsage where it holds the pupil's name or UPN.
  [[nodiscard]] Result<Erasure> erase(std::int64_t pupil, std::string_view reason, std::string_view by);

  // Raw records in quarantine that are about it, as far as that can be told.
  [[nodiscard]] Result<std::vector<std::int64_t>> quarantined(std::int64_t pupil);

  // --- lists of named pupils -------------------------------------------------------------------
  [[nodiscard]] Result<std::vector<std::int64_t>> named(std::string_view audience);
  [[nodiscard]] Result<void> name(std::string_view audience, std::int64_t pupil, bool add,
                                  std::string_view by);

 private:
  // "pupil 3f2a...", for the audit log.
  Result<std::string> pseudonym(std::int64_t pupil);
  Result<bool> known(std::int64_t pupil);
  Result<void> set(std::int64_t pupil, const PupilRule& rule);

  Store& store_;
  Clock& clock_;
  Audit audit_;
  std::string program_;
};

// Who decides: one line of 1 to kByBytesMax bytes.
[[nodiscard]] Result<void> check_by(std::string_view by);

}  // namespace towpath
