// A school's information systems: tables of text that change from day to day by the seed. Exports:
// sim_export.hpp.
//
// The first source is the MIS; beside it there may be a spreadsheet of clubs, which names the MIS's pupils by
// their ids there. Pupils come, leave, return, get another id; spells change their keys; once in a while the
// school year ends (everybody moves up, registers begin anew), or the MIS is replaced (every id is new).
// Texts hold telling words (telling.hpp), by the grant of their field.
// What a night's export may look like beside that: mishaps.hpp, "source".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/mishaps.hpp"
#include "tests/simulation/sim_export.hpp"
#include "tests/simulation/sim_random.hpp"

namespace towpath::sim {

class SimSource {
 public:
  struct Options {
    std::size_t pupils = 10;
    int days_before = 1;  // of registers, when the world begins
    Mishaps mishaps;      // of its exports
  };
  // `first_day`: days since 1970-01-01.
  SimSource(SimRandom random, Options options, int first_day);

  // What happened at the school since yesterday.
  void next_day();
  // How many sources it has; 0 is the MIS.
  [[nodiscard]] std::size_t sources() const { return sources_.size(); }
  // The truth, with this night's faults on it.
  [[nodiscard]] SimExport night(std::size_t source);
  // The truth as it is.
  [[nodiscard]] SimExport truth(std::size_t source) const;
  // The clubs' registers are gone, and nothing gives them again.
  void lose_clubs();
  [[nodiscard]] int today() const { return today_; }
  // What struck it since this was last asked (but for odd texts, of which there are many).
  [[nodiscard]] std::vector<Mishap> take_struck() { return std::exchange(struck_, {}); }

 private:
  using Cells = std::vector<std::string>;
  struct Source {
    std::string name;
    std::vector<SimTable> tables;
    // It can say what has changed; what it has said (not: what was heard of it), and the last it said.
    bool deltas = false;
    std::vector<SimTable> told;
    std::vector<SimTable> last_delta;
  };
  // A row in the making.
  struct Row {
    const DeclaredDataset& dataset;
    Cells cells;
    Row& set(std::string_view field, std::string value);
  };
  [[nodiscard]] static Row row(std::string_view dataset);
  SimTable* find(std::string_view dataset, std::size_t source = 0);
  SimTable& table(std::string_view dataset, std::size_t source = 0);
  // Not where there is one of its key already.
  void add(SimTable& table, const Row& row);
  void set(SimTable& table, SimRecord& record, std::string_view field, std::string value) const;
  // Everywhere: what an entity of a source is called, or a reference to it.
  void rename(const std::string& dataset, const std::string& from, const std::string& to);
  [[nodiscard]] std::string ref(const std::string& id) const { return sources_[0].name + ":" + id; }

  bool strikes(Mishap mishap);
  void join(std::size_t year);
  void leave(std::size_t pupil);
  void change_pupils();
  void change_marks();
  void change_spells();
  void mark_day();
  void meet();
  void new_year();
  void new_mis();
  std::string text(std::string_view dataset, std::string_view field, std::size_t most);
  std::string code(std::string_view dataset, std::string_view field, const char* usual);
  std::string number(const char* usual);
  void spoil(SimExport& night);
  void spoil_cell(SimExport& night);
  void repeat_record(SimExport& night);
  void forget_pupils(SimExport& night);
  void tell_changes(Source& source, SimExport& night);
  void hide_words(const DeclaredDataset& dataset, SimRecord& record);

  SimRandom days_, random_;  // of today
  Options options_;
  int today_;
  std::vector<Source> sources_;
  std::size_t clubs_at_ = 0;  // the source of clubs
  bool clubs_ = true;
  std::vector<std::string> on_roll_, left_;  // ids
  std::vector<std::string> groups_;          // ids, by year
  std::uint64_t ids_ = 0, words_ = 0;
  std::size_t missing_ = 0;  // pupils that exports lack, night after night
  std::vector<Mishap> struck_;
};

}  // namespace towpath::sim
