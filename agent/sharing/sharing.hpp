// The school's side of agreements: what was offered, what was decided, what follows from it.
//
// In: the hub's post (agreements, memberships, orders, receipts), a person's decisions, the recalls
// that publish has noted. Out: the audiences that may be published to today, the partners whose data may
// be held, and this school's own deeds for the hub.
// What stays true: nothing goes to an audience without an approval of exactly that text, in force today;
// every decision, order and receipt is on disk before anybody hears of it, with its line in the audit
// log in the same transaction; carried out twice, each step does nothing more.
// No sockets, no key files: who signs comes in as a function. Called by the CLI's verbs and by the desk
// (HubDesk) in the uplink; not thread-safe (the data folder's lock keeps others out).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/publish/publisher.hpp"
#include "agent/sharing/partners.hpp"
#include "agent/store/store.hpp"
#include "agreement/agreement.hpp"
#include "agreement/course.hpp"
#include "agreement/deed.hpp"
#include "agreement/papers.hpp"
#include "audit/audit.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

// Role and name of who decides: a line of a form.
inline constexpr std::size_t kByBytesMax = 200;
// How long an order of ours is to be carried out by those who have not heard of it: a machine that
// slept for longer has been given up, and its school's replicas go by the end of the agreement.
inline constexpr std::chrono::days kOrderTerm{5 * 365};

struct SharingOptions {
  // hub.grants of the configuration: what the borough may have at most. None: no ceiling.
  std::optional<std::vector<std::string>> borough_grants;
  // Signs a deed as this school: kind, expires and body are given, the rest is filled in (sign_deed). Empty:
  // this machine is not enrolled, and what needs a deed is refused.
  std::function<Deed(Deed)> sign;
  std::string program = "towpath";  // what advised commands begin with
};

// One version of an agreement, as the hub offered it.
struct Offer {
  std::string id;
  std::uint32_t version = 0;
  std::string audience;  // empty where the text cannot be read
  Hash256 hash;
  std::string text;
  DeedId deed;
  Instant received{};
  std::optional<Agreement> agreement;  // none: this program's dictionary does not understand it
  std::vector<AgreementFault> faults;  // then why
};

// How things stand with an audience.
enum class Standing : std::uint8_t {
  kNothing,    // never decided
  kInForce,    // approved, and today is within its time
  kNotYet,     // approved, and begins later
  kSuspended,  // approved before this store was found to have been set back
  kWithdrawn,
  kEnded,          // by its date, or since this school has left the federation
  kNotUnderstood,  // approved, but this program cannot read it: an older one than it was approved with
};
struct Decided {
  std::string audience;
  Standing standing = Standing::kNothing;
  std::string agreement;  // of the decision that counts today
  std::uint32_t version = 0;
  std::string by;
  Instant at{};
  std::optional<Offer> offer;  // the text that the decision is about
  // Approved, and takes over on its first day; readable.
  struct Next {
    std::string agreement;
    std::uint32_t version = 0;
    std::string by;
    Instant at{};
    Offer offer;
    bool suspended = false;
  };
  std::vector<Next> next;  // the soonest first
  // The last day of what is in force, those included that follow without a day between.
  [[nodiscard]] Date lasts() const;
};
// "approved, in force until 2027-07-31; version 2 approved, begins 2027-08-01", "withdrawn"
[[nodiscard]] std::string words(const Decided& decided);

class Sharing {
 public:
  // `holdings`: may be null, where nothing of partners is to be touched (verbs).
  Sharing(Store& store, Clock& clock, SharingOptions options, PartnerHoldings* holdings = nullptr);

  // --- what may be -----------------------------------------------------------------------------
  // Approved, in force, not suspended, and with something to give: the borough's first, then by name.
  [[nodiscard]] Result<std::vector<Audience>> audiences(Date today);
  // Who may be asked for segments, and held: by federation and URN. None of ourselves.
  [[nodiscard]] Result<std::vector<Partner>> partners(Date today);
  // Every version of every agreement, by id and version.
  [[nodiscard]] Result<std::vector<Offer>> offers();
  // Newest version, or that one. kNotFound with what there is.
  [[nodiscard]] Result<Offer> offer(std::string_view id, std::optional<std::uint32_t> version = {});
  // Every audience that something was decided about, by name (the borough first).
  [[nodiscard]] Result<std::vector<Decided>> decided(Date today);
  // What Publisher is given for this agreement today. None where the configuration's ceiling leaves nothing
  // of it.
  [[nodiscard]] std::optional<Audience> audience_of(const Agreement& agreement) const;
  struct Membership {
    FederationPaper paper;
    bool member = false;
  };
  [[nodiscard]] Result<std::vector<Membership>> federations();

