#include "agent/cli/agreement_verb.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "agent/cli/console.hpp"
#include "agent/cli/page.hpp"
#include "agent/cli/pupil_verb.hpp"
#include "agent/cli/sharing_folder.hpp"
#include "agent/school/exit_code.hpp"
#include "agent/school/load.hpp"
#include "agent/school/words.hpp"
#include "agent/sharing/explain.hpp"
#include "agent/sharing/pupils.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

std::string listed(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

const Decided* of_audience(const std::vector<Decided>& all, const std::string& audience) {
  for (const Decided& d : all)
    if (d.audience == audience) return &d;
  return nullptr;
}

std::string_view standing_name(Standing standing) {
  switch (standing) {
    case Standing::kNothing:
      return "offered";
    case Standing::kInForce:
      return "in-force";
    case Standing::kNotYet:
      return "not-yet";
    case Standing::kSuspended:
      return "suspended";
    case Standing::kWithdrawn:
      return "withdrawn";
    case Standing::kEnded:
      return "ended";
    case Standing::kNotUnderstood:
      return "not-understood";
  }
  return "?";
}

ordered_json to_json(const Explained& e) {
  ordered_json datasets = ordered_json::array();
  for (const ExplainedDataset& d : e.datasets) {
    ordered_json fields = ordered_json::array();
    for (const ExplainedField& f : d.fields)
      fields.push_back(
          {{"field", f.name}, {"grant", f.grant}, {"class", name(f.sensitivity)}, {"note", f.note}});
    datasets.push_back(
        {{"dataset", d.name}, {"title", d.title}, {"rows", d.rows}, {"fields", std::move(fields)}});
  }
  ordered_json parties = ordered_json::array();
  for (const Party& p : e.agreement.parties)
    parties.push_back({{"urn", p.urn.empty() ? ordered_json(nullptr) : ordered_json(p.urn)},
                       {"name", p.name},
                       {"role", p.role}});
  const Agreement& a = e.agreement;
  return {{"audience", e.audience},
          {"agreement", a.id},
          {"version", a.version},
          {"title", a.title},
          {"text", a.text_reference},
          {"hash", e.hash},
          {"start", a.start.iso()},
          {"end", a.end.iso()},
          {"review", a.review.iso()},
          {"controllers", controllers_words(a.controllers)},
          {"purpose", a.purpose},
          {"lawful_basis", a.lawful_basis},
          {"special_basis", a.special_basis},
          {"onward_sharing", a.onward_sharing},
          {"subject_rights_contact", a.subject_rights_contact},
          {"breach_contact", a.breach_contact},
          {"frequency", a.frequency},
          {"method", a.method},
          {"named_roles", a.named_roles},
          {"parties", std::move(parties)},
          {"pupils_in_scope", scope_words(a)},
          {"grants", a.grants},
          {"without", a.without},
          {"grants_kept_back", e.grants_not_given},
          {"pupils", e.pupils},
          {"rows", e.rows()},
          {"last_exchange", e.last_exchange ? ordered_json(iso(*e.last_exchange)) : ordered_json(nullptr)},
          {"datasets", std::move(datasets)}};
}

// What a person reads before deciding.
void tell(Told& told, const Explained& e) {
  const Agreement& a = e.agreement;
  told.line(a.id + " version " + std::to_string(a.version) + ": " + a.title);
  told.line("  for        " + a.audience + ", " + controllers_words(a.controllers));
  for (const Party& p : a.parties)
    told.line("  party      " + p.name + (p.urn.empty() ? "" : " (" + p.urn + ")") + ": " + p.role);
  told.line("  purpose    " + a.purpose);
  told.line("  basis      " + a.lawful_basis);
  if (!a.special_basis.empty()) told.line("  special    " + a.special_basis);
  told.line("  from       " + a.start.iso() + " to " + a.end.iso() + ", to be reviewed by " + a.review.iso());
  told.line("  signed     " + a.text_reference);
  told.line("  how        " + a.frequency + "; " + a.method);
  told.line("  passed on  " + a.onward_sharing);
  if (!a.named_roles.empty()) told.line("  seen by    " + listed(a.named_roles));
  told.line("  questions  " + a.subject_rights_contact + "; breaches: " + a.breach_contact);
  told.line("  pupils     " + scope_words(a) + ": " + counted(e.pupils, "pupil", "pupils") + " today");
  for (const auto& [dataset, years] : a.retention_years)
    told.line("  kept       " + dataset + ": " +
              counted(static_cast<std::uint64_t>(years), "academic year", "academic years") +
              " after the row's own");
  if (!e.grants_not_given.empty())
    told.line("  kept back  " + listed(e.grants_not_given) + " (hub.grants in this school's configuration)");
  told.line({});
  told.line("what goes, exactly:");
  for (const ExplainedDataset& d : e.datasets) {
    told.line("  " + d.title + ": " + counted(d.rows, "row", "rows") + " today");
    std::string plain, special;
    for (const ExplainedField& f : d.fields) {
      std::string& to = f.sensitivity == Sensitivity::kSpecial ? special : plain;
      to += (to.empty() ? "" : ", ") + f.name;
    }
    if (!plain.empty()) told.line("    " + plain);
    if (!special.empty()) told.line("    special category, or to be treated like it: " + special);
  }
  told.line("  in all " + counted(e.rows(), "row", "rows"));
}

// The agreement's meaning, and what is otherwise than under what is approved now.
Result<Told> meaning(SharingFolder& here, const Offer& offer, Date today) {
  Told told;
  if (!offer.agreement) {
    std::string why;
    for (const AgreementFault& fault : offer.faults)
      why +=
          "\n" + (fault.line > 0 ? "line " + std::to_string(fault.line) + ": " : std::string()) + fault.text;
    return fail(Code::kUnknownVersion,
                "this program does not understand agreement " + offer.id + " version " +
                    std::to_string(offer.version),
                "Install the newer program, or ask the hub's operator:" + why);
  }
  const auto explained = towpath::explain(here.store(), here.sharing(), *offer.agreement, offer.hash.hex());
  if (!explained) return fail(explained.error());
  tell(told, *explained);
  told.document = to_json(*explained);
  const auto decided = here.sharing().decided(today);
  if (!decided) return fail(decided.error());
  const Decided* now = of_audience(*decided, offer.audience);
  told.document["standing"] = standing_name(Standing::kNothing);
  ordered_json differs = ordered_json::array();
  if (now != nullptr) {
    for (const Decided::Next& n : now->next)
      if (n.agreement == offer.id && n.version == offer.version)
        told.document["standing"] = standing_name(n.suspended ? Standing::kSuspended : Standing::kNotYet);
    const std::string which =
        "agreement " + now->agreement + " version " + std::to_string(now->version) + ": " + words(*now);
    told.line("now, for " + offer.audience + ": " + which);
    if (now->agreement == offer.id && now->version == offer.version)
      told.document["standing"] = standing_name(now->standing);
    if (now->standing == Standing::kInForce && now->offer && now->offer->hash != offer.hash) {
      const auto before =
          towpath::explain(here.store(), here.sharing(), *now->offer->agreement, now->offer->hash.hex());
      if (!before) return fail(before.error());
      told.line("what would change:");
      for (const std::string& change : changes(*before, *explained)) {
        told.line("  " + change);
        differs.push_back(change);
      }
      if (differs.empty()) told.line("  nothing in what goes");
      if (offer.agreement->start > today) {
        const Date last = now->offer->agreement->end, first = offer.agreement->start;
        if (first <= last.plus(1))
          told.line("until " + first.iso() + " what is in force goes on; then this takes over");
        else
          told.line("what is in force ends on " + last.iso() + ", and this begins " + first.iso() +
                    ": between them nothing is shared, and what was is recalled");
      }
    }
  }
  told.document["changes"] = std::move(differs);
  return told;
}

}  // namespace

