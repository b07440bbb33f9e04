#include "tests/simulation/sim_disk.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "core/result.hpp"
#include "tests/simulation/sim_vfs.hpp"

namespace towpath::sim {
namespace {

// Names are for SQLite's list only; nothing that happens depends on them.
std::string next_name() {
  static std::uint64_t made = 0;
  return "towpath-sim-" + std::to_string(++made);
}

}  // namespace

const char* name(Fault fault) {
  switch (fault) {
    case Fault::kKill:
      return "kill";
    case Fault::kPowerCut:
      return "power cut";
    case Fault::kFull:
      return "disk full";
    case Fault::kFlaky:
      return "disk error";
    case Fault::kRead:
      return "read error";
    case Fault::kUnreadable:
      return "unreadable disk";
  }
  return "";
}

SimDisk::SimDisk(SimRandom random)
    : random_(random), vfs_name_(next_name()), vfs_(register_vfs(*this, vfs_name_)) {}
SimDisk::~SimDisk() { unregister_vfs(vfs_.get()); }

void SimDisk::arm(Fault fault, std::uint64_t at) {
  TP_ASSERT(!down_ && at > 0);
  armed_ = Armed{fault, at};
}

void SimDisk::stop(Fault fault) {
  if (down_) return;
  down_ = true;
  struck_ = fault;
  armed_.reset();
  if (fault == Fault::kPowerCut) cut_power();
}

void SimDisk::reboot() {
  TP_ASSERT(open_files == 0);
  down_ = false;
  heal();
  armed_.reset();
  for (auto& [path, file] : files_) {
    file->shared = 0;
    file->reserved = file->pending = file->exclusive = false;
    file->memory.clear();
    file->memory_shared = {};
    file->memory_exclusive = {};
    file->memory_users = 0;
  }
}

SimDisk::Verdict SimDisk::change(std::size_t bytes, bool grows) {
  if (down_) return {SQLITE_IOERR, 0};
  ++changes_;
  if (on_change) on_change();
  if (armed_ && !of_reads(armed_->fault) && --armed_->left == 0) {
    const Fault fault = armed_->fault;
    armed_.reset();
    struck_ = fault;
    switch (fault) {
      case Fault::kKill:
      case Fault::kPowerCut:
        // The call in hand may be done whole, in part, or not at all; SQLite hears of none of it.
        dying_ = fault;
        return {SQLITE_IOERR, random_.chance(34) ? 0 : random_.chance(50) ? bytes : random_.below(bytes + 1)};
      case Fault::kFull:
        full_ = true;
        break;
      case Fault::kFlaky:
        return {SQLITE_IOERR, 0};
      case Fault::kRead:
      case Fault::kUnreadable:
        break;
    }
  }
  if (full_ && grows) return {SQLITE_FULL, 0};
  return {SQLITE_OK, bytes};
}

bool SimDisk::read() {
  if (down_) return false;
  if (armed_ && of_reads(armed_->fault) && --armed_->left == 0) {
    const Fault fault = armed_->fault;
    armed_.reset();
    struck_ = fault;
    if (fault == Fault::kRead) return false;
    unreadable_ = true;
  }
  return !unreadable_;
}

void SimDisk::settle() {
  if (dying_) stop(*std::exchange(dying_, std::nullopt));
}

std::shared_ptr<SimFile> SimDisk::find(const std::string& path) const {
  const auto found = files_.find(path);
  return found == files_.end() ? nullptr : found->second;
}

std::shared_ptr<SimFile> SimDisk::create(const std::string& path) {
  auto& file = files_[path];
  file = std::make_shared<SimFile>();
  return file;
}

void SimDisk::remember(SimFile& file, std::size_t begin, std::size_t end) {
  for (std::size_t s = begin / kSector; s * kSector < end; ++s) {
    if (s * kSector >= file.synced_size || file.before.contains(s)) continue;
    SimFile::Sector old{};
    const std::size_t from = s * kSector;
    if (from < file.now.size())
      std::copy_n(file.now.begin() + static_cast<std::ptrdiff_t>(from),
                  std::min(kSector, file.now.size() - from), old.begin());
    file.before.emplace(s, old);
  }
}

void SimDisk::write(SimFile& file, std::size_t offset, ByteView bytes) {
  if (!bytes.empty()) {
    remember(file, std::min(offset, file.now.size()), offset + bytes.size());
    if (file.now.size() < offset + bytes.size()) file.now.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), file.now.begin() + static_cast<std::ptrdiff_t>(offset));
    // Sectors that were never synced: nothing is known to have been in them.
    for (std::size_t s = offset / kSector; s * kSector < offset + bytes.size(); ++s)
      if (s * kSector >= file.synced_size) file.before.try_emplace(s, SimFile::Sector{});
  }
}

void SimDisk::resize(SimFile& file, std::size_t size) {
  remember(file, std::min(size, file.now.size()), std::max(size, file.now.size()));
  file.now.resize(size);
}

void SimDisk::sync(const std::string& path, SimFile& file) {
  file.before.clear();
  file.synced_size = file.now.size();
  file.kept = true;
  if (const auto gone = removed_.find(path); gone != removed_.end() && find(path).get() == &file)
    removed_.erase(gone);
}

void SimDisk::remove(const std::string& path, bool for_good) {
  const auto found = files_.find(path);
  if (found != files_.end()) {
    if (found->second->kept) removed_[path] = found->second;
    files_.erase(found);
  }
  if (for_good) sync_folder();
}

void SimDisk::sync_folder() {
  removed_.clear();
  for (auto& [other, file] : files_) file->kept = true;
}

void SimDisk::cut_power() {
  // Mostly everything or nothing unsynced arrives; the nasty case is some of it.
  const std::size_t mood = random_.below(4);
  const auto arrives = [&] { return mood == 0 || (mood > 1 && random_.chance(50)); };
  for (auto& [path, file] : removed_)
    if (!files_.contains(path) && !arrives()) files_[path] = file;  // its removal did not
  removed_.clear();
  for (auto at = files_.begin(); at != files_.end();) {
    SimFile& file = *at->second;
    if (!file.kept && !arrives()) {
      at = files_.erase(at);
      continue;
    }
    const std::size_t size = arrives() ? file.now.size() : file.synced_size;
    const std::size_t written = file.now.size();
    file.now.resize(std::max(size, written));
    for (const auto& [sector, old] : file.before) {
      const std::size_t from = sector * kSector;
      // (What was cut off and not written again is as it was, if it is there at all.)
      if (from >= file.now.size() || (from < written && arrives())) continue;
      std::copy_n(old.begin(), std::min(kSector, file.now.size() - from),
                  file.now.begin() + static_cast<std::ptrdiff_t>(from));
    }
    file.now.resize(size);
    file.before.clear();
    file.synced_size = size;
    file.kept = true;
    ++at;
  }
}

std::map<std::string, std::size_t> SimDisk::files() const {
  std::map<std::string, std::size_t> all;
  for (const auto& [path, file] : files_) all[path] = file->now.size();
  return all;
}

SimDisk::Image SimDisk::image() const {
  Image all;
  for (const auto& [path, file] : files_) all[path] = file->now;
  return all;
}

void SimDisk::restore(const Image& image) {
  TP_ASSERT(open_files == 0);
  files_.clear();
  removed_.clear();
  for (const auto& [path, bytes] : image) {
    auto file = create(path);
    file->now = bytes;
    file->synced_size = bytes.size();
    file->kept = true;
  }
}

}  // namespace towpath::sim
