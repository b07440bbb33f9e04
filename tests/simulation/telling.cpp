#include "tests/simulation/telling.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include "segment/content.hpp"
#include "tests/simulation/declared.hpp"
#include "tests/simulation/trace.hpp"

namespace towpath::sim {

char telling_letter(const std::string& grant) {
  const std::vector<std::string>& grants = Declared::here().grants();
  const auto found = std::find(grants.begin(), grants.end(), grant);
  return found == grants.end() ? kNeverLeaves : static_cast<char>('a' + (found - grants.begin()));
}

std::string telling_word(char letter, std::uint64_t number) {
  return std::string(kTellingPrefix) + letter + std::to_string(number);
}

std::optional<std::string> telling_word_in(std::string_view bytes, std::string_view allowed) {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  while (at != nullptr && at < end) {
    at = static_cast<const char*>(
        memmem(at, static_cast<std::size_t>(end - at), kTellingPrefix.data(), kTellingPrefix.size()));
    if (at == nullptr) break;
    at += kTellingPrefix.size();
    // Where a page of a database ends there may be the beginning of a word only.
    if (end - at < 2 || at[1] < '0' || at[1] > '9') continue;
    if (allowed.find(*at) != std::string_view::npos) continue;
    const char* last = std::min(end, at + 8);
    return std::string(kTellingPrefix) + std::string(at, last);
  }
  return std::nullopt;
}

std::string telling_letters(const std::vector<std::string>& grants) {
  std::string letters;
  for (const std::string& grant : grants.empty() ? Declared::here().grants() : grants)
    letters += telling_letter(grant);
  return letters;
}

void check_telling(std::string_view bytes, std::string_view allowed, std::string_view where) {
  if (const auto word = telling_word_in(bytes, allowed))
    throw Broken(Promise::kPrivate, std::string(where) + " holds the telling word " + *word);
}

void Departures::check(const Bundle& bundle, const std::vector<std::string>& grants) {
  const std::string letters = telling_letters(grants);
  std::vector<Frame> rest;
  for (const Frame& frame : bundle.frames)
    if (const auto* segment = std::get_if<SegmentFrame>(&frame))
      check_segment(segment->bytes, grants, letters);
    else
      rest.push_back(frame);
  const auto bytes = encode_frames(rest);
  if (!bytes)
    throw Broken(Promise::kPrivate, "frames that were read cannot be written: " + bytes.error().sentence());
  check_telling(text_of(*bytes), {}, "a frame beside the segments");
}

void Departures::check_segment(ByteView bytes, const std::vector<std::string>& grants,
                               const std::string& letters) {
  const auto opened = open_segment(bytes);
  if (!opened)
    throw Broken(Promise::kPrivate, "a school sends what is no segment: " + opened.error().sentence());
  const SegmentHeader& header = opened->header;
  Hash256 reference = header.previous;
  if (header.reference)
    for (std::uint64_t n = header.seq.number - header.reference->number; n > 1; --n)
      reference = contents_.at(reference).previous;
  ByteView prefix;
  if (header.reference) {
    const auto kept = contents_.find(reference);
    if (kept == contents_.end())
      throw Broken(Promise::kPrivate, "a segment refers to one that has never left the school");
    prefix = kept->second.content;
  }
  auto content = unpack_segment(*opened, prefix);
  if (!content)
    throw Broken(Promise::kPrivate,
                 "a segment that leaves cannot be unpacked: " + content.error().sentence());
  // The keys of what is taken back are said once more, in deletions only: then each cell is looked at.
  bool deletes = false;
  const auto granted = [&](const std::string& grant) {
    return !grant.empty() &&
           (grants.empty() || std::find(grants.begin(), grants.end(), grant) != grants.end());
  };
  ContentReader reader(*content);
  Block block;
  for (;;) {
    const auto more = reader.next(block);
    if (!more)
      throw Broken(Promise::kPrivate, "a segment's content cannot be read: " + more.error().sentence());
    if (!*more) break;
    const auto& all = Declared::here().datasets();
    const auto dataset =
        std::find_if(all.begin(), all.end(), [&](const DeclaredDataset& d) { return d.id == block.dataset; });
    if (dataset == all.end())
      throw Broken(Promise::kPrivate, "a segment speaks of a dataset that no document knows");
    // What may not be had any longer is taken back: by its key, or field by field.
    const auto taken_back = [&](std::size_t field) {
      std::vector<Value> cells(block.fields.size());
      const auto changed = std::make_unique<bool[]>(cells.size());
      for (std::size_t r = 0; r < block.rows; ++r) {
        block.row(r, cells, std::span<bool>(changed.get(), cells.size()));
        if (!cells[field].is_null()) return false;
      }
      return block.operation == Operation::kUpdate;
    };
    if (block.operation == Operation::kDelete) {
      deletes = true;
      continue;
    }
    for (const Block::Column& column : block.columns)
      for (const Value& value : column.values)
        if (value.kind() == Value::Kind::kText) check_telling(value.as_text(), letters, "a segment's rows");
    bool any = dataset->key_count == dataset->fields.size() && granted(dataset->fields[0].grant);
    for (std::size_t i = 0; i < dataset->fields.size(); ++i) {
      const DeclaredField& field = dataset->fields[i];
      any = any || (i >= dataset->key_count && granted(field.grant));
      if (i < dataset->key_count || granted(field.grant)) continue;
      for (std::size_t sent = 0; sent < block.fields.size(); ++sent)
        if (block.fields[sent].id == field.id && !taken_back(sent))
          throw Broken(Promise::kPrivate,
                       "a segment holds " + dataset->name + "." + field.name + ", which nobody has granted");
    }
    if (!any)
      throw Broken(Promise::kPrivate, "a segment holds " + dataset->name + ", of which nothing is granted");
  }
  if (!deletes) check_telling(text_of(*content), letters, "a segment's content");
  contents_.insert_or_assign(opened->hash, Kept{std::move(*content), header.previous});
}

}  // namespace towpath::sim