int agreement_list(const Command& command) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  auto here = SharingFolder::open(command, *config, Hold::kToLook);
  if (!here) return console.failed(here.error());
  const Date today = utc_date(command.clock.now());
  const auto offers = (*here)->sharing().offers();
  if (!offers) return console.failed(offers.error());
  const auto decided = (*here)->sharing().decided(today);
  if (!decided) return console.failed(decided.error());
  const auto federations = (*here)->sharing().federations();
  if (!federations) return console.failed(federations.error());
  Told told;
  ordered_json list = ordered_json::array();
  bool to_decide = false;
  for (std::size_t i = 0; i < offers->size(); ++i) {
    const Offer& offer = (*offers)[i];
    if (i + 1 < offers->size() && (*offers)[i + 1].id == offer.id) continue;  // its newest version only
    const Decided* now = of_audience(*decided, offer.audience);
    const bool ours = now != nullptr && now->agreement == offer.id;
    const auto next = now == nullptr ? std::vector<Decided::Next>::const_iterator{}
                                     : std::find_if(now->next.begin(), now->next.end(), [&](const auto& n) {
                                         return n.agreement == offer.id && n.version == offer.version;
                                       });
    const bool begins = now != nullptr && next != now->next.end();
    const bool newer = !begins && (!ours || now->version != offer.version);
    std::string line = offer.id + "  for " + (offer.audience.empty() ? "?" : offer.audience) + ": ";
    if (ours) line += "version " + std::to_string(now->version) + " " + words(*now);
    if (ours && newer) line += "; ";
    if (!ours && begins)
      line += "version " + std::to_string(next->version) +
              (next->suspended ? " suspended until it is approved again"
                               : " approved, begins " + next->offer.agreement->start.iso()) +
              " (now: " + now->agreement + ", in force until " +
              (now->offer && now->offer->agreement ? now->offer->agreement->end.iso() : "?") + ")";
    if (newer)
      line +=
          "version " + std::to_string(offer.version) + " offered " + age(offer.received, command.clock.now());
    if (newer && now != nullptr && !ours) line += " (now: " + now->agreement + ", " + words(*now) + ")";
    if (!offer.agreement)
      line += "; not understood by this program";
    else if (!offer.agreement->has_party((*here)->store().school_urn()))
      line += "; this school is no party to it";
    else if (newer && offer.agreement->end >= today)
      to_decide = true;
    told.line(line);
    if (offer.agreement) told.line("    " + offer.agreement->title);
    if (ours && now->standing == Standing::kInForce && now->lasts().days - today.days <= kExpiryWarningDays)
      told.line("    it ends in " +
                counted(static_cast<std::uint64_t>(now->lasts().days - today.days), "day", "days") +
                ": then nothing is shared any more, and what was is recalled");
    list.push_back(
        {{"agreement", offer.id},
         {"version", offer.version},
         {"audience", offer.audience},
         {"title", offer.agreement ? ordered_json(offer.agreement->title) : ordered_json(nullptr)},
         {"understood", offer.agreement.has_value()},
         {"standing", ours ? standing_name(now->standing) : standing_name(Standing::kNothing)},
         {"decided_version", ours ? ordered_json(now->version) : ordered_json(nullptr)},
         {"by", ours ? ordered_json(now->by) : ordered_json(nullptr)},
         {"at", ours ? ordered_json(iso(now->at)) : ordered_json(nullptr)},
         {"begins_later", begins ? ordered_json(next->offer.agreement->start.iso()) : ordered_json(nullptr)},
         {"start", offer.agreement ? ordered_json(offer.agreement->start.iso()) : ordered_json(nullptr)},
         {"end", offer.agreement ? ordered_json(offer.agreement->end.iso()) : ordered_json(nullptr)},
         {"received", iso(offer.received)}});
  }
  ordered_json memberships = ordered_json::array();
  for (const Sharing::Membership& m : *federations) {
    if (m.member)
      told.line("federation " + m.paper.id + " (" + m.paper.name +
                "): " + counted(m.paper.members.size(), "school", "schools"));
    memberships.push_back({{"federation", m.paper.id},
                           {"name", m.paper.name},
                           {"member", m.member},
                           {"schools", m.paper.members.size()}});
  }
  if (offers->empty())
    told.line("nothing has been offered: agreements come from the hub (" + command.program() + " sync)");
  else if (to_decide)
    told.line("next: " + command.program() + " agreement show ID, then: " + command.program() +
              " agreement approve ID --by \"role and name\"");
  told.document = {{"schema_version", kSchemaVersion},
                   {"agreements", std::move(list)},
                   {"federations", std::move(memberships)}};
  return console.say(told);
}

