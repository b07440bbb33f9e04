#include "adapters/csv/table.hpp"

#include <algorithm>

#include "core/bytes.hpp"

namespace towpath {
namespace {

// Belongs to every fingerprint: raise it when the same bytes come to mean another row.
constexpr std::uint8_t kRulesVersion = 1;

constexpr std::string_view kSetEncoding =
    "if the export is windows-1252, set encoding = \"windows-1252\" in its [[source.table]]";

std::string place(const TableMapping& mapping) {
  std::string out = "[[source.table]]";
  if (mapping.line > 0) out += " on line " + std::to_string(mapping.line);
  return out + (mapping.dataset.empty() ? "" : " (" + mapping.dataset + ")");
}

std::string quoted(std::string_view text) { return std::string(1, '\'').append(text).append(1, '\''); }

template <class Range, class Name>
std::string listed(const Range& range, Name name) {
  std::string out;
  for (const auto& item : range) {
    if (!out.empty()) out += ", ";
    out += name(item);
  }
  return out;
}

// A field that carries what the dataset is for, though the dictionary lets a row be without it.
struct Essential {
  std::string_view dataset, field, why;
};
constexpr Essential kEssential[] = {
    // No code means "register not taken": a mapping without one would say it of every pupil.
    {"session_mark", "code", "without it every pupil would count as not registered"}};

// Fields that only the store or the dictionary's own rules fill.
bool mappable(const Field& field) { return field.type != Type::kRawCode && !field.derived(); }

}  // namespace

Result<std::size_t> find_column(std::span<const std::string> header, std::string_view column,
                                std::string_view file, bool is_header, std::string* notice) {
  const auto search = [&](auto same) {
    std::optional<std::size_t> found;
    bool twice = false;
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (!same(header[i])) continue;
      twice = found.has_value();
      found = found ? found : i;
    }
    return std::pair(found, twice);
  };
  auto [found, twice] = search([&](const std::string& name) { return name == column; });
  if (!found) {
    std::tie(found, twice) = search([&](const std::string& name) { return same_word(name, column); });
    if (found && !twice && notice != nullptr)
      *notice = std::string(file) + ": column " + quoted(header[*found]) + " is read as " + quoted(column);
  }
  if (twice)
    return fail(Code::kBadInput, std::string(file) + " has the column " + quoted(column) + " twice",
                "Export it again without the second one");
  if (found) return *found;
  // A one-column header with other separators in it: the usual reason.
  const bool other = header.size() == 1 && header[0].find_first_of(";\t|,") != std::string::npos;
  // A file without a header begins with somebody's data, which is not for messages.
  if (!is_header)
    return fail(Code::kBadInput,
                std::string(file) + " has no column " + quoted(column) +
                    ", nor any other that is asked for: its first line may be data, not a header",
                other ? "The file seems to use another delimiter: set delimiter in the configuration"
                      : "Export it with a header, or correct the columns' names in the configuration");
  std::string has = listed(std::span(header).first(std::min<std::size_t>(header.size(), 12)),
                           [](const std::string& name) { return name; });
  if (header.size() > 12) has += ", ...";
  return fail(Code::kBadInput,
              std::string(file) + " has no column " + quoted(column) + " (it has " + has + ")",
              other ? "The file seems to use another delimiter: set delimiter in the configuration"
                    : "Add it to the export, or correct its name in the configuration");
}

