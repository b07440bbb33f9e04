#include "agent/cli/command.hpp"

#include "agent/school/words.hpp"

namespace towpath::cli {

std::string Command::program() const { return program_for(config); }

}  // namespace towpath::cli
