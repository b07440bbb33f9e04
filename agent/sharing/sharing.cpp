#include "agent/sharing/sharing.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <utility>

#include "agent/sharing/pupils.hpp"
#include "agent/sharing/state.hpp"
#include "agent/sharing/statements.hpp"
#include "core/text.hpp"

namespace towpath {

using sharing::each;
using sharing::fixed;
using sharing::instant;
using sharing::number;
using sharing::run;

Sharing::Sharing(Store& store, Clock& clock, SharingOptions options, PartnerHoldings* holdings)
    : store_(store), clock_(clock), options_(std::move(options)), holdings_(holdings), audit_(store.db()) {}

Result<Sharing::State> Sharing::state() {
  State s;
  TP_TRY(each(store_.db(), "SELECT post,chain,deed,suspended FROM sharing WHERE id=1",
              [&](Statement::Use& row) -> Result<void> {
                s.mark.number = static_cast<std::uint64_t>(row.integer(0));
                const ByteView chain = row.blob(1);
                if (chain.size() == s.mark.chain.size())
                  std::copy(chain.begin(), chain.end(), s.mark.chain.begin());
                s.deed = static_cast<std::uint64_t>(row.integer(2));
                s.suspended = row.integer(3);
                return {};
              }));
  return s;
}

// --- what was offered ------------------------------------------------------------------------------

Result<std::vector<Offer>> Sharing::read_offers(const char* where, std::string_view id,
                                                std::int64_t version) {
  std::vector<Offer> out;
  const std::string sql = std::string("SELECT id,version,audience,hash,text,deed,received FROM agreement ") +
                          where + " ORDER BY id,version";
  TP_TRY(each(
      store_.db(), sql.c_str(),
      [&](Statement::Use& row) -> Result<void> {
        Offer o;
        o.id = row.text(0);
        o.version = static_cast<std::uint32_t>(row.integer(1));
        o.audience = row.text(2);
        o.hash = fixed<Hash256>(row.blob(3));
        o.text = row.text(4);
        o.deed = fixed<DeedId>(row.blob(5));
        o.received = instant(row.integer(6));
        AgreementRead read = read_agreement(o.text, store_.dictionary());
        o.agreement = std::move(read.agreement);
        o.faults = std::move(read.faults);
        out.push_back(std::move(o));
        return {};
      },
      id, version));
  return out;
}

Result<std::vector<Offer>> Sharing::offers() { return read_offers("WHERE ?1=?1 AND ?2=?2", "", 0); }

Result<Offer> Sharing::offer(std::string_view id, std::optional<std::uint32_t> version) {
  auto found = read_offers("WHERE id=?1 AND (?2<0 OR version=?2)", id,
                           version ? std::int64_t{*version} : std::int64_t{-1});
  if (!found) return fail(std::move(found).error());
  if (!found->empty()) return std::move(found->back());
  std::string known;
  TP_TRY(each(
      store_.db(),
      version ? "SELECT version FROM agreement WHERE id=?1 ORDER BY version"
              : "SELECT DISTINCT id FROM agreement WHERE ?1=?1 ORDER BY id",
      [&](Statement::Use& row) -> Result<void> {
        known += (known.empty() ? "" : ", ");
        known += version ? std::to_string(row.integer(0)) : std::string(row.text(0));
        return {};
      },
      id));
  if (version && !known.empty())
    return fail(Code::kNotFound,
                "agreement " + std::string(id) + " has no version " + std::to_string(*version) + " here",
                "There is: " + known);
  return fail(Code::kNotFound, "no agreement '" + safe_line(id, 60) + "' has been offered to this school",
              known.empty() || version ? "Agreements come from the hub: " + options_.program + " sync"
                                       : "There is: " + known);
}

// --- what was decided ------------------------------------------------------------------------------

Result<std::vector<Sharing::Line>> Sharing::lines() {
  std::vector<Line> out;
  TP_TRY(each(store_.db(),
              "SELECT number,audience,agreement,version,what,by_whom,at FROM decision ORDER BY "
              "audience,number",
              [&](Statement::Use& row) -> Result<void> {
                out.push_back({row.integer(0), std::string(row.text(1)), std::string(row.text(2)),
                               static_cast<std::uint32_t>(row.integer(3)),
                               static_cast<Decision>(row.integer(4)), std::string(row.text(5)),
                               instant(row.integer(6))});
                return {};
              }));
  return out;
}

Result<std::vector<Decided>> Sharing::decided(Date today) {
  const auto now = state();
  if (!now) return fail(now.error());
  const auto all = lines();
  if (!all) return fail(all.error());
  std::vector<Decided> out;
  for (auto from = all->begin(); from != all->end();) {
    const auto to =
        std::find_if(from, all->end(), [&](const Line& l) { return l.audience != from->audience; });
    const std::span<const Line> lines(from, to);
    from = to;
    std::vector<std::optional<Offer>> texts;
    std::vector<DecidedOnce> decisions;
    for (const Line& l : lines) {
      texts.emplace_back();
      if (auto text = offer(l.agreement, l.version))
        texts.back() = std::move(*text);
      else if (text.error().code() != Code::kNotFound)
        return fail(std::move(text).error());
      DecidedOnce once{l.agreement,
                       l.version,
                       l.what == Decision::kApproved    ? DecidedOnce::What::kApproved
                       : l.what == Decision::kWithdrawn ? DecidedOnce::What::kWithdrawn
                                                        : DecidedOnce::What::kEnded,
                       utc_date(l.at),
                       {}};
      if (texts.back() && texts.back()->agreement) once.start = texts.back()->agreement->start;
      decisions.push_back(std::move(once));
    }
    Course course = course_of(decisions, today);
    Decided d;
    std::size_t at = lines.size() - 1;
    if (course.now) {
      at = *course.now;
    } else if (!course.next.empty()) {
      at = course.next.front();
      course.next.erase(course.next.begin());
    }
    const Line& line = lines[at];
    d.audience = line.audience;
    d.agreement = line.agreement;
    d.version = line.version;
    d.by = line.by;
    d.at = line.at;
    d.offer = std::move(texts[at]);
    for (const std::size_t n : course.next)
      d.next.push_back({lines[n].agreement, lines[n].version, lines[n].by, lines[n].at, std::move(*texts[n]),
                        lines[n].number <= now->suspended});
    if (line.what != Decision::kApproved) {
      d.standing = line.what == Decision::kWithdrawn ? Standing::kWithdrawn : Standing::kEnded;
    } else if (!d.offer || !d.offer->agreement) {
      d.standing = Standing::kNotUnderstood;
    } else {
      const Agreement& agreement = *d.offer->agreement;
      auto member = agreement.is_federation() ? is_member(agreement.federation()) : Result<bool>{true};
      if (!member) return fail(std::move(member).error());
      if (today > agreement.end || !*member)
        d.standing = Standing::kEnded;
      else if (line.number <= now->suspended)
        d.standing = Standing::kSuspended;
      else
        d.standing = today < agreement.start ? Standing::kNotYet : Standing::kInForce;
    }
    out.push_back(std::move(d));
  }
  return out;
}

Date Decided::lasts() const {
  Date last = offer && offer->agreement ? offer->agreement->end : Date{};
  for (std::size_t i = 0; i < next.size(); ++i) {
    const Agreement& one = *next[i].offer.agreement;
    if (one.start > last.plus(1)) break;
    last = one.end;
  }
  return last;
}

namespace {

std::string words_of(const Decided& d) {
  const Agreement* agreement = d.offer && d.offer->agreement ? &*d.offer->agreement : nullptr;
  switch (d.standing) {
    case Standing::kNothing:
      return "not decided";
    case Standing::kInForce:
      return "approved, in force until " + agreement->end.iso();
    case Standing::kNotYet:
      return "approved, begins " + agreement->start.iso();
    case Standing::kSuspended:
      return "suspended until it is approved again";
    case Standing::kWithdrawn:
      return "withdrawn";
    case Standing::kEnded:
      return "ended";
    case Standing::kNotUnderstood:
      return "approved, but this program cannot read it";
  }
  return "?";
}

}  // namespace

std::string words(const Decided& d) {
  std::string out = words_of(d);
  for (const Decided::Next& n : d.next)
    out += "; " + (n.agreement == d.agreement ? std::string() : n.agreement + " ") + "version " +
           std::to_string(n.version) +
           (n.suspended ? " suspended until it is approved again"
                        : " approved, begins " + n.offer.agreement->start.iso());
  return out;
}

std::optional<Audience> Sharing::audience_of(const Agreement& agreement) const {
  Audience audience;
  audience.name = agreement.audience;
  for (const std::string& grant : agreement.grants)
    if (agreement.is_federation() || !options_.borough_grants ||
        std::find(options_.borough_grants->begin(), options_.borough_grants->end(), grant) !=
            options_.borough_grants->end())
      audience.grants.push_back(grant);
  // To Publisher, no grants would be all of them.
  if (audience.grants.empty()) return std::nullopt;
  audience.without = agreement.without;
  audience.scope = scope_of(agreement, utc_date(clock_.now()));
  audience.retention_years = agreement.retention_years;
  return audience;
}

Result<std::vector<Audience>> Sharing::audiences(Date today) {
  const auto all = decided(today);
  if (!all) return fail(all.error());
  std::vector<Audience> out;
  for (const Decided& d : *all)
    if (d.standing == Standing::kInForce)
      if (auto audience = audience_of(*d.offer->agreement)) {
        audience->scope.today = today;
        out.push_back(std::move(*audience));
      }
  return out;
}

// --- who is in what --------------------------------------------------------------------------------

Result<bool> Sharing::is_member(std::string_view federation) {
  const auto member = number(store_.db(), "SELECT member FROM federation WHERE id=?1", federation);
  if (!member) return fail(member.error());
  return *member != 0;
}

Result<std::vector<Sharing::Membership>> Sharing::federations() {
  std::vector<Membership> out;
  TP_TRY(each(store_.db(), "SELECT body,member FROM federation ORDER BY id",
              [&](Statement::Use& row) -> Result<void> {
                auto paper = FederationPaper::read(row.blob(0));
                if (!paper) return fail(std::move(paper).error().during("a federation kept here"));
                out.push_back({std::move(*paper), row.integer(1) != 0});
                return {};
              }));
  return out;
}

Result<std::vector<Partner>> Sharing::partners(Date today) {
  const auto all = decided(today);
  if (!all) return fail(all.error());
  auto known = federations();
  if (!known) return fail(std::move(known).error());
  std::vector<Partner> out;
  for (Membership& federation : *known) {
    const auto agreed = std::find_if(all->begin(), all->end(), [&](const Decided& d) {
      // What is ours is not sent while suspended; what is theirs may stay.
      return d.audience == std::string(kFederationPrefix) + federation.paper.id &&
             (d.standing == Standing::kInForce ||
              (d.standing == Standing::kSuspended && d.offer->agreement->in_force(today)));
    });
    if (!federation.member || agreed == all->end()) continue;
    for (FederationPaper::Member& member : federation.paper.members)
      if (member.urn != store_.school_urn())
        out.push_back({federation.paper.id, federation.paper.name, std::move(member.urn),
                       std::move(member.name), std::move(member.keys), agreed->agreement});
  }
  return out;
}

// --- a person decides ------------------------------------------------------------------------------

Result<void> Sharing::approve(const Offer& shown, std::string_view by) {
  TP_TRY(check_by(by));
  const std::string what = "agreement " + shown.id + " version " + std::to_string(shown.version);
  const auto newest = offer(shown.id);
  if (!newest) return fail(newest.error());
  if (newest->version != shown.version || newest->hash != shown.hash)
    return fail(Code::kRefused,
                what + " is not what is offered now: that is version " + std::to_string(newest->version),
                "Nothing was approved. Read it: " + options_.program + " agreement show " + shown.id);
  if (!newest->agreement)
    return fail(
        Code::kUnknownVersion,
        "this program does not understand " + what +
            (newest->faults.empty() ? std::string()
                                    : ": line " + std::to_string(newest->faults.front().line) + ": " +
                                          newest->faults.front().text),
        "What is not understood is not approved. Install the newer program, or ask the hub's operator");
  const Agreement& agreement = *newest->agreement;
  const Instant now = clock_.now();
  const Date today = utc_date(now);
  if (!agreement.has_party(store_.school_urn()))
    return fail(Code::kRefused, what + " does not name this school (" + store_.school_urn() + ") as a party",
                "Ask the hub's operator for one that does");
  if (agreement.end < today)
    return fail(Code::kRefused, what + " ended on " + agreement.end.iso(),
                "Ask the hub's operator for a newer version");
  if (agreement.is_federation()) {
    const auto member = is_member(agreement.federation());
    if (!member) return fail(member.error());
    if (!*member)
      return fail(Code::kRefused,
                  what + " is for the federation " + agreement.federation() +
                      ", and this school is not in it by what the hub has said",
                  "If it should be: " + options_.program + " sync, or ask the hub's operator");
  }
  const auto all = decided(today);
  if (!all) return fail(all.error());
  const auto repeated = [&](Instant at, const std::string& by_whom) {
    return fail(Code::kRepeated,
                what + " was approved on " + utc_date(at).iso() + " by " + by_whom + " already",
                "Nothing to do");
  };
  for (const Decided& d : *all) {
    if (d.audience != agreement.audience) continue;
    if (d.agreement == shown.id && d.version == shown.version &&
        (d.standing == Standing::kInForce || d.standing == Standing::kNotYet))
      return repeated(d.at, d.by);
    for (const Decided::Next& n : d.next)
      if (n.agreement == shown.id && n.version == shown.version && !n.suspended) return repeated(n.at, n.by);
  }

  auto transaction = store_.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  DecisionPaper paper;
  paper.agreement = shown.id;
  paper.version = shown.version;
  paper.text = shown.hash;
  paper.what = DecisionPaper::What::kApproved;
  paper.by = by;
  const auto deed = say(DeedKind::kDecision, paper.encode());
  if (!deed) return fail(deed.error());
  TP_TRY(run(
      store_.db(),
      "INSERT INTO decision(audience,agreement,version,what,by_whom,at,deed) VALUES(?1,?2,?3,?4,?5,?6,?7)",
      agreement.audience, shown.id, shown.version, Decision::kApproved, by, now, *deed));
  TP_TRY(audit_.append(now, "agreement-approved",
                       what + " for " + agreement.audience + ", text " + shown.hash.hex().substr(0, 16) +
                           ", approved by " + std::string(by)));
  return transaction->commit();
}

Result<void> Sharing::withdraw(std::string_view id, std::string_view by) {
  TP_TRY(check_by(by));
  const auto text = offer(id);
  if (!text) return fail(text.error());
  const Instant now = clock_.now();
  const auto all = decided(utc_date(now));
  if (!all) return fail(all.error());
  const std::string what = "agreement " + std::string(id);
  // What the deed names: what counts, what begins next, or, as far as this machine knows, nothing yet.
  std::uint32_t version = text->version;
  Hash256 hash = text->hash;
  std::string audience = text->audience;
  // Nothing is to be recalled where another agreement goes on.
  bool recall = true;
  for (const Decided& d : *all) {
    const auto next =
        std::find_if(d.next.begin(), d.next.end(), [&](const Decided::Next& n) { return n.agreement == id; });
    if (d.agreement != id && next == d.next.end()) {
      if (d.audience != text->audience) continue;
      const auto once =
          number(store_.db(), "SELECT count(*) FROM decision WHERE agreement=?1 AND what=1", id);
      if (!once) return fail(once.error());
      const bool counts = d.standing != Standing::kWithdrawn && d.standing != Standing::kEnded;
      if (*once > 0 && counts)
        return fail(Code::kRefused,
                    what + " was replaced by agreement " + d.agreement + " on " + utc_date(d.at).iso(),
                    "If nothing is to be shared with " + d.audience + ": " + options_.program +
                        " agreement withdraw " + d.agreement);
      recall = !counts;
      continue;
    }
    audience = d.audience;
    if (d.agreement != id) {
      version = next->version;
      hash = next->offer.hash;
      recall = d.standing == Standing::kEnded || d.standing == Standing::kWithdrawn;
      break;
    }
    version = d.version;
    if (d.offer) hash = d.offer->hash;
    if (next != d.next.end()) break;  // one that begins later can be taken back in any case
    // Said once, unless what was approved after it may be unknown here: the store was set back since.
    const auto last = number(store_.db(), "SELECT max(number) FROM decision WHERE audience=?1", d.audience);
    if (!last) return fail(last.error());
    const auto now_state = state();
    if (!now_state) return fail(now_state.error());
    const bool lost = *last <= now_state->suspended;
    if (d.standing == Standing::kWithdrawn && !lost)
      return fail(Code::kRepeated,
                  what + " was withdrawn on " + utc_date(d.at).iso() + " by " + d.by + " already",
                  "What became of it: " + options_.program + " receipts list");
    const auto ended = number(
        store_.db(), "SELECT what FROM decision WHERE audience=?1 ORDER BY number DESC LIMIT 1", d.audience);
    if (!ended) return fail(ended.error());
    if (d.standing == Standing::kEnded && static_cast<Decision>(*ended) == Decision::kEnded && !lost)
      return fail(Code::kRepeated, what + " ended on " + utc_date(d.at).iso() + " by itself",
                  "What became of it: " + options_.program + " receipts list");
    break;
  }
  if (audience.empty())
    return fail(Code::kUnknownVersion, "this program does not understand whom " + what + " is for",
                "Install the newer program, or ask the hub's operator");

  {
    auto transaction = store_.db().begin();
    if (!transaction) return fail(std::move(transaction).error());
    DecisionPaper paper;
    paper.agreement = id;
    paper.version = version;
    paper.text = hash;
    paper.what = DecisionPaper::What::kWithdrawn;
    paper.by = by;
    const auto deed = say(DeedKind::kDecision, paper.encode());
    if (!deed) return fail(deed.error());
    TP_TRY(run(
        store_.db(),
        "INSERT INTO decision(audience,agreement,version,what,by_whom,at,deed) VALUES(?1,?2,?3,?4,?5,?6,?7)",
        audience, id, version, Decision::kWithdrawn, by, now, *deed));
    TP_TRY(audit_.append(now, "agreement-withdrawn",
                         what + " version " + std::to_string(version) + " for " + audience +
                             ", withdrawn by " + std::string(by)));
    if (recall) TP_TRY(order_all(audience));
    TP_TRY(transaction->commit());
  }
  // It is withdrawn, whoever reads meanwhile.
  if (const auto done = store_.db().checkpoint(); !done && done.error().code() != Code::kBusy)
    return fail(done.error());
  return {};
}

// --- deeds of ours ---------------------------------------------------------------------------------

Result<DeedId> Sharing::say(DeedKind kind, Bytes body, Instant expires) {
  if (!options_.sign)
    return fail(Code::kNotEnrolled, "this machine is not enrolled: nobody would believe what it says",
                "Ask the hub's operator for an invitation code and run: " + options_.program + " enrol");
  const auto before = state();
  if (!before) return fail(before.error());
  const Instant now = clock_.now();
  // A number is used once, also by a store that was set back or begun anew: no number is lower than the
  // seconds of the clock.
  const std::int64_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  Deed deed;
  deed.kind = kind;
  deed.issuer = "school:" + store_.school_urn();
  deed.number = std::max(before->deed + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 1)));
  deed.made = now;
  deed.expires = expires;
  deed.body = std::move(body);
  const Deed made = options_.sign(std::move(deed));
  TP_TRY(run(store_.db(), "INSERT INTO deed_out(number,id,kind,bytes,made) VALUES(?1,?2,?3,?4,?5)",
             made.number, made.id, made.kind, made.bytes, now));
  TP_TRY(run(store_.db(), "UPDATE sharing SET deed=?1 WHERE id=1", made.number));
  return made.id;
}