Result<Table> Table::compile(const TableMapping& mapping, const SourceConfig& source,
                             const AdapterContext& context) {
  Table table;
  const std::string at = place(mapping);
  table.dataset_ = context.dictionary.find(mapping.dataset);
  if (table.dataset_ == nullptr || table.dataset_->name == kEntityDataset)
    return fail(Code::kConfig, at + ": there is no dataset " + quoted(mapping.dataset),
                "Datasets are " + listed(context.dictionary.datasets,
                                         [](const Dataset& d) { return std::string(d.name); }));
  const Dataset& dataset = *table.dataset_;
  table.file_ = mapping.file;
  table.today_ = context.today;
  if (!source.id_space.empty() && source.id_space != source.name) table.id_space_ = source.id_space;
  if (mapping.mode != "full" && mapping.mode != "append")
    return fail(Code::kConfig, at + ": mode is " + quoted(mapping.mode), "Write \"full\" or \"append\"");
  table.append_ = mapping.mode == "append";
  const std::string delimiter =
      mapping.delimiter == "tab" || mapping.delimiter == "\\t" ? "\t" : mapping.delimiter;
  if (delimiter.size() != 1 || delimiter == "\"" || delimiter == "\n" || delimiter == "\r")
    return fail(Code::kConfig, at + ": delimiter is " + quoted(mapping.delimiter),
                "Write one character, such as \",\" or \";\", or \"tab\"");
  table.delimiter_ = delimiter[0];
  const std::string encoding = lower_case(mapping.encoding);
  if (encoding == "utf-8" || encoding == "utf8") {
    table.encoding_ = TextEncoding::kUtf8;
  } else if (encoding == "windows-1252" || encoding == "cp1252" || encoding == "latin1" ||
             encoding == "iso-8859-1") {
    table.encoding_ = TextEncoding::kWindows1252;
  } else {
    return fail(Code::kConfig, at + ": encoding is " + quoted(mapping.encoding),
                "Write \"utf-8\" or \"windows-1252\"");
  }

  std::vector<bool> mapped(dataset.fields.size(), false);
  for (const ColumnMapping& column : mapping.columns) {
    const auto position = dataset.position(column.field);
    if (!position || !mappable(dataset.fields[*position]))
      return fail(
          Code::kConfig, at + ": " + mapping.dataset + " has no field " + quoted(column.field),
          "Its fields are " + listed(dataset.fields, [](const Field& f) { return std::string(f.name); }));
    if (mapped[*position])
      return fail(Code::kConfig, at + ": field " + quoted(column.field) + " is mapped twice",
                  "Remove one of them");
    if (column.column.empty() == column.value.empty())
      return fail(Code::kConfig,
                  at + ": field " + quoted(column.field) + " needs a column or a value, not both");
    const Field& field = dataset.fields[*position];
    const bool reference = field.type == Type::kEntity || field.type == Type::kRef;
    if (!reference && (!column.source.empty() || !column.by.empty()))
      return fail(Code::kConfig,
                  at + ": field " + quoted(column.field) + " is no reference; source and by are for those");
    mapped[*position] = true;
    Cell cell;
    cell.position = *position;
    cell.column = column.column;
    cell.constant = column.value;
    auto format = DateFormat::compile(column.format);
    if (!format) return fail(std::move(format).error().during(at + ", field " + quoted(column.field)));
    cell.format = std::move(*format);
    for (const auto& [raw, wanted] : column.values) cell.values.emplace(raw, wanted);
    cell.source = !column.source.empty() ? column.source : table.id_space_;
    cell.by = column.by;
    if (field.type == Type::kEntity) {
      cell.dataset = dataset.name;
    } else if (field.type == Type::kRef && field.ref.find(',') == std::string_view::npos) {
      cell.dataset = field.ref;
    } else if (field.type == Type::kRef) {
      cell.kind_from = dataset.position(std::string(field.name) + "_kind");
    }
    table.cells_.push_back(std::move(cell));
  }
  for (const Field& key : dataset.key())
    if (!mapped[*dataset.position(key.name)])
      return fail(Code::kConfig, at + ": the key field " + quoted(key.name) + " is not mapped",
                  "Name the column that holds it, or a constant value");
  for (const Field& field : dataset.fields)
    if (field.required && !mapped[*dataset.position(field.name)])
      return fail(Code::kConfig, at + ": the required field " + quoted(field.name) + " is not mapped",
                  "Name the column that holds it, or a constant value");

  for (const Essential& one : kEssential)
    if (const auto field = dataset.position(one.field);
        field && dataset.name == one.dataset && !mapped[*field])
      return fail(Code::kConfig,
                  at + ": the field " + quoted(one.field) + " is not mapped, and " + std::string(one.why),
                  "Add " + std::string(one.field) +
                      " = \"...\" under [source.table.columns], with the column that holds it");
  // Rows of a key and nothing else say nothing, and would empty what an earlier mapping gave.
  const auto beside_key = [&] {
    std::vector<std::string_view> names;
    for (std::size_t i = dataset.key_count; i < dataset.fields.size(); ++i)
      if (mappable(dataset.fields[i])) names.push_back(dataset.fields[i].name);
    return names;
  }();
  if (!beside_key.empty() &&
      std::none_of(mapped.begin() + dataset.key_count, mapped.end(), [](bool one) { return one; }))
    return fail(
        Code::kConfig, at + ": only the key of " + mapping.dataset + " is mapped, and nothing beside it",
        "Add at least one of " + listed(beside_key, [](std::string_view n) { return std::string(n); }));

  for (const auto& [column, values] : mapping.where)
    table.filters_.push_back({column, values, "its " + column + " is not among those to read"});
  for (const Cell& cell : table.cells_) {
    if (!cell.column.empty()) continue;
    InCell ignored;
    if (auto problem = table.convert_cell(cell, cell.constant, ignored))
      return fail(Code::kConfig,
                  at + ", field " + quoted(dataset.fields[cell.position].name) + ": " + problem->text);
  }

  Bytes print;
  Writer out(print);
  out.u8(kRulesVersion);
  out.varint(context.dictionary.version);
  out.sized(context.school_urn);
  out.sized(context.source);
  out.sized(dataset.name);
  out.u8(static_cast<std::uint8_t>(delimiter[0]));
  out.u8(static_cast<std::uint8_t>(table.encoding_));
  for (const Cell& cell : table.cells_) {
    out.varint(cell.position);
    out.sized(cell.column);
    out.sized(cell.constant);
    out.sized(cell.format.text());
    // Two-digit years mean what the day of the run says.
    if (cell.format.two_digit_year()) out.varint(static_cast<std::uint64_t>(context.today.year()));
    out.varint(cell.values.size());
    for (const auto& [raw, wanted] : cell.values) {
      out.sized(raw);
      out.sized(wanted);
    }
    out.sized(cell.source);
    out.sized(cell.by);
  }
  for (const Filter& filter : table.filters_) {
    out.sized(filter.column);
    out.varint(filter.values.size());
    for (const std::string& value : filter.values) out.sized(value);
  }
  table.mapping_print_ = fingerprint(text_of(print));
  return table;
}

