#include "hub/cli/inbox.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bundle/stick.hpp"
#include "platform/platform.hpp"

namespace towpath::hub_cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// A report has a line of a few hundred bytes for each bundle of a file.
constexpr std::size_t kReportBytesMax = 64 * 1024 * 1024;

// A bundle file less its head, which is a few bytes.
constexpr std::size_t kAnswersBytesMax = kStickBytesMax - 16;

Bytes owned(const std::string& text) {
  const ByteView bytes = bytes_of(text);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::size_t Imported::taken() const {
  return static_cast<std::size_t>(
      std::count_if(entries.begin(), entries.end(), [](const Entry& e) { return e.refused.empty(); }));
}

Result<Imported> import_file(HubService& service, ByteView file, const std::function<bool()>& go_on) {
  auto messages = read_stick_file(file);
  if (!messages) return fail(std::move(messages).error());
  Imported out;
  std::vector<Bytes> answers;
  std::size_t answers_bytes = 0;
  for (const ByteView message : *messages) {
    if (!go_on()) return fail(Code::kStopped, "the hub is stopping");
    auto answered = service.take(message, Way::kStick);
    if (!answered) {
      out.entries.push_back({{}, std::string(name(answered.error().code())), answered.error().sentence()});
      continue;
    }
    out.entries.push_back({answered->urn,
                           answered->refused ? std::string(name(*answered->refused)) : std::string(),
                           std::move(answered->text)});
    answers_bytes += answered->bytes.size() + sizeof(std::uint32_t);
    if (answers_bytes > kAnswersBytesMax)
      return fail(Code::kTooLarge,
                  "the answers to the first " + std::to_string(out.entries.size()) +
                      " bundles of this file are more than one answer file holds (" +
                      std::to_string(kStickBytesMax / (1024 * 1024)) +
                      " MB); the bundles after them are not taken",
                  "At the school, export less at once; what is taken already does no harm");
    answers.push_back(std::move(answered->bytes));
  }
  auto made = stick_file(answers);
  if (!made) return fail(std::move(made).error());
  out.answers = std::move(*made);
  return out;
}

std::string Inbox::path(const std::string& name, const char* what) const {
  return folder_ + "/" + name + what;
}

Result<std::string> Inbox::leave(ByteView file, Random& random) const {
  TP_TRY(platform::make_private_folder(folder_));
  std::array<std::uint8_t, 8> bytes{};
  random.fill(bytes);
  const std::string name = hex(bytes);
  TP_TRY(platform::write_file(path(name, ".ask"), file));
  return name;
}

Result<std::optional<Imported>> Inbox::taken(const std::string& name) const {
  auto report = platform::read_file(path(name, ".report"), kReportBytesMax);
  if (!report && report.error().code() == Code::kNotFound) return std::optional<Imported>{};
  if (!report) return fail(std::move(report).error());
  const auto read = ordered_json::parse(*report, nullptr, false);
  if (!read.is_object()) return fail(Code::kDamaged, "the hub's report on the import cannot be read");
  if (read.contains("error"))
    return fail(code_named(read["error"].value("code", "")).value_or(Code::kRefused),
                read["error"].value("message", ""), read["error"].value("next", ""));
  Imported out;
  for (const auto& e : read["entries"])
    out.entries.push_back({e.value("urn", ""), e.value("refused", ""), e.value("text", "")});
  auto answers = platform::read_file(path(name, ".answer"), 2 * kStickBytesMax);
  if (!answers) return fail(std::move(answers).error());
  out.answers = owned(*answers);
  return std::optional(std::move(out));
}

void Inbox::remove(const std::string& name) const {
  std::error_code ignored;
  for (const char* what : {".ask", ".report", ".answer"}) fs::remove(path(name, what), ignored);
}

void Inbox::tidy(std::chrono::minutes kept) const {
  std::error_code error;
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (entry.path().extension() == ".ask") continue;
    std::error_code gone;
    const auto made = fs::last_write_time(entry.path(), gone);
    if (!gone && fs::file_time_type::clock::now() - made >= kept) old.push_back(entry.path());
  }
  for (const fs::path& file : old) fs::remove(file, error);
}

void Inbox::serve(HubService& service, const std::function<bool()>& go_on,
                  const std::function<void(const std::string&)>& log) const {
  std::error_code error;
  std::vector<std::string> asks;
  for (const auto& entry : fs::directory_iterator(folder_, error))
    if (entry.path().extension() == ".ask") asks.push_back(entry.path().stem().string());
  for (const std::string& name : asks) {
    auto file = platform::read_file(path(name, ".ask"), kStickBytesMax);
    if (!file && file.error().code() == Code::kNotFound) continue;  // taken back
    auto done = file ? import_file(service, bytes_of(*file), go_on) : Result<Imported>(fail(file.error()));
    if (!done && done.error().code() == Code::kStopped) return;
    ordered_json report;
    if (done) {
      report["entries"] = ordered_json::array();
      for (const Imported::Entry& e : done->entries)
        report["entries"].push_back({{"urn", e.urn}, {"refused", e.refused}, {"text", e.text}});
      if (auto wrote = platform::write_file(path(name, ".answer"), done->answers); !wrote)
        done = fail(wrote.error());
    }
    if (!done)
      report = {{"error",
                 {{"code", towpath::name(done.error().code())},
                  {"message", done.error().what()},
                  {"next", done.error().next()}}}};
    const std::string text = report.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    if (auto wrote = platform::write_file(path(name, ".report"), bytes_of(text)); !wrote)
      log("the report on an import could not be written: " + wrote.error().sentence());
    log("bundle file imported: " + (done ? std::to_string(done->taken()) + " of " +
                                               std::to_string(done->entries.size()) + " bundles taken"
                                         : done.error().sentence()));
    fs::remove(path(name, ".ask"), error);
  }
}

}  // namespace towpath::hub_cli
