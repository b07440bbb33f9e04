// A file's size and time of change, to notice that somebody is still writing to it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "core/result.hpp"

namespace towpath {

struct StatMark {
  std::uintmax_t bytes = 0;
  std::filesystem::file_time_type changed{};
  friend bool operator==(const StatMark&, const StatMark&) = default;
};

// What the operating system says of a file, as a sentence about `name`.
[[nodiscard]] Error io_error(const std::error_code& why, std::string_view name);
// The mark of a regular file. `name` is what messages call it.
[[nodiscard]] Result<StatMark> mark_of(const std::filesystem::path& path, std::string_view name);
// kSourceChanged unless the file is what it was.
[[nodiscard]] Result<void> check_same(const std::filesystem::path& path, std::string_view name,
                                      const StatMark& before);

}  // namespace towpath
