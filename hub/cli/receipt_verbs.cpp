#include <charconv>
#include <nlohmann/json.hpp>

#include "audit/audit.hpp"
#include "hub/cli/sharing_verbs.hpp"
#include "hub/cli/words.hpp"
#include "hub/federation/orders.hpp"
#include "hub/federation/post.hpp"

namespace towpath::hub_cli {
namespace {

using nlohmann::ordered_json;

std::string_view outcome_name(ReceiptPaper::Outcome outcome) {
  switch (outcome) {
    case ReceiptPaper::Outcome::kRemoved:
      return "removed";
    case ReceiptPaper::Outcome::kNothingHeld:
      return "nothing-held";
    case ReceiptPaper::Outcome::kExpired:
      return "expired";
  }
  return "?";
}

std::uint64_t rows_of(const ReceiptPaper& paper) {
  std::uint64_t rows = 0;
  for (const ReceiptPaper::Removed& removed : paper.rows) rows += removed.rows;
  return rows;
}

std::string sentence(const ReceiptState& r) {
  const ReceiptPaper& p = r.paper;
  std::string out = r.deed.issuer + ", " + utc_date(r.deed.made).iso() + ": ";
  if (p.outcome == ReceiptPaper::Outcome::kNothingHeld) return out + "held nothing of it";
  if (p.outcome == ReceiptPaper::Outcome::kExpired)
    return out + "heard of it too late: the order had expired";
  return out + "removed " + counted(rows_of(p), "row", "rows") + ", " +
         counted(p.segments, "stored segment", "stored segments") + ", " +
         counted(p.references, "kept content", "kept contents") + "; its backups are gone by " +
         p.backups_gone.iso();
}

ordered_json to_json(const ReceiptState& r) {
  return {{"receipt", r.deed.id.text()},
          {"about", r.paper.about.text()},
          {"by", r.deed.issuer},
          {"made", iso(r.deed.made)},
          {"outcome", outcome_name(r.paper.outcome)},
          {"rows", rows_of(r.paper)},
          {"segments", r.paper.segments},
          {"references", r.paper.references},
          {"backups_gone", r.paper.backups_gone.iso()}};
}

}  // namespace

int receipt_list(const Command& command) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  Orders books(look->registry());
  const auto orders = books.all();
  if (!orders) return console.failed(orders.error());
  const auto receipts = books.receipts();
  if (!receipts) return console.failed(receipts.error());
  ordered_json list = ordered_json::array(), others = ordered_json::array();
  for (const OrderState& o : *orders) {
    console.line(utc_date(o.taken).iso() + "  order " + o.deed.text().substr(0, 8) + " of " + o.issuer +
                 " about the data of school " + o.order.school_urn + " for " + o.order.audience +
                 ": remove " + (o.order.all ? "everything" : "what is kept from before"));
    ordered_json answers = ordered_json::array(), open = ordered_json::array();
    for (const ReceiptState& r : *receipts)
      if (r.paper.about == o.deed) {
        console.line("    " + sentence(r));
        answers.push_back(to_json(r));
      }
    for (const OrderTask& t : o.tasks)
      if (!t.done) {
        console.line("    not yet: " + (t.urn.empty() ? std::string("the hub") : "school " + t.urn));
        open.push_back(t.urn.empty() ? "hub" : t.urn);
      }
    list.push_back({{"order", o.deed.text()},
                    {"by", o.issuer},
                    {"about", o.order.school_urn},
                    {"audience", o.order.audience},
                    {"everything", o.order.all},
                    {"taken", iso(o.taken)},
                    {"open", std::move(open)},
                    {"receipts", std::move(answers)}});
  }
  for (const ReceiptState& r : *receipts) {
    bool listed = false;
    for (const OrderState& o : *orders) listed = listed || r.paper.about == o.deed;
    if (listed) continue;
    console.line("about " + r.paper.about.text().substr(0, 8) + ", no order: " + sentence(r));
    others.push_back(to_json(r));
  }
  if (orders->empty() && receipts->empty()) console.line("nothing was ever ordered to be removed");
  console.result(
      {{"schema_version", kSchemaVersion}, {"orders", std::move(list)}, {"others", std::move(others)}});
  return kFine;
}

