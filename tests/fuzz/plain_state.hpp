// What a stream's state should be, in plain maps, and its digest: said a second time from
// docs/segment-format.md, without replica, RowHasher or StateDigest.
//
// In: rows, or a content that has been read. Out: what a replica has to hold after it.
#pragma once

#include <sodium.h>

#include <array>
#include <compare>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/bytes.hpp"
#include "core/hash.hpp"
#include "rows/value.hpp"
#include "segment/content.hpp"

namespace towpath::fuzz {

using Cell = std::variant<std::monostate, std::int64_t, std::string>;

inline Cell cell_of(const Value& v) {
  if (v.kind() == Value::Kind::kInt) return v.as_int();
  if (v.kind() == Value::Kind::kText) return std::string(v.as_text());
  return std::monostate{};
}
inline Value value_of(const Cell& cell) {
  if (const auto* n = std::get_if<std::int64_t>(&cell)) return Value{*n};
  if (const auto* t = std::get_if<std::string>(&cell)) return Value{std::string_view(*t)};
  return Value{};
}

// A column of a key and its value; rows are in the order of these.
struct KeyCell {
  std::uint8_t id = 0;
  Cell value;
  friend auto operator<=>(const KeyCell&, const KeyCell&) = default;
};
using Key = std::vector<KeyCell>;
using Rest = std::map<std::uint8_t, Cell>;  // never null
using Rows = std::map<Key, Rest>;

struct PlainState {
  std::map<std::uint16_t, Rows> datasets;  // none without rows
  friend bool operator==(const PlainState&, const PlainState&) = default;

  void put(std::uint16_t dataset, Key key, Rest rest) { datasets[dataset][std::move(key)] = std::move(rest); }
  bool erase(std::uint16_t dataset, const Key& key) {
    const auto found = datasets.find(dataset);
    if (found == datasets.end() || found->second.erase(key) == 0) return false;
    if (found->second.empty()) datasets.erase(found);
    return true;
  }

  // A content's blocks. False where a reader has to refuse it: damaged, or about a row that is not here.
  bool apply(ByteView content) {
    ContentReader reader(content);
    Block block;
    for (;;) {
      const auto more = reader.next(block);
      if (!more) return false;
      if (!*more) return true;
      if (!apply(block)) return false;
    }
  }
  bool apply(const Block& block) {
    std::vector<Value> cells(block.fields.size());
    const auto changed = std::make_unique<bool[]>(cells.size());
    for (std::size_t r = 0; r < block.rows; ++r) {
      block.row(r, cells, std::span<bool>(changed.get(), cells.size()));
      Key key;
      for (std::size_t k = 0; k < block.key_count; ++k)
        key.push_back({block.fields[k].id, cell_of(cells[k])});
      if (block.operation == Operation::kDelete) {
        if (!erase(block.dataset, key)) return false;
        continue;
      }
      Rest rest;
      if (block.operation == Operation::kUpdate) {
        const auto rows = datasets.find(block.dataset);
        if (rows == datasets.end()) return false;
        const auto held = rows->second.find(key);
        if (held == rows->second.end()) return false;
        rest = held->second;
      }
      for (std::size_t i = block.key_count; i < cells.size(); ++i) {
        if (block.operation == Operation::kUpdate && !changed[i]) continue;
        if (cells[i].is_null())
          rest.erase(block.fields[i].id);
        else
          rest[block.fields[i].id] = cell_of(cells[i]);
      }
      put(block.dataset, std::move(key), std::move(rest));
    }
    return true;
  }

  // --- the digest -------------------------------------------------------------------------------
  static void varint(std::uint64_t v, std::vector<unsigned char>& out) {
    for (; v > 127; v /= 128) out.push_back(static_cast<unsigned char>(v % 128 + 128));
    out.push_back(static_cast<unsigned char>(v));
  }
  static std::array<unsigned char, 32> row_hash(std::uint16_t dataset, const Key& key, const Rest& rest) {
    Rest all = rest;
    for (const KeyCell& k : key) all[k.id] = k.value;
    std::vector<unsigned char> in;
    varint(dataset, in);
    for (const auto& [id, cell] : all) {
      const auto* text = std::get_if<std::string>(&cell);
      varint(id * 2ULL + (text != nullptr ? 1 : 0), in);
      if (text != nullptr) {
        varint(text->size(), in);
        in.insert(in.end(), text->begin(), text->end());
      } else {
        const std::int64_t n = std::get<std::int64_t>(cell);
        varint(n < 0 ? ~(static_cast<std::uint64_t>(n) << 1) : static_cast<std::uint64_t>(n) << 1, in);
      }
    }
    unsigned char personal[16] = {};
    std::memcpy(personal, "towpath row", 11);
    const unsigned char salt[16] = {};
    std::array<unsigned char, 32> out{};
    if (crypto_generichash_blake2b_salt_personal(out.data(), out.size(), in.data(), in.size(), nullptr, 0,
                                                 salt, personal) != 0)
      std::abort();
    return out;
  }
  static Hash256 digest_of(std::uint16_t dataset, const Rows& rows) {
    Hash256 sum;
    for (const auto& [key, rest] : rows) add(sum, row_hash(dataset, key, rest));
    return sum;
  }
  [[nodiscard]] Hash256 digest() const {
    Hash256 sum;
    for (const auto& [dataset, rows] : datasets) add(sum, digest_of(dataset, rows).bytes);
    return sum;
  }
  static void add(Hash256& sum, const std::array<unsigned char, 32>& more) {
    unsigned carry = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      carry += static_cast<unsigned>(sum.bytes[i]) + more[i];
      sum.bytes[i] = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
  }
};

}  // namespace towpath::fuzz
