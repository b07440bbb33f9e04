// What doctor has observed, before anybody judges it.
//
// gather.cpp fills it from the world; findings.cpp judges it and sees nothing else, so that every
// sentence can be tested. What was not looked at is none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.hpp"
#include "agent/line/probe.hpp"
#include "agent/school/health.hpp"
#include "core/date.hpp"
#include "core/result.hpp"
#include "platform/inspect.hpp"
#include "trust/sealed.hpp"

namespace towpath::doctor {

struct ConfigFacts {
  std::string file;
  ConfigProblems problems;
  std::size_t sources = 0;
  std::string hub_url;   // as written, or as enrolment has told it; empty: none
  std::string extra_ca;  // empty: none
};
struct UserFacts {
  bool root_started = false;  // by sudo, or root's shell
  std::string user;           // whom the process works as now
  bool root = false;          // it still is root's: the data folder is, too
  // The packages make a user of this name for the service.
  bool service_user_exists = false;
};
struct FolderFacts {
  std::string path;
  platform::PathSeen seen;
  bool can_be_made = false;  // where there is nothing yet: its parent may be written
};
struct DiskFacts {
  std::uint64_t free_bytes = 0, wanted_bytes = 0;
};
struct StoreFacts {
  bool there = false;
  std::optional<Error> error;   // it does not open
  std::optional<Error> damage;  // it opens, and is not sound
  std::uint64_t file_bytes = 0;
};
struct SourceFacts {
  std::string name, kind, path;  // no path: the source reads no files
  std::optional<Error> error;    // the adapter or its path does not open
  std::size_t files = 0;
  std::optional<Instant> newest;  // time of change of the newest file
  // Files and patterns that the configuration names and nothing fits.
  std::vector<std::string> missing = {};
};
struct ScheduleFacts {
  bool reads = false, sends = false;  // there are windows for it
  std::size_t unread_sources = 0;     // without a window
  std::optional<Date> last_holiday;   // of the calendar
  std::string unread_holidays;        // why its file could not be read; empty: it could, or there is none
};
struct ServiceFacts {
  bool running = false;
  std::optional<Error> error;  // its socket is there and does not answer as it should
};
struct IdentityFacts {
  FolderFacts folder;
  std::vector<FolderFacts> files;  // what lies in it
  bool enrolled = false;
  bool pending = false;         // an enrolment or a new key that the hub has not confirmed
  std::optional<Error> error;   // what is there cannot be used, the secret key included
  std::optional<PartyKey> hub;  // pinned
  std::string hub_url;          // where we enrolled
};
// The hub's answer to "who are you?", as it came on one route.
struct CardSeen {
  std::optional<HubCard> card;
  bool forged = false;  // a card, but not signed by the key it shows, or an old one from a cache
};
struct LineFacts {
  LineSeen seen;
  std::vector<CardSeen> cards;  // one a route
  // Our clock when the card of the first way that works came.
  std::optional<Instant> heard;
};
// What the hub says to a bundle signed with this machine's key.
struct CredentialFacts {
  bool accepted = false;
  bool pinned_hub = false;     // the pinned hub itself has answered, whatever it said
  std::optional<Error> error;  // the hub's refusal, or why there was no answer
};

// What the store remembers of an exchange: the hub would not work with this machine's key, and has
// not taken it since.
struct RefusedFacts {
  Instant when;
  Error why;
};

struct Facts {
  std::string program = "towpath";  // what advised commands begin with
  Instant now{};
  ConfigFacts config;
  std::optional<UserFacts> user;
  std::optional<FolderFacts> data;
  std::optional<DiskFacts> disk;
  std::optional<StoreFacts> store;
  std::vector<SourceFacts> sources;
  std::optional<ScheduleFacts> schedule;
  std::optional<ServiceFacts> service;
  std::optional<IdentityFacts> identity;
  std::optional<LineFacts> line;
  std::optional<CredentialFacts> credential;
  std::optional<RefusedFacts> refused;
  std::optional<cli::SharingSeen> sharing;  // where the store knows of it
};

}  // namespace towpath::doctor
