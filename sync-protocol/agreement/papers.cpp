#include "agreement/papers.hpp"

#include <algorithm>

#include "agreement/words.hpp"

namespace towpath {
namespace {

// The last day that a Date can say: 9999-12-31.
constexpr std::int32_t kDaysMax = 2'932'896;

tl::unexpected<Error> not_that_of(std::string_view what) {
  return fail(Code::kDamaged, "A deed is damaged: its body is not that of " + std::string(what),
              "It was not taken; its issuer has to send it again");
}

void read(Reader& r, std::span<std::uint8_t> out) {
  const ByteView b = r.bytes(out.size());
  std::copy(b.begin(), b.end(), out.begin());
}
std::string read_line(Reader& r, std::size_t bytes_max) {
  const std::string_view text = text_of(r.sized());
  if (!words::is_line(text, bytes_max)) r.fail();
  return r.ok() ? std::string(text) : std::string();
}
std::string read_word(Reader& r, bool (*is)(std::string_view)) {
  const std::string_view text = text_of(r.sized());
  if (!is(text)) r.fail();
  return r.ok() ? std::string(text) : std::string();
}
std::uint32_t read_u32(Reader& r) {
  const std::uint64_t v = r.varint();
  if (v > UINT32_MAX) r.fail();
  return static_cast<std::uint32_t>(v);
}
std::size_t read_count(Reader& r, std::size_t most) {
  const std::uint64_t n = r.varint();
  if (n > most || n > r.left()) r.fail();  // an entry is at least a byte
  return r.ok() ? static_cast<std::size_t>(n) : 0;
}
// A text that a deed cannot be without, whatever was typed.
std::string written(std::string_view text, std::size_t bytes_max) {
  std::string out = words::line(text, bytes_max);
  return out.empty() ? std::string("?") : out;
}

}  // namespace

Bytes AgreementPaper::encode() const {
  TP_ASSERT(text.size() <= kAgreementBytesMax && words::is_page(text));  // read_agreement has seen it
  Bytes out;
  Writer(out).sized(text);
  return out;
}
Result<AgreementPaper> AgreementPaper::read(ByteView body) {
  Reader r(body);
  const std::string_view text = text_of(r.sized());
  if (!r.ok() || !r.at_end() || text.size() > kAgreementBytesMax || !words::is_page(text))
    return not_that_of("an agreement");
  return AgreementPaper{std::string(text)};
}

namespace {

void write_keys(Writer& w, const std::vector<PartyKey>& all) {
  // The oldest are left out: what they signed has long been sent anew.
  const std::size_t keys = std::min(all.size(), kMemberKeysMax);
  w.varint(keys);
  for (std::size_t i = 0; i < keys; ++i) w.bytes(all[i].bytes());
}
std::vector<PartyKey> read_keys(Reader& r) {
  std::vector<PartyKey> out;
  const std::size_t keys = read_count(r, kMemberKeysMax);
  for (std::size_t k = 0; k < keys && r.ok(); ++k) {
    const auto key = PartyKey::from(r.bytes(kPartyKeyBytes));
    if (!key || std::find(out.begin(), out.end(), *key) != out.end())
      r.fail();
    else
      out.push_back(*key);
  }
  return out;
}

}  // namespace

Bytes FederationPaper::encode() const {
  TP_ASSERT(words::is_id(id));
  TP_ASSERT(members.size() <= kPartiesMax);
  Bytes out;
  Writer w(out);
  w.sized(id);
  w.sized(written(name, words::kNameMax));
  w.varint(members.size());
  for (const Member& m : members) {
    TP_ASSERT(words::is_urn(m.urn));
    w.sized(m.urn);
    w.sized(written(m.name, words::kNameMax));
    write_keys(w, m.keys);
  }
  TP_ASSERT(members.size() + former.size() <= kPartiesMax);
  w.varint(former.size());
  for (const Former& f : former) {
    TP_ASSERT(words::is_urn(f.urn));
    w.sized(f.urn);
    write_keys(w, f.keys);
  }
  return out;
}
Result<FederationPaper> FederationPaper::read(ByteView body) {
  Reader r(body);
  FederationPaper p;
  p.id = read_word(r, words::is_id);
  p.name = read_line(r, words::kNameMax);
  const std::size_t members = read_count(r, kPartiesMax);
  for (std::size_t i = 0; i < members && r.ok(); ++i) {
    Member m;
    m.urn = read_word(r, words::is_urn);
    m.name = read_line(r, words::kNameMax);
    if (i > 0 && p.members.back().urn >= m.urn) r.fail();
    m.keys = read_keys(r);
    p.members.push_back(std::move(m));
  }
  const std::size_t former = read_count(r, kPartiesMax - p.members.size());
  for (std::size_t i = 0; i < former && r.ok(); ++i) {
    Former f;
    f.urn = read_word(r, words::is_urn);
    if (i > 0 && p.former.back().urn >= f.urn) r.fail();
    if (std::any_of(p.members.begin(), p.members.end(), [&](const Member& m) { return m.urn == f.urn; }))
      r.fail();
    f.keys = read_keys(r);
    if (f.keys.empty()) r.fail();
    p.former.push_back(std::move(f));
  }
  if (!r.ok() || !r.at_end()) return not_that_of("a federation's members");
  return p;
}

Bytes DecisionPaper::encode() const {
  TP_ASSERT(words::is_id(agreement));
  TP_ASSERT(version > 0);
  Bytes out;
  Writer w(out);
  w.sized(agreement);
  w.varint(version);
  w.bytes(text.bytes);
  w.u8(static_cast<std::uint8_t>(what));
  w.sized(written(by, words::kByMax));
  return out;
}
Result<DecisionPaper> DecisionPaper::read(ByteView body) {
  Reader r(body);
  DecisionPaper p;
  p.agreement = read_word(r, words::is_id);
  p.version = read_u32(r);
  towpath::read(r, p.text.bytes);
  const std::uint8_t what = r.u8();
  p.by = read_line(r, words::kByMax);
  p.what = static_cast<What>(what);
  if (!r.ok() || !r.at_end() || p.version == 0 || (p.what != What::kApproved && p.what != What::kWithdrawn))
    return not_that_of("a decision");
  return p;
}

Bytes OrderPaper::encode() const {
  TP_ASSERT(words::is_urn(school_urn) && words::is_audience(audience));
  Bytes out;
  Writer w(out);
  w.sized(school_urn);
  w.sized(audience);
  w.u8(all ? 1 : 0);
  w.varint(epoch.number);
  if (!all) w.varint(seq.number);
  return out;
}
Result<OrderPaper> OrderPaper::read(ByteView body) {
  Reader r(body);
  OrderPaper p;
  p.school_urn = read_word(r, words::is_urn);
  p.audience = read_word(r, words::is_audience);
  const std::uint8_t all = r.u8();
  p.all = all == 1;
  p.epoch.number = read_u32(r);
  if (!p.all) p.seq.number = r.varint();
  if (!r.ok() || !r.at_end() || all > 1) return not_that_of("an order");
  return p;
}

void ReceiptPaper::at_least(const ReceiptPaper& before) {
  if (before.outcome == Outcome::kRemoved) outcome = Outcome::kRemoved;
  for (const Removed& removed : before.rows) {
    const auto at =
        std::lower_bound(rows.begin(), rows.end(), removed,
                         [](const Removed& a, const Removed& b) { return a.dataset < b.dataset; });
    if (at == rows.end() || at->dataset != removed.dataset)
      rows.insert(at, removed);
    else if (at->rows < removed.rows)
      *at = removed;
  }
  segments = std::max(segments, before.segments);
  references = std::max(references, before.references);
}

Bytes ReceiptPaper::encode() const {
  TP_ASSERT(rows.size() <= kReceiptDatasetsMax);
  Bytes out;
  Writer w(out);
  w.bytes(about.bytes);
  w.bytes(stream.uuid.bytes);
  w.u8(static_cast<std::uint8_t>(outcome));
  w.varint(rows.size());
  for (const Removed& removed : rows) {
    w.varint(removed.dataset);
    w.varint(removed.rows);
    w.bytes(removed.digest.bytes);
  }
  w.varint(segments);
  w.varint(references);
  w.varint(static_cast<std::uint64_t>(std::clamp(backups_gone.days, 0, kDaysMax)));
  return out;
}
Result<ReceiptPaper> ReceiptPaper::read(ByteView body) {
  Reader r(body);
  ReceiptPaper p;
  towpath::read(r, p.about.bytes);
  towpath::read(r, p.stream.uuid.bytes);
  const std::uint8_t outcome = r.u8();
  p.outcome = static_cast<Outcome>(outcome);
  const std::size_t n = read_count(r, kReceiptDatasetsMax);
  for (std::size_t i = 0; i < n && r.ok(); ++i) {
    Removed removed;
    const std::uint64_t dataset = r.varint();
    if (dataset > UINT16_MAX || (i > 0 && p.rows.back().dataset >= dataset)) r.fail();
    removed.dataset = static_cast<std::uint16_t>(dataset);
    removed.rows = r.varint();
    towpath::read(r, removed.digest.bytes);
    p.rows.push_back(removed);
  }
  p.segments = r.varint();
  p.references = r.varint();
  const std::uint64_t gone = r.varint();
  if (!r.ok() || !r.at_end() || outcome < 1 || outcome > 3 || gone > kDaysMax)
    return not_that_of("a receipt");
  p.backups_gone = Date{static_cast<std::int32_t>(gone)};
  return p;
}

}  // namespace towpath
