#include "tests/simulation/federation/words.hpp"

#include <cstdio>
#include <cstring>

#include "tests/simulation/declared.hpp"
#include "tests/simulation/telling.hpp"

namespace towpath::sim::fed {
namespace {
// Five of the number and two that check it: what lies about in freed pages may begin like a word.
constexpr std::size_t kDigits = 7;
std::uint32_t checked(std::uint32_t number) { return number * 100 + (number * 37 + 11) % 97; }
}  // namespace

std::string Words::make(std::string_view school, std::string_view dataset, std::string_view field,
                        std::string_view pupil) {
  const DeclaredDataset& d = Declared::here().dataset(dataset);
  char number[16];
  std::snprintf(number, sizeof number, "%07u", checked(static_cast<std::uint32_t>(words_.size())));
  words_.push_back({std::string(school), std::string(dataset), std::string(field), std::string(pupil)});
  return std::string(kTellingPrefix) + telling_letter(d.fields[d.position(field)].grant) + number;
}

std::string Words::whose(std::uint32_t number) const {
  const Word& w = of(number);
  return w.dataset + "." + w.field + (w.pupil.empty() ? "" : " of " + w.pupil) + ", school " + w.school;
}

std::set<std::uint32_t> words_in(std::string_view bytes) {
  std::set<std::uint32_t> found;
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  while (at < end) {
    at = static_cast<const char*>(
        memmem(at, static_cast<std::size_t>(end - at), kTellingPrefix.data(), kTellingPrefix.size()));
    if (at == nullptr) break;
    at += kTellingPrefix.size();
    // Where a page of a database ends there may be the beginning of a word only.
    if (static_cast<std::size_t>(end - at) < 1 + kDigits) continue;
    std::uint32_t number = 0;
    bool whole = true;
    for (std::size_t i = 1; i <= kDigits; ++i) {
      whole = whole && at[i] >= '0' && at[i] <= '9';
      number = number * 10 + static_cast<std::uint32_t>(at[i] - '0');
    }
    if (whole && checked(number / 100) == number) found.insert(number / 100);
  }
  return found;
}

}  // namespace towpath::sim::fed
