#include "core/result.hpp"

#include <cstdio>
#include <cstdlib>

namespace towpath {

std::string_view name(Code code) {
  switch (code) {
    case Code::kInternal:
      return "internal";
    case Code::kUsage:
      return "usage";
    case Code::kConfig:
      return "config";
    case Code::kNotFound:
      return "not-found";
    case Code::kIo:
      return "io";
    case Code::kDiskFull:
      return "disk-full";
    case Code::kNoMemory:
      return "no-memory";
    case Code::kBusy:
      return "busy";
    case Code::kNotPermitted:
      return "not-permitted";
    case Code::kBadInput:
      return "bad-input";
    case Code::kSourceChanged:
      return "source-changed";
    case Code::kChoice:
      return "choice";
    case Code::kDamaged:
      return "damaged";
    case Code::kTooLarge:
      return "too-large";
    case Code::kUnknownVersion:
      return "unknown-version";
    case Code::kWrongStream:
      return "wrong-stream";
    case Code::kOutOfOrder:
      return "out-of-order";
    case Code::kRepeated:
      return "repeated";
    case Code::kForked:
      return "forked";
    case Code::kMissingReference:
      return "missing-reference";
    case Code::kDigestDiffers:
      return "digest-differs";
    case Code::kTransport:
      return "transport";
    case Code::kBlocked:
      return "blocked";
    case Code::kNotEnrolled:
      return "not-enrolled";
    case Code::kNotSigned:
      return "not-signed";
    case Code::kUnknownKey:
      return "unknown-key";
    case Code::kRevoked:
      return "revoked";
    case Code::kReplaced:
      return "replaced";
    case Code::kOtherRecipient:
      return "other-recipient";
    case Code::kTwoMachines:
      return "two-machines";
    case Code::kCodeUnknown:
      return "code-unknown";
    case Code::kCodeExpired:
      return "code-expired";
    case Code::kCodeUsed:
      return "code-used";
    case Code::kTooMany:
      return "too-many";
    case Code::kStopped:
      return "stopped";
    case Code::kRefused:
      return "refused";
  }
  return "unknown";
}

std::optional<Code> code_named(std::string_view text) {
  for (int c = 0; c <= static_cast<int>(Code::kRefused); ++c)  // the last one
    if (name(static_cast<Code>(c)) == text) return static_cast<Code>(c);
  return std::nullopt;
}

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "towpath: this must not happen: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace towpath
