// Which pupils an audience has, and how much of each.
//
// In: the store, and the scope of an agreement. Out: a state for each pupil: out (no row of them
// goes), masked (without what tells of earlier schools and contacts) or whole. The most restrictive of
// all rules wins: the MIS's own flag, what was set by hand, restriction, erasure, scope, and how long ago
// they left. Computed anew for each publish: some thousand rows are read.
// And which entities that are about one pupil (suspensions) go: those whose own row does.
// Called by Publisher. A state never leaves the school, and no log or error names it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/store/store.hpp"
#include "agreement/agreement.hpp"
#include "core/date.hpp"
#include "core/result.hpp"

namespace towpath {

struct Scope {
  ScopeKind kind = ScopeKind::kEveryone;
  std::vector<std::string> year_groups = {};  // NCyearActual; empty: all
  // On which day: who is on roll, and what is too old. None: everything is held for ever.
  std::optional<Date> today = {};
};
[[nodiscard]] Scope scope_of(const Agreement& agreement, Date today);

enum class PupilState : std::uint8_t { kOut = 0, kMasked = 1, kWhole = 2 };

class PupilStates {
 public:
  struct Entry {
    std::int64_t pupil = 0;
    PupilState state = PupilState::kWhole;
    PupilState by_rule = PupilState::kWhole;  // what protection, restriction and erasure leave of them
  };

  PupilStates() = default;
  // `listed`: only who is named here may be had. Else everybody who is not named is had whole.
  PupilStates(bool listed, std::vector<Entry> entries);

  [[nodiscard]] PupilState of(std::int64_t pupil) const;
  // Of a number that may be a pupil's or somebody else's; others are had whole.
  [[nodiscard]] PupilState of_anybody(std::int64_t number) const;
  [[nodiscard]] PupilState by_rule(std::int64_t pupil) const;
  [[nodiscard]] bool listed() const { return listed_; }
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }  // ascending by pupil
  // Entities, not pupils themselves, that are introduced because their own row goes.
  void introduce(std::vector<std::int64_t> numbers);
  [[nodiscard]] bool introduces(std::int64_t number) const;
  [[nodiscard]] const std::vector<std::int64_t>& introduced() const { return introduced_; }  // ascending
  // The same states for everybody; of who is out, whether by a rule or not. The same are introduced.
  [[nodiscard]] bool same(const PupilStates& other) const;
  // Whose state differs, ascending.
  [[nodiscard]] std::vector<std::int64_t> differing(const PupilStates& other) const;
  // Which entities one of the two introduces, ascending.
  [[nodiscard]] std::vector<std::int64_t> introduced_differently(const PupilStates& other) const;
  // A rule leaves less of somebody than before, be they in scope or not.
  [[nodiscard]] bool tightened_since(const PupilStates& before) const;

 private:
  [[nodiscard]] const Entry* find(std::int64_t pupil) const;
  bool listed_ = false;
  std::vector<Entry> entries_;
  std::vector<std::int64_t> introduced_;
};

// `leaver_years`: academic years after the one in which they left; none: for ever.
[[nodiscard]] Result<PupilStates> pupil_states(Store& store, const std::string& audience, const Scope& scope,
                                               std::optional<int> leaver_years);

// What was published last (table shared_pupil), the introduced entities included.
[[nodiscard]] Result<PupilStates> shared_states(Store& store, const std::string& audience, bool listed);
// Within the caller's transaction.
[[nodiscard]] Result<void> keep_shared_states(Store& store, const std::string& audience,
                                              const PupilStates& states);

}  // namespace towpath
