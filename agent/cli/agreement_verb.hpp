// `towpath agreement`: what was offered, what it means for this school's data, and a person's decision.
// `towpath explain`: the same for what is in force, for people, programs and a privacy notice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/cli/command.hpp"

namespace towpath::cli {

struct AgreementWish {
  std::string id, by;
  std::optional<std::uint32_t> version;
  bool yes = false;
};
struct NamedWish {
  std::string id, add, remove, by;
  bool list = false;
};
struct ExplainWish {
  std::string audience, html;
};

[[nodiscard]] int agreement_list(const Command& command);
[[nodiscard]] int agreement_show(const Command& command, const AgreementWish& wish);
[[nodiscard]] int agreement_approve(const Command& command, const AgreementWish& wish);
[[nodiscard]] int agreement_withdraw(const Command& command, const AgreementWish& wish);
[[nodiscard]] int agreement_pupils(const Command& command, const NamedWish& wish);
[[nodiscard]] int explain(const Command& command, const ExplainWish& wish);

}  // namespace towpath::cli
