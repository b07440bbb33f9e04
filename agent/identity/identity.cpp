#include "agent/identity/identity.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <utility>

#include "trust/sealed.hpp"

namespace towpath {
namespace {

constexpr const char* kEnrolmentFile = "enrolment";
constexpr const char* kKeyFile = "agent.key";
constexpr const char* kNextFile = "next.key";
constexpr const char* kBeforeFile = "before.key";
constexpr const char* kEnrolFile = "enrol.key";
constexpr std::string_view kHeadName = "towpath enrolment ";
constexpr std::string_view kHead = "towpath enrolment 1\n";

template <std::size_t N>
std::string hex(const std::array<std::uint8_t, N>& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t b : bytes) {
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
  return out;
}
std::string hex(const PartyKey& key) { return hex(key.sign) + hex(key.seal); }
std::optional<PartyKey> key_of(std::string_view text) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    std::uint8_t b = 0;
    const auto done = std::from_chars(text.data() + i, text.data() + i + 2, b, 16);
    if (done.ec != std::errc{} || done.ptr != text.data() + i + 2) return std::nullopt;
    bytes.push_back(b);
  }
  if (text.size() != 2 * kPartyKeyBytes) return std::nullopt;
  return PartyKey::from(bytes);
}

tl::unexpected<Error> damaged(const KeyFiles& files, const std::string& what, const std::string& program) {
  return fail(Code::kDamaged, "the keys in " + files.place() + " cannot be used: " + what,
              "Ask the hub's operator for a new invitation code and run: " + program + " enrol CODE --force");
}

// No reason to enrol anew: the keys are good, and this program is not.
tl::unexpected<Error> too_new(const KeyFiles& files, const std::string& why) {
  return fail(Code::kUnknownVersion, "the file enrolment in " + files.place() + " " + why,
              "Install the newer program again");
}

// Each value is one line: what a hub says of itself cannot begin another.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text;
}

std::string text_of(const Enrolment& e) {
  std::string out(kHead);
  const auto line = [&](std::string_view name, const std::string& value) {
    out += std::string(name) + " " + one_line(value) + "\n";
  };
  line("school", e.urn);
  line("name", e.name);
  line("hub", e.hub_url);
  line("hub-key", hex(e.hub));
  if (e.hub_before) line("hub-key-before", hex(*e.hub_before));
  line("key", e.key.text());
  line("since", std::to_string(e.when.time_since_epoch().count()));
  return out;
}

std::optional<Enrolment> enrolment_of(std::string_view text) {
  if (!text.starts_with(kHead) || !text.ends_with('\n')) return std::nullopt;
  text.remove_prefix(kHead.size());
  Enrolment e;
  bool hub = false, key = false;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string_view name = line.substr(0, space);
    const std::string_view value = line.substr(std::min(space + 1, line.size()));
    if (name == "school") e.urn = value;
    if (name == "name") e.name = value;
    if (name == "hub") e.hub_url = value;
    if (name == "hub-key") {
      const auto read = key_of(value);
      if (!read) return std::nullopt;
      e.hub = *read;
      hub = true;
    }
    if (name == "hub-key-before" && !(e.hub_before = key_of(value))) return std::nullopt;
    if (name == "key") {
      const auto id = KeyId::parse(value);
      if (!id) return std::nullopt;
      e.key = *id;
      key = true;
    }
    if (name == "since") {
      std::int64_t ms = 0;
      if (std::from_chars(value.data(), value.data() + value.size(), ms).ec != std::errc{})
        return std::nullopt;
      e.when = Instant{std::chrono::milliseconds{ms}};
    }
  }
  if (!hub || !key) return std::nullopt;
  return e;
}

// A key's file; enrol.key has the code's hash before it, which reading skips.
struct KeyFile {
  std::string code;
  PartySecret secret;
};
Result<std::optional<KeyFile>> read_key(KeyFiles& files, const char* name) {
  auto text = files.read(name);
  if (!text) return fail(std::move(text).error());
  if (!*text) return std::nullopt;
  std::string& content = **text;
  std::string code;
  std::size_t at = 0;
  if (content.starts_with("code ")) {
    const std::size_t end = std::min(content.find('\n'), content.size());
    code = content.substr(5, end - 5);
    at = std::min(end + 1, content.size());
  }
  auto secret = PartySecret::from_file_text(std::string_view(content).substr(at));
  wipe(content);
  if (!secret) return fail(std::move(secret).error().during(files.place() + "/" + name));
  return KeyFile{std::move(code), std::move(*secret)};
}
// A half-made file holds no key that anybody was told of. What cannot be read now may be read later,
// and is never taken for none.
bool half_made(const Error& why) { return why.code() == Code::kDamaged; }
Result<void> write_key(KeyFiles& files, const char* name, const std::string& code,
                       const PartySecret& secret) {
  std::string secret_text = secret.file_text();
  std::string text;
  text.reserve(secret_text.size() + code.size() + 8);  // so that no second copy is left behind
  if (!code.empty()) text += "code " + code + "\n";
  text += secret_text;
  auto done = files.write(name, text);
  wipe(text);
  wipe(secret_text);
  return done;
}

}  // namespace

std::string identity_folder(const std::string& data) {
  return (std::filesystem::path(data) / "identity").string();
}

Result<std::optional<Enrolment>> read_enrolment(KeyFiles& files) {
  const auto text = files.read(kEnrolmentFile);
  if (!text) return fail(text.error());
  if (!*text) return std::nullopt;
  if (auto newer = newer_file(**text, kHeadName, 1)) return too_new(files, *newer);
  auto read = enrolment_of(**text);
  if (!read) return damaged(files, "the file enrolment is not as it was written", "towpath");
  return std::move(*read);
}

