// What has to come out, said a second time: rows as plain text in plain maps.
//
// In: the exports (sim_export.hpp). Out: what a school's store must hold after each, and what of it an
// audience must have at the hub. Written from DESIGN 4, 5 and 8 and decisions 0001, 0005 and 0008, with
// nothing of the product: what fields there are and what may stand in them comes from the documents
// (declared.hpp), identities and digests from the formats' pages (by_the_book.hpp). References are what
// entities are called, so that numbers are compared by what they stand for.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sqlite/database.hpp"
#include "tests/simulation/by_the_book.hpp"
#include "tests/simulation/declared.hpp"
#include "tests/simulation/sim_export.hpp"

namespace towpath::sim {

// dataset name -> key -> row: cells as text, each with kCellEnd behind it; null is kNull; an entity is
// "dataset:source:id". A school's rows have one more cell: the source that they are of.
using Rows = std::map<std::string, std::string>;
using Image = std::map<std::string, Rows>;
inline constexpr char kCellEnd = '\x1f';
inline constexpr std::string_view kNull = "\x1d";

// Rows of what one program knows as another has them: what it does not know is not there, and what the first
// did not know is null.
[[nodiscard]] Image as_known_by(const Declared& to, const Declared& from, const Image& image);

// The first few differences, by dataset and key; empty if there are none.
[[nodiscard]] std::string differences(const Image& expected, const Image& found);

class SchoolModel {
 public:
  // `declared`: what the school's program knows.
  SchoolModel(std::string urn, const Declared& declared) : urn_(std::move(urn)), declared_(&declared) {}

  // After a run.
  struct Outcome {
    Image rows;
    // Where the design leaves open whether a row goes (something unreadable may have stood for it), its key
    // is in `open`: the store may hold the old row or none.
    std::map<std::string, std::set<std::string>> open;
    // Of several records with one key the first is taken, or the one that the store holds already.
    std::map<std::string, std::map<std::string, std::set<std::string>>> either;
    std::set<std::string> known;  // entities ever introduced
    std::set<std::string> named;  // those that a source has named: others came back from the hub
    // What was read, of each dataset that was read whole.
    std::string source;
    struct Read {
      bool held = false;           // its deletions wait for a person from now on; where that is open,
                                   // it is decided with `open`
      std::set<std::string> gone;  // keys that the source gives no longer
    };
    std::map<std::string, Read> read;
  };
  [[nodiscard]] Outcome after(const SimExport& night, bool accept_deletions) const;
  // As if nothing had happened.
  [[nodiscard]] Outcome now() const { return {rows_, {}, {}, known_, named_, {}, {}}; }
  // After what only the hub still had has been brought back.
  [[nodiscard]] Outcome after_restore(const Image& hub) const;
  // The program knows more, or less, from now on; nothing has been read since.
  void upgrade(const Declared& declared);
  [[nodiscard]] Outcome as_known_by(const Declared& declared, Outcome outcome) const;
  [[nodiscard]] const Declared& declared() const { return *declared_; }
  // What `outcome` leaves open is decided as `found` has it.
  [[nodiscard]] static Image decided(const Outcome& outcome, const Image& found);
  // The run has been committed and the store holds `rows`.
  void commit(const Outcome& outcome, Image rows);

  [[nodiscard]] const Image& rows() const { return rows_; }
  // What an audience with these grants must have; none: every grant that there is.
  [[nodiscard]] Image projected(const std::vector<std::string>& grants) const;
  // What an entity's UUID has to be.
  [[nodiscard]] std::string uuid_of(const std::string& entity) const;
  // Some entities, or all that were ever introduced, by UUID: what numbers stand for.
  [[nodiscard]] std::map<std::string, std::string> by_uuid(const std::set<std::string>& entities) const;
  [[nodiscard]] std::map<std::string, std::string> entities() const { return by_uuid(known_); }

 private:
  [[nodiscard]] std::string derived(const DeclaredDataset& dataset, const DeclaredField& field,
                                    const std::vector<std::string>& cells) const;
  struct Reading;
  void read_full(Reading& reading) const;
  void read_delta(Reading& reading) const;
  void introduce(Outcome& out, const DeclaredDataset& dataset, const std::string& entity) const;

  std::string urn_;
  const Declared* declared_;
  Image rows_;
  std::set<std::string> known_, named_;
  using Of = std::pair<std::string, std::string>;  // source, dataset
  std::set<Of> held_;                              // deletions wait for a person
  std::set<Of> maybe_held_;                        // they may
  std::set<std::string> pupils_wait_;              // sources some of whose pupils wait to be deleted
};

// Reads a store's or a replica's tables into an Image, by the names that the documents give them.
class ImageReader {
 public:
  // `declared`: what the program that has the tables knows. `entities`: by UUID, what they are called.
  ImageReader(const Declared& declared, std::map<std::string, std::string> entities)
      : declared_(&declared), entities_(std::move(entities)) {}
  // `owners`: with the source that each row is of (a store's). Throws Broken.
  void read(Database& database, bool owners);
  [[nodiscard]] Image take() { return std::move(image_); }
  // What each number stands for.
  [[nodiscard]] const std::map<std::int64_t, std::string>& numbers() const { return numbers_; }
  // Of all that was read.
  [[nodiscard]] const std::array<std::uint8_t, 32>& digest() const { return digest_.value(); }
  void with_digest() { wants_digest_ = true; }

 private:
  std::string cell(const DeclaredField& field, const Value& value) const;
  const Declared* declared_;
  std::map<std::string, std::string> entities_;
  std::map<std::int64_t, std::string> numbers_;
  Image image_;
  bool wants_digest_ = false;
  SumOfHashes digest_;
};

}  // namespace towpath::sim
