// The hub's post: checked, understood, kept.
#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "agent/sharing/sharing.hpp"
#include "agent/sharing/state.hpp"
#include "agent/sharing/statements.hpp"

namespace towpath {

using sharing::each;
using sharing::fixed;
using sharing::number;
using sharing::run;

namespace {

std::array<std::uint8_t, 8> chain_after(const std::array<std::uint8_t, 8>& before, const DeedId& id) {
  const Hash256 hash = Hasher("towpath post").update(before).update(id.bytes).finish();
  std::array<std::uint8_t, 8> out;
  std::copy_n(hash.bytes.begin(), out.size(), out.begin());
  return out;
}

// The value of `key = ...` at the top of a text that is not understood as a whole, so that it can at least
// be named.
std::string value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('[')) return {};
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    while (line.starts_with(' ')) line.remove_prefix(1);
    if (!line.starts_with('=')) continue;
    line.remove_prefix(1);
    while (line.starts_with(' ') || line.starts_with('"')) line.remove_prefix(1);
    const std::size_t stop = std::min(line.find_first_of("\" #\r"), line.size());
    return std::string(line.substr(0, stop));
  }
  return {};
}
bool is_plain(std::string_view id) {
  return !id.empty() && id.size() <= 60 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == ':';
  });
}

std::string who(std::string_view issuer) {
  return issuer == "hub" ? "the hub" : "school " + std::string(issuer.substr(issuer.find(':') + 1));
}

}  // namespace

Result<PostMark> Sharing::mark() {
  const auto s = state();
  if (!s) return fail(s.error());
  return s->mark;
}

Result<std::optional<PartyKey>> Sharing::signer(const Deed& deed, std::span<const PartyKey> hub) {
  std::vector<PartyKey> keys;
  if (deed.issuer == "hub") keys.assign(hub.begin(), hub.end());
  TP_TRY(each(
      store_.db(), "SELECT key FROM party_key WHERE issuer=?1",
      [&](Statement::Use& row) -> Result<void> {
        if (const auto key = PartyKey::from(row.blob(0))) keys.push_back(*key);
        return {};
      },
      deed.issuer));
  for (const PartyKey& key : keys)
    if (signed_by(deed, {&key, 1})) return key;
  return std::nullopt;
}

Result<Sharing::PostTaken> Sharing::take_post(std::span<const PostFrame> entries,
                                              std::span<const PartyKey> hub) {
  PostTaken out;
  if (entries.empty()) return out;
  for (const PartyKey& key : hub)
    TP_TRY(run(store_.db(), "INSERT OR IGNORE INTO party_key VALUES('hub',?1)", key.bytes()));
  auto now = state();
  if (!now) return fail(std::move(now).error());
  PostMark at = now->mark;
  for (const PostFrame& frame : entries) {
    const auto deed = read_deed(frame.deed);
    if (!deed) {
      out.events.push_back("the hub's post cannot be read from its entry " +
                           std::to_string(frame.mark.number) + " on: " + deed.error().sentence());
      break;
    }
    // Number 1: the hub has another log than the one that our mark is of, and begins anew.
    if (frame.mark.number == 1) at = PostMark{};
    if (frame.mark.number != at.number + 1 || frame.mark.chain != chain_after(at.chain, deed->id)) continue;
    Entry entry;
    auto transaction = store_.db().begin();
    if (!transaction) return fail(std::move(transaction).error());
    TP_TRY(take(*deed, hub, entry));
    // A log that begins anew is that of a hub that was set back: it may have lost what it said it had taken.
    // All of it is said again; by their ids deeds count once.
    if (frame.mark.number == 1 && now->mark.number > 0)
      TP_TRY(run(store_.db(), "UPDATE deed_out SET taken=NULL WHERE taken IS NOT NULL"));
    at = frame.mark;
    TP_TRY(run(store_.db(), "UPDATE sharing SET post=?1,chain=?2 WHERE id=1", at.number, ByteView(at.chain)));
    TP_TRY(transaction->commit());
    if (holdings_ != nullptr && deed->kind == DeedKind::kOrder) TP_TRY(holdings_->orders_kept());
    ++out.entries;
    out.streams_changed = out.streams_changed || entry.streams_changed;
    for (std::string& event : entry.events) out.events.push_back(std::move(event));
  }
  return out;
}

