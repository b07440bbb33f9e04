// Bundle files (sticks) for a hub that is running: the program that imports leaves the file in the
// data folder, the one that serves takes it in and leaves what came of it.
//
//   <data>/inbox/<name>.ask      the file as it was brought
//   <data>/inbox/<name>.answer   the hub's answers, as a bundle file
//   <data>/inbox/<name>.report   what was taken and what not, JSON; written last
//
// Through the folder rather than the port: it needs no address and no certificate, nobody else can
// get in, and it works wherever the data folder does. Taking a file twice is harmless, so whatever
// is killed on the way leaves at worst a file to take again.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/world.hpp"
#include "hub/exchange/service.hpp"

namespace towpath::hub_cli {

struct Imported {
  struct Entry {
    std::string urn;      // empty: not proven
    std::string refused;  // a code's name; empty: taken
    std::string text;
  };
  std::vector<Entry> entries;  // one a bundle, in the file's order
  Bytes answers;               // a bundle file
  [[nodiscard]] std::size_t taken() const;
};

// Takes in every bundle of a file. `go_on` is asked before each; kStopped where it says no.
[[nodiscard]] Result<Imported> import_file(HubService& service, ByteView file,
                                           const std::function<bool()>& go_on);

class Inbox {
 public:
  explicit Inbox(std::string data) : folder_(std::move(data) + "/inbox") {}
  // --- the importing program's side
  [[nodiscard]] Result<std::string> leave(ByteView file, Random& random) const;  // its name
  [[nodiscard]] Result<std::optional<Imported>> taken(const std::string& name) const;
  void remove(const std::string& name) const;
  // --- the serving program's side
  // Removes what nobody has come to fetch for so long.
  void tidy(std::chrono::minutes kept) const;
  // Takes in what lies there now. What cannot be taken is said to `log` once and removed.
  void serve(HubService& service, const std::function<bool()>& go_on,
             const std::function<void(const std::string&)>& log) const;

 private:
  [[nodiscard]] std::string path(const std::string& name, const char* what) const;
  const std::string folder_;
};

}  // namespace towpath::hub_cli
