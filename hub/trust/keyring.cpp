#include "hub/trust/keyring.hpp"

#include <filesystem>
#include <optional>
#include <system_error>

#include "platform/platform.hpp"

namespace towpath {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeadName = "towpath hub keys, version ";
constexpr std::string_view kHead = "towpath hub keys, version 1\n";
constexpr std::string_view kMade = "made ";
// What PartySecret writes is two lines; a hundred keys are some 15 KB.
constexpr std::size_t kFileBytesMax = 64 * 1024;

std::string folder_of(const std::string& data) { return data + "/keys"; }
std::string file_of(const std::string& data) { return folder_of(data) + "/hub.keys"; }

tl::unexpected<Error> damaged(const std::string& file) {
  return fail(Code::kDamaged, "the hub's keys in " + file + " are not as they were written",
              "Bring the file back from a backup; it is what every school knows this hub by, so it is never "
              "written over");
}

// One line with its end; empty where there is none.
std::string_view line_of(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return {};
  const std::string_view line = text.substr(0, end + 1);
  text.remove_prefix(end + 1);
  return line;
}

std::optional<Keyring::Keys> parse(std::string_view text) {
  if (!text.starts_with(kHead)) return std::nullopt;
  text.remove_prefix(kHead.size());
  Keyring::Keys keys;
  while (!text.empty()) {
    std::string_view made = line_of(text);
    if (!made.starts_with(kMade)) return std::nullopt;
    made.remove_prefix(kMade.size());
    made.remove_suffix(1);
    const auto when = parse_instant(made);
    const std::string_view rest = text;
    const std::size_t lines = line_of(text).size() + line_of(text).size();
    auto secret = PartySecret::from_file_text(rest.substr(0, lines));
    if (!when || !secret || keys.size() == kHubKeysMax) return std::nullopt;
    keys.push_back({std::move(*secret), *when});
  }
  if (keys.empty()) return std::nullopt;
  return keys;
}

void add(std::string& text, const PartySecret& secret, Instant made) {
  std::string key = secret.file_text();
  text += std::string(kMade) + iso(made) + "\n" + key;
  wipe(key);
}

// Reserved whole, so that no growing string leaves a copy of a secret behind.
std::string blank() {
  std::string text;
  text.reserve(kFileBytesMax);
  text += kHead;
  return text;
}

// What a killed writer left of the temporary file holds every secret. Only whoever holds the
// folder's lock writes, so whatever has such a name is nobody's.
void remove_leftovers(const std::string& folder) {
  std::error_code ignored;
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().filename().string().starts_with("hub.keys.new-")) left.push_back(entry.path());
  for (const fs::path& file : left) fs::remove(file, ignored);
}

// Takes away what others may do with the keys; says with what.
Result<std::string> close_to_others(const std::string& folder, const std::string& file) {
  constexpr fs::perms kOthers = fs::perms::group_all | fs::perms::others_all;
  std::string closed;
  for (const std::string& path : {folder, file}) {
    std::error_code why;
    const fs::perms rights = fs::status(path, why).permissions();
    if (why || (rights & kOthers) == fs::perms::none) continue;
    std::string octal;
    for (int shift = 6; shift >= 0; shift -= 3)
      octal += static_cast<char>('0' + ((static_cast<unsigned>(rights) >> shift) & 7U));
    fs::permissions(path, kOthers, fs::perm_options::remove, why);
    if (why)
      return fail(Code::kNotPermitted,
                  path + " is open to more than its owner (rights 0" + octal +
                      "), and that cannot be changed: " + why.message(),
                  "Take the rights of others away: chmod -R go= " + folder);
    closed += (closed.empty() ? "" : ", ") + path + " (0" + octal + ")";
  }
  return closed;
}

Result<void> write(const std::string& file, std::string& text) {
  auto done = platform::write_file(file, bytes_of(text));
  wipe(text);
  return done;
}

}  // namespace

Result<bool> Keyring::exists(const std::string& data) {
  auto text = platform::read_file(file_of(data), kFileBytesMax);
  if (text) {
    wipe(*text);
    return true;
  }
  if (text.error().code() == Code::kNotFound) return false;
  if (text.error().code() == Code::kTooLarge) return true;  // not ours, and in the way
  return fail(std::move(text).error());
}

