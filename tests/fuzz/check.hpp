// What a harness says before it stops: which promise was broken.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/result.hpp"

#define FUZZ_CHECK(condition)                                                      \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)

namespace towpath::fuzz {

// The value; without one the harness itself is wrong, or what must always work did not.
template <class R>
auto good(R result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "broken: %s: %s\n", what, result.error().sentence().c_str());
    std::abort();
  }
  if constexpr (!std::is_void_v<typename R::value_type>) return std::move(*result);
}

// Text that reaches a terminal or a log moves no cursor.
inline void harmless(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::fprintf(stderr, "broken: a control character reaches people: 0x%02x\n",
                   static_cast<unsigned>(static_cast<unsigned char>(c)));
      std::abort();
    }
}

// The same of an error; one that offers a choice is a list.
inline void harmless(const Error& error) {
  std::string text = error.sentence();
  if (error.code() == Code::kChoice) std::replace(text.begin(), text.end(), '\n', ' ');
  harmless(text);
}

}  // namespace towpath::fuzz
