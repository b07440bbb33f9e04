#include "adapters/text/csv_reader.hpp"

#include <rapidcheck.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

using namespace towpath;

namespace {

// Gives its text in pieces of any size, as a slow share does.
class Pieces final : public ByteSource {
 public:
  explicit Pieces(std::string text, std::size_t piece = 1 << 20) : text_(std::move(text)), piece_(piece) {}
  Result<std::size_t> read(std::span<char> into) override {
    const std::size_t n = std::min({piece_, into.size(), text_.size() - at_});
    std::memcpy(into.data(), text_.data() + at_, n);
    at_ += n;
    return n;
  }

 private:
  std::string text_;
  std::size_t piece_;
  std::size_t at_ = 0;
};

struct Outcome {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::uint64_t> lines;
  std::vector<std::string> faults;
  std::string error;
  std::vector<std::string> header;
};

Outcome read(std::string text, CsvOptions options = {}, std::size_t piece = 1 << 20) {
  options.name = "x.csv";
  CsvReader reader(std::make_unique<Pieces>(std::move(text), piece), options);
  Outcome out;
  if (auto header = reader.read_header(); !header) {
    out.error = header.error().sentence();
    return out;
  }
  out.header.assign(reader.header().begin(), reader.header().end());
  for (;;) {
    auto more = reader.next_record();
    if (!more) {
      out.error = more.error().sentence();
      return out;
    }
    if (!*more) return out;
    out.lines.push_back(reader.line());
    if (auto fields = reader.fields()) {
      out.rows.emplace_back(fields->begin(), fields->end());
      out.faults.emplace_back();
    } else {
      out.rows.emplace_back();
      out.faults.push_back(std::string(fields.error().rule) + ": " + fields.error().text);
    }
  }
}

using Rows = std::vector<std::vector<std::string>>;

}  // namespace

TEST_CASE("a CSV file is read whatever its line ends, BOM and last newline") {
  const Rows expected{{"1", "Ada"}, {"2", "Bo"}};
  for (const char* text : {"id,name\n1,Ada\n2,Bo\n", "id,name\r\n1,Ada\r\n2,Bo\r\n", "id,name\n1,Ada\n2,Bo",
                           "\xEF\xBB\xBFid,name\r\n1,Ada\r\n2,Bo", "id,name\n\n1,Ada\n\r\n2,Bo\n\n",
                           "\xEF\xBB\xBF\r\n id , name \n1,Ada\n2,Bo\n", "sep=,\nid,name\n1,Ada\n2,Bo\n"}) {
    INFO(text);
    const auto out = read(text);
    CHECK(out.error.empty());
    CHECK(out.header == std::vector<std::string>{"id", "name"});
    CHECK(out.rows == expected);
  }
}

TEST_CASE("quoted cells keep commas, newlines and doubled quotes, and lines are still counted") {
  const auto out =
      read("id,note,x\n1,\"a, b\",y\n2,\"first\r\nsecond\",z\n3,\"say \"\"hi\"\"\",\"\"\n4,plain,\"\"\"\"\n");
  CHECK(out.error.empty());
  CHECK(
      out.rows ==
      Rows{{"1", "a, b", "y"}, {"2", "first\r\nsecond", "z"}, {"3", "say \"hi\"", ""}, {"4", "plain", "\""}});
  CHECK(out.lines == std::vector<std::uint64_t>{2, 3, 5, 6});
}

TEST_CASE("a quote inside an unquoted cell is only a character") {
  const auto out = read("id,size\n1,5\" pipe\n2,a\"b\"c\n");
  CHECK(out.rows == Rows{{"1", "5\" pipe"}, {"2", "a\"b\"c"}});
}

TEST_CASE("text behind a closing quote is the record's fault, not the file's") {
  const auto out = read("id,size\n1,\"a\"b\n2,c\n");
  CHECK(out.error.empty());
  CHECK(out.faults[0] == "quotes: column 2 goes on after its closing quote");
  CHECK(out.rows[1] == std::vector<std::string>{"2", "c"});
}

TEST_CASE("a ragged record is reported by its numbers and the next one is read") {
  const auto out = read("a,b,c\n1,2\n1,2,3,4\n1,2,3,,\n1,2,3\n");
  CHECK(out.faults[0] == "ragged: the record has 2 columns where the header has 3");
  CHECK(out.faults[1] == "ragged: the record has 4 columns where the header has 3");
  CHECK(out.rows[2] == std::vector<std::string>{"1", "2", "3"});  // empty cells at the end do no harm
  CHECK(out.rows[3] == std::vector<std::string>{"1", "2", "3"});
  CHECK(out.lines == std::vector<std::uint64_t>{2, 3, 4, 5});
}

