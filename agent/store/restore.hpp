// What comes back from the hub, into the school's store, before anything is published.
//
// In: entities and rows of the pledge's datasets, as the hub holds them (replica/restore.hpp).
// Out: the same rows here, in one transaction. The hub's numbers become this store's: an entity
// that is known here by its UUID keeps its number, another gets a new one, and the source that
// names it first takes it over. A row that a source has given already stays as the source has it;
// one that no source brings stays as restored. The same restore twice changes nothing.
// Called by the CLI (enrol, restore).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "agent/store/change_log.hpp"
#include "agent/store/store.hpp"
#include "core/date.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"

namespace towpath {

// The source under whose name restored rows stand; no configured source can be called so.
inline constexpr std::string_view kRestoredSource = "(restored)";

struct RestoreCounts {
  std::uint64_t entities = 0;                 // new here
  std::map<std::string, std::uint64_t> rows;  // new here, by dataset
  std::uint64_t kept = 0;                     // rows that were here already
};

class Restore {
 public:
  // At any time: also a store that has published, and was set back since, lacks what came later.
  [[nodiscard]] static Result<Restore> begin(Store& store, Instant now);
  // Entities before the rows that speak of them. kDamaged for a row that speaks of an unknown one.
  [[nodiscard]] Result<void> row(const Dataset& dataset, RowView row);
  [[nodiscard]] Result<RestoreCounts> commit();

 private:
  Restore(Store& store, Transaction transaction, ChangeLog log)
      : store_(&store), transaction_(std::move(transaction)), log_(std::move(log)) {}
  Result<void> entity(RowView row);
  struct Statements {
    Statement find, insert;
  };
  Result<Statements*> statements(const Dataset& dataset);

  Store* store_;
  Transaction transaction_;
  ChangeLog log_;
  std::int64_t run_ = 0, src_ = 0, next_ = 0;
  Instant now_{};
  std::unordered_map<std::int64_t, std::int64_t> numbers_;  // the hub's -> ours
  std::map<std::uint16_t, Statements> statements_;
  RestoreCounts counts_;
};

// True once a source has been read: an empty store must not replace what the hub holds.
[[nodiscard]] Result<bool> has_extracted(Store& store);

}  // namespace towpath
