// Inputs that are packages of text files, and their mutations: by files, lines and cells.
//
// A package is one text: "=== users.csv" begins a file of that name. What stands before the first are
// words for the harness ("zip"). FUZZ_PACKAGES(words) defines libFuzzer's two functions; `words` are cells
// that mean something to the reader in question.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace towpath::fuzz {

struct PackedFile {
  std::string name, content;
};
struct Package {
  std::string words;  // before the first file
  std::vector<PackedFile> files;
  [[nodiscard]] const PackedFile* find(std::string_view name) const {
    for (const PackedFile& f : files)
      if (f.name == name) return &f;
    return nullptr;
  }
};
// More files than any package has, and less than a disk would mind.
inline constexpr std::size_t kPackedFilesMax = 16;

inline Package package_of(std::string_view text) {
  Package out;
  std::string* into = &out.words;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
    text.remove_prefix(line.size());
    if (line.starts_with("=== ") && out.files.size() < kPackedFilesMax) {
      std::string name(line.substr(4, line.size() - 4 - (line.back() == '\n' ? 1 : 0)));
      std::erase_if(name, [](char c) { return c == '/' || static_cast<unsigned char>(c) < 0x20; });
      if (name.empty() || name == "." || name == ".." || name.size() > 60)
        name = "f" + std::to_string(out.files.size());
      out.files.push_back({name, {}});
      into = &out.files.back().content;
    } else {
      into->append(line);
    }
  }
  return out;
}
inline std::string text_of(const Package& package) {
  std::string out = package.words;
  for (const PackedFile& f : package.files) {
    if (!out.empty() && out.back() != '\n') out += '\n';
    out += "=== " + f.name + "\n" + f.content;
  }
  return out;
}

inline std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == at)
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}
inline std::string join(const std::vector<std::string>& parts, char with) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += with;
    out += parts[i];
  }
  return out;
}

inline std::size_t mutate_package(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed,
                                  std::span<const std::string_view> words) {
  std::minstd_rand chance(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(chance()) % n; };
  Package package = package_of({reinterpret_cast<const char*>(data), size});
  if (package.files.empty() || below(8) == 0) return LLVMFuzzerMutate(data, size, most);
  for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
    PackedFile& file = package.files[below(package.files.size())];
    std::vector<std::string> lines = split(file.content, '\n');
    const std::size_t at = below(lines.size()), other = below(lines.size());
    const auto place = lines.begin() + static_cast<std::ptrdiff_t>(at);
    std::vector<std::string> cells = split(lines[at], ',');
    std::string& cell = cells[below(cells.size())];
    switch (below(16)) {
      case 0:
        lines.erase(place);
        break;
      case 1:
        lines.insert(place, std::string(lines[other]));
        break;
      case 2:
        std::swap(lines[at], lines[other]);
        break;
      case 3: {  // a cell of another line, at the same place
        const std::vector<std::string> from = split(lines[other], ',');
        const std::size_t c = below(std::min(cells.size(), from.size()));
        cells[c] = from[c];
        lines[at] = join(cells, ',');
        break;
      }
      case 4: {  // a column goes, or changes its name
        std::vector<std::string> names = split(lines.front(), ',');
        const std::size_t c = below(names.size());
        if (below(2) == 0) {
          names[c] += "x";
          lines.front() = join(names, ',');
          break;
        }
        for (std::string& line : lines) {
          std::vector<std::string> parts = split(line, ',');
          if (c < parts.size()) parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(c));
          line = join(parts, ',');
        }
        break;
      }
      case 5:
        if (package.files.size() > 1)
          file.name = package.files[below(package.files.size())].name;
        else
          file.name += "x";
        continue;
      case 6:
        file.content.clear();
        continue;
      case 7:
        cell = "\"" + cell + (below(4) == 0 ? "" : "\"");
        lines[at] = join(cells, ',');
        break;
      case 8:
        cell.clear();
        lines[at] = join(cells, ',');
        break;
      case 9:
        lines[at] = join(cells, below(2) == 0 ? ';' : '\t');
        break;
      case 10: {
        std::string grown = cell;
        grown.resize(std::max<std::size_t>(2 * cell.size(), 16));
        grown.resize(
            LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(grown.data()), cell.size(), grown.size()));
        cell = grown;
        lines[at] = join(cells, ',');
        break;
      }
      case 11:
        cell += std::string(1, '\r');
        lines[at] = join(cells, ',');
        break;
      default:
        cell = std::string(words[below(words.size())]);
        lines[at] = join(cells, ',');
    }
    file.content = join(lines, '\n');
  }
  const std::string out = text_of(package);
  const std::size_t n = std::min(out.size(), most);
  std::memcpy(data, out.data(), n);
  return n;
}
// Files of one, and of the other those that chance picks.
inline std::size_t cross_packages(ByteView one, ByteView other, std::uint8_t* out, std::size_t most,
                                  unsigned seed) {
  std::minstd_rand chance(seed);
  Package a = package_of(towpath::text_of(one));
  const Package b = package_of(towpath::text_of(other));
  for (const PackedFile& f : b.files) {
    if (chance() % 2 == 0) continue;
    const auto same =
        std::find_if(a.files.begin(), a.files.end(), [&](const PackedFile& x) { return x.name == f.name; });
    if (same != a.files.end())
      *same = f;
    else if (a.files.size() < kPackedFilesMax)
      a.files.push_back(f);
  }
  const std::string joined = text_of(a);
  const std::size_t n = std::min(joined.size(), most);
  std::memcpy(out, joined.data(), n);
  return n;
}

}  // namespace towpath::fuzz

#define FUZZ_PACKAGES(words)                                                                             \
  extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, \
                                                 unsigned seed) {                                        \
    return towpath::fuzz::mutate_package(data, size, most, seed, words);                                 \
  }                                                                                                      \
  extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* one, std::size_t size,            \
                                                   const std::uint8_t* other, std::size_t size2,         \
                                                   std::uint8_t* out, std::size_t most, unsigned seed) { \
    return towpath::fuzz::cross_packages({one, size}, {other, size2}, out, most, seed);                  \
  }
