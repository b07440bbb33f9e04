// The service's own words, a line each, for the journal: few, and none again and again.
//
// What has just been said of the same thing is counted instead of repeated, and told every few
// hours; what is other words each time is told some times an hour; and however much goes wrong at
// once, no more than some lines a minute are written. Never personal data: sentences, counts, file
// and source names.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "core/date.hpp"

namespace towpath {

// A line that is down is told when it goes down, then some times a day.
inline constexpr std::chrono::hours kSameAgain{4};
// About one thing, whatever its words: an exchange each ten minutes, or its first failures.
inline constexpr int kLinesAnHour = 6;
// More than the worst start of a server with a dozen schools.
inline constexpr int kLinesAMinute = 60;

class Journal {
 public:
  explicit Journal(std::function<void(const std::string&)> write) : write_(std::move(write)) {}
  // `about`: what the sentence is about ("100001 exchange"); what was said of it last is compared.
  void say(Instant now, const std::string& about, const std::string& sentence);

 private:
  struct Said {
    std::string sentence;
    Instant when{};               // written
    std::uint64_t unwritten = 0;  // the same again
    Instant hour{};               // its first line
    int lines = 0;                // since then
    std::uint64_t left_out = 0;   // other words, too many of them
  };
  std::function<void(const std::string&)> write_;
  std::map<std::string, Said> said_;
  Instant minute_{};
  int lines_ = 0;
  std::uint64_t dropped_ = 0;
  void write(Instant now, const std::string& line);
};

}  // namespace towpath
