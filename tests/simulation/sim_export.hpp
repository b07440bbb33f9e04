// One night's export of one source, as records of text, and the adapter that reads it.
//
// A record's cells stand in the order of the declarations (declared.hpp), as text: numbers in digits, dates
// as YYYY-MM-DD, enums and codes by name, entities by the source's id, references as "source:id"; empty is
// null. What has to come of them the model (model.hpp) says by itself. Cells go to the product by their
// fields' names, parsed by nothing of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/api/adapter.hpp"
#include "tests/simulation/declared.hpp"

namespace towpath::sim {

struct SimRecord {
  std::vector<std::string> cells;
  enum class Kind : std::uint8_t {
    kRow,
    kUnreadable,  // nothing of it can be read
    kRemove,      // of a delta: the row of this key is gone
  } kind = Kind::kRow;
  bool operator==(const SimRecord&) const = default;
};

struct SimTable {
  const DeclaredDataset* dataset = nullptr;
  std::vector<SimRecord> records;
  enum class State : std::uint8_t { kWhole, kBreaksOff, kAbsent } state = State::kWhole;
  bool delta = false;  // what changed, instead of all there is
};

struct SimExport {
  std::string source;                      // whose ids its entities have
  std::vector<SimTable> tables;            // referenced ones first
  bool fails = false;                      // the source as a whole cannot be read to its end
  [[nodiscard]] std::string text() const;  // counts only, for the trace
};

// As a program that knows these declarations reads it: tables and columns that it does not know are not
// looked at.
[[nodiscard]] SimExport as_known_by(const Declared& declared, const SimExport& night);

class SimAdapter final : public Adapter {
 public:
  SimAdapter(const SimExport& night, const Dictionary& dictionary) : night_(night), dictionary_(dictionary) {}
  [[nodiscard]] std::vector<std::string_view> provides() const override;
  [[nodiscard]] Result<void> extract(RowSink& sink) override;

 private:
  Result<void> table(RowSink& sink, const SimTable& table);
  [[nodiscard]] InCell cell(const DeclaredField& field, const std::string& text) const;
  const SimExport& night_;
  const Dictionary& dictionary_;
};

}  // namespace towpath::sim