TEST_CASE("a file that ends inside quotes looks half-written") {
  const auto out = read("a,b\n1,2\n3,\"and then\nthe disk");
  CHECK(out.rows == Rows{{"1", "2"}});
  CHECK(out.error.find("x.csv ends inside a quoted cell that began on line 3: it looks half-written") == 0);
}

TEST_CASE("a file that ends in the middle of a record looks half-written") {
  const auto out = read("a,b,c\n1,2,3\n4,5");
  CHECK(out.rows == Rows{{"1", "2", "3"}});
  CHECK(out.error.find("x.csv ends in line 3 after 2 of 3 columns: it looks half-written") == 0);
  // With its newline it is a ragged record: the writer meant it.
  CHECK(read("a,b,c\n1,2,3\n4,5\n").error.empty());
}

TEST_CASE("an empty file, a BOM alone and blank lines alone are no CSV; a header alone is") {
  for (const char* text : {"", "\xEF\xBB\xBF", "\n\r\n\n"})
    CHECK(read(text).error.find("x.csv is empty: it has not even a header") == 0);
  for (const char* text : {"a,b", "a,b\n",
                           "\xEF\xBB\xBF"
                           "a,b\r\n"}) {
    CHECK(read(text).error.empty());
    CHECK(read(text).rows.empty());
  }
  CHECK(read(",,\n1,2,3\n").error.find("x.csv has a header without names") == 0);
}

TEST_CASE("UTF-16, zero bytes and old Mac line ends are named, not guessed at") {
  CHECK(read(std::string("\xFF\xFE"
                         "a\0,\0",
                         6))
            .error.find("x.csv is in UTF-16") == 0);
  CHECK(read(std::string("a\0,\0b\0\n\0", 8)).error.find("x.csv is not text") == 0);
  CHECK(read("a,b\r1,2\r3,4\r").error.find("x.csv ends its lines with a carriage return only") == 0);
  const auto out = read(std::string("a,b\n1,x\0y\n2,z\n", 14));
  CHECK(out.faults[0] == "encoding: the record holds a zero byte");
  CHECK(out.rows[1] == std::vector<std::string>{"2", "z"});
}