// --- Identity -----------------------------------------------------------------------------------
Result<Identity> Identity::load(KeyFiles& files, const std::string& program) {
  auto text = files.read(kEnrolmentFile);
  if (!text) return fail(std::move(text).error());
  if (!*text)
    return fail(Code::kNotEnrolled, "this machine is not enrolled at a hub",
                "Ask the hub's operator for an invitation code and run: " + program + " enrol CODE");
  if (auto newer = newer_file(**text, kHeadName, 1)) return too_new(files, *newer);
  auto enrolment = enrolment_of(**text);
  if (!enrolment) return damaged(files, "the file enrolment is not as it was written", program);

  auto own = read_key(files, kKeyFile);
  if (!own && !half_made(own.error())) return fail(std::move(own).error());
  std::optional<PartySecret> in_force;
  if (own && *own && (*own)->secret.key().id() == enrolment->key) in_force = std::move((*own)->secret);
  // Else a crash came between the enrolment's writing and the key's renaming.
  for (const char* name : {kNextFile, kEnrolFile, kBeforeFile}) {
    if (in_force) break;
    auto other = read_key(files, name);
    if (!other && !half_made(other.error())) return fail(std::move(other).error());
    if (!other || !*other || (*other)->secret.key().id() != enrolment->key) continue;
    TP_TRY(write_key(files, kKeyFile, {}, (*other)->secret));
    // What was pending under the enrolment before is nobody's now.
    if (name == kEnrolFile)
      for (const char* stale : {kNextFile, kBeforeFile}) TP_TRY(files.remove(stale));
    TP_TRY(files.remove(name));
    in_force = std::move((*other)->secret);
  }
  if (!in_force && !own) return fail(std::move(own).error());
  if (!in_force)
    return damaged(
        files,
        *own ? "the key in agent.key is not the one that was enrolled" : "the file agent.key is missing",
        program);
  auto next = read_key(files, kNextFile);
  if (!next && !half_made(next.error())) return fail(std::move(next).error());
  std::optional<PartySecret> kept;
  // The key in force lies there, too, where falling back was cut off: it is no next key.
  if (next && *next && (*next)->secret.key() != in_force->key()) kept = std::move((*next)->secret);
  return Identity(files, std::move(*enrolment), std::move(*in_force), std::move(kept));
}

Result<NewKeyFrame> Identity::next_key(Random& random) {
  if (!next_) {
    PartySecret made = PartySecret::make(random);
    TP_TRY(write_key(*files_, kNextFile, {}, made));
    next_.emplace(std::move(made));
  }
  return new_key(*next_, own_.key());
}

Result<void> Identity::use_next() {
  TP_ASSERT(next_.has_value());
  Enrolment changed = enrolment_;
  changed.key = next_->key().id();
  TP_TRY(write_key(*files_, kBeforeFile, {}, own_));
  TP_TRY(files_->write(kEnrolmentFile, text_of(changed)));
  enrolment_ = std::move(changed);
  own_ = std::move(*next_);
  next_.reset();
  return files_->rename(kNextFile, kKeyFile);
}

Result<void> Identity::forget_next() {
  next_.reset();
  return files_->remove(kNextFile);
}

Result<bool> Identity::fall_back() {
  auto before = read_key(*files_, kBeforeFile);
  if (!before && !half_made(before.error())) return fail(std::move(before).error());
  if (!before || !*before || (*before)->secret.key() == own_.key()) return false;
  Enrolment changed = enrolment_;
  changed.key = (*before)->secret.key().id();
  TP_TRY(write_key(*files_, kNextFile, {}, own_));
  TP_TRY(files_->write(kEnrolmentFile, text_of(changed)));
  enrolment_ = std::move(changed);
  next_.emplace(std::move(own_));
  own_ = std::move((*before)->secret);
  TP_TRY(files_->rename(kBeforeFile, kKeyFile));
  return true;
}

Result<void> Identity::pin(const NewKeyFrame& frame) {
  const auto key = proven(frame, enrolment_.hub);
  if (!key)
    return fail(Code::kNotSigned, "the hub's new key is not proven by that key", "Tell the hub's operator");
  Enrolment changed = enrolment_;
  changed.hub_before = changed.hub;
  changed.hub = *key;
  TP_TRY(files_->write(kEnrolmentFile, text_of(changed)));
  enrolment_ = std::move(changed);
  return {};
}

// --- Candidate ----------------------------------------------------------------------------------
Result<Candidate> Candidate::of(KeyFiles& files, const Hash256& code, Random& random) {
  auto kept = read_key(files, kEnrolFile);
  // A half-made one is of no use to anybody: another is made.
  if (kept && *kept && (*kept)->code == code.hex()) return Candidate(files, std::move((*kept)->secret));
  if (!kept && !half_made(kept.error())) return fail(std::move(kept).error());
  PartySecret made = PartySecret::make(random);
  TP_TRY(write_key(files, kEnrolFile, code.hex(), made));
  return Candidate(files, std::move(made));
}

Result<Identity> Candidate::enrolled(Enrolment enrolment) && {
  enrolment.key = own_.key().id();
  TP_TRY(files_->write(kEnrolmentFile, text_of(enrolment)));
  TP_TRY(write_key(*files_, kKeyFile, {}, own_));
  // What was pending under the old enrolment is nobody's now.
  for (const char* name : {kNextFile, kEnrolFile, kBeforeFile}) TP_TRY(files_->remove(name));
  return Identity(*files_, std::move(enrolment), std::move(own_), std::nullopt);
}

}  // namespace towpath
