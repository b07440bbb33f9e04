#include "adapters/text/csv_reader.hpp"

#include <algorithm>
#include <cstring>

#include "adapters/text/cells.hpp"

namespace towpath {
namespace {

constexpr std::string_view kWaitForExport =
    "Let the export finish before the run, or have it written under another name and renamed";

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

std::size_t find_byte(const char* data, std::size_t from, std::size_t to, char byte) {
  if (from >= to) return kNone;
  const void* at = std::memchr(data + from, byte, to - from);
  return at == nullptr ? kNone : static_cast<std::size_t>(static_cast<const char*>(at) - data);
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = p + text.size();
  while (p < end) {
    if (end - p >= 8) {
      std::uint64_t eight = 0;
      std::memcpy(&eight, p, 8);
      if ((eight & 0x8080808080808080u) == 0) {
        p += 8;
        continue;
      }
    }
    const unsigned char c = *p;
    if (c < 0x80) {
      ++p;
      continue;
    }
    int more = 0;
    std::uint32_t value = 0, least = 0;
    if (c >= 0xC2 && c <= 0xDF)
      more = 1, value = c & 0x1Fu, least = 0x80;
    else if (c >= 0xE0 && c <= 0xEF)
      more = 2, value = c & 0x0Fu, least = 0x800;
    else if (c >= 0xF0 && c <= 0xF4)
      more = 3, value = c & 0x07u, least = 0x10000;
    else
      return false;
    if (end - p <= more) return false;
    for (int i = 1; i <= more; ++i) {
      if ((p[i] & 0xC0) != 0x80) return false;
      value = value << 6 | (p[i] & 0x3Fu);
    }
    if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return false;
    p += more + 1;
  }
  return true;
}

bool append_windows_1252(std::string_view text, std::string& out) {
  // 0x80 to 0x9F; 0 where the code page has nothing.
  static constexpr std::uint16_t kHigh[32] = {0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                              0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                              0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                              0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};
  for (const char raw : text) {
    const auto c = static_cast<unsigned char>(raw);
    if (c < 0x80) {
      out.push_back(raw);
      continue;
    }
    const std::uint16_t value = c < 0xA0 ? kHigh[c - 0x80] : c;
    if (value == 0) return false;
    if (value < 0x800) {
      out.push_back(static_cast<char>(0xC0 | value >> 6));
    } else {
      out.push_back(static_cast<char>(0xE0 | value >> 12));
      out.push_back(static_cast<char>(0x80 | (value >> 6 & 0x3F)));
    }
    out.push_back(static_cast<char>(0x80 | (value & 0x3F)));
  }
  return true;
}

CsvReader::CsvReader(std::unique_ptr<ByteSource> source, CsvOptions options)
    : source_(std::move(source)), options_(std::move(options)) {}

Error CsvReader::too_long() const {
  return Error{Code::kTooLarge,
               options_.name + " line " + std::to_string(line_) + " is longer than " +
                   std::to_string(options_.limits.record_bytes >> 10) + " KiB",
               "Look for a quote on that line that is never closed, and export the file again"};
}

// Keeps the unfinished record, moved to the front, and reads a block behind it.
Result<void> CsvReader::refill() {
  const std::size_t kept = filled_ - next_;
  if (next_ > 0 && kept > 0) std::memmove(buffer_.data(), buffer_.data() + next_, kept);
  next_ = 0;
  filled_ = kept;
  quote_known_ = false;
  if (buffer_.size() < kept + options_.limits.block_bytes) buffer_.resize(kept + options_.limits.block_bytes);
  auto got = source_->read(std::span(buffer_).subspan(kept, options_.limits.block_bytes));
  if (!got) return fail(std::move(got).error());
  if (*got == 0) source_ended_ = true;
  filled_ += *got;
  bytes_read_ += *got;
  return {};
}

CsvReader::Scan CsvReader::scan_quoted(std::size_t& newline) const {
  const char* data = buffer_.data();
  std::size_t at = next_;
  bool field_start = true;
  while (at < filled_) {
    const char c = data[at];
    if (field_start && c == '"') {
      ++at;
      for (;;) {
        const std::size_t closing = find_byte(data, at, filled_, '"');
        if (closing == kNone) return Scan::kInsideQuotes;
        if (closing + 1 < filled_ && data[closing + 1] == '"') {
          at = closing + 2;
          continue;
        }
        at = closing + 1;
        break;
      }
      field_start = false;
      continue;
    }
    if (c == '\n') {
      newline = at;
      return Scan::kFound;
    }
    field_start = c == options_.delimiter;
    ++at;
  }
  return Scan::kMore;
}

Result<bool> CsvReader::find_record() {
  line_ = next_line_;
  for (;;) {
    if (!quote_known_ || quote_ < next_) {
      const std::size_t at = find_byte(buffer_.data(), next_, filled_, '"');
      quote_ = at == kNone ? filled_ : at;
      quote_known_ = true;
    }
    std::size_t newline = find_byte(buffer_.data(), next_, filled_, '\n');
    quoted_ = quote_ < (newline == kNone ? filled_ : newline);
    Scan scan = newline == kNone ? Scan::kMore : Scan::kFound;
    if (quoted_) scan = scan_quoted(newline);
    if (scan == Scan::kFound) {
      if (newline - next_ > options_.limits.record_bytes) return fail(too_long());
      record_ = next_;
      record_bytes_ = newline - next_;
      next_ = newline + 1;
      newline_ended_ = true;
      break;
    }
    if (!source_ended_) {
      if (filled_ - next_ > options_.limits.record_bytes) return fail(too_long());
      TP_TRY(refill());
      continue;
    }
    if (scan == Scan::kInsideQuotes)
      return fail(Code::kBadInput,
                  options_.name + " ends inside a quoted cell that began on line " + std::to_string(line_) +
                      ": it looks half-written",
                  std::string(kWaitForExport));
    if (next_ == filled_) return false;
    if (filled_ - next_ > options_.limits.record_bytes) return fail(too_long());
    record_ = next_;
    record_bytes_ = filled_ - next_;
    next_ = filled_;
    newline_ended_ = false;
    break;
  }
  next_line_ = line_ + 1;
  if (quoted_) {
    const char* from = buffer_.data() + record_;
    next_line_ += static_cast<std::uint64_t>(std::count(from, from + record_bytes_, '\n'));
  }
  if (record_bytes_ > 0 && buffer_[record_ + record_bytes_ - 1] == '\r') --record_bytes_;
  return true;
}

Result<void> CsvReader::read_header() {
  TP_ASSERT(header_raw_.empty());
  TP_TRY(refill());
  while (!source_ended_ && filled_ < 4) TP_TRY(refill());
  const std::string_view start(buffer_.data(), std::min<std::size_t>(filled_, 4));
  if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF"))
    return fail(Code::kBadInput, options_.name + " is in UTF-16", "Export it as UTF-8");
  if (start.starts_with("\xEF\xBB\xBF")) next_ = 3;
  for (;;) {
    auto found = find_record();
    if (!found) return fail(std::move(found).error());
    if (!*found)
      return fail(Code::kBadInput, options_.name + " is empty: it has not even a header",
                  "Export it again; an export without rows still has its header");
    const std::string_view line = raw();
    if (line.empty()) continue;
    if (line.size() == 5 && line.starts_with("sep=")) {
      options_.delimiter = line[4];
      continue;
    }
    break;
  }
  header_raw_ = std::string(raw());
  if (header_raw_.find('\0') != std::string::npos)
    return fail(Code::kBadInput, options_.name + " is not text (its header holds zero bytes)",
                "Export it as CSV in UTF-8");
  if (header_raw_.find('\r') != std::string::npos)
    return fail(Code::kBadInput, options_.name + " ends its lines with a carriage return only",
                "Export it with the line ends of Windows or Unix");
  if (auto done = split(); !done)
    return fail(Code::kBadInput, options_.name + ", its header: " + done.error().text,
                done.error().rule != "encoding"    ? "Export it again"
                : options_.encoding_advice.empty() ? "Export it as UTF-8"
                                                   : std::string(options_.encoding_advice));
  for (const std::string_view cell : cells_) header_.emplace_back(trimmed(cell));
  while (!header_.empty() && header_.back().empty()) header_.pop_back();
  if (header_.empty())
    return fail(Code::kBadInput, options_.name + " has a header without names", "Export it again");
  for (std::size_t i = 0; i < header_.size(); ++i)
    if (lower_case(header_[i]).find("password") != std::string::npos) secrets_.push_back(i);
  return {};
}

std::string_view CsvReader::raw_to_keep() {
  if (secrets_.empty()) return raw();
  if (!split_ok_) return "(not kept: the file holds passwords, and this record cannot be split)";
  kept_.clear();
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    if (i > 0) kept_.push_back(options_.delimiter);
    if (std::find(secrets_.begin(), secrets_.end(), i) != secrets_.end()) continue;
    const bool quote = cells_[i].find_first_of("\"\r\n") != std::string_view::npos ||
                       cells_[i].find(options_.delimiter) != std::string_view::npos;
    if (quote) kept_.push_back('"');
    for (const char c : cells_[i]) {
      if (c == '"') kept_.push_back('"');
      kept_.push_back(c);
    }
    if (quote) kept_.push_back('"');
  }
  return kept_;
}

Result<bool> CsvReader::next_record() {
  for (;;) {
    auto found = find_record();
    if (!found) return fail(std::move(found).error());
    if (!*found) return false;
    if (record_bytes_ > 0) break;
  }
  if (!newline_ended_) {
    if (auto done = split(); done && cells_.size() < header_.size())
      return fail(Code::kBadInput,
                  options_.name + " ends in line " + std::to_string(line_) + " after " +
                      std::to_string(cells_.size()) + " of " + std::to_string(header_.size()) +
                      " columns: it looks half-written",
                  std::string(kWaitForExport));
  }
  ++records_;
  return true;
}

tl::expected<void, RecordFault> CsvReader::split() {
  cells_.clear();
  std::string_view record = raw();
  if (record.find('\0') != std::string_view::npos)
    return tl::unexpected(RecordFault{"encoding", "the record holds a zero byte"});
  if (options_.encoding == TextEncoding::kWindows1252) {
    converted_.clear();
    if (!append_windows_1252(record, converted_))
      return tl::unexpected(RecordFault{"encoding", "the record holds a byte that is not windows-1252"});
    record = converted_;
  } else if (!is_utf8(record)) {
    std::string text = "the record is not UTF-8 (is the export windows-1252?)";
    if (!options_.encoding_advice.empty()) text.append(": ").append(options_.encoding_advice);
    return tl::unexpected(RecordFault{"encoding", std::move(text)});
  }
  const auto too_wide = [this] {
    return tl::unexpected(RecordFault{
        "ragged", "the record has more than " + std::to_string(options_.limits.columns) + " columns"});
  };
  const char delimiter = options_.delimiter;
  std::size_t at = 0;
  if (!quoted_) {
    for (;;) {
      if (cells_.size() == options_.limits.columns) return too_wide();
      const std::size_t to = record.find(delimiter, at);
      if (to == std::string_view::npos) break;
      cells_.push_back(record.substr(at, to - at));
      at = to + 1;
    }
    cells_.push_back(record.substr(at));
    return {};
  }
  // Cells with doubled quotes are rewritten here; it never grows beyond the record, so
  // the views into it stay where they are.
  unquoted_.clear();
  unquoted_.reserve(record.size());
  for (;;) {
    if (cells_.size() == options_.limits.columns) return too_wide();
    if (at < record.size() && record[at] == '"') {
      std::size_t from = at + 1;
      const std::size_t kept = unquoted_.size();
      bool doubled = false;
      std::size_t closing = 0;
      for (;;) {
        closing = record.find('"', from);
        TP_ASSERT(closing != std::string_view::npos);  // find_record ended the record outside quotes
        if (closing + 1 < record.size() && record[closing + 1] == '"') {
          unquoted_.append(record.substr(from, closing + 1 - from));
          doubled = true;
          from = closing + 2;
          continue;
        }
        break;
      }
      if (doubled) {
        unquoted_.append(record.substr(from, closing - from));
        cells_.push_back(std::string_view(unquoted_).substr(kept));
      } else {
        cells_.push_back(record.substr(at + 1, closing - at - 1));
      }
      at = closing + 1;
      if (at == record.size()) return {};
      if (record[at] != delimiter)
        return tl::unexpected(RecordFault{
            "quotes", "column " + std::to_string(cells_.size()) + " goes on after its closing quote"});
      ++at;
      continue;
    }
    const std::size_t to = record.find(delimiter, at);
    if (to == std::string_view::npos) break;
    cells_.push_back(record.substr(at, to - at));
    at = to + 1;
  }
  cells_.push_back(record.substr(at));
  return {};
}

tl::expected<std::span<const std::string_view>, RecordFault> CsvReader::fields() {
  split_ok_ = false;
  if (auto done = split(); !done) return tl::unexpected(std::move(done).error());
  const std::size_t wanted = header_.size();
  if (cells_.size() > wanted &&
      std::all_of(cells_.begin() + static_cast<std::ptrdiff_t>(wanted), cells_.end(),
                  [](std::string_view cell) { return trimmed(cell).empty(); }))
    cells_.resize(wanted);
  if (cells_.size() != wanted)
    return tl::unexpected(RecordFault{"ragged", "the record has " + std::to_string(cells_.size()) +
                                                    " columns where the header has " +
                                                    std::to_string(wanted)});
  split_ok_ = true;
  return std::span<const std::string_view>(cells_);
}

}  // namespace towpath
