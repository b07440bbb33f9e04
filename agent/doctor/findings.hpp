// What doctor says: a pure function of what was observed.
//
// In: Facts. Out: findings in the order in which things depend on each other, each one line with
// its value, and what to do next. `check`, `kind` and figures hold nothing that was read from
// anywhere: the support bundle is made of them. `what` and `next` are for the person at the
// machine: they may name paths and hosts, never a person or a secret.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/doctor/facts.hpp"
#include "agent/doctor/literal.hpp"
#include "agent/school/health.hpp"

namespace towpath::doctor {

using cli::Light;

// An export that is made each school morning is at most a long weekend old.
inline constexpr std::chrono::days kExportOld = cli::kDataOld;

struct Figure {
  Literal name;  // with its unit: "free_mb"
  std::int64_t value;
};
struct Finding {
  Literal check;  // "clock": what was looked at
  Literal kind;   // "off": which of its sentences this is
  Light light;
  std::string what;   // a sentence
  std::string value;  // what was measured; may be empty
  std::string next;   // may be empty
  std::vector<Figure> figures = {};
};

[[nodiscard]] std::vector<Finding> judge(const Facts& facts);
// 0 all green, 4 something to look at, 1 it cannot work, 78 the configuration is wrong.
[[nodiscard]] int exit_code(const std::vector<Finding>& findings);
// For a terminal of 80 columns.
[[nodiscard]] std::vector<std::string> lines(const std::vector<Finding>& findings);

// A web filter's maker or a public authority that a certificate's issuer names; empty: neither.
[[nodiscard]] std::string_view known_filter(std::string_view issuer);
[[nodiscard]] bool public_authority(std::string_view issuer);

// The parts of judge(), in its order.
void judge_here(const Facts& facts, std::vector<Finding>& out);
void judge_line(const Facts& facts, std::vector<Finding>& out);

}  // namespace towpath::doctor
