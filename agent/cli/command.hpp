// What every verb is given: the options before the verb, and the world.
#pragma once

#include <string>

#include "agent/school/told.hpp"
#include "agent/school/words.hpp"
#include "core/world.hpp"

namespace towpath::cli {

class Console;

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