CsvOptions Table::csv(std::string name) const {
  CsvOptions options;
  options.name = std::move(name);
  options.delimiter = delimiter_;
  options.encoding = encoding_;
  options.encoding_advice = kSetEncoding;
  return options;
}

std::vector<std::string_view> Table::needed() const {
  std::vector<std::string_view> out;
  for (const Cell& cell : cells_)
    if (!cell.column.empty()) out.push_back(cell.column);
  for (const Filter& filter : filters_) out.push_back(filter.column);
  return out;
}

Result<Table::Binding> Table::bind(const CsvReader& reader) const {
  Binding binding;
  const std::vector<std::string_view> wanted = needed();
  const bool is_header = std::any_of(wanted.begin(), wanted.end(), [&](std::string_view column) {
    return std::any_of(reader.header().begin(), reader.header().end(),
                       [&](const std::string& name) { return same_word(name, column); });
  });
  const auto find = [&](const std::string& column) -> Result<std::size_t> {
    std::string notice;
    auto at = find_column(reader.header(), column, reader.name(), is_header, &notice);
    if (at && !notice.empty()) binding.notices.push_back(std::move(notice));
    return at;
  };
  for (const Cell& cell : cells_) {
    if (cell.column.empty()) {
      binding.columns.push_back(0);
      continue;
    }
    auto at = find(cell.column);
    if (!at) return fail(std::move(at).error());
    binding.columns.push_back(*at);
  }
  for (const Filter& filter : filters_) {
    auto at = find(filter.column);
    if (!at) return fail(std::move(at).error());
    binding.where.push_back(*at);
  }
  binding.print = fingerprint(reader.header_raw(), mapping_print_);
  return binding;
}

Fingerprint Table::seed(const Binding& binding, RowSink& sink) const {
  Bytes print;
  Writer out(print);
  out.u64(binding.print);
  for (const Cell& cell : cells_)
    if (!cell.by.empty()) out.u64(sink.matched(dataset_->fields[cell.position], cell.by, cell.dataset));
  return print.size() == sizeof binding.print ? binding.print : fingerprint(text_of(print));
}

