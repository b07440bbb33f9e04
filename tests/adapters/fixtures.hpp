// Folders, zips and samples for the adapter tests.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/api/source_config.hpp"

namespace towpath::testing {
namespace fs = std::filesystem;

// A folder that is gone when the test is.
class TempFolder {
 public:
  TempFolder() {
    static std::atomic<int> next{0};
    // The address of a local tells processes that run side by side apart.
    const auto tag =
        static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(this)) ^
        static_cast<unsigned long long>(std::chrono::steady_clock::now().time_since_epoch().count());
    path_ = fs::temp_directory_path() /
            ("towpath-adapters-" + std::to_string(tag) + "-" + std::to_string(next++));
    fs::create_directories(path_);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }
  fs::path write(const std::string& name, std::string_view bytes) const {
    std::ofstream out(path_ / name, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    REQUIRE(out.good());
    return path_ / name;
  }
  // Every file's name, size and time of change: what a reader must not touch.
  [[nodiscard]] std::string state() const {
    std::vector<std::string> lines;
    for (const auto& entry : fs::recursive_directory_iterator(path_))
      lines.push_back(entry.path().string() + " " +
                      (entry.is_regular_file() ? std::to_string(entry.file_size()) : std::string("-")) + " " +
                      std::to_string(entry.last_write_time().time_since_epoch().count()));
    std::sort(lines.begin(), lines.end());
    std::string out;
    for (const std::string& line : lines) out += line + "\n";
    return out;
  }

 private:
  fs::path path_;
};

inline std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline std::string gunzip(const fs::path& path) {
  gzFile in = gzopen(path.string().c_str(), "rb");
  REQUIRE(in != nullptr);
  std::string out;
  char block[65536];
  for (;;) {
    const int got = gzread(in, block, sizeof block);
    REQUIRE(got >= 0);
    if (got == 0) break;
    out.append(block, static_cast<std::size_t>(got));
  }
  gzclose(in);
  return out;
}

// A zip, written byte by byte, so that a test can write what no tool would.
struct ZipEntry {
  std::string name = {}, content = {};
  bool deflate = true;
  std::optional<std::uint32_t> declared_size = std::nullopt;  // instead of the true one
  std::uint16_t flags = 0;
  std::optional<std::uint16_t> method = std::nullopt;
};
inline std::string make_zip(const std::vector<ZipEntry>& entries) {
  std::string out, directory;
  const auto put = [](std::string& to, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) to.push_back(static_cast<char>(value >> (8 * i)));
  };
  for (const ZipEntry& entry : entries) {
    std::string packed = entry.content;
    if (entry.deflate) {
      z_stream z{};
      REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
      packed.resize(deflateBound(&z, static_cast<uLong>(entry.content.size())));
      z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(entry.content.data()));
      z.avail_in = static_cast<uInt>(entry.content.size());
      z.next_out = reinterpret_cast<Bytef*>(packed.data());
      z.avail_out = static_cast<uInt>(packed.size());
      REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
      packed.resize(z.total_out);
      deflateEnd(&z);
    }
    const auto sum = crc32(0, reinterpret_cast<const Bytef*>(entry.content.data()),
                           static_cast<uInt>(entry.content.size()));
    const std::uint64_t size = entry.declared_size.value_or(static_cast<std::uint32_t>(entry.content.size()));
    const std::uint16_t method = entry.method.value_or(entry.deflate ? 8 : 0);
    const std::size_t offset = out.size();
    const auto common = [&](std::string& to) {
      put(to, 20, 2);
      put(to, entry.flags, 2);
      put(to, method, 2);
      put(to, 0, 2);
      put(to, 0x5a21, 2);
      put(to, sum, 4);
      put(to, packed.size(), 4);
      put(to, size, 4);
      put(to, entry.name.size(), 2);
      put(to, 0, 2);
    };
    put(out, 0x04034b50, 4);
    common(out);
    out += entry.name + packed;
    put(directory, 0x02014b50, 4);
    put(directory, 20, 2);
    common(directory);
    put(directory, 0, 2);
    put(directory, 0, 2);
    put(directory, 0, 2);
    put(directory, 0, 4);
    put(directory, offset, 4);
    directory += entry.name;
  }
  const std::size_t at = out.size();
  out += directory;
  put(out, 0x06054b50, 4);
  put(out, 0, 4);
  put(out, entries.size(), 2);
  put(out, entries.size(), 2);
  put(out, directory.size(), 4);
  put(out, at, 4);
  put(out, 0, 2);
  return out;
}

// The real samples; none where they are not on this machine.
inline std::optional<fs::path> samples() {
  fs::path path;
  if (const char* named = std::getenv("TOWPATH_SAMPLES"))
    path = named;
  else if (const char* source = std::getenv("TOWPATH_SOURCE"))
    path = fs::path(source) / ".." / "shared" / "data";
  std::error_code ignored;
  if (path.empty() || !fs::is_directory(path, ignored)) {
    WARN("no samples (TOWPATH_SAMPLES): this test was skipped");
    return std::nullopt;
  }
  return path;
}

inline AdapterContext school_context(std::string source = "mis") {
  return {built_in_dictionary(), "100001", "Example School", std::move(source), *Date::parse("2026-11-23")};
}

}  // namespace towpath::testing
