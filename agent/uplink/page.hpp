// What stands between the school and the hub answers with pages for people; and text from
// elsewhere is shown on a technician's terminal. Pure functions on hostile input.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/uplink/transport.hpp"
#include "core/text.hpp"

namespace towpath {

// A page's title is shown to a technician on one line.
inline constexpr std::size_t kTitleCharactersMax = 80;

// True for what a browser would show as a page, whatever its content type says.
[[nodiscard]] bool is_html(const Reply& reply);
// The page's title, made safe for a terminal; empty if there is none.
[[nodiscard]] std::string html_title(std::string_view page);

}  // namespace towpath
