#include "agent/sharing/explain.hpp"

#include <algorithm>
#include <map>

#include "core/text.hpp"

namespace towpath {

std::uint64_t Explained::rows() const {
  std::uint64_t all = 0;
  for (const ExplainedDataset& d : datasets) all += d.rows;
  return all;
}

std::string_view name(Sensitivity sensitivity) {
  switch (sensitivity) {
    case Sensitivity::kOperational:
      return "operational";
    case Sensitivity::kIdentity:
      return "identity";
    case Sensitivity::kContact:
      return "contact";
    case Sensitivity::kSpecial:
      return "special";
    case Sensitivity::kAttainment:
      return "attainment";
    case Sensitivity::kAttendance:
      return "attendance";
    case Sensitivity::kPledge:
      return "pledge";
  }
  return "?";
}

std::string scope_words(const Agreement& agreement) {
  std::string out = agreement.scope == ScopeKind::kEveryone
                        ? "all pupils, leavers within their retention included"
                    : agreement.scope == ScopeKind::kOnRoll ? "pupils on roll"
                                                            : "pupils on this school's own list";
  if (agreement.year_groups.empty()) return out;
  std::string years;
  for (const std::string& year : agreement.year_groups) years += (years.empty() ? "" : ", ") + year;
  return out + ", of year groups " + years;
}

std::string controllers_words(ControllerModel model) {
  switch (model) {
    case ControllerModel::kControllerToProcessor:
      return "controller to processor";
    case ControllerModel::kControllerToController:
      return "controller to controller";
    case ControllerModel::kJoint:
      return "joint controllers";
  }
  return "?";
}

std::string html(std::string_view text) {
  std::string out;
  for (const char c : safe_text(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Result<Explained> explain(Store& store, Sharing& sharing, const Agreement& agreement, std::string_view hash) {
  Explained out;
  out.audience = agreement.audience;
  out.agreement = agreement;
  out.hash = hash;
  const auto audience = sharing.audience_of(agreement);
  for (const std::string& grant : agreement.grants)
    if (!audience ||
        std::find(audience->grants.begin(), audience->grants.end(), grant) == audience->grants.end())
      out.grants_not_given.push_back(grant);
  out.nothing_left = !audience;
  if (!audience) return out;

  std::map<std::uint16_t, std::uint64_t> rows;
  Publisher publisher(store, *audience);
  auto states = publisher.states();
  if (!states) return fail(std::move(states).error());
  for (const Publisher::State& state : *states) rows[state.dataset] = state.rows;
  const auto shared = publisher.shared();
  if (!shared) return fail(shared.error());
  for (const Publisher::Shared& one : *shared) {
    ExplainedDataset shown;
    shown.name = one.dataset->name;
    shown.title = one.dataset->title;
    for (const Field* field : one.fields)
      shown.fields.push_back({std::string(field->name), std::string(field->grant), field->sensitivity,
                              std::string(field->note)});
    shown.rows = rows[one.dataset->id];
    if (shown.name == "pupil") out.pupils = shown.rows;
    out.datasets.push_back(std::move(shown));
  }
  const auto heard = publisher.last_exchange();
  if (!heard) return fail(heard.error());
  out.last_exchange = *heard;
  return out;
}

std::vector<std::string> changes(const Explained& before, const Explained& after) {
  std::vector<std::string> out;
  const auto find = [](const Explained& in, const std::string& dataset) -> const ExplainedDataset* {
    for (const ExplainedDataset& d : in.datasets)
      if (d.name == dataset) return &d;
    return nullptr;
  };
  // Fields of `a` that `b` lacks.
  const auto more = [](const ExplainedDataset& a, const ExplainedDataset& b) {
    std::string list;
    for (const ExplainedField& field : a.fields)
      if (std::none_of(b.fields.begin(), b.fields.end(),
                       [&](const auto& other) { return other.name == field.name; }))
        list += (list.empty() ? "" : ", ") + field.name;
    return list;
  };
  for (const ExplainedDataset& d : after.datasets) {
    const ExplainedDataset* old = find(before, d.name);
    if (old == nullptr) {
      out.push_back("new: " + d.title + " (" + std::to_string(d.rows) + " rows)");
      continue;
    }
    if (const std::string list = more(d, *old); !list.empty())
      out.push_back("new in " + d.title + ": " + list);
    if (const std::string list = more(*old, d); !list.empty())
      out.push_back("no longer in " + d.title + ": " + list + " (taken back)");
    if (old->rows != d.rows)
      out.push_back(d.title + ": " + std::to_string(old->rows) + " rows become " + std::to_string(d.rows));
  }
  for (const ExplainedDataset& d : before.datasets)
    if (find(after, d.name) == nullptr)
      out.push_back("no longer: " + d.title + " (" + std::to_string(d.rows) + " rows, taken back)");
  const Agreement &a = before.agreement, &b = after.agreement;
  const auto text = [&](std::string_view what, const std::string& old, const std::string& now) {
    if (old != now) out.push_back(std::string(what) + ": \"" + old + "\" becomes \"" + now + "\"");
  };
  text("pupils", scope_words(a), scope_words(b));
  text("purpose", a.purpose, b.purpose);
  text("lawful basis", a.lawful_basis, b.lawful_basis);
  text("special basis", a.special_basis, b.special_basis);
  text("begins", a.start.iso(), b.start.iso());
  text("ends", a.end.iso(), b.end.iso());
  text("onward sharing", a.onward_sharing, b.onward_sharing);
  const auto names = [](const Agreement& of) {
    std::string list;
    for (const Party& party : of.parties) list += (list.empty() ? "" : ", ") + party.name;
    return list;
  };
  text("parties", names(a), names(b));
  return out;
}

}  // namespace towpath
