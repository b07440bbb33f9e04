// Unique pupil numbers: form, check letter, permanent or temporary.
//
// In: text as a source gives it. Out: a Upn, which is well-formed and has the right check
// letter, or what is wrong with it. A UPN is a matched attribute, never a key: pupils have
// none, several, or a wrong one. The authority and establishment inside it are where it was
// issued, so nothing is derived from them.
// A UPN is personal data: nothing here prints one. Pure functions, any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tl/expected.hpp>

namespace towpath {

enum class UpnFault : std::uint8_t {
  kForm,         // not a letter, eleven digits, and a digit or letter (I, O and S are never used)
  kCheckLetter,  // well-formed, but the first letter does not fit the rest
};

class Upn {
 public:
  // Exactly 13 characters, capital letters: a source's blanks are trimmed by its adapter.
  [[nodiscard]] static tl::expected<Upn, UpnFault> parse(std::string_view text);

  [[nodiscard]] std::string_view text() const { return {text_.data(), text_.size()}; }
  // Ends in a letter: an admission not finished yet, to be replaced within weeks.
  [[nodiscard]] bool temporary() const { return text_.back() >= 'A'; }
  friend auto operator<=>(const Upn&, const Upn&) = default;

 private:
  Upn() = default;
  std::array<char, 13> text_{};
};

// The letter that belongs before these twelve characters; none if they are not of the form.
[[nodiscard]] std::optional<char> upn_check_letter(std::string_view twelve);

// UN1 to UN5: "no UPN, for this reason", as social-care returns write it.
[[nodiscard]] bool is_upn_absence(std::string_view text);

}  // namespace towpath
