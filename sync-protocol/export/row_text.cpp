#include "export/row_text.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "domain/attendance.hpp"

namespace towpath {
namespace {

constexpr std::string_view kMarks = "session_mark";

std::string json_text(std::string_view text) {
  // What is not UTF-8 is shown as such; the CSV has the bytes themselves.
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void csv_text(std::string_view text, std::string& out) {
  // An empty text is quoted, so that it is not taken for "none".
  if (!text.empty() && text.find_first_of("\",\r\n") == std::string_view::npos && text.front() != ' ' &&
      text.back() != ' ') {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

std::optional<Date> date_of(std::int64_t days) {
  static const std::int64_t first = Date::from_ymd(1, 1, 1)->days, last = Date::from_ymd(9999, 12, 31)->days;
  if (days < first || days > last) return std::nullopt;
  return Date{static_cast<std::int32_t>(days)};
}

std::optional<Instant> instant_of(std::int64_t ms) {
  constexpr std::int64_t kDay = 86'400'000;
  if (!date_of(ms / kDay - 1) || !date_of(ms / kDay + 1)) return std::nullopt;
  return Instant{std::chrono::milliseconds{ms}};
}

}  // namespace

const Uuid* EntityNames::find(std::int64_t number) const {
  const auto at = std::lower_bound(names_.begin(), names_.end(), number,
                                   [](const Name& name, std::int64_t n) { return name.number < n; });
  return at != names_.end() && at->number == number ? &at->uuid : nullptr;
}

RowText::RowText(const Dictionary& dictionary, const Dataset& dataset, ExportFormat format)
    : dictionary_(dictionary), dataset_(dataset), derived_(dictionary, dataset), format_(format) {
  columns_.emplace_back("school_urn");
  for (const Field& f : dataset.fields) {
    columns_.emplace_back(f.name);
    if (f.type == Type::kEntity || f.type == Type::kRef) columns_.push_back(std::string(f.name) + "_uuid");
  }
  if (dataset.name == kMarks) {
    code_ = dataset.position("code");
    date_ = dataset.position("date");
    if (code_ && date_) columns_.emplace_back("code_set");
  }
  for (const std::string& c : columns_) keys_.push_back(json_text(c) + ":");
}

void RowText::header(std::string& out) const {
  if (format_ != ExportFormat::kCsv) return;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (i > 0) out += ',';
    csv_text(columns_[i], out);
  }
  out += "\r\n";
}

void RowText::cell(Kind kind, std::string_view text, std::string& out) {
  if (format_ == ExportFormat::kCsv) {
    if (at_ > 0) out += ',';
    if (kind == Kind::kText)
      csv_text(text, out);
    else if (kind == Kind::kPlain)
      out += text;
  } else {
    out += at_ > 0 ? ',' : '{';
    out += keys_[at_];
    if (kind == Kind::kText)
      out += json_text(text);
    else
      out += kind == Kind::kPlain ? text : "null";
  }
  ++at_;
}

void RowText::value(const Field& field, const Value& v, std::string& out) {
  if (v.is_null()) return cell(Kind::kNull, {}, out);
  if (v.kind() == Value::Kind::kText) {
    if (field.type != Type::kUuid) return cell(Kind::kText, v.as_text(), out);
    Uuid uuid;
    if (v.as_text().size() != uuid.bytes.size()) return cell(Kind::kText, hex(bytes_of(v.as_text())), out);
    std::copy(v.as_text().begin(), v.as_text().end(), uuid.bytes.begin());
    return cell(Kind::kText, uuid.text(), out);
  }
  const std::int64_t n = v.as_int();
  // What does not fit its type was so at the school; it is shown as the number that it is.
  switch (field.type) {
    case Type::kBool:
      if (n == 0 || n == 1) return cell(Kind::kPlain, n == 1 ? "true" : "false", out);
      break;
    case Type::kDate:
      if (const auto date = date_of(n)) return cell(Kind::kText, date->iso(), out);
      break;
    case Type::kInstant:
      if (const auto instant = instant_of(n)) return cell(Kind::kText, iso(*instant), out);
      break;
    case Type::kEnum:
      if (n >= 0 && static_cast<std::uint64_t>(n) < field.values.size())
        return cell(Kind::kText, field.values[static_cast<std::size_t>(n)], out);
      break;
    default:
      break;
  }
  cell(Kind::kPlain, std::to_string(n), out);
}

void RowText::code_set(RowView row, std::string& out) {
  const auto day = row[*date_].is_null() ? std::nullopt : date_of(row[*date_].as_int());
  const CodeSet* set = dictionary_.codeset("attendance");
  const CodeSetVersion* version = set != nullptr && day ? set->version_on(day) : nullptr;
  if (version != nullptr)
    cell(Kind::kText, version->name, out);
  else
    cell(Kind::kNull, {}, out);
}

void RowText::row(const std::string& urn, RowView row, const EntityNames& names, std::string& out) {
  at_ = 0;
  cell(Kind::kText, urn, out);
  for (std::size_t i = 0; i < dataset_.fields.size(); ++i) {
    const Field& f = dataset_.fields[i];
    // A school whose hub has the origin does not send what follows from it.
    value(f, f.derived() && row[i].is_null() ? derived_.value(i, row) : row[i], out);
    if (f.type != Type::kEntity && f.type != Type::kRef) continue;
    const Uuid* uuid = row[i].kind() == Value::Kind::kInt ? names.find(row[i].as_int()) : nullptr;
    if (uuid != nullptr)
      cell(Kind::kText, uuid->text(), out);
    else
      cell(Kind::kNull, {}, out);
  }
  if (code_ && date_) code_set(row, out);
  out += format_ == ExportFormat::kCsv ? "\r\n" : "}\n";
}

}  // namespace towpath
