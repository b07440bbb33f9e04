// Unique learner numbers (age 14 on): ten digits, the last a check digit.
//
// Kept as text: zeros may lead. Personal data: nothing here prints one. Pure, any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tl/expected.hpp>

namespace towpath {

enum class UlnFault : std::uint8_t {
  kForm,         // not ten digits
  kCheckDigit,   // the last digit does not fit, or no digit could
  kPlaceholder,  // 9999999999, "no ULN yet": take it as none
};

class Uln {
 public:
  [[nodiscard]] static tl::expected<Uln, UlnFault> parse(std::string_view text);
  [[nodiscard]] std::string_view text() const { return {text_.data(), text_.size()}; }
  friend auto operator<=>(const Uln&, const Uln&) = default;

 private:
  Uln() = default;
  std::array<char, 10> text_{};
};

// The digit that belongs after these nine; none if they are no digits, or if no digit fits.
[[nodiscard]] std::optional<char> uln_check_digit(std::string_view nine);

}  // namespace towpath
