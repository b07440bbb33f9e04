#include "adapters/oneroster_csv/bundle.hpp"

#include <algorithm>

#include "adapters/text/cells.hpp"

namespace towpath::oneroster {
namespace {

constexpr std::string_view kManifest = "manifest.csv";
constexpr std::string_view kNotToItsEnd = "the file could not be read to its end";
constexpr std::string_view kDatasetLeft = "what it belongs to could not be read whole";

std::string_view mode_word(Mode mode) {
  switch (mode) {
    case Mode::kAbsent:
      return "absent";
    case Mode::kBulk:
      return "bulk";
    case Mode::kDelta:
      break;
  }
  return "delta";
}

std::optional<Mode> parse_mode(std::string_view text) {
  for (const Mode mode : {Mode::kAbsent, Mode::kBulk, Mode::kDelta})
    if (same_word(text, mode_word(mode))) return mode;
  return std::nullopt;
}

}  // namespace

std::string_view Record::operator[](std::size_t column) const {
  const auto at = binding_.at[column];
  if (!at || *at >= cells_.size()) return {};
  return trimmed(cells_[*at]);
}

std::string_view Record::first_of(std::span<const std::size_t> columns) const {
  for (const std::size_t column : columns)
    if (column < cells_.size() && !trimmed(cells_[column]).empty()) return trimmed(cells_[column]);
  return {};
}

Origin Record::origin(bool counted) const { return {file_, reader_.line(), counted, reader_.raw_to_keep()}; }

void Record::load() {
  fault_.reset();
  auto fields = reader_.fields();
  if (!fields) fault_ = std::move(fields).error();
  cells_ = reader_.cells();
}

Bundle::Bundle(FileSet files, RowSink& sink, Fingerprint context)
    : files_(std::move(files)), sink_(sink), context_(context) {
  for (std::size_t i = 0; i < kKinds; ++i)
    states_[i].name = files_.find(layout(static_cast<Kind>(i)).file).value_or("");
}

void Bundle::notice_once(std::string text) {
  if (noticed_.insert(text).second) sink_.notice(std::move(text));
}

const Error* Bundle::failed(Kind kind) const {
  const State& s = state(kind);
  return s.error ? &*s.error : nullptr;
}

Result<CsvReader> Bundle::open(const std::string& name) const {
  auto source = files_.open_file(name);
  if (!source) return fail(std::move(source).error());
  CsvReader reader(std::move(*source), CsvOptions{.name = name});
  TP_TRY(reader.read_header());
  return reader;
}

// The name under which it is here, packed by itself; empty if it is not.
std::string Bundle::packed_as(std::string_view file) const {
  for (const std::string_view ending : {".gz", ".zip", ".bz2", ".xz", ".zst", ".7z"})
    if (auto here = files_.find(std::string(file).append(ending))) return *std::move(here);
  return {};
}

// Every file that is here is taken as complete.
void Bundle::infer(std::string_view why) {
  for (std::size_t i = 0; i < kKinds; ++i) {
    State& s = states_[i];
    s.mode = s.name.empty() ? Mode::kAbsent : Mode::kBulk;
    // A file that is here, but packed, was meant to be read.
    const std::string_view file = layout(static_cast<Kind>(i)).file;
    if (std::string packed = s.name.empty() ? packed_as(file) : std::string(); !packed.empty()) {
      s.mode = Mode::kBulk;
      s.error = Error{Code::kNotFound, std::string(file) + " is only here packed", "Unpack " + packed};
    }
  }
  notice_once(std::string(why) + ": every file is read as complete (bulk)");
}

Result<bool> Bundle::read_manifest() {
  const auto name = files_.find(kManifest);
  if (!name) {
    if (std::all_of(states_.begin(), states_.end(), [](const State& s) { return s.name.empty(); })) {
      std::string next = "Check the path, and that the export has run";
      for (const std::string& here : files_.names())
        if (lower_case(here).ends_with(".csv.gz"))
          next = "Unpack " + here + " and the others beside it";
        else if (lower_case(here).ends_with(".zip"))
          next = "Give " + here + " itself as the path";
      return fail(Code::kNotFound,
                  "there is no OneRoster file in this " + std::string(files_.kind()) +
                      " (orgs.csv, users.csv, classes.csv, enrollments.csv, ...)",
                  std::move(next));
    }
    infer("manifest.csv is missing");
    return true;
  }
  // Without the manifest nothing else can be understood: its faults are the package's.
  auto reader = open(*name);
  if (!reader) return fail(std::move(reader).error());
  std::optional<std::size_t> property, value;
  for (std::size_t i = 0; i < reader->header().size(); ++i) {
    if (same_word(reader->header()[i], "propertyName")) property = i;
    if (same_word(reader->header()[i], "value")) value = i;
  }
  const std::vector<std::string_view> columns(reader->header().begin(), reader->header().end());
  auto file = sink_.open_file(*name, columns, {});
  if (!file) return fail(std::move(file).error());
  if (!property || !value)
    return fail(Code::kBadInput, "manifest.csv has no columns propertyName and value",
                "Export the package again");
  std::map<std::string, Mode> listed;  // by property, lower case
  for (;;) {
    auto more = reader->next_record();
    if (!more) return fail(std::move(more).error());
    if (!*more) break;
    auto fields = reader->fields();
    if (!fields)
      return fail(Code::kBadInput,
                  "manifest.csv line " + std::to_string(reader->line()) + ": " + fields.error().text,
                  "Export the package again");
    sink_.used(*file);
    const std::string key = lower_case(trimmed((*fields)[*property]));
    const std::string_view word = trimmed((*fields)[*value]);
    if (!key.starts_with("file.")) {
      if (key == "oneroster.version" && word != "1.1" && word != "1.2")
        notice_once("manifest.csv: OneRoster version '" + std::string(word) + "' is read as if it were 1.2");
      continue;
    }
    const auto mode = parse_mode(word);
    if (!mode)
      return fail(Code::kBadInput,
                  "manifest.csv line " + std::to_string(reader->line()) + ": " + key +
                      " is neither absent nor bulk nor delta",
                  "Export the package again");
    if (!listed.emplace(key, *mode).second)
      return fail(Code::kBadInput, "manifest.csv lists " + key + " twice", "Export the package again");
  }
  sink_.close_file(*file, reader->records());

  const bool alone = files_.names().size() == 1;
  if (alone) {
    notice_once("the package holds nothing but its manifest: nothing has changed");
    return false;
  }
  if (listed.empty()) {
    infer("manifest.csv lists no files");
    return true;
  }
  // A file that is here but not listed: as the others are, if they agree.
  std::optional<Mode> usual;
  bool agree = true;
  for (const auto& [key, mode] : listed) {
    if (mode == Mode::kAbsent) continue;
    agree = agree && (!usual || *usual == mode);
    usual = mode;
  }
  for (std::size_t i = 0; i < kKinds; ++i) {
    const Layout& known = layout(static_cast<Kind>(i));
    State& s = states_[i];
    const auto mode = listed.find(lower_case(known.property));
    if (mode == listed.end()) {
      if (s.name.empty()) continue;
      s.mode = agree && usual ? *usual : Mode::kBulk;
      notice_once("manifest.csv does not list " + s.name + ": it is read as " +
                  std::string(mode_word(s.mode)));
      continue;
    }
    s.mode = mode->second;
    if (s.mode == Mode::kAbsent && !s.name.empty()) {
      skipped_by_manifest_.insert(s.name);
      notice_once(s.name + " is here, but manifest.csv says that it is absent: it was not read");
    } else if (s.mode != Mode::kAbsent && s.name.empty()) {
      s.error = Error{
          Code::kNotFound,
          std::string(known.file) + " is missing, though manifest.csv says that it is " +
              std::string(mode_word(s.mode)),
          packed_as(known.file).empty() ? "Export the package again" : "Unpack " + packed_as(known.file)};
    }
  }
  return true;
}

Result<bool> Bundle::read(Kind kind, const Each& each) {
  State& s = state(kind);
  TP_ASSERT(s.mode != Mode::kAbsent);
  if (s.error) return false;
  const bool first = !s.id;
  auto reader = open(s.name);
  if (!reader) {
    s.error = std::move(reader).error();
    return false;
  }
  auto binding = bind(layout(kind), reader->header());
  if (first) {
    const std::vector<std::string_view> columns(reader->header().begin(), reader->header().end());
    std::vector<std::string_view> needed;
    if (binding)
      needed = binding->needed;
    else
      for (const Column& column : layout(kind).columns)
        if (column.needed) needed.push_back(column.name);
    auto file = sink_.open_file(s.name, columns, needed);
    if (!file) {
      if (file.error().code() != Code::kSourceChanged) return fail(std::move(file).error());
      s.error = std::move(file).error();
      return false;
    }
    s.id = *file;
  }
  if (!binding) {
    s.error = std::move(binding).error();
    for (;;) {
      auto more = reader->next_record();
      if (!more || !*more) break;
    }
    s.records = std::max(s.records, reader->records());
    ignore(kind, "a column that is needed is missing from the file", reader->records());
    return false;
  }
  if (first)
    for (std::string& notice : binding->notices) notice_once(std::move(notice));
  Record record(*binding, *reader, *s.id, fingerprint(reader->header_raw(), context_));
  for (;;) {
    auto more = reader->next_record();
    s.records = std::max(s.records, reader->records());
    if (!more) {
      s.error = std::move(more).error();
      return false;
    }
    if (!*more) return true;
    record.load();
    TP_TRY(each(record));
  }
}

Result<void> Bundle::peek(Kind kind, const std::function<void(const Record&)>& each) const {
  const State& s = state(kind);
  if (s.mode == Mode::kAbsent || s.error) return {};
  auto reader = open(s.name);
  if (!reader) return fail(std::move(reader).error());
  auto binding = bind(layout(kind), reader->header());
  if (!binding) return fail(std::move(binding).error());
  Record record(*binding, *reader, 0, 0);
  for (;;) {
    auto more = reader->next_record();
    if (!more) return fail(std::move(more).error());
    if (!*more) return {};
    record.load();
    if (!record.fault()) each(record);
  }
}

void Bundle::ignore(Kind kind, std::string_view reason, std::uint64_t records) {
  if (records == 0) return;
  state(kind).fates += records;
  sink_.ignore(file(kind), reason, records);
}

void Bundle::used(Kind kind, std::uint64_t records) {
  if (records == 0) return;
  state(kind).fates += records;
  sink_.used(file(kind), records);
}

bool Bundle::unchanged(Kind kind, const Origin& origin, Fingerprint print) {
  const bool same = sink_.unchanged(origin, print);
  if (same && origin.counted) ++state(kind).fates;
  return same;
}

Result<void> Bundle::row(Kind kind, const Origin& origin, Fingerprint print, std::span<const InCell> cells) {
  if (origin.counted) ++state(kind).fates;
  return sink_.row(origin, print, cells);
}

Result<void> Bundle::reject(Kind kind, const Dataset& dataset, const Origin& origin, Problem problem) {
  if (origin.counted) ++state(kind).fates;
  return sink_.reject(dataset, origin, std::move(problem));
}

Result<void> Bundle::remove(Kind kind, const Origin& origin, std::span<const InCell> key) {
  if (origin.counted) ++state(kind).fates;
  return sink_.remove(origin, key);
}

Result<void> Bundle::skip(const std::string& name, std::string_view reason) {
  auto reader = open(name);
  if (!reader) {
    // Nothing of it is wanted, so that it cannot be read is worth a remark and no more.
    notice_once(reader.error().sentence());
    return {};
  }
  const std::vector<std::string_view> columns(reader->header().begin(), reader->header().end());
  auto file = sink_.open_file(name, columns, {});
  if (!file) return fail(std::move(file).error());
  for (;;) {
    auto more = reader->next_record();
    if (!more) notice_once(more.error().sentence());
    if (!more || !*more) break;
  }
  if (reader->records() > 0) sink_.ignore(*file, reason, reader->records());
  sink_.close_file(*file, reader->records());
  return {};
}

Result<void> Bundle::finish() {
  for (std::size_t i = 0; i < kKinds; ++i) {
    State& s = states_[i];
    // A file that nothing asked for, because what it adds to was not there or not readable.
    if (!s.id && s.mode != Mode::kAbsent && !s.error) TP_TRY(skip(s.name, kDatasetLeft));
    if (!s.id) continue;
    if (s.fates < s.records) {
      const std::uint64_t left = s.records - s.fates;
      s.fates = s.records;
      sink_.ignore(*s.id, s.error ? kNotToItsEnd : kDatasetLeft, left);
    }
    sink_.close_file(*s.id, s.records);
  }
  for (const std::string& name : files_.names()) {
    if (same_word(name, kManifest)) continue;
    if (skipped_by_manifest_.contains(name)) {
      TP_TRY(skip(name, "manifest.csv says that this file is absent"));
      continue;
    }
    if (std::any_of(states_.begin(), states_.end(), [&](const State& s) { return s.name == name; })) continue;
    const auto unread = unread_files();
    const auto known =
        std::find_if(unread.begin(), unread.end(), [&](const Unread& u) { return same_word(u.file, name); });
    if (known != unread.end()) {
      TP_TRY(skip(name, known->reason));
    } else if (lower_case(name).ends_with(".csv")) {
      notice_once(name + " is not a OneRoster file and was not read");
      TP_TRY(skip(name, "the file is not one of OneRoster's"));
    } else if (const std::string plain = name.substr(0, name.rfind('.'));
               lower_case(plain).ends_with(".csv") && packed_as(plain) == name) {
      notice_once(name + " is packed and was not read: unpack it beside the others");
    } else {
      notice_once(name + " is not a CSV file and was not read");
    }
  }
  return {};
}

}  // namespace towpath::oneroster
