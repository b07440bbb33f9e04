// What every verb is given: the options before the verb, and the world.
#pragma once

#include <string>

#include "core/world.hpp"

namespace towpath::cli {

class Console;

inline constexpr const char* kDefaultConfig = "/etc/towpath/towpath.toml";
// Changes only when a key of a verb's JSON goes or changes its meaning; new keys do not count.
inline constexpr int kSchemaVersion = 1;

struct Command {
  std::string config;
  bool json = false;
  Console& console;
  Clock& clock;
  Random& random;

  // The program with the configuration as it was named, so that what is advised can be pasted.
  [[nodiscard]] std::string program() const;
};

}  // namespace towpath::cli
