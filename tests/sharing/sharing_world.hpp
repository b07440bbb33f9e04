// A school with a store, and around it a hub and a partner that sign what they say.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "agent/sharing/pupils.hpp"
#include "agent/sharing/sharing.hpp"
#include "tests/agent/school_source.hpp"
#include "tests/trust/trust_world.hpp"

namespace towpath::test {

class SetClock final : public Clock {
 public:
  Instant now() override { return now_; }
  void day(std::string_view iso) { now_ = Instant{std::chrono::days{Date::parse(iso).value().days}} + noon; }
  void later(std::chrono::milliseconds by) { now_ += by; }

 private:
  static constexpr std::chrono::hours noon{12};
  Instant now_ = Instant{std::chrono::days{20776}} + noon;  // 2026-11-19
};

struct AgreementText {
  std::string id = "borough-2026";
  int version = 1;
  std::string audience = "borough";
  std::string grants = "\"ROLL\", \"ATT-CAT\"";
  std::string start = "2026-09-01", end = "2027-08-31";
  std::string scope = "everyone";
  std::vector<std::string> urns{"100001", "100002"};
  std::string more = {};  // keys

  [[nodiscard]] std::string toml() const {
    std::string out =
        "id = \"" + id + "\"\nversion = " + std::to_string(version) + "\ntitle = \"A test\"\naudience = \"" +
        audience + "\"\ntext = \"ED-17\"\nstart = " + start + "\nend = " + end + "\nreview = " + end +
        "\ncontrollers = \"controller-to-controller\"\npurpose = \"Testing\"\n"
        "lawful_basis = \"Article 6(1)(e)\"\ngrants = [" +
        grants +
        "]\nfrequency = \"daily\"\nmethod = \"towpath\"\ndisposal = \"towpath\"\n"
        "onward_sharing = \"None\"\nsubject_rights_contact = \"office\"\nbreach_contact = \"office\"\n" +
        more + "[pupils]\nscope = \"" + scope + "\"\n";
    if (audience == "borough") out += "[[party]]\nname = \"Borough\"\nrole = \"controller\"\n";
    for (const std::string& urn : urns)
      out += "[[party]]\nurn = " + urn + "\nname = \"School " + urn + "\"\nrole = \"controller\"\n";
    return out;
  }
};

// What became of the replicas, in a list.
class Holdings final : public PartnerHoldings {
 public:
  std::vector<std::string> held;  // "100002 federation:kentish"
  std::vector<OrderPaper> carried_out;
  std::vector<std::string> allowed;
  bool fails = false;

  Result<ReceiptPaper> carry_out(const OrderPaper& order, const DeedId&) override {
    if (fails) return fail(Code::kDiskFull, "no room");
    carried_out.push_back(order);
    ReceiptPaper paper;
    paper.outcome = ReceiptPaper::Outcome::kRemoved;
    paper.rows = {{3, 7, {}}};
    return paper;
  }
  Result<std::vector<Gone>> hold_only(const std::vector<Partner>& partners) override {
    allowed.clear();
    for (const Partner& p : partners) allowed.push_back(p.urn + " " + p.audience());
    std::vector<Gone> gone;
    std::erase_if(held, [&](const std::string& one) {
      if (std::find(allowed.begin(), allowed.end(), one) != allowed.end()) return false;
      ReceiptPaper paper;
      paper.outcome = ReceiptPaper::Outcome::kRemoved;
      paper.stream = stream_id(one.substr(0, 6), one.substr(7));
      gone.push_back({one.substr(7), paper});
      return true;
    });
    return gone;
  }
  Result<void> orders_kept() override { return {}; }
  Result<void> ends_kept() override { return {}; }
};

struct SharingWorld {
  SharingWorld()
      : hub(PartySecret::make(random)), own(PartySecret::make(random)), partner(PartySecret::make(random)) {}

  SeededRandom random{7};
  SetClock clock;
  School school;
  PartySecret hub, own, partner;
  Holdings holdings;
  std::uint64_t deed_number = 0;
  PostMark post_mark;  // of the hub's log

