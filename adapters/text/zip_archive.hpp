// The only file that sees minizip: lists a zip's members and reads them.
//
// Used by FileSet. Every limit of ZipLimits is checked against what the zip says of
// itself when it is listed, and again against what really comes out when it is read.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/text/byte_source.hpp"
#include "adapters/text/stat_mark.hpp"
#include "adapters/text/zip_limits.hpp"
#include "core/result.hpp"

namespace towpath {

struct ZipMember {
  std::string name;  // without the folder that holds them all
  std::string path;  // as in the zip
  std::uint64_t bytes = 0;
};

[[nodiscard]] Result<std::vector<ZipMember>> list_zip(const std::filesystem::path& path,
                                                      const std::string& name, const ZipLimits& limits);
[[nodiscard]] Result<std::unique_ptr<ByteSource>> open_zip_member(const std::filesystem::path& path,
                                                                  const std::string& zip_name,
                                                                  const ZipMember& member,
                                                                  const StatMark& mark);

}  // namespace towpath
