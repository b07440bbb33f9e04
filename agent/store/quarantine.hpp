// Rows that could not be taken, kept whole with the reason until the source gives them right.
//
// A full extraction replaces its source's rows here for the datasets it read: a row that has been
// mended disappears by itself, one that has not keeps its id. An extraction of changes (delta,
// append) only adds: its source may not say the bad record again, so that a row stays until a good
// one with its key comes. The raw record is personal data: it stays in the school's store, is shown
// by `towpath quarantine show`, and goes nowhere else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/store/store.hpp"
#include "core/result.hpp"

namespace towpath {

// A record longer than this is kept cut: it is there to be recognised, not to be re-read.
inline constexpr std::size_t kQuarantineRawMax = 4096;

struct QuarantinedRow {
  std::int64_t id = 0;
  std::int64_t run = 0;
  std::string source, dataset, file;
  std::uint64_t line = 0;
  std::string rule, field, text;  // no personal data
  std::string raw;                // personal data; empty in list()
};

class Quarantine {
 public:
  explicit Quarantine(Store& store) : store_(store) {}
  // Without raw, by source, dataset, file and line.
  [[nodiscard]] Result<std::vector<QuarantinedRow>> list(std::size_t limit = 1000);
  [[nodiscard]] Result<std::optional<QuarantinedRow>> show(std::int64_t id);
  [[nodiscard]] Result<std::uint64_t> count();

 private:
  Store& store_;
};

}  // namespace towpath
