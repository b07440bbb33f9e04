// A folder, a zip or a single file, as one list of named files.
//
// In: a path. Out: the names in it, sorted, and a ByteSource for each. A zip may hold
// its files at the root or all in one folder; what we read is then named without it.
// What stays true: a file opened twice in a run is the same both times, or the second
// reading ends in kSourceChanged; a zip that would unpack to absurd sizes, holds names
// that climb out of it, or is cut short is refused in one sentence.
// Owned by one adapter run; not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/text/byte_source.hpp"
#include "adapters/text/zip_limits.hpp"
#include "core/result.hpp"

namespace towpath {

class FileSet {
 public:
  // Errors: kNotFound (nothing there), kNotPermitted, kDamaged, kTooLarge, kBadInput.
  [[nodiscard]] static Result<FileSet> open(const std::filesystem::path& path, const ZipLimits& limits = {});

  FileSet(FileSet&&) noexcept;
  FileSet& operator=(FileSet&&) noexcept;
  FileSet(const FileSet&) = delete;
  FileSet& operator=(const FileSet&) = delete;
  ~FileSet();

  // Sorted by bytes; without folders.
  [[nodiscard]] const std::vector<std::string>& names() const;
  // The name as it is spelt here, whatever the case asked for; none if there is none.
  [[nodiscard]] std::optional<std::string> find(std::string_view name) const;
  [[nodiscard]] Result<std::unique_ptr<ByteSource>> open_file(std::string_view name) const;
  // What people call it: "folder", "zip", "file".
  [[nodiscard]] std::string_view kind() const;

 private:
  struct State;
  explicit FileSet(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// "*" any run of characters, "?" any one; letters of either case are the same.
[[nodiscard]] bool glob_matches(std::string_view pattern, std::string_view name);
// What to do about a file that is not among `names`: unpack it, if it is here packed, or
// correct the pattern, if a name comes near it. Empty where nothing helps.
[[nodiscard]] std::string advice_on_missing(std::string_view pattern, std::span<const std::string> names);

}  // namespace towpath
