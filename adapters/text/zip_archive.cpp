#include "adapters/text/zip_archive.hpp"

#include <minizip/unzip.h>

#include <algorithm>
#include <set>

namespace towpath {
namespace {

constexpr std::string_view kExportAgain =
    "Export it again; if it is still being written, wait until it is done";

struct Close {
  void operator()(void* zip) const { unzClose(zip); }
};
using Zip = std::unique_ptr<void, Close>;

Zip open_zip(const std::filesystem::path& path) { return Zip(unzOpen64(path.string().c_str())); }

tl::unexpected<Error> damaged(const std::string& name, const std::string& how) {
  return fail(Code::kDamaged, name + " is a damaged zip: " + how, std::string(kExportAgain));
}

// Absolute, with a drive, or climbing: no export writes such names, an attack does.
bool climbs(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.find('\\') != std::string_view::npos ||
      path.find(':') != std::string_view::npos || path.find('\0') != std::string_view::npos)
    return true;
  std::size_t from = 0;
  while (from <= path.size()) {
    const std::size_t to = std::min(path.find('/', from), path.size());
    const std::string_view part = path.substr(from, to - from);
    if (part == ".." || part == ".") return true;
    from = to + 1;
  }
  return false;
}

// What a Mac or Windows adds to every zip that people make by hand.
bool system_clutter(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string_view base = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return path.starts_with("__MACOSX/") || base == ".DS_Store" || base == "Thumbs.db" || base == "desktop.ini";
}

class Member final : public ByteSource {
 public:
  Member(Zip zip, std::filesystem::path path, std::string zip_name, ZipMember member, StatMark mark)
      : zip_(std::move(zip)),
        path_(std::move(path)),
        zip_name_(std::move(zip_name)),
        member_(std::move(member)),
        mark_(mark) {}

  Result<std::size_t> read(std::span<char> into) override {
    if (ended_) return 0;
    const int got = unzReadCurrentFile(zip_.get(), into.data(), static_cast<unsigned>(into.size()));
    if (got < 0) return damaged(zip_name_, member_.name + " cannot be unpacked");
    total_ += static_cast<std::uint64_t>(got);
    if (total_ > member_.bytes)
      return damaged(zip_name_, member_.name + " unpacks to more than the " + std::to_string(member_.bytes) +
                                    " bytes that it declares");
    if (got > 0) return static_cast<std::size_t>(got);
    ended_ = true;
    if (auto same = check_same(path_, zip_name_, mark_); !same) return fail(std::move(same).error());
    if (total_ != member_.bytes)
      return damaged(zip_name_, member_.name + " ends after " + std::to_string(total_) + " of " +
                                    std::to_string(member_.bytes) + " bytes");
    if (unzCloseCurrentFile(zip_.get()) != UNZ_OK)
      return damaged(zip_name_, "the checksum of " + member_.name + " is wrong");
    return 0;
  }

 private:
  Zip zip_;
  std::filesystem::path path_;
  std::string zip_name_;
  ZipMember member_;
  StatMark mark_;
  std::uint64_t total_ = 0;
  bool ended_ = false;
};

}  // namespace

