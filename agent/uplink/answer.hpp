// What came back on the line, made sense of: a bundle that answers ours, or why not.
//
// In: a Reply, which may come from anything between the school and the hub. Out: the opened
// bundle, or an Error in words for people: kBlocked with the page's title where a web filter
// answered, kTransport where the answer is damaged, old or no bundle at all (ask again later).
#pragma once

#include <string>
#include <string_view>

#include "agent/uplink/transport.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"

namespace towpath {

// A page's title is shown to a technician on one line.
inline constexpr std::size_t kTitleCharactersMax = 80;

// `url`: where it was asked, to be named where no hub answered.
[[nodiscard]] Result<Bundle> read_answer(const Reply& reply, Sealer& sealer, const BundleId& ours,
                                         std::string_view url = {});

// True for what a browser would show as a page, whatever its content type says.
[[nodiscard]] bool is_html(const Reply& reply);
// The page's title, made safe for a terminal; empty if there is none.
[[nodiscard]] std::string html_title(std::string_view page);
// Text from elsewhere on one line: control characters and broken UTF-8 become '?'.
[[nodiscard]] std::string safe_line(std::string_view text, std::size_t characters_max);

}  // namespace towpath
