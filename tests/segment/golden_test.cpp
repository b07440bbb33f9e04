// Segments written by each format version, kept for ever. Each .seg has a .txt that lists
// what is in it; the listing is parsed, so it cannot say anything else than the bytes do.
// A change that makes these tests fail is a new format version: add files, keep the old.
// `segment_test "[golden-write]"` writes the .seg files anew from their listings.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "segment/digest.hpp"
#include "segment/segment.hpp"
#include "tests/segment/content_fixture.hpp"

using namespace towpath;
using namespace towpath::test;

namespace {

const std::vector<std::string> kNames{"v1-snapshot", "v1-day"};

std::string folder() {
  const char* source = std::getenv("TOWPATH_SOURCE");
  return std::string(source ? source : ".") + "/tests/segment/golden/";
}
std::string file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  INFO(path);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}
Bytes bytes_in(const std::string& path) {
  const std::string s = file(path);
  return {s.begin(), s.end()};
}

// A listing:
//   # a comment
//   header key=value ...          sequence, epoch, reference (a name), snapshot, end
//   block <dataset> insert|update|delete <keys> <id>i|<id>t ...
//   cell cell ...                 5, 'text', x6869 (bytes), null, - (unchanged); one line a row
//   12 * cell cell ...            twelve rows; the last key counts up from what is written
struct Listing {
  SegmentHeader header;
  std::string reference;
  std::vector<TestBlock> blocks;
};

Cell parse_cell(const std::string& word) {
  if (word == "null") return {};
  if (word == "-") return unchanged();
  if (word.front() == '\'') return words(word.substr(1, word.size() - 2));
  if (word.front() == 'x') {
    std::string s;
    for (std::size_t i = 1; i + 1 < word.size(); i += 2)
      s += static_cast<char>(std::stoi(word.substr(i, 2), nullptr, 16));
    return words(s);
  }
  return integer(std::stoll(word));
}

Listing parse(const std::string& text) {
  Listing out;
  out.header.stream = stream_id("100001", kBorough);
  out.header.dictionary_version = 1;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words_in(line);
    std::vector<std::string> w{std::istream_iterator<std::string>(words_in), {}};
    if (w.empty() || w[0] == "#") continue;
    if (w[0] == "header") {
      std::map<std::string, std::string> values;
      for (std::size_t i = 1; i < w.size(); ++i)
        values[w[i].substr(0, w[i].find('='))] = w[i].substr(w[i].find('=') + 1);
      out.header.seq = {std::stoull(values["sequence"])};
      out.header.epoch = {static_cast<std::uint32_t>(std::stoul(values["epoch"]))};
      out.header.snapshot = values["snapshot"] == "yes";
      out.header.snapshot_end = values["end"] == "yes";
      out.reference = values["reference"];
      if (!out.reference.empty()) out.header.reference = StreamSeq{out.header.seq.number - 1};
    } else if (w[0] == "block") {
      TestBlock b;
      b.dataset = static_cast<std::uint16_t>(std::stoi(w[1]));
      b.operation = w[2] == "insert"   ? Operation::kInsert
                    : w[2] == "update" ? Operation::kUpdate
                                       : Operation::kDelete;
      b.key_count = static_cast<std::size_t>(std::stoi(w[3]));
      for (std::size_t i = 4; i < w.size(); ++i)
        b.fields.push_back({static_cast<std::uint8_t>(std::stoi(w[i])), w[i].back() == 't'});
      out.blocks.push_back(b);
    } else {
      int times = 1;
      if (w.size() > 1 && w[1] == "*") {
        times = std::stoi(w[0]);
        w.erase(w.begin(), w.begin() + 2);
      }
      TestBlock& b = out.blocks.back();
      TestRow row;
      for (const std::string& word : w) row.push_back(parse_cell(word));
      REQUIRE(row.size() == b.fields.size());
      for (int i = 0; i < times; ++i) {
        b.rows.push_back(row);
        ++row[b.key_count - 1].number;
      }
    }
  }
  return out;
}

// As the writer of a stream does it: content, then the header with what came before.
struct Written {
  Bytes content;
  SealedSegment segment;
};
Written write(const std::string& name) {
  Listing l = parse(file(folder() + name + ".txt"));
  Written out;
  Written before;
  ContentWriter writer;
  if (!l.reference.empty()) {
    before = write(l.reference);
    l.header.previous = before.segment.hash;
    writer.reference(before.content);
  }
  StateDigest digest;  // of the rows listed, so that it is not all zeros
  for (const TestBlock& b : l.blocks) {
    std::vector<std::uint8_t> ids;
    for (const WireField& f : b.fields) ids.push_back(f.id);
    RowHasher hash(b.dataset, ids);
    for (const TestRow& r : b.rows) {
      std::vector<Value> values;
      for (const Cell& c : r) values.push_back(c.value());
      digest.add(hash(values));
    }
  }
  l.header.digest = digest.value();
  out.content = content_of(l.blocks, std::move(writer));
  auto sealed = seal_segment(l.header, out.content, before.content);
  REQUIRE(sealed);
  out.segment = std::move(*sealed);
  return out;
}

}  // namespace

TEST_CASE("segments written by version 1 are still read as what they were") {
  Bytes reference;
  for (const std::string& name : kNames) {
    INFO(name);
    const Listing l = parse(file(folder() + name + ".txt"));
    const Bytes bytes = bytes_in(folder() + name + ".seg");
    const auto opened = open_segment(bytes);
    if (!opened) FAIL(opened.error().sentence());
    CHECK(opened->header.stream == l.header.stream);
    CHECK(opened->header.seq == l.header.seq);
    CHECK(opened->header.epoch == l.header.epoch);
    CHECK(opened->header.reference == l.header.reference);
    CHECK(opened->header.snapshot == l.header.snapshot);
    CHECK(opened->header.snapshot_end == l.header.snapshot_end);
    const auto content = unpack_segment(*opened, l.reference.empty() ? ByteView{} : ByteView(reference));
    if (!content) FAIL(content.error().sentence());
    ContentReader reader(*content);
    Block got;
    for (const TestBlock& b : l.blocks) {
      const auto more = reader.next(got);
      if (!more) FAIL(more.error().sentence());
      REQUIRE(*more);
      CHECK(got.dataset == b.dataset);
      CHECK(got.operation == b.operation);
      auto rows = b.rows;
      if (b.operation == Operation::kDelete)
        for (TestRow& r : rows) r.resize(b.key_count);
      CHECK(rows_of(got, b) == rows);
    }
    CHECK_FALSE(reader.next(got).value());
    reference = *content;
  }
}

TEST_CASE("the same rows are written to the same bytes as by version 1") {
  for (const std::string& name : kNames) {
    INFO(name);
    CHECK(write(name).segment.bytes == bytes_in(folder() + name + ".seg"));
  }
}

TEST_CASE("write the golden files anew", "[.][golden-write]") {
  for (const std::string& name : kNames) {
    const Written w = write(name);
    std::ofstream out(folder() + name + ".seg", std::ios::binary);
    out.write(reinterpret_cast<const char*>(w.segment.bytes.data()),
              static_cast<std::streamsize>(w.segment.bytes.size()));
    CHECK(out.good());
  }
}