int agreement_show(const Command& command, const AgreementWish& wish) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  auto here = SharingFolder::open(command, *config, Hold::kToLook);
  if (!here) return console.failed(here.error());
  const auto offer = (*here)->sharing().offer(wish.id, wish.version);
  if (!offer) return console.failed(offer.error());
  auto told = meaning(**here, *offer, utc_date(command.clock.now()));
  if (!told) return console.failed(told.error());
  told->line("text " + offer->hash.hex());
  ordered_json document{{"schema_version", kSchemaVersion}};
  document.update(told->document);
  document["toml"] = offer->text;
  told->document = std::move(document);
  return console.say(*told);
}

int agreement_approve(const Command& command, const AgreementWish& wish) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  if (const auto named = check_by(wish.by); !named) return console.failed(named.error());
  Told told;
  std::optional<Offer> offer;
  {  // A person reads; the service may work meanwhile.
    auto here = SharingFolder::open(command, *config, Hold::kToLook);
    if (!here) return console.failed(here.error());
    auto asked = (*here)->sharing().offer(wish.id, wish.version);
    if (!asked) return console.failed(asked.error());
    offer = std::move(*asked);
    auto shown = meaning(**here, *offer, utc_date(command.clock.now()));
    if (!shown) return console.failed(shown.error());
    told.lines = std::move(shown->lines);
  }
  if (!wish.yes) {
    for (const std::string& line : told.lines) console.line(line);
    told.lines.clear();
    if (const auto yes = ask(command, "Approve exactly this, as " + wish.by + "?"); !yes)
      return console.failed(yes.error());
  }
  {
    auto here = SharingFolder::open(command, *config, Hold::kToWork);
    if (!here) return console.failed(here.error());
    if (const auto done = (*here)->sharing().approve(*offer, wish.by); !done)
      return console.failed(done.error());
  }
  told.line("approved: " + offer->id + " version " + std::to_string(offer->version) + " for " +
            offer->audience + ", by " + wish.by);
  told.document = {{"schema_version", kSchemaVersion},
                   {"approved", true},
                   {"agreement", offer->id},
                   {"version", offer->version},
                   {"audience", offer->audience},
                   {"hash", offer->hash.hex()},
                   {"by", wish.by}};
  told.line(pass_on(command, *config));
  return console.say(told);
}

