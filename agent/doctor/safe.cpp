#include "agent/doctor/safe.hpp"

#include <algorithm>
#include <array>

namespace towpath::doctor {
namespace {

// What is in a Safe is ASCII of our own; quotes are escaped all the same.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    out += byte < 0x20 || byte >= 0x7f ? '?' : c;
  }
  return out + "\"";
}

}  // namespace

Safe Safe::known(std::string_view text, std::span<const std::string_view> words) {
  const auto found = std::find(words.begin(), words.end(), text);
  return {Own{}, found == words.end() ? std::string("other") : std::string(*found)};
}

Safe Safe::machine(const platform::MachineSeen& machine) {
  Safe out = object();
  out.set("kernel", {Own{}, machine.kernel})
      .set("architecture", {Own{}, machine.architecture})
      .set("system", {Own{}, machine.system})
      .set("processors", machine.processors)
      .set("memory_mb", machine.memory_bytes / 1'000'000)
      .set("memory_free_mb", machine.memory_free_bytes / 1'000'000)
      .set("uptime_s", machine.uptime_seconds)
      .set("time_zone", {Own{}, machine.time_zone})
      .set("utc_offset_minutes", machine.utc_offset_minutes);
  return out;
}

Safe Safe::object(std::initializer_list<std::pair<Literal, Safe>> members) {
  Safe out = object();
  for (const auto& [key, value] : members) out.set(key, value);
  return out;
}

Safe& Safe::set(Literal key, Safe value) {
  std::get<Object>(value_).emplace_back(std::string(key.text()), std::move(value));
  return *this;
}
Safe& Safe::set_known(std::string_view key, std::span<const std::string_view> words, Safe value) {
  const Safe name = known(key, words);
  std::get<Object>(value_).emplace_back(std::get<std::string>(name.value_), std::move(value));
  return *this;
}
Safe& Safe::add(Safe value) {
  std::get<List>(value_).push_back(std::move(value));
  return *this;
}

void Safe::write(std::string& out, std::size_t depth) const {
  const std::string indent(2 * depth + 2, ' ');
  const auto close = [&](char bracket) { out += "\n" + std::string(2 * depth, ' ') + bracket; };
  if (const auto* truth = std::get_if<bool>(&value_)) {
    out += *truth ? "true" : "false";
  } else if (const auto* number = std::get_if<std::int64_t>(&value_)) {
    out += std::to_string(*number);
  } else if (const auto* text = std::get_if<std::string>(&value_)) {
    out += quoted(*text);
  } else if (const auto* object = std::get_if<Object>(&value_)) {
    if (object->empty()) return void(out += "{}");
    const char* before = "{\n";
    for (const auto& [key, value] : *object) {
      out += before + indent + quoted(key) + ": ";
      value.write(out, depth + 1);
      before = ",\n";
    }
    close('}');
  } else if (const auto* list = std::get_if<List>(&value_)) {
    if (list->empty()) return void(out += "[]");
    const char* before = "[\n";
    for (const Safe& value : *list) {
      out += before + indent;
      value.write(out, depth + 1);
      before = ",\n";
    }
    close(']');
  } else {
    out += "null";
  }
}

std::string Safe::text() const {
  std::string out;
  write(out, 0);
  return out + "\n";
}

Safe path_class(const std::string& path) {
  if (path.empty()) return {};
  const platform::PathSeen seen = platform::look_at(path);
  Safe out = Safe::object();
  out.set("characters", path.size());
  switch (seen.kind) {
    case platform::PathKind::kNothing:
      out.set("is", seen.hidden ? Literal("hidden")
                    : seen.link ? Literal("dead link")
                                : Literal("not there"));
      break;
    case platform::PathKind::kFolder:
      out.set("is", "folder");
      break;
    case platform::PathKind::kFile:
      out.set("is", "file");
      break;
    case platform::PathKind::kOther:
      out.set("is", "neither folder nor file");
      break;
  }
  constexpr std::array<std::string_view, 22> kFileSystems{
      "ext4",  "xfs", "btrfs", "zfs",  "tmpfs", "ramfs", "overlay", "f2fs", "fuse", "fat",  "ntfs",
      "ntfs3", "nfs", "smb",   "cifs", "smb2",  "afs",   "ceph",    "9p",   "coda", "gfs2", "lustre"};
  if (seen.kind != platform::PathKind::kNothing)
    out.set("mode", seen.mode)
        .set("ours", seen.ours)
        .set("may_read", seen.may_read)
        .set("may_write", seen.may_write)
        .set("link", seen.link)
        .set("network", seen.network)
        .set("file_system", seen.file_system.empty() ? Safe() : Safe::known(seen.file_system, kFileSystems));
  return out;
}

}  // namespace towpath::doctor
