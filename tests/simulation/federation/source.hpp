// A school's MIS, small and changing by the seed: pupils join, leave (some with a date, some without a
// trace), return, move up a year; rows change; registers are taken; the MIS protects some of them.
// Every text is a telling word. Exports are whole and sound: what a bad export does is ../sim_source's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/federation/words.hpp"
#include "tests/simulation/sim_export.hpp"
#include "tests/simulation/sim_random.hpp"

namespace towpath::sim::fed {

class Source {
 public:
  Source(std::string urn, SimRandom random, Words& words, std::size_t pupils, int today);
  void next_day(int today);
  [[nodiscard]] SimExport truth() const;
  // Of those whom the MIS knows now, as references are called: "pupil:mis:p3".
  [[nodiscard]] std::vector<std::string> pupils() const;

 private:
  using Cells = std::vector<std::string>;
  struct Row {
    const DeclaredDataset& dataset;
    Cells cells;
    Row& set(std::string_view field, std::string value);
  };
  [[nodiscard]] static Row row(std::string_view dataset);
  SimTable& table(std::string_view dataset);
  void add(Row row);
  [[nodiscard]] std::string text(std::string_view dataset, std::string_view field, const std::string& pupil);
  void join(bool gone_in_july);
  void leave(std::size_t at);
  void vanish(std::size_t at);
  void change_something();
  void registers();
  void meet();
  std::string& cell(SimTable& table, SimRecord& record, std::string_view field) const;
  SimRecord* of_pupil(std::string_view dataset, const std::string& id);

  std::string urn_;
  SimRandom days_, random_;
  Words& words_;
  int today_;
  std::vector<SimTable> tables_;
  std::vector<std::string> on_roll_, left_;
  std::uint64_t ids_ = 0;
};

}  // namespace towpath::sim::fed