std::optional<Problem> Table::convert_cell(const Cell& cell, std::string_view raw, InCell& out) const {
  const Field& field = dataset_->fields[cell.position];
  std::string_view text = trimmed(raw);
  if (!cell.values.empty()) {
    auto mapped = cell.values.find(text);
    if (mapped == cell.values.end()) mapped = cell.values.find("*");
    if (mapped != cell.values.end()) text = mapped->second;
  }
  out = InCell::null();
  const std::string_view name = field.name;
  const auto what = [&] { return cell.column.empty() ? "the constant" : "column " + quoted(cell.column); };
  const auto wrong = [&](const std::string& expected) {
    return Problem{"type", name, what() + " is not " + expected};
  };
  // What is wrong with a key is said here, where its column is known. Any other field is left to
  // the sink, which then still sees whose row it is.
  const bool key = cell.position < dataset_->key_count;
  if (text.empty()) {
    if (!key) return std::nullopt;
    return Problem{"required", name, std::string(name) + " (" + what() + ") is missing"};
  }
  switch (field.type) {
    case Type::kEntity:
    case Type::kRef:
      out = InCell::to(text, cell.source, cell.by, cell.dataset);
      return std::nullopt;
    case Type::kInt: {
      const auto value = parse_whole(text);
      if (!value) return wrong("a whole number");
      out = InCell::integer(*value);
      return std::nullopt;
    }
    case Type::kBool: {
      const auto value = parse_bool(text);
      if (!value) return wrong("true or false (true, yes, y, t, 1 or false, no, n, f, 0)");
      out = InCell::integer(*value ? 1 : 0);
      return std::nullopt;
    }
    case Type::kDate: {
      const auto value = cell.format.date(text, today_);
      if (!value) return wrong("a date (expected " + cell.format.text() + ")");
      out = InCell::date(*value);
      return std::nullopt;
    }
    case Type::kInstant: {
      const auto value = cell.format.instant(text, today_);
      if (!value) return wrong("a time (expected " + cell.format.text() + " and the time)");
      out = InCell::integer(value->time_since_epoch().count());
      return std::nullopt;
    }
    case Type::kEnum:
      for (const std::string_view value : field.values)
        if (same_word(value, text)) text = value;
      if (key && std::find(field.values.begin(), field.values.end(), text) == field.values.end())
        return Problem{"type", name,
                       std::string(name) + " (" + what() + ") is none of: " +
                           listed(field.values, [](std::string_view value) { return std::string(value); })};
      out = InCell::of(text);
      return std::nullopt;
    case Type::kCode:
    case Type::kText:
      out = InCell::of(text);
      return std::nullopt;
    case Type::kRawCode:
    case Type::kUuid:
      break;
  }
  return wrong("something that an export can give");
}

std::variant<std::monostate, Table::Ignored, Problem> Table::convert(const Binding& binding,
                                                                     std::span<const std::string_view> fields,
                                                                     std::span<InCell> row) const {
  for (std::size_t i = 0; i < filters_.size(); ++i) {
    const std::string_view value = trimmed(fields[binding.where[i]]);
    if (std::find(filters_[i].values.begin(), filters_[i].values.end(), value) == filters_[i].values.end())
      return Ignored{filters_[i].reason};
  }
  std::fill(row.begin(), row.end(), InCell::null());
  bool anything = false;
  for (std::size_t i = 0; i < cells_.size() && !anything; ++i)
    anything = !cells_[i].column.empty() && !trimmed(fields[binding.columns[i]]).empty();
  if (!anything) return Ignored{"it is empty"};
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    const Cell& cell = cells_[i];
    const std::string_view raw =
        cell.column.empty() ? std::string_view(cell.constant) : fields[binding.columns[i]];
    if (auto problem = convert_cell(cell, raw, row[cell.position])) return *std::move(problem);
  }
  for (const Cell& cell : cells_)
    if (cell.kind_from && row[cell.position].kind == InCell::Kind::kRef)
      row[cell.position].ref.dataset = row[*cell.kind_from].text;
  return std::monostate{};
}

}  // namespace towpath
