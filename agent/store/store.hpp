// The school's local copy: tables of the dictionary's datasets, what changed since each
// segment, quarantine, run history, and what waits to be sent. One SQLite file.
//
// Written by agent/intake (rows) and agent/publish (streams), one process at a time
// (the data folder's lock, agent/cli). Everything that belongs together commits together.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/world.hpp"
#include "dictionary/dictionary.hpp"
#include "sqlite/database.hpp"

namespace towpath {

struct StoreOptions {
  std::string path;  // the file, e.g. <data>/school.db
  std::string vfs;   // tests
  std::string school_urn;
  bool read_only = false;
};

class Store {
 public:
  // Opens, makes or upgrades the file. kConfig if it belongs to another URN; kNotFound
  // if it is only to be read and nothing is in it yet; kUnknownVersion if a newer program or
  // dictionary wrote it: then no byte of it has been touched.
  [[nodiscard]] static Result<Store> open(const StoreOptions& options, const Dictionary& dictionary);

  [[nodiscard]] Database& db() { return db_; }
  [[nodiscard]] const Dictionary& dictionary() const { return *dictionary_; }
  [[nodiscard]] const std::string& school_urn() const { return urn_; }

 private:
  Store(Database db, const Dictionary& dictionary, std::string urn)
      : db_(std::move(db)), dictionary_(&dictionary), urn_(std::move(urn)) {}
  Database db_;
  const Dictionary* dictionary_;
  std::string urn_;
};

// The number under which a source's rows are kept; given at first sight.
[[nodiscard]] Result<std::int64_t> source_id(Store& store, std::string_view name);

}  // namespace towpath
