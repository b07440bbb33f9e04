// Who is who: the number of each entity, by dataset and the id that a source gives it.
//
// A number is handed out at first sight and never again; its UUID is a name-based one of
// (school, dataset, id space, source id), so that a reinstalled machine makes the same.
// Looked up some 600,000 times in a first load: each (dataset, space) is read into memory
// once, when first asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/store/change_log.hpp"
#include "agent/store/store.hpp"
#include "core/date.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"

namespace towpath {

class Identities {
 public:
  [[nodiscard]] static Result<Identities> open(Store& store);

  // The number, if the entity has ever been seen.
  [[nodiscard]] Result<std::optional<std::int64_t>> find(const Dataset& dataset, std::string_view space,
                                                         std::string_view id);
  // The number, handed out now if the entity is new: then its `entity` row is written and logged.
  [[nodiscard]] Result<std::int64_t> number(const Dataset& dataset, std::string_view space,
                                            std::string_view id, Date today, std::int64_t run,
                                            std::int64_t src, ChangeLog& log);
  // An entity that came back from the hub keeps the number that it was restored under.
  // Numbers handed out since the last call.
  [[nodiscard]] std::uint64_t take_introduced() { return std::exchange(introduced_, 0); }
  // After a rollback: what is in memory may not be on disk.
  void forget();

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return fingerprint(text); }
  };
  using Map = std::unordered_map<std::string, std::int64_t, TextHash, std::equal_to<>>;
  struct Space {
    std::uint16_t dataset;
    std::string name;
    Map numbers;
  };

  Identities(Store& store, Statement insert, Statement introduce)
      : store_(&store), insert_(std::move(insert)), introduce_(std::move(introduce)) {}
  Result<std::optional<std::int64_t>> restored(const Uuid& uuid);
  Result<Space*> space(const Dataset& dataset, std::string_view name);

  Store* store_;
  Statement insert_, introduce_;
  std::vector<std::unique_ptr<Space>> spaces_;
  std::int64_t next_ = 0;             // 0: not read yet
  std::optional<bool> any_restored_;  // there are entities that no source has named yet
  std::optional<bool> all_new_;       // the entity table was empty when the run began
  std::uint64_t introduced_ = 0;
};

}  // namespace towpath
