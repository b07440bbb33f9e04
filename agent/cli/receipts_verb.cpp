#include "agent/cli/receipts_verb.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "agent/cli/console.hpp"
#include "agent/cli/sharing_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/school/words.hpp"

namespace towpath::cli {
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

std::string sentence(const Sharing::ReceiptHeld& receipt) {
  const ReceiptPaper& p = receipt.paper;
  std::string out = receipt.issuer + ", " + utc_date(receipt.made).iso() + ": ";
  if (p.outcome == ReceiptPaper::Outcome::kNothingHeld) return out + "held nothing of it";
  if (p.outcome == ReceiptPaper::Outcome::kExpired)
    return out + "heard of it too late: the order had expired";
  return out + "removed " + counted(rows_of(p), "row", "rows") + ", " +
         counted(p.segments, "stored segment", "stored segments") + ", " +
         counted(p.references, "kept content", "kept contents") + "; its backups are gone by " +
         p.backups_gone.iso();
}

ordered_json to_json(const Sharing::ReceiptHeld& receipt) {
  ordered_json removed = ordered_json::array();
  for (const ReceiptPaper::Removed& one : receipt.paper.rows)
    removed.push_back({{"dataset", one.dataset}, {"rows", one.rows}, {"digest", one.digest.hex()}});
  return {{"receipt", receipt.deed.text()},
          {"about", receipt.paper.about.text()},
          {"by", receipt.issuer},
          {"made", iso(receipt.made)},
          {"received", iso(receipt.received)},
          {"outcome", outcome_name(receipt.paper.outcome)},
          {"rows", rows_of(receipt.paper)},
          {"removed", std::move(removed)},
          {"segments", receipt.paper.segments},
          {"references", receipt.paper.references},
          {"backups_gone", receipt.paper.backups_gone.iso()},
          {"signature_good", receipt.signature_good}};
}

}  // namespace

int receipts_list(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  auto here = SharingFolder::open(command, *config, Hold::kToLook);
  if (!here) return console.failed(here.error());
  const auto orders = (*here)->sharing().orders();
  if (!orders) return console.failed(orders.error());
  const auto receipts = (*here)->sharing().receipts();
  if (!receipts) return console.failed(receipts.error());
  Told told;
  ordered_json list = ordered_json::array();
  for (const Sharing::OrderMade& order : *orders) {
    told.line(utc_date(order.made).iso() + "  order " + order.deed.text().substr(0, 8) + " to " +
              order.audience + ": remove " +
              (order.all ? "everything of this school" : "what is kept from before") +
              (order.taken ? "" : " (not yet at the hub: " + command.program() + " sync)"));
    ordered_json answers = ordered_json::array();
    for (const Sharing::ReceiptHeld& receipt : *receipts)
      if (receipt.paper.about == order.deed) {
        told.line("    " + sentence(receipt));
        answers.push_back(to_json(receipt));
      }
    if (answers.empty() && order.taken) told.line("    nobody has answered yet");
    list.push_back({{"order", order.deed.text()},
                    {"audience", order.audience},
                    {"everything", order.all},
                    {"made", iso(order.made)},
                    {"taken", order.taken ? ordered_json(iso(*order.taken)) : ordered_json(nullptr)},
                    {"receipts", std::move(answers)}});
  }
  if (orders->empty()) told.line("nothing was ever ordered to be removed");
  ordered_json others = ordered_json::array();
  for (const Sharing::ReceiptHeld& receipt : *receipts) {
    bool ours = false;
    for (const Sharing::OrderMade& order : *orders) ours = ours || receipt.paper.about == order.deed;
    if (ours) continue;
    told.line("about " + receipt.paper.about.text().substr(0, 8) +
              ", no order of this store: " + sentence(receipt));
    others.push_back(to_json(receipt));
  }
  told.document = {
      {"schema_version", kSchemaVersion}, {"orders", std::move(list)}, {"others", std::move(others)}};
  return console.say(told);
}

int receipts_verify(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  auto here = SharingFolder::open(command, *config, Hold::kToLook);
  if (!here) return console.failed(here.error());
  const auto receipts = (*here)->sharing().receipts();
  if (!receipts) return console.failed(receipts.error());
  Told told;
  ordered_json bad = ordered_json::array();
  for (const Sharing::ReceiptHeld& receipt : *receipts)
    if (!receipt.signature_good) {
      told.error("receipt " + receipt.deed.text() + " of " + receipt.issuer + " is not what was signed");
      bad.push_back(receipt.deed.text());
    }
  told.line(counted(receipts->size() - bad.size(), "receipt is", "receipts are") +
            " as signed by those who gave them" +
            (bad.empty() ? "" : "; " + std::to_string(bad.size()) + " not"));
  told.exit_code = bad.empty() ? kFine : kFailed;
  told.document = {{"schema_version", kSchemaVersion},
                   {"receipts", receipts->size()},
                   {"bad", std::move(bad)},
                   {"exit_code", told.exit_code}};
  return console.say(told);
}

int audit_show(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  auto here = SharingFolder::open(command, *config, Hold::kToLook);
  if (!here) return console.failed(here.error());
  Told told;
  ordered_json entries = ordered_json::array();
  const auto read = Audit((*here)->store().db()).each([&](const AuditEntry& entry) {
    told.line(std::to_string(entry.number) + "  " + iso(entry.at) + "  " + entry.kind + ": " + entry.what);
    entries.push_back({{"number", entry.number},
                       {"at", iso(entry.at)},
                       {"kind", entry.kind},
                       {"what", entry.what},
                       {"hash", entry.hash.hex()}});
  });
  if (!read) return console.failed(read.error());
  if (entries.empty()) told.line("nothing has been decided or done yet");
  told.document = {{"schema_version", kSchemaVersion}, {"entries", std::move(entries)}};
  return console.say(told);
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
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  auto here = SharingFolder::open(command, *config, Hold::kToLook);
  if (!here) return console.failed(here.error());
  const auto now = Audit((*here)->store().db()).verify(noted);
  if (!now) return console.failed(now.error());
  Told told;
  const std::string text = std::to_string(now->number) + ":" + now->hash.hex();
  told.line("the audit log is whole: " + counted(now->number, "entry", "entries"));
  told.line("head " + text + ": note it elsewhere, and give it to the next verify with --head");
  told.document = {{"schema_version", kSchemaVersion}, {"entries", now->number}, {"head", text}};
  return console.say(told);
}

}  // namespace towpath::cli
