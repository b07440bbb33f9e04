#include "agent/cli/page.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "agent/school/words.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {
namespace {

using nlohmann::ordered_json;

std::string head(std::string_view title) {
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + html(title) +
         "</title>\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'unsafe-inline'\">\n"
         "<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
         "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #888;padding:.2em "
         ".6em;text-align:left;"
         "vertical-align:top}th{background:#eee}dt{font-weight:bold}</style></head><body>\n<h1>" +
         html(title) + "</h1>\n";
}
std::string item(std::string_view what, std::string_view text) {
  return text.empty() ? std::string() : "<dt>" + html(what) + "</dt><dd>" + html(text) + "</dd>\n";
}
std::string cell(std::string_view text) { return "<td>" + html(text) + "</td>"; }

// A value of the document as a person reads it.
std::string plain(const ordered_json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return value.dump();
}

// Objects of the same keys as a table.
std::string table(const ordered_json& rows) {
  if (!rows.is_array() || rows.empty()) return "<p>Nothing.</p>\n";
  std::string out = "<table><tr>";
  for (const auto& [key, value] : rows.front().items()) out += "<th>" + html(key) + "</th>";
  out += "</tr>\n";
  for (const ordered_json& row : rows) {
    out += "<tr>";
    for (const auto& [key, value] : row.items()) out += cell(plain(value));
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

}  // namespace

std::string explain_page(std::string_view school, std::string_view urn,
                         const std::vector<Explained>& audiences, Instant now) {
  std::string out = head("What " + std::string(school) + " shares about its pupils");
  out += "<p>School " + html(urn) + ", as of " + utc_date(now).iso() + ".</p>\n";
  if (audiences.empty()) out += "<p>Nothing is shared with anybody.</p>\n";
  for (const Explained& e : audiences) {
    const Agreement& a = e.agreement;
    out += "<h2>" + html(a.title) + "</h2>\n<dl>\n";
    std::string parties;
    for (const Party& p : a.parties)
      parties += (parties.empty() ? "" : "; ") + p.name + (p.role.empty() ? "" : " (" + p.role + ")");
    out += item("Shared with", parties) + item("Why", a.purpose) + item("Lawful basis", a.lawful_basis) +
           item("Basis for special categories", a.special_basis) +
           item("From", a.start.iso() + " until " + a.end.iso()) + item("Agreement", a.text_reference) +
           item("Whose", scope_words(a) + ": " + std::to_string(e.pupils) + " pupils today") +
           item("How", a.frequency + "; " + a.method) + item("Passed on", a.onward_sharing) +
           item("Your rights, and questions", a.subject_rights_contact) +
           item("Last sent", e.last_exchange ? iso(*e.last_exchange) : "not yet");
    out +=
        "</dl>\n<table><tr><th>Data</th><th>Field</th><th>Class</th><th>Granted as</th><th>What it "
        "is</th></tr>\n";
    for (const ExplainedDataset& d : e.datasets)
      for (std::size_t i = 0; i < d.fields.size(); ++i) {
        const ExplainedField& f = d.fields[i];
        out += "<tr>" + cell(i == 0 ? d.title + " (" + std::to_string(d.rows) + " rows)" : std::string()) +
               cell(f.name) + cell(towpath::name(f.sensitivity)) + cell(f.grant) + cell(f.note) + "</tr>\n";
      }
    out += "</table>\n";
  }
  return out + "</body></html>\n";
}

std::string subject_page(std::string_view school, const ordered_json& report) {
  std::string out =
      head("What towpath holds about pupil " + plain(report.at("pupil")) + " of " + std::string(school));
  out += "<p>As of " + html(plain(report.at("at"))) + ". Personal data: keep it as such.</p>\n";
  out += "<h2>Held at the school</h2>\n";
  for (const ordered_json& dataset : report.at("held"))
    out += "<h3>" + html(plain(dataset.at("title"))) + "</h3>\n" + table(dataset.at("rows"));
  out += "<h3>Records that could not be taken</h3>\n" + table(report.at("quarantined"));
  out += "<h2>Shared</h2>\n";
  for (const ordered_json& audience : report.at("shared")) {
    out += "<h3>" + html(plain(audience.at("audience"))) + "</h3>\n<dl>\n";
    for (const auto& [key, value] : audience.items())
      if (!value.is_structured()) out += item(key, plain(value));
    std::string fields;
    for (const ordered_json& dataset : audience.at("datasets"))
      out += item(plain(dataset.at("title")), std::to_string(dataset.at("rows").get<std::uint64_t>()) +
                                                  " rows: " + plain(dataset.at("fields")));
    out += "</dl>\n<h4>Orders to remove, and who has</h4>\n" + table(audience.at("orders")) +
           table(audience.at("receipts"));
  }
  return out + "</body></html>\n";
}

Result<void> write_page(const std::string& path, std::string_view page) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored))
    return fail(Code::kUsage, "there is a file " + path + " already",
                "Nothing was written. Choose another name");
  return platform::write_file(path, bytes_of(page));
}

}  // namespace towpath::cli
