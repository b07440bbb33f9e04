// JSON that can hold nothing personal and nothing secret, because nothing else fits into it.
//
// In: literals, numbers, times, and text that is looked up in a list of the program's own words.
// There is no way to put in a text that was read: what is not in the list becomes "other". The
// support bundle is made of this alone.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "agent/doctor/literal.hpp"
#include "core/date.hpp"
#include "core/result.hpp"
#include "platform/inspect.hpp"

namespace towpath::doctor {

class Safe {
 public:
  Safe() = default;                                         // null
  Safe(Literal text) : value_(std::string(text.text())) {}  // NOLINT(google-explicit-constructor)
  // Not from a pointer, which would be true.
  template <std::same_as<bool> B>
  Safe(B truth) : value_(truth) {}  // NOLINT(google-explicit-constructor)
  template <std::integral N>
  requires(!std::same_as<N, bool>) Safe(N number)
      : value_(static_cast<std::int64_t>(number)) {}  // NOLINT(google-explicit-constructor)
  Safe(Instant when) : value_(iso(when)) {}           // NOLINT(google-explicit-constructor)
  Safe(Date day) : value_(day.iso()) {}               // NOLINT(google-explicit-constructor)
  template <class T>
  Safe(const std::optional<T>& maybe) {  // NOLINT(google-explicit-constructor)
    if (maybe) *this = Safe(*maybe);
  }
  // An error is its code; its sentence stays here.
  [[nodiscard]] static Safe code(Code code) { return Safe(Own{}, std::string(name(code))); }
  // `text` where it is one of `words`, else "other".
  [[nodiscard]] static Safe known(std::string_view text, std::span<const std::string_view> words);
  // What the operating system says of itself: letters, digits and a few marks.
  [[nodiscard]] static Safe machine(const platform::MachineSeen& machine);
  [[nodiscard]] static Safe object() { return Safe(Object{}); }
  [[nodiscard]] static Safe list() { return Safe(List{}); }
  [[nodiscard]] static Safe object(std::initializer_list<std::pair<Literal, Safe>> members);

  Safe& set(Literal key, Safe value);
  Safe& set(Literal key, Literal text) { return set(key, Safe(text)); }
  // The key is looked up as well.
  Safe& set_known(std::string_view key, std::span<const std::string_view> words, Safe value);
  Safe& add(Safe value);
  // With line breaks and two spaces a level.
  [[nodiscard]] std::string text() const;

 private:
  struct Own {};
  using Object = std::vector<std::pair<std::string, Safe>>;
  using List = std::vector<Safe>;
  Safe(Own, std::string text) : value_(std::move(text)) {}
  explicit Safe(Object object) : value_(std::move(object)) {}
  explicit Safe(List list) : value_(std::move(list)) {}
  void write(std::string& out, std::size_t depth) const;

  std::variant<std::monostate, bool, std::int64_t, std::string, Object, List> value_;
};

// "path of 34 characters, a folder": what may be said of a path.
[[nodiscard]] Safe path_class(const std::string& path);

}  // namespace towpath::doctor
