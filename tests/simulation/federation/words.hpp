// Telling words with owners: each stands in one cell of one school, so that wherever it turns up it can be
// said whose it is, and whether it may be there.
//
// They are telling values as ../telling.hpp has them (so that no event, log or error may hold one), with
// seven digits: a word that another cell follows is still the same one.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace towpath::sim::fed {

struct Word {
  std::string school, dataset, field;
  std::string pupil;  // "pupil:mis:p3"; empty: of no pupil
};

class Words {
 public:
  [[nodiscard]] std::string make(std::string_view school, std::string_view dataset, std::string_view field,
                                 std::string_view pupil);
  [[nodiscard]] const Word& of(std::uint32_t number) const { return words_.at(number); }
  // "pupil.Surname of pupil:mis:p3, school 100001".
  [[nodiscard]] std::string whose(std::uint32_t number) const;

 private:
  std::vector<Word> words_;
};

// The whole words in it.
[[nodiscard]] std::set<std::uint32_t> words_in(std::string_view bytes);

}  // namespace towpath::sim::fed
