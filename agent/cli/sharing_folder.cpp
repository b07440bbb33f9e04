#include "agent/cli/sharing_folder.hpp"

#include <cstdio>
#include <iostream>

#include "agent/cli/ask_service.hpp"
#include "agent/cli/progress.hpp"
#include "agent/school/sharing_here.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {

Result<std::unique_ptr<SharingFolder>> SharingFolder::open(const Command& command, const AgentConfig& config,
                                                           Hold hold) {
  auto folder = hold == Hold::kToWork ? DataFolder::open_to_work(config) : DataFolder::open_to_look(config);
  if (!folder) return fail(std::move(folder).error());
  std::unique_ptr<SharingFolder> here(new SharingFolder(std::move(*folder)));
  if (hold == Hold::kToWork) {
    const std::string place = identity_folder(config.data);
    const auto mended = mend_rights(place);
    if (!mended) return fail(mended.error());
    here->files_ = std::make_unique<KeyFolder>(place);
    auto identity = Identity::load(*here->files_, command.program());
    if (identity)
      here->identity_.emplace(std::move(*identity));
    else if (identity.error().code() != Code::kNotEnrolled)
      return fail(std::move(identity).error());
  }
  SharingOptions options =
      sharing_options(config, here->identity_ ? &*here->identity_ : nullptr, command.program());
  here->sharing_ = std::make_unique<Sharing>(here->store(), command.clock, std::move(options));
  return here;
}

std::string pass_on(const Command& command, const AgentConfig& config) {
  Progress progress;
  const auto answer = ask_service(config, {control::Verb::kSync, {}, command.program()}, progress);
  progress.clear();
  if (!answer) return "next: " + command.program() + " sync";
  if (answer->errors.empty()) return "the service has told the hub";
  return "the service will tell the hub as soon as it can: " + answer->errors.front();
}

Result<void> ask(const Command& command, const std::string& question) {
  if (command.json || !platform::is_terminal(0))
    return fail(Code::kUsage, "nobody is there to be asked",
                "Nothing was changed. To do it all the same, add --yes");
  std::fprintf(stderr, "%s [y/n] ", question.c_str());
  std::string answer;
  if (!std::getline(std::cin, answer) || (answer != "y" && answer != "yes"))
    return fail(Code::kStopped, "nothing was changed: the answer was not yes");
  return {};
}

}  // namespace towpath::cli
