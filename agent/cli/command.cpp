#include "agent/cli/command.hpp"

#include "agent/cli/words.hpp"

namespace towpath::cli {

std::string Command::program() const { return program_for(config); }

}  // namespace towpath::cli
