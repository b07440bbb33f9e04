#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "bundle/stick.hpp"
#include "hub/cli/command.hpp"
#include "hub/cli/inbox.hpp"
#include "hub/cli/words.hpp"

namespace towpath::hub_cli {
namespace {

using nlohmann::ordered_json;

// How soon an answer of the running hub is seen; and how long one may take for a full stick: its
// 64 MB are some hundred first loads.
constexpr std::chrono::milliseconds kLookEvery{50};
constexpr std::chrono::minutes kWaitMax{10};

// "-" is standard input.
Result<std::string> read_whole(const std::string& file) {
  if (file != "-") return platform::read_file(file, kStickBytesMax);
  std::string all;
  std::array<char, 64 * 1024> piece{};
  while (std::cin.read(piece.data(), piece.size()) || std::cin.gcount() > 0) {
    all.append(piece.data(), static_cast<std::size_t>(std::cin.gcount()));
    if (all.size() > kStickBytesMax)
      return fail(Code::kTooLarge,
                  "standard input has more than " + std::to_string(kStickBytesMax) + " bytes",
                  "Check that it is the right file");
  }
  return all;
}

Result<Imported> import_alone(const Command& command, ByteView file) {
  RegistryOptions options;
  options.data = command.data;
  auto registry = Registry::open(options, command.dictionary, command.clock);
  if (!registry) return fail(std::move(registry).error());
  auto keys = hub_keys(command);
  if (!keys) return fail(std::move(keys).error());
  HubService service(**registry, **keys, command.clock, command.random, command.dictionary, command.software);
  return import_file(service, file, [] { return true; });
}

Result<Imported> take_in(const Command& command, ByteView file) {
  // A hub that is not there is said so before a lock or an inbox is made in its place.
  RegistryOptions look;
  look.data = command.data;
  look.may_write = false;
  if (auto there = Registry::open(look, command.dictionary, command.clock);
      !there && there.error().code() != Code::kUnknownVersion)
    return fail(std::move(there).error());
  const Inbox inbox(command.data);
  std::string left;
  const Instant end = command.clock.now() + kWaitMax;
  for (;;) {
    // Alone, as soon as nobody holds the folder; else through the one who does.
    auto lock = platform::FolderLock::take(command.data);
    if (lock) {
      if (!left.empty()) inbox.remove(left);
      return import_alone(command, file);
    }
    if (lock.error().code() != Code::kBusy) return fail(std::move(lock).error());
    if (left.empty()) {
      auto name = inbox.leave(file, command.random);
      if (!name) return fail(std::move(name).error());
      left = std::move(*name);
    }
    auto taken = inbox.taken(left);
    if (!taken || *taken) {
      inbox.remove(left);
      if (!taken) return fail(std::move(taken).error());
      return std::move(**taken);
    }
    if (command.clock.now() > end) {
      inbox.remove(left);
      return fail(Code::kBusy,
                  "the process that holds " + command.data + " has not taken the file in 10 minutes",
                  "Look at its log, then import the file again; what was taken already does no harm");
    }
    std::this_thread::sleep_for(kLookEvery);
  }
}

}  // namespace

StickFiles open_stick(const std::string& file, const std::string& answer) {
  StickFiles stick{read_whole(file), answer, std::nullopt};
  if (!answer.empty() && stick.bundles) stick.answer.emplace(platform::GivenFile::open(answer));
  return stick;
}

int bundle_import(const Command& command, StickFiles stick) {
  const Console& console = command.console;
  const std::string& answer = stick.answer_path;
  if (!stick.bundles) return console.failed(stick.bundles.error());
  if (stick.answer && !*stick.answer) return console.failed(stick.answer->error());
  auto done = take_in(command, bytes_of(*stick.bundles));
  if (!done) return console.failed(done.error());
  if (stick.answer) {
    auto wrote = (*stick.answer)->write(done->answers);
    if (!wrote)
      return console.failed(std::move(wrote).error().advise(
          "The bundles are taken; import the file again with another --answer"));
  }
  const std::size_t all = done->entries.size();
  console.line(counted(done->taken(), "bundle", "bundles") + " of " + number(all) + " taken");
  ordered_json list = ordered_json::array();
  for (std::size_t i = 0; i < all; ++i) {
    const Imported::Entry& e = done->entries[i];
    if (!e.refused.empty()) {
      const std::string line = "bundle " + number(i + 1) + (e.urn.empty() ? "" : " of school " + e.urn) +
                               " is refused (" + e.refused + "): " + e.text;
      console.line(line);
    }
    list.push_back({{"urn", e.urn.empty() ? ordered_json(nullptr) : ordered_json(e.urn)},
                    {"taken", e.refused.empty()},
                    {"code", e.refused.empty() ? ordered_json(nullptr) : ordered_json(e.refused)},
                    {"text", e.text}});
  }
  console.line(answer.empty()
                   ? "next: import it again with --answer FILE to bring the hub's answer back; a file may "
                     "be imported any number of times"
                   : "next: take " + answer + " back to the school: towpath bundle import FILE");
  const int code = done->taken() == all ? kFine : kFailed;
  console.result({{"schema_version", kSchemaVersion},
                  {"bundles", all},
                  {"taken", done->taken()},
                  {"entries", std::move(list)},
                  {"answer", answer.empty() ? ordered_json(nullptr) : ordered_json(answer)},
                  {"exit_code", code}});
  return code;
}

}  // namespace towpath::hub_cli