Result<std::vector<Bytes>> Sharing::deeds_to_send(std::size_t bytes_max) {
  std::vector<Bytes> out;
  std::size_t size = 0;
  bool full = false;
  TP_TRY(each(store_.db(), "SELECT bytes FROM deed_out WHERE taken IS NULL ORDER BY number LIMIT 1000",
              [&](Statement::Use& row) -> Result<void> {
                const ByteView b = row.blob(0);
                full = full || (!out.empty() && size + b.size() > bytes_max);
                if (full) return {};
                size += b.size();
                out.emplace_back(b.begin(), b.end());
                // Made under an earlier key, which the hub (set back to before it, say) may not take any
                // more. What a deed says, and its id, do not hang on the signature.
                if (!options_.sign) return {};
                auto deed = read_deed(b);
                if (!deed) return fail(std::move(deed).error().during("a deed in this school's store"));
                out.back() = options_.sign(std::move(*deed)).bytes;
                return {};
              }));
  return out;
}

Result<std::uint64_t> Sharing::deeds_taken(std::span<const std::array<std::uint8_t, 16>> ids) {
  if (ids.empty()) return 0;
  auto transaction = store_.db().begin();
  if (!transaction) return fail(std::move(transaction).error());
  std::uint64_t taken = 0;
  for (const auto& id : ids) {
    const auto changed = run(store_.db(), "UPDATE deed_out SET taken=?2 WHERE id=?1 AND taken IS NULL",
                             ByteView(id), clock_.now());
    if (!changed) return fail(changed.error());
    taken += static_cast<std::uint64_t>(*changed);
  }
  TP_TRY(transaction->commit());
  return taken;
}

