#include "tests/simulation/store_books.hpp"

#include "tests/simulation/trace.hpp"

namespace towpath::sim {

Image StoreBooks::stored(Store& store, const SchoolModel::Outcome& outcome,
                         std::map<std::int64_t, std::string>& numbers) const {
  ImageReader reader(model_.declared(), model_.by_uuid(outcome.known));
  reader.read(store.db(), true);
  numbers = reader.numbers();
  return reader.take();
}

bool StoreBooks::take(Store& store, const SchoolModel::Outcome& outcome, std::string* why) {
  std::map<std::int64_t, std::string> numbers;
  const Image found = stored(store, outcome, numbers);
  Image expected = SchoolModel::decided(outcome, found);
  const std::string differ = differences(expected, found);
  if (!differ.empty()) {
    if (why != nullptr) *why += differ;
    return false;
  }
  for (const auto& [number, entity] : numbers_)
    if (const auto at = numbers.find(number); at == numbers.end() || at->second != entity)
      throw Broken(Promise::kWhole,
                   "number " + std::to_string(number) + " stood for " + entity + " and no longer does");
  numbers_ = std::move(numbers);
  model_.commit(outcome, std::move(expected));
  ever_->merge(model_.entities());
  return true;
}

bool StoreBooks::take_either(Store& store) {
  std::string why;
  bool completed = false;
  // A commit that failed may still come back with a later crash, until something overwrites it.
  if (!take(store, model_.now(), &why)) {
    completed = unsure_ && take(store, *unsure_, &why);
    if (!completed)
      throw Broken(Promise::kWhole, "the school's store is neither as before nor as after the run:" + why);
  }
  unsure_.reset();
  return completed;
}

void StoreBooks::upgrade(const Declared& declared) {
  if (unsure_) unsure_ = model_.as_known_by(declared, std::move(*unsure_));
  model_.upgrade(declared);
}

void StoreBooks::begin_anew() {
  model_ = SchoolModel(urn_, model_.declared());
  numbers_.clear();
  unsure_.reset();
}

}  // namespace towpath::sim
