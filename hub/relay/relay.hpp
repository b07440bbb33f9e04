// Stores what schools seal for a federation, as sealed, and hands it to partners.
//
// In: a school's signed segments, in order. Out: the head (the acknowledgement, after the commit); for a
// partner, what follows from where its replica stands. Nothing is unpacked: checked are the header, the
// body's hash, the chain and the school's signature, as the partner will check them again.
//   <data>/schools/<urn>/relay-<federation>.db   one epoch whose snapshot is whole, and the one that is
//   coming
// Bounded: a log that outgrows its snapshot is replaced by a new one, which the hub asks for by naming
// segment 0 of the current epoch; also where an order, or a key that holds no more, has left a partner
// without a beginning. The old epoch goes when the new one's snapshot is whole. Who may store and who may
// read is the caller's to know (hub/federation). Thread-safe: one file at a time.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agreement/papers.hpp"
#include "bundle/bundle.hpp"
#include "hub/registry/registry.hpp"
#include "segment/segment.hpp"
#include "trust/keys.hpp"

namespace towpath {

// Below this a log may be longer than its snapshot: a small school's would be replaced each week.
inline constexpr std::size_t kRelayLogBytesMin = 64 * 1024;
// Of a log, as a multiple of what the hub bears before it asks for a snapshot: a school that does not hear
// that is not stored further.
inline constexpr std::size_t kRelayLogFactor = 8;
// Of one epoch: thirty times the marks of a large school's year.
inline constexpr std::size_t kRelayBytesMax = 64 * 1024 * 1024;
// A partner's word that a stream does not come out costs its school a snapshot: once a day at most.
inline constexpr std::chrono::hours kRelayDoubtEvery{24};

struct RelaySegment {
  OpenedSegment opened;
  ByteView bytes;  // the whole
};

class Relays {
 public:
  explicit Relays(Registry& registry) : registry_(registry) {}

  // What is acknowledged: segment 0 of the current epoch where a new snapshot is asked for. `keys`: the
  // school's, as partners are told.
  [[nodiscard]] Result<Head> head(const std::string& urn, const std::string& federation,
                                  std::span<const PartyKey> keys);
  struct Taken {
    Head head;
    std::size_t stored = 0;
    std::vector<ProblemFrame> problems;
  };
  // In order of epoch and number; as many as fit, in one transaction.
  [[nodiscard]] Result<Taken> store(const std::string& urn, const std::string& federation,
                                    std::span<const RelaySegment> segments, std::span<const PartyKey> keys);

  struct Following {
    std::vector<Bytes> segments;
    std::size_t bytes = 0;
    bool more = false;
    bool lacks = false;  // what it needs is not here; a snapshot has been asked for
  };
  // After where the partner stands (none: epoch 0), at most `budget` bytes; the first however long where
  // `one`.
  [[nodiscard]] Result<Following> following(const std::string& urn, const std::string& federation,
                                            const PartnersFrame::Entry& stands, std::size_t budget, bool one);
  // A partner could not use what it was given.
  [[nodiscard]] Result<void> doubted(const std::string& urn, const std::string& federation, Instant now);

  // As papers.hpp says. Done twice, it finds less; `note` hears first.
  [[nodiscard]] Result<ReceiptPaper> carry_out(const OrderPaper& order, const BeforeRemoval& note);
  // Something is stored.
  [[nodiscard]] Result<bool> holds(const std::string& urn, const std::string& federation);

 private:
  std::mutex& mutex_of(const std::string& urn, const std::string& federation);

  Registry& registry_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<std::mutex>> files_;  // of registered schools
};

}  // namespace towpath
