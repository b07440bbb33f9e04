// A bundle: what travels, as an HTTP body or as a file on a stick.
//
// Frames in, bytes out, and back. Sealer is where signing and encryption slot in: what
// calls it does not change. PlainSealer only hashes, which is why the hub listens on
// loopback only. Layout: docs/bundle-format.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/bytes.hpp"
#include "core/date.hpp"
#include "core/hash.hpp"
#include "core/result.hpp"
#include "segment/segment.hpp"

namespace towpath {

inline constexpr std::uint16_t kBundleVersion = 1;
// What school filters pass: 256 KB a body by default, 1 MB at most.
inline constexpr std::size_t kBundleBytesDefault = 256 * 1024;
inline constexpr std::size_t kBundleBytesMax = 1024 * 1024;
inline constexpr std::size_t kFramesMax = 4096;  // a bundle of the smallest frames fits many more
inline constexpr std::string_view kBundleMediaType = "application/vnd.towpath.bundle";

struct BundleId {
  Uuid uuid;  // random, made by the sender
  friend auto operator<=>(const BundleId&, const BundleId&) = default;
};

// --- frames ------------------------------------------------------------------------------
struct HelloFrame {
  std::string sender;    // "school:100001" or "hub"
  std::string software;  // "towpath 0.1.0"
  std::uint32_t dictionary_version = 0;
  Instant sent{};  // the sender's clock; reported, never trusted
};
struct HeadFrame {  // agent: what I believe you have; hub: what I have (the acknowledgement)
  StreamId stream;
  Head head;
};
struct SegmentFrame {
  Bytes bytes;  // a whole segment
};
struct ProblemFrame {  // why something was not taken
  Code code = Code::kInternal;
  StreamId stream;
  StreamSeq seq;
  std::string text;               // a sentence; no personal data
  std::vector<std::string> keys;  // verify: "session_mark 20761/0/17", numbers only
};
struct LaterFrame {  // the hub asks to come back
  std::uint32_t seconds = 0;
};
struct DigestsFrame {  // verify: per dataset rows and digest of the sender's state
  struct Entry {
    std::uint16_t dataset = 0;
    std::uint64_t rows = 0;
    Hash256 digest;
  };
  StreamId stream;
  std::vector<Entry> entries;
};

// A frame of a kind this program does not know is kept as it is and skipped.
struct UnknownFrame {
  std::uint8_t kind = 0;
  Bytes payload;
};
using Frame =
    std::variant<HelloFrame, HeadFrame, SegmentFrame, ProblemFrame, LaterFrame, DigestsFrame, UnknownFrame>;

struct Bundle {
  BundleId id;
  std::optional<BundleId> answers;  // the bundle that this one answers
  std::vector<Frame> frames;
};

class Sealer {
 public:
  virtual ~Sealer() = default;
  [[nodiscard]] virtual Result<Bytes> seal(const Bundle& bundle) = 0;
  // Everything about the outside is checked before a frame is parsed.
  [[nodiscard]] virtual Result<Bundle> open(ByteView bytes) = 0;
};

class PlainSealer final : public Sealer {
 public:
  [[nodiscard]] Result<Bytes> seal(const Bundle& bundle) override;
  [[nodiscard]] Result<Bundle> open(ByteView bytes) override;
};

}  // namespace towpath
