// A dictionary of another version than the built-in one, made from it: what an older program had not yet,
// or what a newer one will have. Owns what it has changed; everything else is the built-in one's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "dictionary/dictionary.hpp"

namespace towpath::versions {

class OtherDictionary {
 public:
  explicit OtherDictionary(std::uint32_t version, const Dictionary& from = built_in_dictionary())
      : datasets_(from.datasets.begin(), from.datasets.end()),
        codesets_(from.codesets.begin(), from.codesets.end()),
        dictionary_(from) {
    dictionary_.version = version;
    point();
  }
  OtherDictionary(const OtherDictionary&) = delete;
  OtherDictionary& operator=(const OtherDictionary&) = delete;

  [[nodiscard]] const Dictionary& get() const { return dictionary_; }

  OtherDictionary& without(std::string_view dataset) {
    std::erase_if(datasets_, [&](const Dataset& d) { return d.name == dataset; });
    return point();
  }
  OtherDictionary& without(std::string_view dataset, std::string_view field) {
    Dataset& d = at(dataset);
    std::vector<Field>& fields = own(d);
    std::erase_if(fields, [&](const Field& f) { return f.name == field; });
    d.fields = fields;
    return *this;
  }
  // At the end, or in a place of its own among the dataset's fields.
  OtherDictionary& with(std::string_view dataset, const Field& field, std::size_t place = SIZE_MAX) {
    Dataset& d = at(dataset);
    std::vector<Field>& fields = own(d);
    place = std::min(place, fields.size());
    fields.insert(fields.begin() + static_cast<std::ptrdiff_t>(place), field);
    d.fields = fields;
    return *this;
  }
  OtherDictionary& with(const Dataset& dataset) {
    datasets_.push_back(dataset);
    return point();
  }
  // In every version of the code set.
  OtherDictionary& without_code(std::string_view codeset, std::string_view code) {
    for (CodeSet& set : codesets_) {
      if (set.name != codeset) continue;
      std::vector<CodeSetVersion>& versions =
          versions_.emplace_back(set.versions.begin(), set.versions.end());
      for (CodeSetVersion& v : versions) {
        std::vector<CodeEntry>& entries = entries_.emplace_back(v.entries.begin(), v.entries.end());
        std::erase_if(entries, [&](const CodeEntry& e) { return e.code == code; });
        v.entries = entries;
      }
      set.versions = versions;
    }
    return *this;
  }

 private:
  OtherDictionary& point() {
    dictionary_.datasets = datasets_;
    dictionary_.codesets = codesets_;
    return *this;
  }
  Dataset& at(std::string_view name) {
    const auto found =
        std::find_if(datasets_.begin(), datasets_.end(), [&](const Dataset& d) { return d.name == name; });
    TP_ASSERT(found != datasets_.end());
    return *found;
  }
  std::vector<Field>& own(const Dataset& d) { return fields_.emplace_back(d.fields.begin(), d.fields.end()); }

  std::vector<Dataset> datasets_;
  std::vector<CodeSet> codesets_;
  std::deque<std::vector<Field>> fields_;
  std::deque<std::vector<CodeSetVersion>> versions_;
  std::deque<std::vector<CodeEntry>> entries_;
  Dictionary dictionary_;
};

}  // namespace towpath::versions
