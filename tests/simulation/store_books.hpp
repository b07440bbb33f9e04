// What a school's store must hold, on paper: the model, every number that was ever handed out and
// whose it is, and a run whose end nobody knows.
//
// In: what a run has to lead to (SchoolModel::Outcome). Out: whether the store is that; then the
// books go on from there. A number that changes hands is Broken at once. Copied with its machine,
// kept with its backup.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/store/store.hpp"
#include "tests/simulation/model.hpp"

namespace towpath::sim {

class StoreBooks {
 public:
  StoreBooks(const std::string& urn, const Declared& declared) : urn_(urn), model_(urn, declared) {}

  [[nodiscard]] const SchoolModel& model() const { return model_; }
  // Whether the store is what `outcome` says; then that is how it is. `why` is added to.
  bool take(Store& store, const SchoolModel::Outcome& outcome, std::string* why = nullptr);
  // A run was cut off, or failed at its commit, which a crash may yet complete.
  void unsure(SchoolModel::Outcome outcome) { unsure_ = std::move(outcome); }
  void sure() { unsure_.reset(); }
  // After a start: the store is as before that run, or (true) as after it.
  [[nodiscard]] bool take_either(Store& store);
  // The program that has the store knows more from now on.
  void upgrade(const Declared& declared);
  [[nodiscard]] const Declared& declared() const { return model_.declared(); }
  // The store is gone; what its machines have introduced is not.
  void begin_anew();
  [[nodiscard]] bool any() const { return !numbers_.empty(); }
  // Every entity that a machine of this school has introduced, by UUID; shared with its copies.
  [[nodiscard]] const std::map<std::string, std::string>& ever() const { return *ever_; }

 private:
  [[nodiscard]] Image stored(Store& store, const SchoolModel::Outcome& outcome,
                             std::map<std::int64_t, std::string>& numbers) const;

  std::string urn_;
  SchoolModel model_;
  std::map<std::int64_t, std::string> numbers_;
  std::optional<SchoolModel::Outcome> unsure_;
  std::shared_ptr<std::map<std::string, std::string>> ever_ =
      std::make_shared<std::map<std::string, std::string>>();
};

}  // namespace towpath::sim
