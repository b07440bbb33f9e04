#include "agent/service/journal.hpp"

#include <cstdlib>

namespace towpath {
namespace {
// Schools, their sources and a few things of the service itself; names of sources come from files.
constexpr std::size_t kSubjectsMax = 1000;
}  // namespace

void Journal::say(Instant now, const std::string& about, const std::string& sentence) {
  if (said_.size() >= kSubjectsMax && !said_.contains(about)) said_.clear();
  Said& last = said_[about];
  // A clock set back must not silence it.
  if (last.sentence == sentence && now >= last.when && now - last.when < kSameAgain) {
    ++last.unwritten;
    return;
  }
  if (now < last.hour || now - last.hour >= std::chrono::hours{1}) {
    last.hour = now;
    last.lines = 0;
  }
  if (++last.lines > kLinesAnHour) {
    ++last.left_out;
    return;
  }
  std::string again;
  if (last.sentence == sentence && last.unwritten > 0)
    again = " (the same " + std::to_string(last.unwritten) + " times since " + iso(last.when).substr(0, 16) +
            "Z)";
  else if (last.left_out > 0)
    again = " (and " + std::to_string(last.left_out) + " other lines since " + iso(last.when).substr(0, 16) +
            "Z)";
  last = {sentence, now, 0, last.hour, last.lines, 0};
  write(now, about + ": " + sentence + again);
}

void Journal::write(Instant now, const std::string& line) {
  if (now < minute_ || now - minute_ >= std::chrono::minutes{1}) {
    if (dropped_ > 0)
      write_(std::to_string(dropped_) + " lines were left out, because there were too many at once");
    minute_ = now;
    lines_ = 0;
    dropped_ = 0;
  }
  if (lines_ >= kLinesAMinute) {
    ++dropped_;
    return;
  }
  ++lines_;
  write_(line);
}

}  // namespace towpath
