#include "agent/uplink/restore.hpp"

#include <utility>
#include <vector>

#include "agent/uplink/page.hpp"
#include "replica/restore.hpp"

namespace towpath {
namespace {

constexpr std::size_t kHubTextMax = 300;  // a hub's sentence is shown on one line
// The hub was reached, and does not have it as it should.
constexpr const char* kOrGiveUp = ". If the hub has lost it for good: towpath restore --give-up";

// The part that was asked for, or why there is none.
Result<RestorePartFrame> part_in(Bundle answer, StreamId stream, std::uint64_t part) {
  for (Frame& frame : answer.frames) {
    if (auto* got = std::get_if<RestorePartFrame>(&frame);
        got != nullptr && got->stream == stream && got->part == part)
      return std::move(*got);
    if (const auto* problem = std::get_if<ProblemFrame>(&frame))
      return fail(problem->code,
                  "the hub cannot give back what it has: " + safe_line(problem->text, kHubTextMax),
                  std::string("Run towpath restore again; if that does not help, tell the hub's operator") +
                      kOrGiveUp);
    if (const auto* later = std::get_if<LaterFrame>(&frame))
      return fail(Code::kBusy,
                  "the hub asks to come back in " + std::to_string(later->seconds) +
                      " seconds for what it has to restore",
                  "Run towpath restore again then");
  }
  return fail(Code::kRefused, "the hub did not say what it has to restore: it is older than this agent",
              std::string("Ask its operator to update it, then run towpath restore") + kOrGiveUp);
}

}  // namespace

Result<RestoreCounts> restore_from_hub(Store& store, StreamId stream, Instant now, const AskHub& ask) {
  std::vector<Bytes> contents;
  Head head;
  int beginnings = 1;
  for (std::uint64_t part = 0, parts = 1; part < parts; ++part) {
    auto answer = ask(RestoreQuestionFrame{stream, part});
    if (!answer) return fail(std::move(answer).error());
    auto got = part_in(std::move(*answer), stream, part);
    if (!got) return fail(std::move(got).error());
    if (part > 0 && (got->head != head || got->parts != parts)) {
      if (++beginnings > kRestoreBeginningsMax)
        return fail(Code::kRefused, "what the hub has of this school changes while it is being restored",
                    "Another machine may be sending as this school: stop it, then run towpath restore again");
      contents.clear();
      parts = 1;
      part = UINT64_MAX;  // the next is 0
      continue;
    }
    if (got->parts == 0 || got->parts > kRestorePartsMax)
      return fail(Code::kTooLarge,
                  "the hub has " + std::to_string(got->parts) + " parts to restore; the limit is " +
                      std::to_string(kRestorePartsMax),
                  std::string("Tell the hub's operator") + kOrGiveUp);
    head = got->head;
    parts = got->parts;
    contents.push_back(std::move(got->content));
  }
  auto restore = Restore::begin(store, now);
  if (!restore) return fail(std::move(restore).error());
  for (const Bytes& content : contents)
    TP_TRY(each_restored_row(content, store.dictionary(), [&](const Dataset& dataset, RowView row) {
      return restore->row(dataset, row);
    }));
  return restore->commit();
}

}  // namespace towpath