int agreement_withdraw(const Command& command, const AgreementWish& wish) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  Told told;
  {
    auto here = SharingFolder::open(command, *config, Hold::kToWork);
    if (!here) return console.failed(here.error());
    if (const auto done = (*here)->sharing().withdraw(wish.id, wish.by); !done)
      return console.failed(done.error());
    const auto offer = (*here)->sharing().offer(wish.id);
    const auto left = (*here)->sharing().decided(utc_date(command.clock.now()));
    if (!left) return console.failed(left.error());
    const Decided* goes_on = offer ? of_audience(*left, offer->audience) : nullptr;
    const bool still = goes_on != nullptr && goes_on->agreement != wish.id &&
                       goes_on->standing != Standing::kWithdrawn && goes_on->standing != Standing::kEnded;
    told.line("withdrawn: " + wish.id + ", by " + wish.by + ". " +
              (still && goes_on->standing != Standing::kNotYet
                   ? "Nothing is sent under it"
                   : "Nothing more is sent under it, and all that was is to be removed"));
    if (still)
      told.line("for " + goes_on->audience + " there is still " + goes_on->agreement + " " + words(*goes_on) +
                "; to end that, too: " + command.program() + " agreement withdraw " + goes_on->agreement);
    told.line("who has done so: " + command.program() + " receipts list");
    told.document = {
        {"schema_version", kSchemaVersion}, {"withdrawn", true}, {"agreement", wish.id}, {"by", wish.by}};
  }
  told.line(pass_on(command, *config));
  return console.say(told);
}

