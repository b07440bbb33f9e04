// Who must have what, said a second time from the documents, in plain maps: what a school's people have
// decided, and what an audience has to hold because of it. Nothing of the product is asked: rows come from
// ../model.hpp, declarations from config/ (../declared.hpp).
//
// Written from DESIGN 8 and DOMAIN 5.3: an agreement in force, exactly the text that was approved; granted
// fields without those left out; pupils in scope; R1 without fields marked `protect`; of R2, R3, restricted
// and erased pupils no row; retention by academic years; category and EAL only where their origin is not.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "tests/simulation/federation/paper.hpp"
#include "tests/simulation/federation/words.hpp"
#include "tests/simulation/model.hpp"

namespace towpath::sim::fed {

struct Rule {
  int level = 0;  // set by hand
  bool restricted = false, erased = false;
  [[nodiscard]] bool any() const { return level > 0 || restricted || erased; }
  bool operator==(const Rule&) const = default;
};

// What one school's people have decided, as its store has it.
struct Decisions {
  enum class State : std::uint8_t { kApproved, kSuspended, kOver };
  struct Decision {
    Paper paper;
    State state = State::kApproved;
    // Approved since, each beginning after the one before it: on its first day it takes over.
    std::vector<Paper> next = {};
    void approve(const Paper& newer, int day);
    // As it stands on that day.
    [[nodiscard]] Decision on(int day) const;
  };
  std::map<std::string, Decision> by_audience;
  std::map<std::string, Rule> rules;                   // by pupil
  std::map<std::string, std::set<std::string>> named;  // audience -> pupils

  // In force on that day; null: nothing may go there.
  [[nodiscard]] const Paper* in_force(const std::string& audience, int day) const;
};

class Oracle {
 public:
  // Views: all of them outlive it, and are as they are now.
  Oracle(const Image& rows, const Decisions& decisions, int today);
  // What the audience must have; of an agreement that is in force.
  [[nodiscard]] Image projected(const Paper& paper) const;
  // Protected, restricted, erased: no row of this pupil goes anywhere.
  [[nodiscard]] bool ruled_out(const std::string& pupil) const;
  // Whether rows of this pupil may be there.
  [[nodiscard]] bool shown(const Paper& paper, const std::string& pupil) const;
  // Whether a cell of this school may be at the audience. Of pupils whom the MIS no longer knows, and of
  // values that have changed since, older ones may still lie about; and, unless `all`, of those who have left
  // the scope.
  [[nodiscard]] bool may_lie(const Paper& paper, const Word& word, bool all) const;
  // Whether this field goes at all.
  [[nodiscard]] bool goes(const Paper& paper, const DeclaredDataset& dataset,
                          const DeclaredField& field) const;
  [[nodiscard]] bool goes(const Paper& paper, const DeclaredDataset& dataset) const;
  // The same of what leaves now.
  [[nodiscard]] bool may_leave(const Paper& paper, const Word& word) const;

 private:
  [[nodiscard]] int level(const std::string& pupil) const;

  const Image& rows_;
  const Decisions& decisions_;
  int today_;
  struct Pupil {
    std::string year;
    bool enrolled = false, on_roll = false;
    int last_year = 0;  // academic, of the last leaving
    int flag = 0;       // the MIS's level
  };
  std::map<std::string, Pupil> pupils_;
};

}  // namespace towpath::sim::fed