Result<void> Sharing::take(const Deed& deed, std::span<const PartyKey> hub, Entry& entry) {
  const auto seen = number(store_.db(), "SELECT count(*) FROM deed_seen WHERE id=?1", deed.id);
  if (!seen) return fail(seen.error());
  if (*seen > 0) return {};
  if (deed.issuer == "school:" + store_.school_urn()) return take_own(deed, entry);
  const auto key = signer(deed, hub);
  if (!key) return fail(key.error());
  if (!*key) {
    // Not remembered: should its key become known, and the post come again, it counts.
    entry.events.push_back("a deed in the hub's post (" + deed.id.text() + ") is not signed by " +
                           who(deed.issuer) + " as we know it; nothing was done about it");
    return {};
  }
  bool known = true;
  switch (deed.kind) {
    case DeedKind::kAgreement:
      TP_TRY(take_agreement(deed, entry));
      break;
    case DeedKind::kFederation:
      TP_TRY(take_federation(deed, entry));
      break;
    case DeedKind::kOrder:
      TP_TRY(take_order(deed, entry));
      break;
    case DeedKind::kReceipt:
      TP_TRY(take_receipt(deed, **key, entry));
      break;
    case DeedKind::kDecision:
      break;  // others' decisions show in what the hub passes on
    default:
      known = false;
      entry.events.push_back("the hub's post holds something that this program does not understand (kind " +
                             std::to_string(static_cast<int>(deed.kind)) +
                             "); it is kept. Install the newer program");
  }
  const auto kept =
      known ? run(store_.db(), "INSERT INTO deed_seen(id,kind,issuer,number,received) VALUES(?1,?2,?3,?4,?5)",
                  deed.id, deed.kind, deed.issuer, deed.number, clock_.now())
            : run(store_.db(), "INSERT INTO deed_seen VALUES(?1,?2,?3,?4,?5,?6)", deed.id, deed.kind,
                  deed.issuer, deed.number, clock_.now(), deed.bytes);
  if (!kept) return fail(kept.error());
  return {};
}

Result<void> Sharing::take_agreement(const Deed& deed, Entry& entry) {
  const auto paper = AgreementPaper::read(deed.body);
  if (deed.issuer != "hub" || !paper) {
    entry.events.push_back("an agreement in the hub's post (" + deed.id.text() +
                           ") is not made as it should be");
    return {};
  }
  const AgreementRead read = read_agreement(paper->text, store_.dictionary());
  std::string id, audience;
  std::int64_t version = 0;
  if (read.agreement) {
    id = read.agreement->id;
    version = read.agreement->version;
    audience = read.agreement->audience;
  } else {
    id = value_of(paper->text, "id");
    audience = value_of(paper->text, "audience");
    const std::string digits = value_of(paper->text, "version");
    std::uint32_t number_read = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number_read);
    version = number_read;
    if (!is_plain(id)) id = "unreadable-" + deed.id.text().substr(0, 8);
    if (!is_plain(audience)) audience.clear();
  }
  const Hash256 hash = agreement_hash(paper->text);
  const auto other =
      number(store_.db(), "SELECT count(*) FROM agreement WHERE id=?1 AND version=?2 AND hash<>?3", id,
             version, hash);
  if (!other) return fail(other.error());
  const std::string what = "agreement " + id + " version " + std::to_string(version);
  const Instant now = clock_.now();
  if (*other > 0) {
    TP_TRY(audit_.append(now, "agreement-refused",
                         what + " came with a second text, " + hash.hex().substr(0, 16)));
    entry.events.push_back(what +
                           " came from the hub with another text than before; the first one counts. "
                           "Tell the hub's operator");
    return {};
  }
  const auto kept = run(store_.db(),
                        "INSERT OR IGNORE INTO agreement(id,version,audience,hash,text,deed,received) "
                        "VALUES(?1,?2,?3,?4,?5,?6,?7)",
                        id, version, audience, hash, paper->text, deed.id, now);
  if (!kept) return fail(kept.error());
  if (*kept == 0) return {};  // the same text in another deed
  TP_TRY(audit_.append(
      now, "agreement-offered",
      what + (audience.empty() ? std::string() : " for " + audience) + ", text " + hash.hex().substr(0, 16)));
  entry.events.push_back(what + " is offered: " + options_.program + " agreement show " + id);
  return {};
}