TEST_CASE("bytes that are not UTF-8 cost their record; windows-1252 is converted when it is configured") {
  const std::string text = "id,name\n1,Zo\xEB\n2,Bo\n3,\x80 \x92\n";
  const auto utf8 = read(text);
  CHECK(utf8.error.empty());
  CHECK(utf8.faults[0] == "encoding: the record is not UTF-8 (is the export windows-1252?)");
  CHECK(utf8.rows[1] == std::vector<std::string>{"2", "Bo"});
  const auto western = read(text, {.encoding = TextEncoding::kWindows1252});
  CHECK(western.rows == Rows{{"1", "Zo\xC3\xAB"}, {"2", "Bo"}, {"3", "\xE2\x82\xAC \xE2\x80\x99"}});
  CHECK(read("id\n\x81\n", {.encoding = TextEncoding::kWindows1252}).faults[0] ==
        "encoding: the record holds a byte that is not windows-1252");
  // Overlong forms, surrogates, cut sequences and values beyond Unicode are not UTF-8.
  for (const char* bad :
       {"\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\xFF", "\x80"})
    CHECK_FALSE(is_utf8(bad));
  for (const char* good : {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xEF\xBF\xBD"})
    CHECK(is_utf8(good));
}

TEST_CASE("a single line of ten megabytes is refused with bounded memory") {
  const std::string long_line(10 << 20, 'x');
  CHECK(read("a,b\n" + long_line + "\n").error.find("x.csv line 2 is longer than 1024 KiB") == 0);
  CHECK(read(long_line).error.find("x.csv line 1 is longer than 1024 KiB") == 0);
  CHECK(read("a,b\n1,\"" + long_line + "\"\n").error.find("x.csv line 2 is longer than 1024 KiB") == 0);
}

TEST_CASE("a record as long as the limit is read, one byte more is not") {
  CsvOptions options;
  options.limits.record_bytes = 1000;
  options.limits.block_bytes = 64;
  const std::string fits = "1," + std::string(998, 'x');
  CHECK(read("a,b\n" + fits + "\n2,y\n", options).rows.size() == 2);
  CHECK_FALSE(read("a,b\n" + fits + "x\n2,y\n", options).error.empty());
}

TEST_CASE("more columns than the limit are a fault") {
  std::string wide = "a";
  for (int i = 0; i < 600; ++i) wide += ",x";
  CHECK(read("a,b\n1,2\n" + wide + "\n").faults[1] == "ragged: the record has more than 512 columns");
  CHECK_FALSE(read(wide + "\n").error.empty());
}

TEST_CASE("other delimiters are read as configured") {
  CHECK(read("a;b\n1;x,y\n", {.delimiter = ';'}).rows == Rows{{"1", "x,y"}});
  CHECK(read("a\tb\n1\t\"x\ty\"\n", {.delimiter = '\t'}).rows == Rows{{"1", "x\ty"}});
  CHECK(read("sep=;\na;b\n1;2\n").rows == Rows{{"1", "2"}});
}

TEST_CASE("passwords are not kept when a record goes to quarantine") {
  CsvReader reader(std::make_unique<Pieces>("id,name,Password,x\n1,\"Ada, B\",hunter2,y\n2,\"Bo\",hunter2\n"),
                   {.name = "x.csv"});
  REQUIRE(reader.read_header());
  REQUIRE(reader.next_record().value());
  REQUIRE(reader.fields());
  CHECK(reader.raw_to_keep() == "1,\"Ada, B\",,y");
  REQUIRE(reader.next_record().value());
  REQUIRE_FALSE(reader.fields());
  CHECK(reader.raw_to_keep().find("hunter2") == std::string_view::npos);
}

TEST_CASE("any cells written as CSV are read back, in pieces of any size") {
  CHECK(rc::check("round trip", [] {
    const auto columns = *rc::gen::inRange<std::size_t>(2, 6);
    // Letters that matter to CSV, often.
    const auto cell = rc::gen::container<std::string>(
        rc::gen::elementOf(std::string("ab,\"\n\r; \t") + "\xC3\xA9"[0] + "xyz"));
    const auto rows = *rc::gen::container<std::vector<std::vector<std::string>>>(
        rc::gen::container<std::vector<std::string>>(columns, cell));
    const bool crlf = *rc::gen::arbitrary<bool>();
    const bool last_newline = *rc::gen::arbitrary<bool>();
    const bool quote_all = *rc::gen::arbitrary<bool>();
    CsvOptions options;
    options.encoding = TextEncoding::kWindows1252;  // every byte above stands for something
    options.limits.block_bytes = *rc::gen::inRange<std::size_t>(1, 40);
    std::string text = "h0";
    for (std::size_t i = 1; i < columns; ++i) text += ",h" + std::to_string(i);
    const std::string end = crlf ? "\r\n" : "\n";
    text += end;
    Rows expected;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      std::vector<std::string> row;
      for (std::size_t c = 0; c < columns; ++c) {
        std::string value = rows[r][c];
        const bool quote = quote_all || value.find_first_of(",\"\r\n") != std::string::npos;
        if (c > 0) text += ',';
        if (quote) text += '"';
        for (const char ch : value) {
          if (ch == '"') text += '"';
          text += ch;
        }
        if (quote) text += '"';
        std::string utf8;
        RC_ASSERT(append_windows_1252(value, utf8));
        row.push_back(utf8);
      }
      expected.push_back(row);
      if (r + 1 < rows.size() || last_newline) text += end;
    }
    const auto out = read(text, options, *rc::gen::inRange<std::size_t>(1, 50));
    RC_ASSERT(out.error.empty());
    RC_ASSERT(out.rows == expected);
  }));
}

TEST_CASE("no bytes whatever make the reader crash or run on") {
  CHECK(rc::check("hostile bytes", [] {
    const auto text = *rc::gen::container<std::string>(
        rc::gen::oneOf(rc::gen::arbitrary<char>(), rc::gen::elementOf(std::string(",\"\n\r\0", 5))));
    CsvOptions options;
    options.limits.block_bytes = *rc::gen::inRange<std::size_t>(1, 20);
    options.limits.record_bytes = 200;
    options.limits.columns = 5;
    const auto out = read(text, options, *rc::gen::inRange<std::size_t>(1, 30));
    RC_ASSERT(out.rows.size() <= text.size());
  }));
}