Result<std::unique_ptr<Keyring>> Keyring::open(const std::string& data) {
  const std::string file = file_of(data);
  auto text = platform::read_file(file, kFileBytesMax);
  if (!text && text.error().code() == Code::kNotFound)
    return fail(Code::kNotFound, "the hub in " + data + " has no keys yet",
                "towpath-hub --data " + data + " init makes them");
  if (!text && text.error().code() == Code::kTooLarge) return damaged(file);
  if (!text) return fail(std::move(text).error());
  auto closed = close_to_others(folder_of(data), file);
  if (!closed) {
    wipe(*text);
    return fail(std::move(closed).error());
  }
  auto keys = parse(*text);
  if (auto newer = newer_file(*text, kHeadName, 1)) {
    wipe(*text);
    return fail(Code::kUnknownVersion, file + " " + *newer,
                "Install the version of towpath-hub that wrote it, or a newer one");
  }
  std::unique_ptr<Keyring> ring(new Keyring);
  ring->data_ = data;
  ring->file_ = file;
  ring->closed_ = std::move(*closed);
  ring->read_ = hash256("towpath keyring", bytes_of(*text));
  wipe(*text);
  if (!keys) return damaged(file);
  ring->keys_ = std::make_shared<const Keys>(std::move(*keys));
  return ring;
}

Result<void> Keyring::make(const std::string& data, Random& random, Instant now) {
  auto there = exists(data);
  if (!there) return fail(std::move(there).error());
  if (*there) return fail(Code::kRepeated, "the hub in " + data + " has keys already");
  const std::string folder = folder_of(data);
  TP_TRY(platform::make_private_folder(folder));
  auto alone = platform::FolderLock::take(folder);
  if (!alone) return fail(std::move(alone).error());
  there = exists(data);
  if (!there) return fail(std::move(there).error());
  if (*there) return fail(Code::kRepeated, "the hub in " + data + " has keys already");
  remove_leftovers(folder);
  std::string text = blank();
  add(text, PartySecret::make(random), now);
  return write(file_of(data), text);
}

std::unique_ptr<Keyring> Keyring::of(PartySecret secret, Instant made) {
  std::unique_ptr<Keyring> ring(new Keyring);
  Keys keys;
  keys.push_back({std::move(secret), made});
  ring->keys_ = std::make_shared<const Keys>(std::move(keys));
  return ring;
}

std::shared_ptr<const Keyring::Keys> Keyring::keys() {
  const std::lock_guard lock(mutex_);
  if (file_.empty()) return keys_;
  // Some 250 bytes: reading them costs a hundredth of opening a bundle.
  auto text = platform::read_file(file_, kFileBytesMax);
  if (!text) return keys_;
  const Hash256 now = hash256("towpath keyring", bytes_of(*text));
  if (now != read_) {
    read_ = now;
    if (auto keys = parse(*text)) keys_ = std::make_shared<const Keys>(std::move(*keys));
  }
  wipe(*text);
  return keys_;
}

Result<void> Keyring::rotate(Random& random, Instant now) {
  // From reading the file to having written it, nobody else does.
  std::optional<platform::FolderLock> alone;
  if (!file_.empty()) {
    auto lock = platform::FolderLock::take(folder_of(data_));
    if (!lock) return fail(std::move(lock).error());
    alone.emplace(std::move(*lock));
    remove_leftovers(folder_of(data_));
    // What is written is all that was there: a file that cannot be read now is not written over.
    auto there = open(data_);
    if (!there) return fail(std::move(there).error());
  }
  const auto before = keys();
  if (before->size() == kHubKeysMax)
    return fail(Code::kTooLarge, "this hub has had " + std::to_string(kHubKeysMax) + " keys; no more fit",
                "Make a new hub and invite its schools anew");
  std::string text = blank();
  add(text, PartySecret::make(random), now);
  for (const Key& key : *before) add(text, key.secret, key.made);
  auto keys = parse(text);
  TP_ASSERT(keys);
  const std::lock_guard lock(mutex_);
  if (!file_.empty()) {
    const Hash256 hash = hash256("towpath keyring", bytes_of(text));
    TP_TRY(write(file_, text));
    read_ = hash;
  }
  wipe(text);
  keys_ = std::make_shared<const Keys>(std::move(*keys));
  return {};
}

const PartySecret* key_of(const Keyring::Keys& keys, const KeyId& id) {
  for (const Keyring::Key& key : keys)
    if (key.secret.key().id() == id) return &key.secret;
  return nullptr;
}

}  // namespace towpath
