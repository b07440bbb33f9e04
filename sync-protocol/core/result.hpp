// What can happen is a value: every call that can fail returns a Result.
//
// An Error says what happened, to which thing, the value, and what to do next,
// in words that a school's technician reads. It never holds personal data: no
// names, no identifiers of pupils, no cell of a source row.
// Anyone may use this header; it depends on nothing of ours.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace towpath {

// What kind of thing went wrong; callers decide on it, people read the text.
enum class Code {
  kInternal,          // our bug, or a library broke its promise
  kUsage,             // the command line is wrong
  kConfig,            // the configuration is wrong: exit 78
  kNotFound,          // a file, school, dataset or row that should be there is not
  kIo,                // reading or writing failed
  kDiskFull,          // no room left; the last good state is kept
  kNoMemory,          // this machine has too little just now; the last good state is kept
  kBusy,              // somebody else holds it
  kNotPermitted,      // the operating system says no
  kBadInput,          // a source cannot be read as what it should be
  kSourceChanged,     // a source changed while it was read, or lost a column
  kChoice,            // a person has to choose (several schools in a bundle)
  kDamaged,           // length, hash or structure is wrong
  kTooLarge,          // over a limit that protects us
  kUnknownVersion,    // written by a format version that we do not read
  kWrongStream,       // another school's or another audience's segment
  kOutOfOrder,        // a segment from the future: something between is missing
  kRepeated,          // already applied; harmless
  kForked,            // two different segments with one number
  kMissingReference,  // the prefix that a body needs is not held here
  kDigestDiffers,     // the state after applying is not what the writer had
  kTransport,         // no answer, or a broken one
  kBlocked,           // a web filter answered instead of the hub
  kNotEnrolled,       // this machine has no keys that a hub knows: exit 3
  kNotSigned,         // a signature is not that of whom it should be
  kUnknownKey,        // nobody here has this key
  kRevoked,           // the key was ended by the hub's operator
  kReplaced,          // the key was replaced by another of the same owner
  kOtherRecipient,    // sealed for somebody else
  kTwoMachines,       // two machines speak with one school's key
  kCodeUnknown,       // an invitation code that the hub has never given out
  kCodeExpired,       // an invitation code that is too old
  kCodeUsed,          // an invitation code that another machine has used
  kTooMany,           // more requests than one school may make
  kStopped,           // asked to stop, and did: nothing is wrong, and the last good state is kept
  kRefused,           // the other side understood, and said no
};

[[nodiscard]] std::string_view name(Code code);
// The other way round, for codes that come over the line; none for one that this program does not know.
[[nodiscard]] std::optional<Code> code_named(std::string_view text);

// One pointer wide, so that a Result in a hot loop costs a register.
class [[nodiscard]] Error {
 public:
  Error(Code code, std::string what, std::string next = {})
      : detail_(std::make_unique<Detail>(Detail{code, std::move(what), std::move(next)})) {}
  Error(const Error& other) : detail_(std::make_unique<Detail>(*other.detail_)) {}
  Error(Error&&) noexcept = default;
  Error& operator=(const Error& other) {
    if (this != &other) detail_ = std::make_unique<Detail>(*other.detail_);
    return *this;
  }
  Error& operator=(Error&&) noexcept = default;
  ~Error() = default;

  [[nodiscard]] Code code() const { return detail_->code; }
  // What happened, to which thing, with which value.
  [[nodiscard]] const std::string& what() const { return detail_->what; }
  // What the reader should do next; empty where there is nothing to do.
  [[nodiscard]] const std::string& next() const { return detail_->next; }
  // Both, as one line for a terminal.
  [[nodiscard]] std::string sentence() const {
    return detail_->next.empty() ? detail_->what : detail_->what + ". " + detail_->next;
  }
  // The same error, seen from one step further out: "context: what".
  [[nodiscard]] Error during(std::string_view context) && {
    detail_->what = std::string(context) + ": " + detail_->what;
    return std::move(*this);
  }
  [[nodiscard]] Error advise(std::string next) && {
    detail_->next = std::move(next);
    return std::move(*this);
  }

 private:
  struct Detail {
    Code code;
    std::string what;
    std::string next;
  };
  std::unique_ptr<Detail> detail_;
};

template <class T>
using Result = tl::expected<T, Error>;

// Fails a function that returns some Result<T>.
[[nodiscard]] inline tl::unexpected<Error> fail(Code code, std::string what, std::string next = {}) {
  return tl::unexpected<Error>(Error{code, std::move(what), std::move(next)});
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

// What must not happen. Stays on in release: a wrong row is worse than a stop.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace towpath

#define TP_ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::towpath::assertion_failed(#condition, __FILE__, __LINE__))

// Hands an error on, as it is.
#define TP_TRY(expression)                                                    \
  do {                                                                        \
    if (auto tp_done_ = (expression); !tp_done_)                              \
      return ::tl::unexpected<::towpath::Error>(std::move(tp_done_).error()); \
  } while (false)
