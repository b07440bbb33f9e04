// What deeds say, by kind. Each body is encoded and read here and nowhere else; a reader uses up
// every byte, or it is kDamaged. Names are one line of at most 200 bytes that looks like what it is (no
// control characters, no marks of direction): a writer makes any text such a line, a reader refuses others.
// Layout: docs/protocol.md, "Deeds".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agreement/deed.hpp"
#include "segment/segment.hpp"

namespace towpath {

// A member's keys: the current one, and those of the last three times it changed it.
inline constexpr std::size_t kMemberKeysMax = 4;
// Datasets in a receipt; the dictionary has about twenty.
inline constexpr std::size_t kReceiptDatasetsMax = 1000;

struct AgreementPaper {  // kAgreement
  std::string text;      // TOML, read by read_agreement
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<AgreementPaper> read(ByteView body);
};

// The hub's word who is in a federation, whole each time; a higher deed number replaces a lower one.
struct FederationPaper {  // kFederation
  struct Member {
    std::string urn, name;
    std::vector<PartyKey> keys;  // the current first, then those it replaced itself; none: not enrolled
  };
  // Who was in it, and may still have to answer what it was ordered then.
  struct Former {
    std::string urn;
    std::vector<PartyKey> keys;  // as a member's; at least one
  };
  std::string id, name;
  std::vector<Member> members;      // ascending by URN; without the reader: it has left
  std::vector<Former> former = {};  // ascending by URN, none of them a member; kPartiesMax with the members
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<FederationPaper> read(ByteView body);
};

struct DecisionPaper {  // kDecision
  enum class What : std::uint8_t { kApproved = 1, kWithdrawn = 2 };
  std::string agreement;
  std::uint32_t version = 0;
  Hash256 text;  // agreement_hash of what was shown
  What what{};
  std::string by;  // role and name of who decided, at most 200 characters
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<DecisionPaper> read(ByteView body);
};

// Remove what you hold of a stream from before a place in it. It does not say why: that a pupil is
// protected must not be told from that an agreement was narrowed.
//
// Whoever holds the stream at (epoch, seq) or beyond removes what it keeps from before: stored
// segments, contents kept as references, older epochs. Whoever holds less removes all that it
// holds of the stream, and asks for a snapshot. `all`: everyone removes everything, for good, and
// takes nothing from `epoch` or before any more, whoever kept it (0: the issuer knows of no epoch).
// Carrying it out twice, or late, does no harm.
struct OrderPaper {        // kOrder
  std::string school_urn;  // whose stream
  std::string audience;    // "borough", "federation:kentish"
  bool all = false;
  Epoch epoch;
  StreamSeq seq;
  [[nodiscard]] StreamId stream() const { return stream_id(school_urn, audience); }
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<OrderPaper> read(ByteView body);
};

// What became of an order at one place: counts and hashes, never a cell.
struct ReceiptPaper {  // kReceipt
  enum class Outcome : std::uint8_t { kRemoved = 1, kNothingHeld = 2, kExpired = 3 };
  struct Removed {
    std::uint16_t dataset = 0;
    std::uint64_t rows = 0;
    Hash256 digest;  // the sum of the removed rows' hashes (segment/digest.hpp)
    friend bool operator==(const Removed&, const Removed&) = default;
  };
  DeedId about;  // the order; or the agreement that came to its end
  StreamId stream;
  Outcome outcome{};
  std::vector<Removed> rows;     // ascending by dataset
  std::uint64_t segments = 0;    // stored ones
  std::uint64_t references = 0;  // contents kept as references
  Date backups_gone;             // the day by which the executor's backups are gone, too
  // What was written down before a removal that a kill cut short is said, too, once it is finished:
  // outcome, rows, segments and references become no less than `before` has.
  void at_least(const ReceiptPaper& before);
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<ReceiptPaper> read(ByteView body);
};

// Who removes says first what will have gone, so that a kill in between does not make a receipt say less.
using BeforeRemoval = std::function<Result<void>(const ReceiptPaper& so_far)>;

}  // namespace towpath
