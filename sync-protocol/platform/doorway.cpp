#include "platform/doorway.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <map>
#include <system_error>
#include <utility>

#include "platform/daemon.hpp"

namespace towpath::platform {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

class Handle {
 public:
  Handle() = default;
  explicit Handle(int fd) : fd_(fd) {}
  Handle(Handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Handle() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

std::string reason(int error) { return std::system_category().message(error); }

// Written by signal handlers, read by wait(). One process has one place to wait.
std::atomic<int> g_signal_pipe{-1};

void on_signal(int number) {
  const int kept = errno;
  const char byte = number == SIGHUP ? 'h' : 's';
  (void)!::write(g_signal_pipe.load(), &byte, 1);
  errno = kept;
}

// A socket's name may have some 100 bytes, a data folder's path more: it is reached through the folder.
struct Place {
  Handle folder;
  struct sockaddr_un address {};
};
Result<Place> place_of(const std::string& socket_path) {
  const fs::path path(socket_path);
  Place place;
  place.folder = Handle{::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!place.folder.ok()) {
    const int error = errno;
    const bool not_there = error == ENOENT || error == ENOTDIR;
    return fail(not_there         ? Code::kNotFound
                : error == EACCES ? Code::kNotPermitted
                                  : Code::kIo,
                path.parent_path().string() + " cannot be opened: " + reason(error),
                error == EACCES ? "Run as the account that owns it, or with sudo"
                                : "Check the path, and that files can be opened there");
  }
  const std::string name =
      "/proc/self/fd/" + std::to_string(place.folder.get()) + "/" + path.filename().string();
  if (name.size() >= sizeof place.address.sun_path)
    return fail(Code::kInternal, "the name of " + socket_path + " is too long for a socket");
  place.address.sun_family = AF_UNIX;
  std::memcpy(place.address.sun_path, name.data(), name.size());
  return place;
}

Handle connect_to(const Place& place, int& error) {
  Handle fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  error = 0;
  if (!fd.ok() || ::connect(fd.get(), reinterpret_cast<const struct sockaddr*>(&place.address),
                            sizeof place.address) != 0)
    error = errno;
  return fd;
}

// Ourselves or root, at the other end.
bool trusted(int fd) {
  struct ucred who {};
  socklen_t size = sizeof who;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
         (who.uid == 0 || who.uid == ::geteuid());
}

// The process that listens at the other end; 0: not known, or of another container.
std::int64_t listener_of(int fd) {
  struct ucred who {};
  socklen_t size = sizeof who;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 ? who.pid : 0;
}

}  // namespace

struct Doorway::State {
  struct OpenDoor {
    Handle listener;
    std::string path;
  };
  struct Guest {
    Handle fd;
    Door door = 0;
    std::string in, out;
    bool asked = false;  // its line has come
    bool last = false;   // nothing more will be said to it
    milliseconds since{};
  };
  Handle pipe_read, pipe_write;
  std::map<Door, OpenDoor> doors;
  std::map<Visitor, Guest> guests;
  std::uint64_t next_id = 1;

  ~State() {
    for (const auto& [id, door] : doors) ::unlink(door.path.c_str());
    if (pipe_write.ok()) g_signal_pipe.store(-1);
  }

