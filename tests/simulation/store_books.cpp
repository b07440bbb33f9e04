#include "tests/simulation/store_books.hpp"

#include "sqlite/table.hpp"
#include "tests/simulation/trace.hpp"

namespace towpath::sim {

Image StoreBooks::stored(Store& store, const SchoolModel::Outcome& outcome,
                         std::map<std::int64_t, std::string>& numbers) const {
  std::map<std::string, std::string> entities;
  for (const std::string& entity : outcome.known) entities[model_.uuid_of(entity).text()] = entity;
  ImageReader reader(std::move(entities));
  for (const Dataset& dataset : dictionary_->datasets) {  // entity comes first
    auto rows = store.db().prepare("SELECT " + column_list(dataset) + " FROM " + table_name(dataset));
    if (!rows) throw Broken("the store cannot be read: " + rows.error().sentence());
    auto use = rows->use();
    std::vector<Value> row(dataset.fields.size());
    for (;;) {
      auto more = use.step();
      if (!more) throw Broken("the store cannot be read: " + more.error().sentence());
      if (!*more) break;
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = use.value(static_cast<int>(i));
      reader.row(dataset, row);
    }
  }
  numbers = reader.numbers();
  return reader.image();
}

bool StoreBooks::take(Store& store, const SchoolModel::Outcome& outcome, std::string* why) {
  std::map<std::int64_t, std::string> numbers;
  const Image found = stored(store, outcome, numbers);
  Image expected = outcome.rows;
  for (const auto& [dataset, keys] : outcome.open)
    for (const std::string& key : keys)
      if (const auto at = found.find(dataset); at == found.end() || !at->second.contains(key))
        expected[dataset].erase(key);
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

void StoreBooks::upgrade(const Dictionary& dictionary) {
  if (dictionary_ == &dictionary) return;
  if (unsure_) unsure_->rows = as_known_by(dictionary, *dictionary_, unsure_->rows);
  model_.upgrade(dictionary);
  dictionary_ = &dictionary;
}

void StoreBooks::begin_anew() {
  model_ = SchoolModel(*dictionary_, urn_);
  numbers_.clear();
  unsure_.reset();
}

}  // namespace towpath::sim