  // --- a person decides ------------------------------------------------------------------------
  // Exactly the text that was shown. kRefused: not the newest version, ended, not a party, not a
  // member; kUnknownVersion: not understood; kRepeated: approved already.
  [[nodiscard]] Result<void> approve(const Offer& shown, std::string_view by);
  // All its versions, those included that begin later. What was offered can be withdrawn, approved here or
  // not: a machine whose disk was lost does not know what was approved on it. kRepeated: withdrawn, or ended,
  // already; kRefused: another agreement has replaced it.
  [[nodiscard]] Result<void> withdraw(std::string_view agreement, std::string_view by);

  // --- what follows ----------------------------------------------------------------------------
  struct Settled {
    std::uint64_t orders = 0, receipts = 0;
    std::vector<std::string> ended;   // audiences whose agreement came to its end now
    std::vector<std::string> events;  // for people
    [[nodiscard]] bool streams_changed() const { return !ended.empty(); }
  };
  // What is due: recalls become orders, agreements that are over end, replicas of those who are no
  // partners any more go. After each publish, and before each exchange. Bounded by what is due.
  [[nodiscard]] Result<Settled> settle();

  // --- post ------------------------------------------------------------------------------------
  [[nodiscard]] Result<PostMark> mark();
  struct PostTaken {
    std::uint64_t entries = 0;        // new ones, safe on disk
    bool streams_changed = false;     // audiences() or partners() may answer otherwise than before
    std::vector<std::string> events;  // for people
  };
  // In the order of the answer. What does not follow on what is here is left out (the hub sends it again
  // after our mark); an entry that cannot be read stops there. `hub`: its pinned key, and the one before.
  [[nodiscard]] Result<PostTaken> take_post(std::span<const PostFrame> entries,
                                            std::span<const PartyKey> hub);
  // Not yet taken by the hub, oldest first; at most so many bytes (at least one deed, if any).
  [[nodiscard]] Result<std::vector<Bytes>> deeds_to_send(std::size_t bytes_max);
  // How many of them were ours and new.
  [[nodiscard]] Result<std::uint64_t> deeds_taken(std::span<const std::array<std::uint8_t, 16>> ids);
  // Signs and keeps a deed for the hub. Within the caller's transaction.
  [[nodiscard]] Result<DeedId> say(DeedKind kind, Bytes body, Instant expires = {});

  // --- what can be shown -----------------------------------------------------------------------
  struct OrderMade {
    DeedId deed;
    std::string audience;
    bool all = false;
    Instant made{};
    std::optional<Instant> taken;  // by the hub
  };
  [[nodiscard]] Result<std::vector<OrderMade>> orders();
  struct ReceiptHeld {
    DeedId deed;
    std::string issuer;
    Instant made{}, received{};
    ReceiptPaper paper;
    bool signature_good = false;  // by the key that it came under
  };
  [[nodiscard]] Result<std::vector<ReceiptHeld>> receipts();

 private:
  struct State;  // our row of the table sharing
  Result<State> state();
  struct Line;  // a row of the table decision
  Result<std::vector<Line>> lines();
  Result<std::vector<Offer>> read_offers(const char* where, std::string_view id, std::int64_t version);
  Result<bool> is_member(std::string_view federation);
  // The audience is to have nothing any more. Within the caller's transaction.
  Result<void> order_all(std::string_view audience);
  Result<void> issue(const OrderPaper& order);
  Result<DeedId> answer(ReceiptPaper receipt);

  struct Entry;
  Result<void> take(const Deed& deed, std::span<const PartyKey> hub, Entry& entry);
  Result<void> take_agreement(const Deed& deed, Entry& entry);
  Result<void> take_federation(const Deed& deed, Entry& entry);
  Result<void> take_order(const Deed& deed, Entry& entry);
  Result<void> take_receipt(const Deed& deed, const PartyKey& key, Entry& entry);
  Result<void> take_own(const Deed& deed, Entry& entry);
  // This store is older than what it has given out: approvals so far count no more.
  Result<void> set_back(const std::string& why, const std::string& before, Entry& entry);
  Result<std::optional<PartyKey>> signer(const Deed& deed, std::span<const PartyKey> hub);

  Store& store_;
  Clock& clock_;
  SharingOptions options_;
  PartnerHoldings* holdings_;
  Audit audit_;
};

}  // namespace towpath