int agreement_pupils(const Command& command, const NamedWish& wish) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  const bool changes_it = !wish.add.empty() || !wish.remove.empty();
  if (changes_it == wish.list || (!wish.add.empty() && !wish.remove.empty()))
    return console.failed(
        Error{Code::kUsage, "agreement pupils needs one of --add, --remove and --list",
              "For what may be said here: " + command.program() + " agreement pupils --help"});
  Told told;
  {
    auto here = SharingFolder::open(command, *config, changes_it ? Hold::kToWork : Hold::kToLook);
    if (!here) return console.failed(here.error());
    const auto offer = (*here)->sharing().offer(wish.id);
    if (!offer) return console.failed(offer.error());
    const Date today = utc_date(command.clock.now());
    Pupils pupils((*here)->store(), command.clock, command.program());
    if (changes_it) {
      const auto pupil = pupil_of(pupils, wish.add.empty() ? wish.remove : wish.add, today);
      if (!pupil) return console.failed(pupil.error());
      if (const auto done = pupils.name(offer->audience, *pupil, !wish.add.empty(), wish.by); !done)
        return console.failed(done.error());
      told.line("pupil " + std::to_string(*pupil) + (wish.add.empty() ? " is off" : " is on") +
                " the list for " + offer->audience);
    }
    const auto named = pupils.named(offer->audience);
    if (!named) return console.failed(named.error());
    if (wish.list)
      for (const std::int64_t pupil : *named) told.line(std::to_string(pupil));
    told.line("list for " + offer->audience + ": " + counted(named->size(), "pupil", "pupils"));
    if (offer->agreement && offer->agreement->scope != ScopeKind::kNamed)
      told.line("note: agreement " + offer->id +
                " is not about named pupils; the list changes nothing for it");
    told.document = {{"schema_version", kSchemaVersion}, {"audience", offer->audience}, {"pupils", *named}};
  }
  if (changes_it) told.line(pass_on(command, *config));
  return console.say(told);
}

int explain(const Command& command, const ExplainWish& wish) {
  const Console& console = command.console;
  const auto config = load(command.config, Paths::kAsWritten);
  if (!config) return console.failed(command.config, config.error());
  auto here = SharingFolder::open(command, *config, Hold::kToLook);
  if (!here) return console.failed(here.error());
  const Instant now = command.clock.now();
  const auto decided = (*here)->sharing().decided(utc_date(now));
  if (!decided) return console.failed(decided.error());
  Told told;
  ordered_json audiences = ordered_json::array();
  std::vector<Explained> shown;
  bool found = wish.audience.empty();
  for (const Decided& d : *decided) {
    if (!wish.audience.empty() && d.audience != wish.audience) continue;
    found = true;
    if (d.standing != Standing::kInForce) {
      if (!wish.audience.empty())
        told.line("nothing is shared with " + d.audience + ": " + d.agreement + " " + words(d));
      continue;
    }
    auto explained =
        towpath::explain((*here)->store(), (*here)->sharing(), *d.offer->agreement, d.offer->hash.hex());
    if (!explained) return console.failed(explained.error());
    tell(told, *explained);
    told.line("  approved by " + d.by + " on " + utc_date(d.at).iso());
    for (const Decided::Next& n : d.next)
      told.line("  from " + n.offer.agreement->start.iso() + " on: " + n.agreement + " version " +
                std::to_string(n.version) +
                (n.suspended ? ", suspended until it is approved again" : ", approved by " + n.by));
    told.line("  last exchange with the hub: " +
              (explained->last_exchange ? age(*explained->last_exchange, now) : std::string("never")));
    told.line({});
    ordered_json one = to_json(*explained);
    one["approved_by"] = d.by;
    one["approved_at"] = iso(d.at);
    ordered_json next = ordered_json::array();
    for (const Decided::Next& n : d.next)
      next.push_back({{"agreement", n.agreement},
                      {"version", n.version},
                      {"start", n.offer.agreement->start.iso()},
                      {"approved_by", n.by}});
    one["next"] = std::move(next);
    audiences.push_back(std::move(one));
    shown.push_back(std::move(*explained));
  }
  if (!found) {
    std::string known;
    for (const Decided& d : *decided) known += (known.empty() ? "" : ", ") + d.audience;
    return console.failed(
        Error{Code::kNotFound, "nothing was ever decided about an audience of that name",
              known.empty() ? "Nothing is shared with anybody: " + command.program() + " agreement list"
                            : "There is: " + known});
  }
  if (shown.empty() && wish.audience.empty()) told.line("nothing is shared with anybody");
  if (!wish.html.empty()) {
    const std::string page = explain_page(config->school_name, config->school_urn, shown, now);
    if (const auto written = write_page(wish.html, page); !written) return console.failed(written.error());
    told.lines = {"written: " + wish.html};
  }
  told.document = {{"schema_version", kSchemaVersion},
                   {"school", config->school_urn},
                   {"at", iso(now)},
                   {"audiences", std::move(audiences)}};
  return console.say(told);
}

}  // namespace towpath::cli