  void let_in(Door door, int listener) {
    Handle fd{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!fd.ok() || !trusted(fd.get()) || guests.size() >= kVisitorsMax) return;
    Guest guest;
    guest.fd = std::move(fd);
    guest.door = door;
    guest.since = steady_now();
    guests.emplace(next_id++, std::move(guest));
  }
  // False: it has left, or is to leave.
  bool hear(Visitor id, Guest& guest, std::vector<Visit>& out) const {
    char buffer[4096];
    for (;;) {
      const ssize_t got = ::recv(guest.fd.get(), buffer, sizeof buffer, 0);
      if (got == 0) return false;
      if (got < 0) return errno == EAGAIN || errno == EINTR;
      if (guest.asked) continue;  // one request a visit
      guest.in.append(buffer, static_cast<std::size_t>(got));
      const std::size_t end = guest.in.find('\n');
      if (std::min(end, guest.in.size()) > kRequestBytesMax) return false;
      if (end == std::string::npos) continue;
      guest.asked = true;
      guest.in.resize(end);
      out.push_back({id, guest.door, std::move(guest.in)});
    }
  }
  // False: it has left, or has heard all.
  static bool tell(Guest& guest) {
    while (!guest.out.empty()) {
      const ssize_t sent = ::send(guest.fd.get(), guest.out.data(), guest.out.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      guest.out.erase(0, static_cast<std::size_t>(sent));
    }
    return !guest.last;
  }
};

Doorway::Doorway(std::unique_ptr<State> state) : state_(std::move(state)) {}
Doorway::Doorway(Doorway&&) noexcept = default;
Doorway& Doorway::operator=(Doorway&&) noexcept = default;
Doorway::~Doorway() = default;

Result<Doorway> Doorway::make() {
  auto state = std::make_unique<State>();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
    return fail(Code::kIo, "cannot make a pipe for signals: " + reason(errno));
  state->pipe_read = Handle{ends[0]};
  state->pipe_write = Handle{ends[1]};
  g_signal_pipe.store(ends[1]);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaction(number, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
  return Doorway{std::move(state)};
}

Result<Doorway::Door> Doorway::open(const std::string& socket_path) {
  auto place = place_of(socket_path);
  if (!place) return fail(std::move(place).error());
  int error = 0;
  if (const Handle there = connect_to(*place, error); error == 0) {
    const std::int64_t pid = listener_of(there.get());
    return fail(Code::kBusy,
                "another towpath service" +
                    (pid > 0 ? ", process " + std::to_string(pid) + "," : std::string()) + " listens at " +
                    socket_path,
                "Each data folder has one service: systemctl status towpath");
  }
  // Nobody there: what a killed service has left goes.
  if (error != ENOENT && ::unlink(socket_path.c_str()) != 0 && errno != ENOENT)
    return fail(Code::kNotPermitted, socket_path + " cannot be removed: " + reason(errno),
                "Run as the account that owns it, or with sudo");
  State::OpenDoor door;
  door.path = socket_path;
  door.listener = Handle{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const auto* address = reinterpret_cast<const struct sockaddr*>(&place->address);
  if (!door.listener.ok() || ::bind(door.listener.get(), address, sizeof place->address) != 0 ||
      ::chmod(socket_path.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(door.listener.get(), 8) != 0)
    return fail(Code::kIo, "cannot listen at " + socket_path + ": " + reason(errno));
  const Door id = state_->next_id++;
  state_->doors.emplace(id, std::move(door));
  return id;
}

void Doorway::close(Door door) {
  const auto found = state_->doors.find(door);
  if (found == state_->doors.end()) return;
  ::unlink(found->second.path.c_str());
  state_->doors.erase(found);
  std::erase_if(state_->guests, [&](const auto& guest) { return guest.second.door == door; });
}

Doorway::Came Doorway::wait(milliseconds most) {
  State& s = *state_;
  Came came;
  // What was said while nobody waited goes out first.
  for (auto guest = s.guests.begin(); guest != s.guests.end();)
    guest = State::tell(guest->second) ? std::next(guest) : s.guests.erase(guest);

  std::vector<struct pollfd> polled;
  std::vector<std::uint64_t> ids;
  polled.push_back({s.pipe_read.get(), POLLIN, 0});
  ids.push_back(0);
  for (const auto& [id, door] : s.doors) {
    polled.push_back({door.listener.get(), POLLIN, 0});
    ids.push_back(id);
  }
  const std::size_t first_guest = polled.size();
  for (const auto& [id, guest] : s.guests) {
    polled.push_back({guest.fd.get(), static_cast<short>(guest.out.empty() ? POLLIN : POLLIN | POLLOUT), 0});
    ids.push_back(id);
    if (!guest.asked) most = std::min<milliseconds>(most, kRequestPatience);
  }
  most = std::clamp(most, milliseconds{0}, milliseconds{3'600'000});
  if (::poll(polled.data(), polled.size(), static_cast<int>(most.count())) < 0) polled.clear();

  for (std::size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents == 0) continue;
    if (i == 0) {
      char bytes[64];
      ssize_t got = 0;
      while ((got = ::read(s.pipe_read.get(), bytes, sizeof bytes)) > 0)
        for (ssize_t b = 0; b < got; ++b) {
          if (bytes[b] == 's') came.stop = true;
          if (bytes[b] == 'h') came.reload = true;
        }
    } else if (i < first_guest) {
      s.let_in(ids[i], polled[i].fd);
    } else if (const auto guest = s.guests.find(ids[i]); guest != s.guests.end()) {
      if (!s.hear(guest->first, guest->second, came.visits) || !State::tell(guest->second))
        s.guests.erase(guest);
    }
  }
  // Who opens the door and says nothing is shown out.
  std::erase_if(s.guests, [now = steady_now()](const auto& guest) {
    return !guest.second.asked && now - guest.second.since > kRequestPatience;
  });
  return came;
}

void Doorway::say(Visitor visitor, std::string line, bool last) {
  const auto found = state_->guests.find(visitor);
  if (found == state_->guests.end()) return;
  State::Guest& guest = found->second;
  // One that does not read is not waited for, and not remembered for ever.
  if (guest.out.size() + line.size() > kAnswerBytesMax) {
    state_->guests.erase(found);
    return;
  }
  guest.out += line + "\n";
  guest.last = last;
  if (!State::tell(guest)) state_->guests.erase(found);
}

void Doorway::wake() {
  const char byte = 'w';
  (void)!::write(state_->pipe_write.get(), &byte, 1);
}

Result<std::string> ask_door(const std::string& socket_path, std::string_view line,
                             const std::function<void(std::string_view)>& each) {
  auto place = place_of(socket_path);
  if (!place) return fail(std::move(place).error());
  int error = 0;
  const Handle fd = connect_to(*place, error);
  if (error == EACCES || error == EPERM)
    return fail(Code::kNotPermitted, "the service at " + socket_path + " may not be asked by this user",
                "Run as the account that owns it, or with sudo");
  if (error != 0) return fail(Code::kNotFound, "no service listens at " + socket_path);
  if (!trusted(fd.get()))
    return fail(Code::kNotPermitted, "what listens at " + socket_path + " belongs to another user",
                "Find out who runs it: ls -l " + socket_path);
  std::string out = std::string(line) + "\n";
  while (!out.empty()) {
    const ssize_t sent = ::send(fd.get(), out.data(), out.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return fail(Code::kNotFound, "the service at " + socket_path + " has gone");
    out.erase(0, static_cast<std::size_t>(sent));
  }
  std::string in, last;
  bool any = false;
  for (;;) {
    struct pollfd polled {
      fd.get(), POLLIN, 0
    };
    const auto patience = std::chrono::duration_cast<milliseconds>(kAnswerPatience).count();
    const int ready = ::poll(&polled, 1, static_cast<int>(patience));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0)
      return fail(Code::kBusy, "the service at " + socket_path + " has said nothing for a minute",
                  "It may hang: systemctl restart towpath");
    char buffer[16 * 1024];
    const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    in.append(buffer, static_cast<std::size_t>(got));
    if (in.size() > kAnswerBytesMax)
      return fail(Code::kTooLarge, "the answer of the service at " + socket_path + " is over 16 MiB");
    for (std::size_t end = 0; (end = in.find('\n')) != std::string::npos;) {
      if (any && each) each(last);
      last = in.substr(0, end);
      in.erase(0, end + 1);
      any = true;
    }
  }
  if (!any)
    return fail(Code::kStopped, "the service at " + socket_path + " ended before it answered",
                "See what it is doing: towpath status");
  return last;
}

}  // namespace towpath::platform