Result<std::vector<ZipMember>> list_zip(const std::filesystem::path& path, const std::string& name,
                                        const ZipLimits& limits) {
  const Zip zip = open_zip(path);
  if (!zip) return damaged(name, "its directory cannot be found");
  unz_global_info64 about{};
  if (unzGetGlobalInfo64(zip.get(), &about) != UNZ_OK) return damaged(name, "its directory cannot be read");
  if (about.number_entry > limits.members)
    return fail(Code::kTooLarge,
                name + " says that it holds " + std::to_string(about.number_entry) + " files; at most " +
                    std::to_string(limits.members) + " are read",
                "Export only what towpath is to read");
  std::vector<ZipMember> members;
  std::uint64_t total = 0;
  std::vector<char> buffer(limits.name_bytes + 2);
  for (std::uint64_t i = 0; i < about.number_entry; ++i) {
    const int moved = i == 0 ? unzGoToFirstFile(zip.get()) : unzGoToNextFile(zip.get());
    unz_file_info64 info{};
    if (moved != UNZ_OK || unzGetCurrentFileInfo64(zip.get(), &info, buffer.data(), buffer.size() - 1,
                                                   nullptr, 0, nullptr, 0) != UNZ_OK)
      return damaged(name, "its directory ends after " + std::to_string(i) + " of " +
                               std::to_string(about.number_entry) + " files");
    if (info.size_filename > limits.name_bytes)
      return fail(Code::kTooLarge, name + " holds a file whose name has " +
                                       std::to_string(info.size_filename) + " bytes; at most " +
                                       std::to_string(limits.name_bytes) + " are read");
    ZipMember member;
    member.path.assign(buffer.data(), info.size_filename);
    member.bytes = info.uncompressed_size;
    if (climbs(member.path))
      return fail(Code::kBadInput, name + " holds a file name that leads out of the zip, as no export writes",
                  "Do not use this zip; find out where it came from");
    if (member.path.ends_with('/') || system_clutter(member.path)) continue;
    if ((info.flag & 1) != 0)
      return fail(Code::kBadInput, name + " is protected by a password", "Export it without one");
    if (info.compression_method != 0 && info.compression_method != 8)
      return fail(Code::kBadInput,
                  name + " is packed by method " + std::to_string(info.compression_method) +
                      "; stored and deflate are read",
                  "Export it as an ordinary zip");
    total += member.bytes;
    if (member.bytes > limits.member_bytes || total > limits.total_bytes)
      return fail(
          Code::kTooLarge,
          name + " would unpack to more than " +
              std::to_string(
                  (member.bytes > limits.member_bytes ? limits.member_bytes : limits.total_bytes) >> 20) +
              " MiB",
          "If this is a real export, split it into several sources");
    if (member.bytes >= limits.ratio_from_bytes && member.bytes / limits.ratio > info.compressed_size)
      return fail(Code::kTooLarge,
                  name + " holds a file that would unpack to over " + std::to_string(limits.ratio) +
                      " times its size, as no export does",
                  "Do not use this zip; find out where it came from");
    members.push_back(std::move(member));
  }
  // All in one folder: named without it. Anything deeper is not an export that we know.
  std::set<std::string> folders;
  for (ZipMember& member : members) {
    const std::size_t slash = member.path.rfind('/');
    folders.insert(slash == std::string::npos ? std::string() : member.path.substr(0, slash));
    member.name = slash == std::string::npos ? member.path : member.path.substr(slash + 1);
  }
  if (folders.size() > 1)
    return fail(Code::kBadInput, name + " holds files in " + std::to_string(folders.size()) + " folders",
                "Zip the files themselves, or one folder that holds them all");
  std::set<std::string_view> seen;
  for (const ZipMember& member : members)
    if (!seen.insert(member.name).second) return damaged(name, "it holds " + member.name + " twice");
  return members;
}

Result<std::unique_ptr<ByteSource>> open_zip_member(const std::filesystem::path& path,
                                                    const std::string& zip_name, const ZipMember& member,
                                                    const StatMark& mark) {
  if (auto same = check_same(path, zip_name, mark); !same) return fail(std::move(same).error());
  Zip zip = open_zip(path);
  if (!zip) return damaged(zip_name, "its directory cannot be found");
  if (unzLocateFile(zip.get(), member.path.c_str(), 1) != UNZ_OK || unzOpenCurrentFile(zip.get()) != UNZ_OK)
    return damaged(zip_name, member.name + " is not where the directory says");
  return std::unique_ptr<ByteSource>(std::make_unique<Member>(std::move(zip), path, zip_name, member, mark));
}

}  // namespace towpath