Result<void> Sharing::take_federation(const Deed& deed, Entry& entry) {
  const auto paper = FederationPaper::read(deed.body);
  if (deed.issuer != "hub" || !paper) {
    entry.events.push_back("a membership in the hub's post (" + deed.id.text() +
                           ") is not made as it should be");
    return {};
  }
  Database& db = store_.db();
  const auto newest = number(db, "SELECT number FROM federation WHERE id=?1", paper->id);
  if (!newest) return fail(newest.error());
  if (deed.number <= static_cast<std::uint64_t>(*newest)) return {};
  const auto before = is_member(paper->id);
  if (!before) return fail(before.error());
  bool member = false;
  std::size_t others = 0;
  for (const FederationPaper::Member& one : paper->members) {
    if (one.urn == store_.school_urn()) {
      member = true;
      continue;
    }
    ++others;
    for (const PartyKey& key : one.keys)
      TP_TRY(run(db, "INSERT OR IGNORE INTO party_key VALUES(?1,?2)", "school:" + one.urn, key.bytes()));
  }
  for (const FederationPaper::Former& one : paper->former)
    if (one.urn != store_.school_urn())
      for (const PartyKey& key : one.keys)
        TP_TRY(run(db, "INSERT OR IGNORE INTO party_key VALUES(?1,?2)", "school:" + one.urn, key.bytes()));
  TP_TRY(run(db, "INSERT OR REPLACE INTO federation(id,number,member,body) VALUES(?1,?2,?3,?4)", paper->id,
             deed.number, member, deed.body));
  TP_TRY(audit_.append(clock_.now(), "federation",
                       "federation " + paper->id + ": " +
                           (member ? "this school and " + std::to_string(others) + " others"
                                   : std::string("this school is not in it"))));
  entry.streams_changed = true;
  if (member != *before)
    entry.events.push_back(std::string("this school is ") + (member ? "now in" : "not in") +
                           " the federation " + paper->id + (member ? "" : " any more"));
  return {};
}

Result<void> Sharing::take_order(const Deed& deed, Entry& entry) {
  const auto order = OrderPaper::read(deed.body);
  if (!order) {
    entry.events.push_back("an order in the hub's post (" + deed.id.text() + ") is not made as it should be");
    return {};
  }
  // A school gives orders about its own data, the hub about anybody's. About ours, nobody but us.
  if (order->school_urn == store_.school_urn()) return {};
  if (deed.issuer != "hub" && deed.issuer != "school:" + order->school_urn) {
    entry.events.push_back("an order of " + who(deed.issuer) +
                           " about another school's data was not carried out");
    return {};
  }
  const Instant now = clock_.now();
  ReceiptPaper receipt;
  if (deed.expires != Instant{} && now > deed.expires) {
    receipt.outcome = ReceiptPaper::Outcome::kExpired;
    receipt.backups_gone = utc_date(now);
  } else if (holdings_ == nullptr) {
    return fail(Code::kInternal, "an order about a partner's data came where nobody holds any");
  } else {
    auto done = holdings_->carry_out(*order, deed.id);
    if (!done) return fail(std::move(done).error().during("carrying out an order of " + who(deed.issuer)));
    receipt = std::move(*done);
  }
  receipt.about = deed.id;
  receipt.stream = order->stream();
  TP_TRY(audit_.append(now, "order-received",
                       "order " + deed.id.text() + " of " + who(deed.issuer) + " about the data of school " +
                           order->school_urn + " for " + order->audience));
  const auto said = answer(std::move(receipt));
  if (!said) return fail(said.error());
  entry.streams_changed = true;
  return {};
}

