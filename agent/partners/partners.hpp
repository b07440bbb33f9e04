// What this school holds of its partners: a replica for each partner's stream, readable offline.
//
//   <data>/partners/partners.db                      which replicas there are and how far they are
//   <data>/partners/<federation>-<urn>-<epoch>.db    a Replica each; the newest complete one is read
//
// In: segments that the hub passes on, orders, the list of those who are partners today. Out: replicas;
// where they stand, for the hub; receipts of what was removed.
// What stays true: only what the partner itself has signed is applied, in order, once, to the digest that
// it gives; a newer epoch is loaded beside the old one, which goes when it is complete; a replica is written
// down before its file is made and forgotten after its file is gone, and a removal that a kill cut short is
// finished at the next start. Nothing of anybody who is no partner is held. File names and what is said
// name schools and federations, never pupils.
// Written by who holds the data folder's lock; read-only beside it. Used by HubDesk and the CLI.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/sharing/partners.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"
#include "dictionary/dictionary.hpp"
#include "replica/replica.hpp"
#include "sqlite/database.hpp"

namespace towpath {

// A large secondary with three years of marks takes some 90 MB with its indexes; ten times that is a
// partner's program gone wrong, and a school's machine has other things to hold.
inline constexpr std::uint64_t kPartnerBytesMax = 1024ULL * 1024 * 1024;
// Replicas in all, the unfinished ones included: every school of the largest federation, twice.
inline constexpr std::size_t kPartnerFilesMax = 2 * kPartiesMax;

struct PartnersOptions {
  std::string folder;  // `<data>/partners`
  std::string vfs;     // tests; then no folder is made
  bool read_only = false;
  std::uint64_t bytes_max = kPartnerBytesMax;
  // For how long the school's own backups of its data folder are kept: goes into receipts.
  int backup_days = 0;
  int busy_ms = 5000;  // how long to wait for who reads a replica
};

class Partners final : public PartnerHoldings {
 public:
  // Finishes what a kill has cut short, and brings replicas up to this program's dictionary.
  [[nodiscard]] static Result<Partners> open(PartnersOptions options, const Dictionary& dictionary,
                                             Clock& clock);

  // --- the exchange ----------------------------------------------------------------------------
  struct Taken {
    bool moved = false;               // something was applied
    std::vector<std::string> events;  // what was not, and why
    // For the hub, which asks the partner for a snapshot then. Said until an answer has come to it.
    std::vector<ProblemFrame> problems;
  };
  // Segments as they came, in any order. Those of who is no partner are left alone. Fails only for what is
  // wrong here (disk).
  [[nodiscard]] Result<Taken> take(std::span<const SegmentFrame* const> segments,
                                   const std::vector<Partner>& partners);
  // Where the replicas of these stand.
  [[nodiscard]] Result<std::vector<PartnersFrame::Entry>> entries(const std::vector<Partner>& partners);

  [[nodiscard]] Result<ReceiptPaper> carry_out(const OrderPaper& order, const DeedId& deed) override;
  [[nodiscard]] Result<std::vector<Gone>> hold_only(const std::vector<Partner>& partners) override;
  [[nodiscard]] Result<void> orders_kept() override;
  [[nodiscard]] Result<void> ends_kept() override;

  // --- what can be shown -------------------------------------------------------------------------
  struct Held {
    std::string federation, urn;
    Epoch epoch;             // the one that is read; 0: none is complete yet
    std::uint64_t rows = 0;  // of it
    Instant since{};         // its first segment came
    Instant heard{};         // its last one came
    std::optional<Epoch> loading;
  };
  // By federation and URN.
  [[nodiscard]] Result<std::vector<Held>> held();
  // The newest complete one, to read; none if there is none.
  [[nodiscard]] Result<std::optional<Replica>> read(const std::string& federation, const std::string& urn);

 private:
  struct File {
    std::string federation, urn;
    Epoch epoch;
    StreamSeq seq;
    std::array<std::uint8_t, 8> segment{};
    bool complete = false;
    std::uint64_t rows = 0;
    Instant began{}, heard{};
    std::uint32_t dictionary = 0;
  };
  using Which = std::pair<std::string, std::string>;  // federation, URN

  Partners(PartnersOptions options, const Dictionary& dictionary, Clock& clock, std::optional<Database> index)
      : options_(std::move(options)), dictionary_(&dictionary), clock_(&clock), index_(std::move(index)) {}
  [[nodiscard]] Database::Options file(const Which& which, Epoch epoch, bool read_only) const;
  [[nodiscard]] Result<std::vector<File>> files(bool going = false);
  [[nodiscard]] Result<std::vector<File>> files_of(const Which& which);
  [[nodiscard]] Result<Replica> open_replica(const Which& which, Epoch epoch) const;
  [[nodiscard]] Result<void> put(const File& one);
  [[nodiscard]] Result<void> remove(const File& one);
  // What the file holds, added to the receipt.
  [[nodiscard]] Result<void> count_into(const File& one, ReceiptPaper& receipt);
  // Written down before anything goes: the receipt, with what a kill has cut short under the same deed.
  [[nodiscard]] Result<void> note_removal(const DeedId& deed, const Which& which, ReceiptPaper& receipt);
  [[nodiscard]] ReceiptPaper receipt_of(const Which& which) const;
  [[nodiscard]] Result<void> note_order(const Which& which, const OrderPaper& order);
  [[nodiscard]] Result<std::uint64_t> first_epoch(const Which& which);  // that may be begun
  [[nodiscard]] Result<void> finish();
  [[nodiscard]] Result<void> bring_up();
  [[nodiscard]] Result<bool> apply(const Partner& partner, std::span<const OpenedSegment> segments,
                                   Taken& taken);
  [[nodiscard]] Result<bool> apply_epoch(const Partner& partner, Epoch epoch,
                                         std::span<const OpenedSegment> segments, std::vector<File>& held,
                                         Taken& taken);

  PartnersOptions options_;
  const Dictionary* dictionary_;
  Clock* clock_;
  std::optional<Database> index_;  // none: only to look, and there is nothing
};

}  // namespace towpath
