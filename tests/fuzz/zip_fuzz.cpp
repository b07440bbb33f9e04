// Hostile zips: what is listed keeps to the limits, what is read to what was listed.
#include <array>
#include <cstdlib>

#include "adapters/text/zip_archive.hpp"
#include "core/bytes.hpp"
#include "memory_file.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile file;
  file.hold({data, size});
  ZipLimits limits;
  limits.members = 32;
  limits.member_bytes = 64 * 1024;
  limits.total_bytes = 128 * 1024;
  limits.ratio_from_bytes = 4 * 1024;
  const auto members = list_zip(file.path(), "fuzz.zip", limits);
  if (!members) return 0;
  if (members->size() > limits.members) std::abort();
  const auto mark = mark_of(file.path(), "fuzz.zip");
  if (!mark) std::abort();
  for (const ZipMember& member : *members) {
    if (member.name.empty() || member.name.size() > limits.name_bytes || member.bytes > limits.member_bytes)
      std::abort();
    if (member.name.front() == '/' || member.name == ".." || member.name.starts_with("../") ||
        member.name.find("/../") != std::string::npos)
      std::abort();
    const auto source = open_zip_member(file.path(), "fuzz.zip", member, *mark);
    if (!source) continue;
    std::array<char, 1000> block{};
    for (std::uint64_t all = 0;;) {
      const auto n = (*source)->read(block);
      if (!n || *n == 0) break;
      all += *n;
      if (all > member.bytes) std::abort();
    }
  }
  return 0;
}
