// A dataset of one replica after another as text, for people's own tools: CSV or NDJSON.
//
// In: replicas. Out: rows in key order, replica after replica, each row with its school's URN, handed on as
// they are read, so that memory does not grow with the data. Each replica's rows are of one moment, while
// it is written by others. Changes nothing. Used by hub/export and by the agent for its partners' data.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "dictionary/dictionary.hpp"
#include "export/row_text.hpp"
#include "replica/replica.hpp"

namespace towpath {

using TextSink = std::function<Result<void>(std::string_view text)>;

// kUsage with the nearest name where there is no such dataset, or none that leaves a school.
[[nodiscard]] Result<const Dataset*> exported_dataset(const Dictionary& dictionary, const std::string& name);

class RowsOut {
 public:
  RowsOut(const Dictionary& dictionary, const Dataset& dataset, ExportFormat format, const TextSink& out)
      : dictionary_(dictionary), dataset_(dataset), text_(dictionary, dataset, format), out_(out) {}
  // How many rows there were.
  [[nodiscard]] Result<std::uint64_t> add(const std::string& urn, Replica& replica);
  // A table without rows is a table still.
  [[nodiscard]] Result<void> finish();

 private:
  [[nodiscard]] Result<void> hand_on();

  const Dictionary& dictionary_;
  const Dataset& dataset_;
  RowText text_;
  const TextSink& out_;
  std::string piece_;
  bool begun_ = false;
};

}  // namespace towpath
