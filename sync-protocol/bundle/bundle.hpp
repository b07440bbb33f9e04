// A bundle: what travels, as an HTTP body or as a file on a stick.
//
// Here is what is inside: frames in, bytes out, and back. The outside (signature, seal) is
// sync-protocol/trust's; Sealer stands between the two. Layout: docs/protocol.md
#pragma once

#include <array>
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
  // From a school: which life of its store speaks, and its how-manieth bundle this is. A number used
  // twice, or an earlier life that speaks again, is a machine that was copied or set back.
  std::uint64_t instance = 0;  // random; made at enrolment and after each recovery
  std::uint64_t turn = 0;      // counted from 1; kept on disk before the bundle leaves
  friend bool operator==(const HelloFrame&, const HelloFrame&) = default;
};
struct HeadFrame {  // agent: what I believe you have; hub: what I have (the acknowledgement)
  StreamId stream;
  Head head;
  friend bool operator==(const HeadFrame&, const HeadFrame&) = default;
};
struct SegmentFrame {
  Bytes bytes;  // a whole segment
  friend bool operator==(const SegmentFrame&, const SegmentFrame&) = default;
};
struct ProblemFrame {  // why something was not taken
  Code code = Code::kInternal;
  StreamId stream;
  StreamSeq seq;
  std::string text;               // a sentence; no personal data
  std::vector<std::string> keys;  // verify: "session_mark 20761/0/17", numbers only
  friend bool operator==(const ProblemFrame&, const ProblemFrame&) = default;
};
struct LaterFrame {  // the hub asks to come back
  std::uint32_t seconds = 0;
  friend bool operator==(const LaterFrame&, const LaterFrame&) = default;
};
struct DigestsFrame {  // verify: per dataset rows and digest of the sender's state
  struct Entry {
    std::uint16_t dataset = 0;
    std::uint64_t rows = 0;
    Hash256 digest;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  StreamId stream;
  std::vector<Entry> entries;
  friend bool operator==(const DigestsFrame&, const DigestsFrame&) = default;
};

// --- enrolment and keys (a key travels as PartyKey's 64 bytes: sync-protocol/trust) ----------
struct EnrolFrame {   // agent: in a bundle that introduces its sender
  Bytes secret;       // of the invitation
  std::string label;  // the machine's name, for the hub's list of agents
  friend bool operator==(const EnrolFrame&, const EnrolFrame&) = default;
};
struct WelcomeFrame {  // hub: the invitation was good; the sender's key is now the school's
  std::string urn;
  std::string name;        // as the hub knows the school
  std::uint64_t rows = 0;  // of this school at the hub: what an earlier machine had sent
  friend bool operator==(const WelcomeFrame&, const WelcomeFrame&) = default;
};
struct NewKeyFrame {  // either end: from now on I use this key; the bundle's seal is the old key's word
  Bytes key;          // 64 bytes
  Bytes proof;        // 64 bytes: see trust/sealed.hpp: new_key, proven
  friend bool operator==(const NewKeyFrame&, const NewKeyFrame&) = default;
};
struct RotateFrame {  // hub: please make new keys
  friend bool operator==(const RotateFrame&, const RotateFrame&) = default;
};

// --- restore: what only the hub still has ----------------------------------------------------
struct RestoreQuestionFrame {  // agent
  StreamId stream;
  std::uint64_t part = 0;  // which bundle of the answer, counted from 0
  friend bool operator==(const RestoreQuestionFrame&, const RestoreQuestionFrame&) = default;
};
struct RestorePartFrame {  // hub: rows as a segment's content; every part of one answer names one state
  StreamId stream;
  std::uint64_t part = 0;
  std::uint64_t parts = 0;  // in all
  Head head;                // the hub's state that the rows are of
  Bytes content;
  friend bool operator==(const RestorePartFrame&, const RestorePartFrame&) = default;
};

// --- post: deeds (sync-protocol/agreement) and partners' segments -----------------------------
// The hub keeps a numbered log of deeds for each school; each entry's chain is the start of
// hash("towpath post", chain before + deed id), so that a log that was set back is noticed.
struct PostMark {
  std::uint64_t number = 0;  // 0: nothing yet
  std::array<std::uint8_t, 8> chain{};
  friend bool operator==(const PostMark&, const PostMark&) = default;
};
struct PostMarkFrame {  // agent: how far I hold your post. A mark that is not on the hub's chain: from the
                        // start
  PostMark mark;
  friend bool operator==(const PostMarkFrame&, const PostMarkFrame&) = default;
};
struct PostFrame {  // hub: the next entry of your post
  PostMark mark;    // of this entry
  Bytes deed;
  friend bool operator==(const PostFrame&, const PostFrame&) = default;
};
struct DeedFrame {  // agent: a deed of mine; sent until it is taken
  Bytes deed;
  friend bool operator==(const DeedFrame&, const DeedFrame&) = default;
};
// A problem about a deed names its id (hex) as its one key: without a key, and at sequence 0, it is about the
// bundle.
struct DeedsTakenFrame {  // hub: these are safe here (also those refused for good: a problem says why)
  std::vector<std::array<std::uint8_t, 16>> ids;
  friend bool operator==(const DeedsTakenFrame&, const DeedsTakenFrame&) = default;
};
struct PartnersFrame {  // agent: where my replicas of partners' streams stand; what is not named: nowhere
  struct Entry {
    StreamId stream;
    Epoch epoch;
    StreamSeq seq;
    std::array<std::uint8_t, 8> segment{};  // start of the last segment's hash
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  std::vector<Entry> entries;
  friend bool operator==(const PartnersFrame&, const PartnersFrame&) = default;
};
struct MoreFrame {  // hub: there is more post, or there are more partners' segments
  friend bool operator==(const MoreFrame&, const MoreFrame&) = default;
};
// A partner's segment travels as SegmentFrame: its header names its stream.

// A frame of a kind this program does not know is kept as it is and skipped.
struct UnknownFrame {
  std::uint8_t kind = 0;
  Bytes payload;
  friend bool operator==(const UnknownFrame&, const UnknownFrame&) = default;
};
using Frame = std::variant<HelloFrame, HeadFrame, SegmentFrame, ProblemFrame, LaterFrame, DigestsFrame,
                           EnrolFrame, WelcomeFrame, NewKeyFrame, RotateFrame, RestoreQuestionFrame,
                           RestorePartFrame, PostMarkFrame, PostFrame, DeedFrame, DeedsTakenFrame,
                           PartnersFrame, MoreFrame, UnknownFrame>;

struct Bundle {
  BundleId id;
  std::optional<BundleId> answers;  // the bundle that this one answers
  Instant sent{};                   // the sender's clock; reported, never trusted
  std::vector<Frame> frames;
};

// Frames alone, without the outside that trust/sealed puts around them. Each payload is used up
// exactly; limits are checked before anything is kept.
[[nodiscard]] Result<Bytes> encode_frames(const std::vector<Frame>& frames);
[[nodiscard]] Result<std::vector<Frame>> decode_frames(ByteView bytes);

class Sealer {
 public:
  virtual ~Sealer() = default;
  [[nodiscard]] virtual Result<Bytes> seal(const Bundle& bundle) = 0;
  // Everything about the outside is checked before a frame is parsed.
  [[nodiscard]] virtual Result<Bundle> open(ByteView bytes) = 0;
};

}  // namespace towpath
