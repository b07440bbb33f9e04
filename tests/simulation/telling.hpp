// Telling values: words that stand in a school's data and nowhere else, so that a search finds where they
// have got to. Invariant 3 (DESIGN 11) is searched for with them.
//
// A word is a prefix that chance does not make, a letter for the grant under which its field may leave
// ('-': none, it never does; 'X': it stands in a record that cannot be taken), and a number.
// A log, an error's sentence and a status may hold none; what leaves a school only those of its agreement.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"
#include "trust/sealed.hpp"

namespace towpath::sim {

inline constexpr std::string_view kTellingPrefix = "zTellQ";
inline constexpr char kNeverLeaves = '-';
inline constexpr char kNotTaken = 'X';

[[nodiscard]] char telling_letter(const std::string& grant);
[[nodiscard]] std::string telling_word(char letter, std::uint64_t number);
// The first telling word in `bytes` whose letter is not among `allowed`.
[[nodiscard]] std::optional<std::string> telling_word_in(std::string_view bytes,
                                                         std::string_view allowed = {});
// The letters that an agreement lets out; an empty one is every grant that there is.
[[nodiscard]] std::string telling_letters(const std::vector<std::string>& grants);
// Throws Broken, saying what `where` is, if there is one.
void check_telling(std::string_view bytes, std::string_view allowed, std::string_view where);

// What one school's machines have put on lines and sticks, opened and unpacked by somebody who has all keys.
class Departures {
 public:
  // A bundle that leaves now, opened. Every word in it, packed or not, and every column of its segments must
  // be of the agreement. Throws Broken.
  void check(const Bundle& bundle, const std::vector<std::string>& grants);

 private:
  void check_segment(ByteView bytes, const std::vector<std::string>& grants, const std::string& letters);
  struct Kept {
    Bytes content;
    Hash256 previous;
  };
  std::map<Hash256, Kept> contents_;  // by the segment's hash
};

}  // namespace towpath::sim
