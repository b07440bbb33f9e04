// What an agreement means for this school's data, in values: the exact fields, their grants and classes,
// and how many rows there are today. Shown before a decision, and whenever somebody asks (LAW-02).
//
// In: the store, and an agreement through Sharing. Out: Explained; nothing in it is about a single pupil.
// Counted through the publisher's own projection, so that what is shown is what would go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sharing/sharing.hpp"
#include "core/result.hpp"

namespace towpath {

struct ExplainedField {
  std::string name, grant;
  Sensitivity sensitivity = Sensitivity::kOperational;
  std::string note;
};
struct ExplainedDataset {
  std::string name, title;
  std::vector<ExplainedField> fields;  // the key first
  std::uint64_t rows = 0;              // that would go today
};
struct Explained {
  std::string audience;
  Agreement agreement;
  std::string hash;                           // of the text
  bool nothing_left = false;                  // the configuration's ceiling leaves nothing
  std::vector<std::string> grants_not_given;  // by that ceiling
  std::vector<ExplainedDataset> datasets;     // with at least one field
  std::uint64_t pupils = 0;                   // in scope today
  std::optional<Instant> last_exchange;       // the hub's last word about the stream
  [[nodiscard]] std::uint64_t rows() const;
};
[[nodiscard]] Result<Explained> explain(Store& store, Sharing& sharing, const Agreement& agreement,
                                        std::string_view hash);

// One line for each thing that would be otherwise under `after` than under `before`.
[[nodiscard]] std::vector<std::string> changes(const Explained& before, const Explained& after);

[[nodiscard]] std::string_view name(Sensitivity sensitivity);  // "identity", "special"
// "pupils on roll, year groups 10, 11"
[[nodiscard]] std::string scope_words(const Agreement& agreement);
[[nodiscard]] std::string controllers_words(ControllerModel model);
// Text for a page: & < > " ' as entities.
[[nodiscard]] std::string html(std::string_view text);

}  // namespace towpath
