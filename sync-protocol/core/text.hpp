// Text from elsewhere, made fit for a terminal and a list: whoever wrote it may want to move the
// reader's cursor, or turn the direction of what follows. A pure function on hostile input.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace towpath {

// On one line: white space becomes single blanks, control characters (C1 too), marks of direction
// and broken UTF-8 become '?'. Longer text is cut after `characters_max` and ends in "...".
[[nodiscard]] std::string safe_line(std::string_view text, std::size_t characters_max);

// The same for text that has a layout: blanks, tabs and line breaks stay, nothing is cut.
[[nodiscard]] std::string safe_text(std::string_view text);

}  // namespace towpath
