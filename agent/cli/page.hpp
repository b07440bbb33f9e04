// Pages for people: one file each, without scripts, styles from elsewhere or links to follow. Every text is
// escaped. Pure, but for write_page.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/sharing/explain.hpp"
#include "core/result.hpp"

namespace towpath::cli {

// What is shared, for a privacy notice; nothing in it is about a single pupil.
[[nodiscard]] std::string explain_page(std::string_view school, std::string_view urn,
                                       const std::vector<Explained>& audiences, Instant now);
// All that is held about one pupil, from the same document that --json gives. Personal data.
[[nodiscard]] std::string subject_page(std::string_view school, const nlohmann::ordered_json& report);
// Readable by its owner only; kUsage where there is such a file already.
[[nodiscard]] Result<void> write_page(const std::string& path, std::string_view page);

}  // namespace towpath::cli