  SharingOptions options() {
    SharingOptions o;
    o.sign = [this](Deed deed) { return sign_deed(std::move(deed), own); };
    return o;
  }
  Sharing sharing() { return Sharing(school.store, clock, options(), &holdings); }
  Date today() { return utc_date(clock.now()); }

  Deed deed(DeedKind kind, Bytes body, const std::string& issuer = "hub", Instant expires = {}) {
    Deed d;
    d.kind = kind;
    d.issuer = issuer;
    d.number = ++deed_number;
    d.made = clock.now();
    d.expires = expires;
    d.body = std::move(body);
    return sign_deed(std::move(d), issuer == "hub" ? hub : partner);
  }
  // The next entry of the hub's post.
  PostFrame entry(const Deed& d) {
    post_mark.chain = first_eight(Hasher("towpath post").update(post_mark.chain).update(d.id.bytes).finish());
    ++post_mark.number;
    return {post_mark, d.bytes};
  }
  static std::array<std::uint8_t, 8> first_eight(const Hash256& hash) {
    std::array<std::uint8_t, 8> out;
    std::copy_n(hash.bytes.begin(), out.size(), out.begin());
    return out;
  }
  Sharing::PostTaken take(const std::vector<PostFrame>& frames) {
    const PartyKey key = hub.key();
    auto taken = sharing().take_post(frames, {&key, 1});
    if (!taken) FAIL(taken.error().sentence());
    return *taken;
  }
  Sharing::PostTaken post(const Deed& d) { return take({entry(d)}); }

  Deed offer_deed(const AgreementText& text) {
    return deed(DeedKind::kAgreement, AgreementPaper{text.toml()}.encode());
  }
  void offer(const AgreementText& text) { post(offer_deed(text)); }
  void federate(const std::vector<std::string>& urns, const std::string& id = "kentish") {
    FederationPaper paper;
    paper.id = id;
    paper.name = "Kentish";
    for (const std::string& urn : urns)
      paper.members.push_back({urn, "School " + urn, {urn == "100001" ? own.key() : partner.key()}});
    post(deed(DeedKind::kFederation, paper.encode()));
  }
  Result<void> approve(const std::string& id, const std::string& by = "head, A. Example") {
    Sharing s = sharing();
    const auto shown = s.offer(id);
    if (!shown) return fail(shown.error());
    return s.approve(*shown, by);
  }
  std::string approved(const std::string& id) {  // why not, or nothing
    const auto done = approve(id);
    return done ? std::string() : done.error().sentence();
  }
  std::vector<Audience> in_force() { return sharing().audiences(today()).value(); }
  std::vector<std::string> audiences() {
    std::vector<std::string> out;
    for (const Audience& a : in_force()) out.push_back(a.name);
    return out;
  }
  // Deeds that wait for the hub.
  std::vector<Deed> waiting() {
    std::vector<Deed> out;
    const auto to_send = sharing().deeds_to_send(1 << 20).value();
    for (const Bytes& bytes : to_send) {
      auto read = read_deed(bytes);
      REQUIRE(read);
      const PartyKey key = own.key();
      CHECK(signed_by(*read, {&key, 1}));
      out.push_back(std::move(*read));
    }
    return out;
  }
  void hub_takes_all() {
    std::vector<std::array<std::uint8_t, 16>> ids;
    for (const Deed& d : waiting()) ids.push_back(d.id.bytes);
    REQUIRE(sharing().deeds_taken(ids));
  }
  std::vector<OrderPaper> orders_waiting() {
    std::vector<OrderPaper> out;
    for (const Deed& d : waiting())
      if (d.kind == DeedKind::kOrder) out.push_back(OrderPaper::read(d.body).value());
    return out;
  }
  // A stream as publishing leaves it.
  void publish(const std::string& name) {
    for (const Audience& a : in_force())
      if (a.name == name) REQUIRE(Publisher(school.store, a).publish());
  }
  std::int64_t count(const std::string& sql) {
    return school.store.db().integer("SELECT count(*) FROM " + sql).value();
  }
  std::string audit() {
    std::string out;
    REQUIRE(
        Audit(school.store.db()).each([&](const AuditEntry& e) { out += e.kind + ": " + e.what + "\n"; }));
    return out;
  }
};

}  // namespace towpath::test
