// Text that stands in the program's own source: nothing that was read can become one.
//
// What leaves the machine in a support bundle is made of these and of numbers.
#pragma once

#include <string_view>

namespace towpath::doctor {

class Literal {
 public:
  // At compile time only; a text made while the program runs does not compile.
  consteval Literal(const char* text) : text_(text) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] constexpr std::string_view text() const { return text_; }
  friend constexpr bool operator==(Literal a, std::string_view b) { return a.text_ == b; }

 private:
  std::string_view text_;
};

}  // namespace towpath::doctor