int receipt_verify(const Command& command) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  auto keys = hub_keys(command);
  if (!keys) return console.failed(keys.error());
  std::vector<PartyKey> own;
  const auto held = (*keys)->keys();
  for (const Keyring::Key& key : *held) own.push_back(key.secret.key());
  const auto receipts = Orders(look->registry()).receipts();
  if (!receipts) return console.failed(receipts.error());
  const auto agents = look->registry().agents().all();
  if (!agents) return console.failed(agents.error());
  std::size_t good = 0;
  ordered_json bad = ordered_json::array();
  for (const ReceiptState& r : *receipts) {
    std::vector<PartyKey> signers = own;
    if (r.deed.issuer != "hub") {
      signers.clear();
      for (const Agent& a : *agents)
        if ("school:" + a.urn == r.deed.issuer) signers.push_back(a.key);
    }
    if (signed_by(r.deed, signers)) {
      ++good;
      continue;
    }
    console.note("receipt " + r.deed.id.text() + " of " + r.deed.issuer + " is not what was signed");
    bad.push_back(r.deed.id.text());
  }
  console.line(counted(good, "receipt is", "receipts are") + " as signed by those who gave them" +
               (bad.empty() ? "" : "; " + std::to_string(bad.size()) + " not"));
  const int code = bad.empty() ? kFine : kFailed;
  console.result({{"schema_version", kSchemaVersion},
                  {"receipts", receipts->size()},
                  {"bad", std::move(bad)},
                  {"exit_code", code}});
  return code;
}

int audit_show(const Command& command) {
  const Console& console = command.console;
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  ordered_json entries = ordered_json::array();
  const auto read = Audit(look->registry().books().database).each([&](const AuditEntry& entry) {
    console.line(std::to_string(entry.number) + "  " + iso(entry.at) + "  " + entry.kind + ": " + entry.what);
    entries.push_back({{"number", entry.number},
                       {"at", iso(entry.at)},
                       {"kind", entry.kind},
                       {"what", entry.what},
                       {"hash", entry.hash.hex()}});
  });
  if (!read) return console.failed(read.error());
  if (entries.empty()) console.line("nothing has been decided or done yet");
  console.result({{"schema_version", kSchemaVersion}, {"entries", std::move(entries)}});
  return kFine;
}

int audit_verify(const Command& command, const std::string& head) {
  const Console& console = command.console;
  AuditHead noted;
  if (!head.empty()) {
    const std::size_t colon = head.find(':');
    bool good = colon != std::string::npos && head.size() == colon + 1 + 2 * noted.hash.bytes.size();
    if (good) {
      const auto read = std::from_chars(head.data(), head.data() + colon, noted.number);
      good = read.ec == std::errc{} && read.ptr == head.data() + colon && noted.number > 0;
      for (std::size_t i = 0; good && i < noted.hash.bytes.size(); ++i) {
        const char* at = head.data() + colon + 1 + 2 * i;
        const auto byte = std::from_chars(at, at + 2, noted.hash.bytes[i], 16);
        good = byte.ec == std::errc{} && byte.ptr == at + 2;
      }
    }
    if (!good)
      return console.failed(Error{Code::kUsage, "--head has to be NUMBER:HASH, as audit verify said it",
                                  "For example: --head 12:" + std::string(64, '0')});
  }
  auto look = Look::at(command);
  if (!look) return console.failed(look.error());
  const auto now = Audit(look->registry().books().database).verify(noted);
  if (!now) return console.failed(now.error());
  const std::string text = std::to_string(now->number) + ":" + now->hash.hex();
  console.line("the audit log is whole: " + counted(now->number, "entry", "entries"));
  console.line("head " + text + ": note it elsewhere, and give it to the next verify with --head");
  console.result({{"schema_version", kSchemaVersion}, {"entries", now->number}, {"head", text}});
  return kFine;
}

}  // namespace towpath::hub_cli
