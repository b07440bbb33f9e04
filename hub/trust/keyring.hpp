// The hub's own keys: the current one, and former ones that schools still address.
//
//   <data>/keys/hub.keys   0600 in a folder of 0700, newest key first
//
// Written whole by temporary file and rename, so that a kill leaves the old file or the new one. A
// file that is damaged is never written over: what is in it may be all that schools trust. A
// running hub looks at the file again at each request, so that `key rotate` beside it takes
// effect at once. Made by hub/cli; used by hub/exchange. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/date.hpp"
#include "core/result.hpp"
#include "core/world.hpp"
#include "trust/keys.hpp"

namespace towpath {

// A key a year for a century. Each former one costs its opening, nothing else.
inline constexpr std::size_t kHubKeysMax = 100;

class Keyring {
 public:
  struct Key {
    PartySecret secret;
    Instant made{};
  };
  using Keys = std::vector<Key>;  // newest first; never empty

  // None: there is no keyring in the folder yet.
  [[nodiscard]] static Result<bool> exists(const std::string& data);
  // kNotFound: there are no keys. kDamaged: there is a file, and it is not as it was written.
  // kUnknownVersion: a newer program wrote it.
  // kNotPermitted: others may read or write it, and that cannot be changed.
  [[nodiscard]] static Result<std::unique_ptr<Keyring>> open(const std::string& data);
  // What was open to more than its owner when it was opened and has been closed: "hub.keys 0644"; empty
  // where nothing was. Whoever could read it then may have a copy.
  [[nodiscard]] const std::string& closed() const { return closed_; }
  // Makes the first key. kRepeated where there are keys already.
  [[nodiscard]] static Result<void> make(const std::string& data, Random& random, Instant now);
  // Without a folder, for the simulation and tests.
  [[nodiscard]] static std::unique_ptr<Keyring> of(PartySecret secret, Instant made);

  // What holds now. Where the file cannot be read any more, the keys read last stay in force.
  [[nodiscard]] std::shared_ptr<const Keys> keys();
  // A new current key; the one before stays, to open with. kBusy where another process makes one at
  // that moment.
  [[nodiscard]] Result<void> rotate(Random& random, Instant now);

 private:
  Keyring() = default;
  std::mutex mutex_;
  std::string data_, file_;  // empty: none
  std::string closed_;
  Hash256 read_;  // of the text that keys_ were read from
  std::shared_ptr<const Keys> keys_;
};

// The key with this id; null if it is none of ours.
[[nodiscard]] const PartySecret* key_of(const Keyring::Keys& keys, const KeyId& id);

}  // namespace towpath
