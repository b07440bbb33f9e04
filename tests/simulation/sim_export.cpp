#include "tests/simulation/sim_export.hpp"

#include <algorithm>

namespace towpath::sim {
namespace {

std::string line_of(const SimRecord& record) {
  std::string line = record.kind == SimRecord::Kind::kRemove ? "gone," : "";
  for (const std::string& cell : record.cells) (line += cell) += '\x1f';
  return line;
}

bool is_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() < 19 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string SimExport::text() const {
  std::string out = " " + source + ":";
  for (const SimTable& t : tables) {
    std::size_t bad = 0;
    for (const SimRecord& r : t.records) bad += r.kind == SimRecord::Kind::kUnreadable ? 1 : 0;
    out += " " + t.dataset->name + (t.delta ? " +" : " ") + std::to_string(t.records.size());
    if (bad > 0) out += "(" + std::to_string(bad) + " unreadable)";
    if (t.state == SimTable::State::kBreaksOff) out += "(breaks off)";
    if (t.state == SimTable::State::kAbsent) out += "(absent)";
  }
  return fails ? out + " and fails" : out;
}

SimExport as_known_by(const Declared& declared, const SimExport& night) {
  SimExport out{night.source, {}, night.fails};
  for (const SimTable& t : night.tables) {
    const DeclaredDataset* known = declared.find(t.dataset->name);
    if (known == nullptr) continue;
    out.tables.push_back({known, t.records, t.state, t.delta});
    if (known->fields.size() == t.dataset->fields.size()) continue;
    std::vector<std::size_t> places;
    for (const DeclaredField& field : known->fields) places.push_back(t.dataset->position(field.name));
    for (SimRecord& record : out.tables.back().records) {
      std::vector<std::string> cells;
      for (const std::size_t at : places) cells.push_back(std::move(record.cells[at]));
      record.cells = std::move(cells);
    }
  }
  return out;
}

std::vector<std::string_view> SimAdapter::provides() const {
  std::vector<std::string_view> names;
  for (const SimTable& t : night_.tables) names.push_back(t.dataset->name);
  return names;
}

Result<void> SimAdapter::extract(RowSink& sink) {
  for (std::size_t i = 0; i < night_.tables.size(); ++i) {
    if (night_.fails && i == night_.tables.size() / 2)
      return fail(Code::kIo, "the export's folder is gone", "Check that it is there");
    if (night_.tables[i].state != SimTable::State::kAbsent) TP_TRY(table(sink, night_.tables[i]));
  }
  return {};
}

InCell SimAdapter::cell(const DeclaredField& field, const std::string& text) const {
  if (text.empty() || field.form == Form::kRaw) return InCell::null();
  switch (field.form) {
    case Form::kEntity:
      return InCell::to(text);
    case Form::kRef: {
      const std::size_t colon = text.find(':');
      const std::string_view source = std::string_view(text).substr(0, colon);
      return InCell::to(std::string_view(text).substr(colon + 1), source == night_.source ? "" : source);
    }
    case Form::kInt:
    case Form::kBool:
    case Form::kInstant:
      return is_number(text) ? InCell::integer(std::stoll(text)) : InCell::of(text);
    case Form::kDate: {
      const auto days = days_from_iso(text);
      return days ? InCell::integer(*days) : InCell::of(text);
    }
    default:
      return InCell::of(text);
  }
}

Result<void> SimAdapter::table(RowSink& sink, const SimTable& table) {
  const DeclaredDataset& declared = *table.dataset;
  const Dataset* dataset = dictionary_.find(std::string_view(declared.name));
  if (dataset == nullptr) return fail(Code::kInternal, "the product has no dataset " + declared.name);
  // Which of the record's cells each of the product's fields takes.
  std::vector<std::size_t> places;
  std::vector<std::string_view> columns;
  for (const Field& field : dataset->fields) {
    places.push_back(declared.position(field.name));
    columns.push_back(field.name);
  }
  const std::string name = declared.name + ".csv";
  auto file = sink.open_file(name, columns, columns);
  if (!file) return fail(std::move(file).error());
  TP_TRY(sink.begin(*dataset, table.delta ? Completeness::kDelta : Completeness::kFull));
  std::size_t most = table.records.size();
  if (table.state == SimTable::State::kBreaksOff) most /= 2;
  std::vector<InCell> cells(places.size());
  for (std::size_t i = 0; i < most; ++i) {
    const SimRecord& record = table.records[i];
    const std::string raw = line_of(record);
    const Origin origin{*file, i + 2, true, raw};
    if (record.kind == SimRecord::Kind::kUnreadable) {
      TP_TRY(sink.reject(*dataset, origin, Problem{"ragged", "", "the record has too few columns"}));
      continue;
    }
    const bool remove = record.kind == SimRecord::Kind::kRemove;
    const Fingerprint print = fingerprint(raw, dictionary_.version);  // what a record means depends on it
    if (!remove && sink.unchanged(origin, print)) continue;
    for (std::size_t c = 0; c < places.size(); ++c)
      cells[c] = cell(declared.fields[places[c]], record.cells[places[c]]);
    if (remove)
      TP_TRY(sink.remove(origin, std::span<const InCell>(cells).first(declared.key_count)));
    else
      TP_TRY(sink.row(origin, print, cells));
  }
  if (table.state == SimTable::State::kBreaksOff)
    sink.abandon(*dataset, Error{Code::kSourceChanged, name + " changed while it was read"});
  else
    TP_TRY(sink.end(*dataset));
  sink.close_file(*file, most);
  return {};
}

}  // namespace towpath::sim
