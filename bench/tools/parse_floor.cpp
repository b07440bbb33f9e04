// parse_floor read|hash|split FILES...: the least that finding a day's change can cost.
//
// read: every byte passes through a buffer. hash: and each line is hashed. split: and every
// field is found, quotes obeyed. Nothing is kept. Prints lines, fields and a checksum, so that
// the compiler cannot leave the work out.
#define XXH_INLINE_ALL
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

// As the agent reads: 128 KiB at a time.
constexpr std::size_t kBlock = 128 * 1024;

struct Sums {
  std::uint64_t lines = 0, fields = 0, check = 0;
};

void split(std::string_view line, Sums& sums) {
  std::size_t at = 0;
  for (;;) {
    ++sums.fields;
    if (at < line.size() && line[at] == '"') {
      ++at;
      while (at < line.size()) {
        if (line[at] != '"') {
          ++at;
        } else if (at + 1 < line.size() && line[at + 1] == '"') {
          at += 2;
        } else {
          ++at;
          break;
        }
      }
    }
    const void* comma = at < line.size() ? std::memchr(line.data() + at, ',', line.size() - at) : nullptr;
    if (comma == nullptr) {
      sums.check += line.size() - at;
      return;
    }
    const auto end = static_cast<std::size_t>(static_cast<const char*>(comma) - line.data());
    sums.check += end - at;
    at = end + 1;
  }
}

bool run(const char* path, std::string_view mode, Sums& sums) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    std::perror(path);
    return false;
  }
  std::vector<char> block(kBlock);
  std::string rest;  // a line that a block's end cut
  for (;;) {
    const ssize_t got = read(file, block.data(), block.size());
    if (got <= 0) {
      close(file);
      if (got < 0) std::perror(path);
      return got == 0;
    }
    std::string_view left(block.data(), static_cast<std::size_t>(got));
    if (mode == "read") {
      sums.check += static_cast<unsigned char>(left.front());
      continue;
    }
    while (!left.empty()) {
      const void* newline = std::memchr(left.data(), '\n', left.size());
      if (newline == nullptr) {
        rest.append(left);
        break;
      }
      const auto length = static_cast<std::size_t>(static_cast<const char*>(newline) - left.data());
      std::string_view line = left.substr(0, length);
      if (!rest.empty()) {
        rest.append(line);
        line = rest;
      }
      ++sums.lines;
      if (mode == "hash")
        sums.check ^= XXH3_64bits(line.data(), line.size());
      else
        split(line, sums);
      rest.clear();
      left.remove_prefix(length + 1);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (argc < 3 || (mode != "read" && mode != "hash" && mode != "split")) {
    std::fprintf(stderr, "usage: parse_floor read|hash|split FILES...\n");
    return 64;
  }
  Sums sums;
  for (int i = 2; i < argc; ++i)
    if (!run(argv[i], mode, sums)) return 66;
  std::printf("%llu lines, %llu fields, %llx\n", static_cast<unsigned long long>(sums.lines),
              static_cast<unsigned long long>(sums.fields), static_cast<unsigned long long>(sums.check));
  return 0;
}
