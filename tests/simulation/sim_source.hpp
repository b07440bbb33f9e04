// A school's information system: tables of text that change from day to day by the seed, and
// the adapter that reads them.
//
// What a night's export may look like: rows added, rewritten, gone, shuffled; rows with a cell
// that cannot be taken; records of which nothing can be read; a file that breaks off; files
// that are not there; half the pupils missing; no export at all.
// Records are told apart by what the reader may make of them, so that the model (model.hpp) can
// say what has to come of it without asking the code under test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "tests/simulation/mishaps.hpp"
#include "tests/simulation/sim_random.hpp"

namespace towpath::sim {

// The id space of the one source that a school has here.
inline constexpr std::string_view kSourceName = "mis";

struct SimRecord {
  // Its dataset's cells in the dictionary's order; empty text is null. References are source ids.
  std::vector<std::string> cells;
  enum class Kind : std::uint8_t {
    kGood,
    kBadCell,     // its key can be read, another cell cannot be taken
    kUnreadable,  // nothing of it can be read
  } kind = Kind::kGood;
};

struct SimTable {
  const Dataset* dataset = nullptr;
  std::vector<SimRecord> records;
  enum class State : std::uint8_t { kWhole, kBreaksOff, kAbsent } state = State::kWhole;
};

// One night's export.
struct SimExport {
  std::vector<SimTable> tables;            // referenced ones first
  bool fails = false;                      // the source as a whole cannot be read to its end
  [[nodiscard]] std::string text() const;  // counts only, for the trace
};

// As a program with another dictionary reads it: tables and columns that it does not know are not looked at.
[[nodiscard]] SimExport as_known_by(const Dictionary& dictionary, SimExport night);

class SimAdapter final : public Adapter {
 public:
  // `dictionary`: what a record means depends on it, and so do fingerprints.
  SimAdapter(const SimExport& night, std::uint32_t dictionary) : night_(night), dictionary_(dictionary) {}
  [[nodiscard]] std::vector<std::string_view> provides() const override;
  [[nodiscard]] Result<void> extract(RowSink& sink) override;

 private:
  Result<void> table(RowSink& sink, const SimTable& table);
  const SimExport& night_;
  const std::uint32_t dictionary_;
};

// The school behind the exports.
class SimSource {
 public:
  struct Options {
    std::size_t pupils = 10;
    int days_before = 1;  // of registers, when the world begins
    Mishaps mishaps;      // of its exports
  };
  SimSource(const Dictionary& dictionary, SimRandom random, Options options, Date first_day);

  // What happened at the school since yesterday.
  void next_day();
  // The truth, with this night's faults on it.
  [[nodiscard]] SimExport night();
  // The truth as it is.
  [[nodiscard]] SimExport truth() const;
  // The clubs' registers are gone, and nothing gives them again.
  void lose_clubs();
  [[nodiscard]] Date today() const { return today_; }

 private:
  SimTable& table(std::string_view dataset);
  std::vector<std::string> blank(std::string_view dataset) const;
  void set(std::string_view dataset, std::vector<std::string>& cells, std::string_view field,
           std::string value) const;
  void join(std::size_t group);
  void leave(std::size_t pupil);
  void mark_day();
  void meet();
  std::string text(std::size_t most);

  const Dictionary& dictionary_;
  SimRandom random_;
  Options options_;
  Date today_;
  std::vector<SimTable> tables_;
  std::vector<std::string> on_roll_, left_;
  std::vector<std::string> groups_;
  std::uint64_t ids_ = 0, clubs_ = 0;
};

}  // namespace towpath::sim