// --- what can be shown -----------------------------------------------------------------------------

Result<std::vector<Sharing::OrderMade>> Sharing::orders() {
  std::vector<OrderMade> out;
  TP_TRY(each(store_.db(),
              "SELECT o.deed,o.audience,o.everything,o.made,d.taken FROM order_made o LEFT JOIN deed_out d "
              "ON d.id=o.deed ORDER BY d.number",
              [&](Statement::Use& row) -> Result<void> {
                OrderMade o;
                o.deed = fixed<DeedId>(row.blob(0));
                o.audience = row.text(1);
                o.all = row.integer(2) != 0;
                o.made = instant(row.integer(3));
                if (!row.is_null(4)) o.taken = instant(row.integer(4));
                out.push_back(std::move(o));
                return {};
              }));
  return out;
}

Result<std::vector<Sharing::ReceiptHeld>> Sharing::receipts() {
  std::vector<ReceiptHeld> out;
  TP_TRY(each(store_.db(), "SELECT bytes,key,received FROM receipt ORDER BY received,deed",
              [&](Statement::Use& row) -> Result<void> {
                ReceiptHeld held;
                const auto deed = read_deed(row.blob(0));
                if (!deed) return fail(Error(deed.error()).during("a receipt kept here"));
                auto paper = ReceiptPaper::read(deed->body);
                if (!paper) return fail(std::move(paper).error().during("a receipt kept here"));
                held.deed = deed->id;
                held.issuer = deed->issuer;
                held.made = deed->made;
                held.received = instant(row.integer(2));
                held.paper = std::move(*paper);
                const auto key = PartyKey::from(row.blob(1));
                held.signature_good = key && signed_by(*deed, {&*key, 1});
                out.push_back(std::move(held));
                return {};
              }));
  return out;
}

}  // namespace towpath
