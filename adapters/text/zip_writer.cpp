#include "adapters/text/zip_writer.hpp"

#include <minizip/zip.h>

#include <algorithm>
#include <cstring>

namespace towpath {
namespace {

// A file that is memory, as minizip wants to see it.
struct Memory {
  Bytes bytes;
  std::size_t at = 0;
};
Memory& of(voidpf stream) { return *static_cast<Memory*>(stream); }

voidpf open_memory(voidpf memory, const void*, int) { return memory; }
uLong read_memory(voidpf, voidpf stream, void* into, uLong size) {
  Memory& m = of(stream);
  const std::size_t n = std::min<std::size_t>(size, m.bytes.size() - std::min(m.at, m.bytes.size()));
  std::memcpy(into, m.bytes.data() + m.at, n);
  m.at += n;
  return n;
}
uLong write_memory(voidpf, voidpf stream, const void* from, uLong size) {
  Memory& m = of(stream);
  if (m.at + size > kZipWrittenMax) return 0;
  m.bytes.resize(std::max<std::size_t>(m.bytes.size(), m.at + size));
  std::memcpy(m.bytes.data() + m.at, from, size);
  m.at += size;
  return size;
}
ZPOS64_T tell_memory(voidpf, voidpf stream) { return of(stream).at; }
long seek_memory(voidpf, voidpf stream, ZPOS64_T offset, int origin) {
  Memory& m = of(stream);
  const std::size_t base = origin == ZLIB_FILEFUNC_SEEK_CUR   ? m.at
                           : origin == ZLIB_FILEFUNC_SEEK_END ? m.bytes.size()
                                                              : 0;
  if (base + offset > m.bytes.size()) return -1;
  m.at = base + static_cast<std::size_t>(offset);
  return 0;
}
int close_memory(voidpf, voidpf) { return 0; }
int error_of_memory(voidpf, voidpf) { return 0; }

zip_fileinfo info_at(Instant when) {
  const auto day = std::chrono::floor<std::chrono::days>(when);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(when - day)};
  const auto part = [](auto number) { return static_cast<uInt>(number); };
  zip_fileinfo info{};
  info.tmz_date.tm_year = part(static_cast<int>(date.year()));
  info.tmz_date.tm_mon = part(static_cast<unsigned>(date.month()) - 1);
  info.tmz_date.tm_mday = part(static_cast<unsigned>(date.day()));
  info.tmz_date.tm_hour = part(time.hours().count());
  info.tmz_date.tm_min = part(time.minutes().count());
  info.tmz_date.tm_sec = part(time.seconds().count());
  return info;
}

}  // namespace

Result<Bytes> make_zip(std::span<const ZipEntry> entries, Instant when) {
  std::size_t total = 0;
  for (const ZipEntry& entry : entries) total += entry.name.size() + entry.content.size();
  if (total > kZipWrittenMax)
    return fail(Code::kTooLarge, "what is to be zipped has " + std::to_string(total) + " bytes; at most " +
                                     std::to_string(kZipWrittenMax) + " are written");
  Memory memory;
  zlib_filefunc64_def functions{open_memory, read_memory,  write_memory,    tell_memory,
                                seek_memory, close_memory, error_of_memory, &memory};
  zipFile zip = zipOpen2_64("memory", APPEND_STATUS_CREATE, nullptr, &functions);
  bool fine = zip != nullptr;
  const zip_fileinfo info = info_at(when);
  for (const ZipEntry& entry : entries) {
    if (!fine) break;
    fine = zipOpenNewFileInZip64(zip, entry.name.c_str(), &info, nullptr, 0, nullptr, 0, nullptr, Z_DEFLATED,
                                 Z_DEFAULT_COMPRESSION, 0) == ZIP_OK &&
           zipWriteInFileInZip(zip, entry.content.data(), static_cast<unsigned>(entry.content.size())) ==
               ZIP_OK &&
           zipCloseFileInZip(zip) == ZIP_OK;
  }
  if (zip != nullptr && zipClose(zip, nullptr) != ZIP_OK) fine = false;
  if (!fine) return fail(Code::kInternal, "a zip of " + std::to_string(total) + " bytes cannot be made");
  return std::move(memory.bytes);
}

}  // namespace towpath
