// Deeds that schools hand in, the orders among them, and who has carried those out.
//
// In: deeds of the school whose key sealed the bundle. Out: which of them are safe here (or refused for
// good), problems, and what the hub itself has to remove. One transaction a bundle: a deed is written down,
// with its tasks, its post to those concerned and its line in the audit log, before anybody hears that it was
// taken. An order stays a task of each who may hold the stream until its receipt is here; carried out twice,
// it does no harm. Part of registry.db. Thread-safe.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "agreement/papers.hpp"
#include "bundle/bundle.hpp"
#include "hub/registry/registry.hpp"

namespace towpath {

struct OpenOrder {
  DeedId deed;
  OrderPaper order;
};
struct OrderTask {
  std::string urn;  // empty: the hub
  std::optional<Instant> done;
};
struct OrderState {
  DeedId deed;
  std::string issuer;  // "school:100001", "hub"
  OrderPaper order;
  Instant taken{};
  std::vector<OrderTask> tasks;
};
struct ReceiptState {
  Deed deed;
  ReceiptPaper paper;
};

// New deeds of one school within a day: an order for each of its audiences and a receipt to each of many
// partners, ten times over. What is beyond is not taken, and comes again.
inline constexpr std::size_t kSchoolDeedsADayMax = 1000;

class Orders {
 public:
  explicit Orders(Registry& registry) : books_(registry.books()) {}

  struct Taken {
    std::vector<std::array<std::uint8_t, 16>> ids;  // for DeedsTakenFrame
    std::vector<ProblemFrame> problems;
    std::vector<std::string> events;  // for the log
  };
  // Of a bundle that is sealed by this school's current key. Fails only for what is wrong here.
  [[nodiscard]] Result<Taken> take(const std::string& urn, const std::vector<const DeedFrame*>& deeds,
                                   const PartySecret& hub, Instant now);

  // What the hub itself has still to do about this school's streams, oldest first.
  [[nodiscard]] Result<std::vector<OpenOrder>> open_at_hub(const std::string& urn);
  // Schools with such orders.
  [[nodiscard]] Result<std::vector<std::string>> schools_with_open();
  // What is about to be removed here, before it is: a receipt says it also where a kill comes between the
  // removal and done_at_hub() or removed(). `deed`: the order's; none: the agreement has ended.
  [[nodiscard]] Result<void> removing(const DeedId& deed, const std::string& urn, const std::string& audience,
                                      const ReceiptPaper& receipt);
  // Something was about to be removed because an agreement had ended, and nobody has been told yet.
  [[nodiscard]] Result<bool> untold(const std::string& urn, const std::string& audience);
  // The hub has done it. `receipt.about` and backups_gone are filled in; it is signed and posted to the
  // issuer.
  [[nodiscard]] Result<void> done_at_hub(const OpenOrder& order, ReceiptPaper receipt, const PartySecret& hub,
                                         Instant now);
  // The hub removed a stream because an agreement has ended: a receipt about `agreement`'s deed goes to the
  // school.
  [[nodiscard]] Result<void> removed(const std::string& urn, const std::string& audience,
                                     const std::optional<DeedId>& agreement, ReceiptPaper receipt,
                                     const PartySecret& hub, Instant now);

  // Days for which what is removed may still lie in backups: what the operator has said; receipts tell it.
  [[nodiscard]] Result<void> keep_backups(int days);
  [[nodiscard]] Result<int> backups_kept();

  // For people: every order with its tasks, oldest first; every receipt.
  [[nodiscard]] Result<std::vector<OrderState>> all();
  [[nodiscard]] Result<std::vector<ReceiptState>> receipts();

 private:
  Books books_;
};

// Five weekly copies, where the operator has said nothing (`init --backup-days`); and ten years.
inline constexpr int kBackupDaysDefault = 35, kBackupDaysMax = 3650;

// In the caller's transaction: an order signed by the hub, posted to each of `to` and a task of theirs; of
// the hub's, too, where `here`.
[[nodiscard]] Result<DeedId> order_from_hub(Database& db, const PartySecret& hub, const OrderPaper& order,
                                            const std::vector<std::string>& to, bool here, Instant now);

}  // namespace towpath
