// Every open connection and when it has to have got on; ends those that have not. A client that
// sends or takes a byte now and then would otherwise hold a thread for as long as it likes.
//
// Where all threads are taken and others wait, it also ends those that have been idle the longest:
// a crowd that says nothing does not shut out who has something to say.
// Thread-safe; part of hub/http. Ends a connection below TLS, whatever its thread is doing with it.
#pragma once

#include <Poco/Net/StreamSocket.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "hub/exchange/http_server.hpp"

namespace towpath {

class Watch {
 public:
  // waiting: how many connections wait for a thread now.
  Watch(const HttpOptions& options, std::function<std::size_t()> waiting);
  ~Watch();

  // One connection, from its thread's first look to just before its socket is closed: a number that
  // the system gives to the next connection is never ended for the last one's sake.
  class Stay {
   public:
    Stay(Watch& watch, const Poco::Net::StreamSocket& socket) : watch_(watch), id_(watch.enter(socket)) {}
    ~Stay() { watch_.leave(id_); }
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;
    void waiting();                   // for a handshake, a header or the next request
    void reading(std::size_t bytes);  // a body
    void answering();                 // the hub's own time
    void sending(std::size_t bytes);
    void draining();  // what is still being sent by one who has been refused

   private:
    Watch& watch_;
    std::uint64_t id_;
  };

  // Ends what waits or is still being read, gives answers their time, then ends those too.
  void stop();
  [[nodiscard]] bool stopping() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum class Phase { kWaiting, kReading, kAnswering, kSending };
  struct Connection {
    Poco::Net::StreamSocket socket;
    Phase phase;
    Time since;
    std::optional<Time> deadline;
  };

  std::uint64_t enter(const Poco::Net::StreamSocket& socket);
  void leave(std::uint64_t id);
  static void end(Connection& c);
  void phase(std::uint64_t id, Phase phase, std::optional<std::chrono::milliseconds> time);
  [[nodiscard]] std::chrono::milliseconds line_time(std::size_t bytes) const;
  void end_idle(std::size_t wanted, Time now);
  void run();

  const HttpOptions options_;
  const std::function<std::size_t()> waiting_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Connection> open_;
  std::uint64_t last_ = 0;
  bool stopping_ = false, over_ = false;
  std::thread thread_;  // last: it uses what is above
};

}  // namespace towpath
