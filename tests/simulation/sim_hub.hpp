// The hub of a world: the real registry and service on a simulated disk, and a witness beside
// it that remembers what has been acknowledged.
//
// What the witness holds the hub to, at every answer and after every crash: an acknowledged head
// never goes back, a bundle moves it by no more segments than it brings that are new, and a bundle
// under a key that is not the school's current one moves nothing; an invitation is good for one key; and
// readers are shown nothing unfinished, once there has been something whole. The witness knows every secret.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bundle/bundle.hpp"
#include "hub/exchange/service.hpp"
#include "hub/registry/registry.hpp"
#include "hub/trust/keyring.hpp"
#include "tests/simulation/model.hpp"
#include "tests/simulation/sim_clock.hpp"
#include "tests/simulation/sim_disk.hpp"
#include "tests/simulation/telling.hpp"
#include "tests/simulation/trace.hpp"
#include "trust/invitation.hpp"
#include "trust/sealed.hpp"

namespace towpath::sim {

class SimHub {
 public:
  SimHub(std::uint64_t seed, const SimTime& time, Trace& trace, const Dictionary& dictionary);
  ~SimHub();

  // Registers a school, for good.
  void add_school(const std::string& urn);
  // An agreement's text, to the schools that it names.
  void offer(const std::string& toml);
  // An operator's commands. None, false: the hub is down, or its disk has failed meanwhile.
  [[nodiscard]] std::optional<Invitation> invite(const std::string& urn);
  [[nodiscard]] bool revoke(const std::string& urn);
  [[nodiscard]] bool ask_rotation(const std::string& urn);
  void rotate_key();
  [[nodiscard]] PartyKey key() const { return keys_->keys()->front().secret.key(); }
  // Whose key is the school's, if there is one.
  [[nodiscard]] std::optional<KeyId> current_key(const std::string& urn);
  // Every key that a school makes: the witness reads what is sealed with it and for it.
  void remember(PartySecret secret);
  // A message leaves the school under an agreement, on a line or a stick: the witness looks into it.
  void departs(const std::string& urn, ByteView message, const std::vector<std::string>& grants);
  // No byte beside this agreement lies on the hub's disk for this school, whatever was agreed before.
  void check_shown(const std::string& urn, const std::vector<std::string>& grants);
  // One request on the wire. None: no answer (the hub is down, or died over it). Otherwise what
  // the service says, an error where the bundle could not be opened.
  [[nodiscard]] std::optional<Result<Bytes>> receive(const std::string& urn, ByteView request,
                                                     Way way = Way::kLine);
  // Whether it is its latest answer that asks to come back later.
  [[nodiscard]] bool asks_for_later(ByteView answer) const {
    return !answer.empty() &&
           std::equal(answer.begin(), answer.end(), later_answer_.begin(), later_answer_.end());
  }
  [[nodiscard]] bool down() const { return service_ == nullptr || disk_.down(); }
  // What was last said to somebody else; null: nothing yet.
  [[nodiscard]] const Bytes* answer_to_another(const std::string& urn) const {
    for (const auto& [other, answer] : last_answers_)
      if (other != urn) return &answer;
    return nullptr;
  }
  [[nodiscard]] SimClock& clock() { return clock_; }
  // The files of one school are gone; the machine is down after it. Its data is its school's to send again.
  void lose_files(const std::string& urn);
  // Boots a machine that is down. False: it went down again while starting.
  bool start();
  // The program is replaced by a newer one.
  void upgrade(const Dictionary& dictionary);
  [[nodiscard]] const Dictionary& dictionary() const { return *dictionary_; }
  SimDisk& disk() { return disk_; }
  void back_up();
  // False where there is no backup. The machine is down after it. Its keys lie elsewhere, and stay.
  bool set_back();

  // Newest complete state; none if there is none. `entities`: as of SchoolModel. Its rows are what its
  // head's digest says, or it is Broken.
  [[nodiscard]] std::optional<Image> image(const std::map<std::string, std::string>& entities,
                                           const std::string& urn);
  // The head of the newest epoch, or none.
  [[nodiscard]] std::optional<Head> newest(const std::string& urn);
  // Nothing acknowledged is missing, nothing was applied twice, no file is damaged or forgotten.
  void check_whole(const std::vector<std::string>& urns);
  void check_kept();

 private:
  void stop();
  void make_keyring();
  [[nodiscard]] bool excused(const Error& error, const char* what);
  void witness(const std::string& urn, ByteView request, ByteView answer);
  // A school's bundle, as whoever has all keys reads it.
  [[nodiscard]] Bundle read(ByteView sealed);
  void check_readers(const std::string& urn, Epoch whole);

  const std::uint64_t seed_;
  SimRandom random_;
  SimDisk disk_;
  SimClock clock_;
  Trace& trace_;
  const Dictionary* dictionary_;
  std::unique_ptr<Keyring> keys_;
  unsigned keys_made_ = 0;
  std::vector<unsigned> key_numbers_;     // what the keys are made of, oldest first
  std::map<KeyId, PartySecret> secrets_;  // of schools
  bool made_ = false;
  std::set<std::string> schools_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<HubService> service_;
  std::map<std::string, Departures> departures_;  // by school
  Bytes last_sealed_;                             // what departed last, and what is in it
  Bundle last_read_;
  std::map<std::string, Bytes> last_answers_;
  std::map<std::string, Head> acknowledged_;  // highest head ever told, by school
  std::map<std::string, Epoch> whole_;        // newest epoch ever told to be complete
  std::map<Bytes, KeyId> welcomed_;           // whom an invitation's secret has enrolled
  Bytes later_answer_;
  struct Backup {
    SimDisk::Image disk;
    std::map<std::string, Head> acknowledged;
    std::map<std::string, Epoch> whole;
    std::map<Bytes, KeyId> welcomed;
  };
  std::optional<Backup> backup_;
};

}  // namespace towpath::sim
