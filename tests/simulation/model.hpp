// What has to come out, said a second time: rows as plain text in plain maps.
//
// In: the exports (sim_source.hpp). Out: what a school's store must hold after each, and what of
// it an audience must have at the hub. Written from DESIGN 4, 5 and 8, with nothing of intake
// or publish; references are source ids, so that numbers are compared by what they stand for.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/hash.hpp"
#include "dictionary/dictionary.hpp"
#include "rows/value.hpp"
#include "tests/simulation/sim_source.hpp"

namespace towpath::sim {

// dataset name -> key -> row; both as text, references as "dataset:id".
using Rows = std::map<std::string, std::string>;
using Image = std::map<std::string, Rows>;

// Rows of one dictionary's datasets as another has them: what it does not know is not there, and what the
// first did not know is null.
[[nodiscard]] Image as_known_by(const Dictionary& to, const Dictionary& from, const Image& image);

// The first few differences, by dataset and key, without the rows' texts; empty if there are none.
[[nodiscard]] std::string differences(const Image& expected, const Image& found);

class SchoolModel {
 public:
  SchoolModel(const Dictionary& dictionary, std::string urn)
      : dictionary_(&dictionary), urn_(std::move(urn)) {}

  // After a night's run. Where the design leaves open whether a row goes (something unreadable may
  // have stood for it), its key is in `open`: the store may hold the old row or none.
  struct Outcome {
    Image rows;
    std::map<std::string, std::set<std::string>> open;
    std::set<std::string> known;  // entities ever introduced, "dataset:id"
    std::set<std::string> named;  // those that the source has named: others came back from the hub
    // Rows that came back from the hub and that the source has not given since: they stay.
    std::map<std::string, std::set<std::string>> restored;
    // Of each dataset that was read whole: whether its deletions wait for a person from now on. Where
    // that is open, too, it is decided with `open`.
    std::map<std::string, bool> held;
  };
  [[nodiscard]] Outcome after(const SimExport& night, bool accept_deletions) const;
  // As if nothing had happened.
  [[nodiscard]] Outcome now() const { return {rows_, {}, known_, named_, restored_, {}}; }
  // After what only the hub still had has been brought back.
  [[nodiscard]] Outcome after_restore(const Image& hub) const;
  // The program has another dictionary from now on; nothing has been read since.
  void upgrade(const Dictionary& dictionary);
  // The run has been committed and the store holds `rows`.
  void commit(const Outcome& outcome, Image rows);

  [[nodiscard]] const Image& rows() const { return rows_; }
  [[nodiscard]] Image projected(const std::vector<std::string>& grants) const;
  // What an entity's UUID has to be.
  [[nodiscard]] Uuid uuid_of(const std::string& entity) const;
  // All that were ever introduced, by UUID: what numbers stand for.
  [[nodiscard]] std::map<std::string, std::string> entities() const;

 private:
  Image rows_;
  std::set<std::string> known_, named_;
  std::map<std::string, std::set<std::string>> restored_;
  std::set<std::string> held_;        // datasets whose deletions wait for a person
  std::set<std::string> maybe_held_;  // those that may
  const Dictionary* dictionary_;
  std::string urn_;
};

// Reads tables into an Image: rows come as values in the dictionary's order, `entity` first.
class ImageReader {
 public:
  // `entities`: UUID -> "dataset:id".
  explicit ImageReader(std::map<std::string, std::string> entities) : entities_(std::move(entities)) {}
  void row(const Dataset& dataset, RowView row);
  [[nodiscard]] const Image& image() const { return image_; }
  // number -> "dataset:id".
  [[nodiscard]] const std::map<std::int64_t, std::string>& numbers() const { return numbers_; }

 private:
  std::string cell(const Field& field, const Value& value) const;
  std::map<std::string, std::string> entities_;
  std::map<std::int64_t, std::string> numbers_;
  Image image_;
};

}  // namespace towpath::sim
