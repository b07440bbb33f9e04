// Reads CSV as it really comes: RFC 4180 with everything that exports do to it.
//
// In: a ByteSource. Out: records, one at a time, first as raw bytes (next_record), then
// split into cells if somebody asks (fields). Most of an extract is yesterday's, so
// finding a record's end is the hot path: two scans for a byte a record, no copying.
// Understood: BOM, LF and CRLF, quoted cells with newlines and doubled quotes, a last
// line without newline, blank lines (not records), Excel's "sep=;" line, extra empty
// cells at the end. What one record breaks (ragged, wrong bytes) is that record's fault;
// what breaks the file (cut off, a quote never closed, over a limit) ends it.
// Not thread-safe; views last until the next next_record().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/text/byte_source.hpp"
#include "core/result.hpp"

namespace towpath {

struct CsvLimits {
  // Real records have 0.1 to 2 KB; a longer one is a quote that nobody closed.
  std::size_t record_bytes = 1 << 20;
  // The widest real table seen (school census, pupils on roll) has 66.
  std::size_t columns = 512;
  // Large enough that a read costs little, small enough for a guest's memory.
  std::size_t block_bytes = 128 * 1024;
};

enum class TextEncoding : std::uint8_t { kUtf8, kWindows1252 };

struct CsvOptions {
  std::string name = {};  // for messages: "users.csv"
  char delimiter = ',';
  TextEncoding encoding = TextEncoding::kUtf8;
  // What to do about a file that is not UTF-8, where its encoding can be configured.
  std::string_view encoding_advice = {};
  CsvLimits limits = {};
};

// Why one record cannot be split; goes into a Problem as it is.
struct RecordFault {
  std::string_view rule;  // "ragged", "encoding", "quotes"
  std::string text;
};

class CsvReader {
 public:
  CsvReader(std::unique_ptr<ByteSource> source, CsvOptions options);

  // First of all, once: the names of the columns, trimmed. Errors: empty file, UTF-16, no names.
  [[nodiscard]] Result<void> read_header();
  [[nodiscard]] std::span<const std::string> header() const { return header_; }
  // The header's bytes, which a fingerprint's seed must cover.
  [[nodiscard]] const std::string& header_raw() const { return header_raw_; }

  // True: there is a record. False: the file ended as it should.
  [[nodiscard]] Result<bool> next_record();
  // The record without its line end; what fingerprints are made of.
  [[nodiscard]] std::string_view raw() const { return {buffer_.data() + record_, record_bytes_}; }
  // The record as it may be kept in quarantine: without passwords, which exports of user
  // lists hold in plain text. Only after fields().
  [[nodiscard]] std::string_view raw_to_keep();
  // The line it begins on, from 1.
  [[nodiscard]] std::uint64_t line() const { return line_; }
  // Records so far, this one included, the header not.
  [[nodiscard]] std::uint64_t records() const { return records_; }

  // The cells of this record, as many as the header has.
  [[nodiscard]] tl::expected<std::span<const std::string_view>, RecordFault> fields();

  // What fields() last split, even if it found a fault: as far as it goes.
  [[nodiscard]] std::span<const std::string_view> cells() const { return cells_; }

  [[nodiscard]] const std::string& name() const { return options_.name; }
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  [[nodiscard]] Result<bool> find_record();  // raw, the header too
  [[nodiscard]] Result<void> refill();
  [[nodiscard]] Error too_long() const;
  [[nodiscard]] tl::expected<void, RecordFault> split();
  enum class Scan : std::uint8_t { kFound, kMore, kInsideQuotes };
  [[nodiscard]] Scan scan_quoted(std::size_t& newline) const;

  std::unique_ptr<ByteSource> source_;
  CsvOptions options_;
  std::vector<char> buffer_;
  std::size_t filled_ = 0;  // bytes of buffer_ that hold data
  std::size_t next_ = 0;    // where the next record begins
  std::size_t record_ = 0;  // the current one
  std::size_t record_bytes_ = 0;
  std::size_t quote_ = 0;  // the first quote at or after next_, or filled_
  bool quoted_ = false;    // the current record holds a quote
  bool newline_ended_ = true;
  bool source_ended_ = false;
  bool quote_known_ = false;
  std::uint64_t line_ = 0;
  std::uint64_t next_line_ = 1;
  std::uint64_t records_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::vector<std::string> header_;
  std::string header_raw_;
  std::vector<std::size_t> secrets_;  // columns that hold passwords
  std::vector<std::string_view> cells_;
  bool split_ok_ = false;
  std::string kept_;
  std::string converted_;  // the record in UTF-8, where it was not
  std::string unquoted_;   // cells with doubled quotes
};

[[nodiscard]] bool is_utf8(std::string_view text);
// Appends `text` in UTF-8; false at a byte that windows-1252 does not have.
[[nodiscard]] bool append_windows_1252(std::string_view text, std::string& out);

}  // namespace towpath