Result<void> Sharing::take_receipt(const Deed& deed, const PartyKey& key, Entry& entry) {
  const auto paper = ReceiptPaper::read(deed.body);
  if (!paper) {
    entry.events.push_back("a receipt in the hub's post (" + deed.id.text() +
                           ") is not made as it should be");
    return {};
  }
  Database& db = store_.db();
  const Instant now = clock_.now();
  std::string audience;
  TP_TRY(each(
      db,
      "SELECT audience FROM order_made WHERE deed=?1 UNION ALL SELECT audience FROM agreement WHERE deed=?1",
      [&](Statement::Use& row) -> Result<void> {
        audience = row.text(0);
        return {};
      },
      paper->about));
  if (!audience.empty() && paper->stream != stream_id(store_.school_urn(), audience)) {
    entry.events.push_back("a receipt of " + who(deed.issuer) + " is about another stream than its order");
    return {};
  }
  const auto told_before = number(db, "SELECT count(*) FROM receipt WHERE about=?1", paper->about);
  if (!told_before) return fail(told_before.error());
  TP_TRY(run(db,
             "INSERT OR IGNORE INTO receipt(deed,about,issuer,key,bytes,received) VALUES(?1,?2,?3,?4,?5,?6)",
             deed.id, paper->about, deed.issuer, key.bytes(), deed.bytes, now));
  std::uint64_t rows = 0;
  for (const ReceiptPaper::Removed& removed : paper->rows) rows += removed.rows;
  TP_TRY(audit_.append(
      now, "receipt",
      "receipt " + deed.id.text() + " of " + who(deed.issuer) + " about " + paper->about.text() + ": " +
          std::to_string(rows) + " rows, " + std::to_string(paper->segments) + " segments, " +
          std::to_string(paper->references) + " contents; backups are gone by " + paper->backups_gone.iso()));
  if (!audience.empty() || *told_before > 0) return {};
  // A partner tells also of an agreement that has come to its end there, and that need never have been
  // offered here. Orders of ours that it carries out stand in our own post (take_own).
  if (deed.issuer != "hub") return {};
  // The hub orders, too, when a school leaves a federation.
  const auto by_hub = number(db, "SELECT count(*) FROM deed_seen WHERE id=?1 AND issuer='hub'", paper->about);
  if (!by_hub) return fail(by_hub.error());
  if (*by_hub > 0) return {};

  return set_back("a receipt is about order " + paper->about.text(), "an order that it has given", entry);
}

// What we said and the hub took stands in our post: so its mark moves, and a hub that is set back to
// before it shows. Whoever writes as us can only make us ask a person: the signature does not matter (our own
// key may be lost with what we know of the deed).
Result<void> Sharing::take_own(const Deed& deed, Entry& entry) {
  const auto known = number(store_.db(), "SELECT count(*) FROM deed_out WHERE id=?1", deed.id);
  if (!known) return fail(known.error());
  if (*known > 0) return {};
  TP_TRY(run(store_.db(), "INSERT INTO deed_seen(id,kind,issuer,number,received) VALUES(?1,?2,?3,?4,?5)",
             deed.id, deed.kind, deed.issuer, deed.number, clock_.now()));
  // A store that knows of no decision shares nothing: nobody need be asked.
  const auto decisions = number(store_.db(), "SELECT count(*) FROM decision");
  if (!decisions) return fail(decisions.error());
  if (*decisions == 0) return {};
  if (deed.kind == DeedKind::kDecision)
    return set_back("the hub holds decision " + deed.id.text(), "a decision that was taken here", entry);
  if (deed.kind == DeedKind::kOrder)
    return set_back("the hub holds order " + deed.id.text(), "an order that it has given", entry);
  return {};
}

// What was set by hand since then, a pupil's protection say, is not in this store.
Result<void> Sharing::set_back(const std::string& why, const std::string& before, Entry& entry) {
  Database& db = store_.db();
  const auto state = this->state();
  if (!state) return fail(state.error());
  const auto decisions = number(db, "SELECT coalesce(max(number),0) FROM decision");
  if (!decisions) return fail(decisions.error());
  if (state->suspended >= *decisions && state->suspended > 0) return {};
  TP_TRY(run(db, "UPDATE sharing SET suspended=?1 WHERE id=1", *decisions));
  TP_TRY(audit_.append(clock_.now(), "sharing-suspended",
                       why + ", which is not known here: approvals so far count no more"));
  entry.streams_changed = true;
  entry.events.push_back(
      "this machine was set back to before " + before +
      "; what was set for single pupils since then may be lost, so nothing is shared until a person has "
      "looked and approved again: " +
      options_.program + " agreement list");
  return {};
}

}  // namespace towpath
