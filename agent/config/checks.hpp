// Pure checks of single values, and the nearest name for a misspelt one. No files, no TOML.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace towpath::config {

// Equal, not minding case.
[[nodiscard]] bool same_word(std::string_view a, std::string_view b);
// Insertions, deletions, replacements and swaps of neighbours, not minding case.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);
// The known name that was probably meant; none if nothing is close.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view written,
                                                      std::span<const std::string_view> known);
// "did you mean 'url'?", or "Known: a, b, c" where nothing is close.
[[nodiscard]] std::string suggestion(std::string_view written, std::span<const std::string_view> known);

// Names like password, token, api_key: they do not belong in this file.
[[nodiscard]] bool looks_secret(std::string_view key);
// Empty if fine, else what is wrong with it, in words that follow "hub.url ".
[[nodiscard]] std::string url_fault(std::string_view url);
// The same for a proxy script's address: plain http to the school's own filter is usual there.
[[nodiscard]] std::string pac_url_fault(std::string_view url);
// "auto", "none" or http://host:port, in words that follow "hub.proxy ".
[[nodiscard]] std::string proxy_fault(std::string_view proxy);
[[nodiscard]] std::string source_name_fault(std::string_view name);
[[nodiscard]] std::string line_of_text_fault(std::string_view text, std::size_t bytes_max);

}  // namespace towpath::config
