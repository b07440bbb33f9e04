// Preloaded into the real programs (LD_PRELOAD): counts the calls of a class that they make of the
// operating system, and fails the one that it is told to.
//
//   TOWPATH_FAIL_CLASS   sockets, files or memory
//   TOWPATH_FAIL_LOG     a file that gets a line for each call counted: its name, '!' before a failed one; of
//                        memory only those that fail and, at the end, "=" and how many there were
//   TOWPATH_FAIL_AT      fails this one, from 0 ...
//   TOWPATH_FAIL_WITH    ... with this errno; "short": reads and writes one byte; "end": reads nothing
//   TOWPATH_FAIL_TIMES   ... and so many of the same name (of memory: of any), 1 if not said
//   TOWPATH_FAIL_NAME    counts only calls of this name
//
// What a program prints (descriptors 0 to 2) is not counted: it is what is being tested. Not for a
// build with sanitizers, which have to come first.
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// The C library declares some of these noexcept, some not; what they are here is seen by the linker only.
#define FAULT extern "C" __attribute__((visibility("default")))

namespace {

enum Class : int { kNone, kSockets, kFiles, kMemory };
constexpr int kShort = -1, kEnd = -2;

struct Plan {
  Class of = kNone;
  long at = -1;
  int with = 0;
  long times = 1;
  const char* only = nullptr;
  int log = -1;
  std::atomic<long> met{0};
  std::atomic<long> left{0};
  std::atomic<const char*> name{nullptr};
} plan;
std::atomic<bool> ready{false};

__attribute__((constructor)) void begin() {
  const char* of = std::getenv("TOWPATH_FAIL_CLASS");
  if (of == nullptr) return;
  if (const char* at = std::getenv("TOWPATH_FAIL_AT")) plan.at = std::atol(at);
  if (const char* times = std::getenv("TOWPATH_FAIL_TIMES")) plan.times = std::atol(times);
  if (const char* with = std::getenv("TOWPATH_FAIL_WITH"))
    plan.with = std::strcmp(with, "short") == 0 ? kShort
                : std::strcmp(with, "end") == 0 ? kEnd
                                                : std::atoi(with);
  plan.only = std::getenv("TOWPATH_FAIL_NAME");
  if (const char* log = std::getenv("TOWPATH_FAIL_LOG"))
    plan.log =
        static_cast<int>(syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  plan.of = std::strcmp(of, "sockets") == 0 ? kSockets : std::strcmp(of, "files") == 0 ? kFiles : kMemory;
  ready = true;
}

// How many there were, where the calls themselves are too many to be written down.
__attribute__((destructor)) void end() {
  if (plan.log < 0 || plan.of != kMemory) return;
  char line[32];
  const int n = std::snprintf(line, sizeof line, "=%ld\n", plan.met.load());
  static_cast<void>(syscall(SYS_write, plan.log, line, n));
}

void note(const char* name, bool failed) {
  if (plan.log < 0 || (plan.of == kMemory && !failed)) return;
  char line[64];
  const int n = std::snprintf(line, sizeof line, "%s%s\n", failed ? "!" : "", name);
  static_cast<void>(syscall(SYS_write, plan.log, line, n));
}

// How this call is to fail: 0 not at all, an errno, kShort or kEnd.
int met(Class of, const char* name) {
  if (!ready || of != plan.of) return 0;
  if (plan.only != nullptr && std::strcmp(plan.only, name) != 0) return 0;
  const long now = plan.met++;
  bool fails = false;
  if (now == plan.at) {
    plan.left = plan.times - 1;
    plan.name = name;
    fails = true;
  } else if (plan.at >= 0 && now > plan.at && plan.left > 0 &&
             (of == kMemory || std::strcmp(plan.name.load(), name) == 0)) {
    fails = plan.left-- > 0;
  }
  note(name, fails);
  return fails ? plan.with : 0;
}
// For calls that either do their work or fail.
bool fails(Class of, const char* name) {
  const int with = met(of, name);
  if (with <= 0) return false;
  errno = with;
  return true;
}

bool is_socket(int fd) {
  struct stat seen;
  return syscall(SYS_fstat, fd, &seen) == 0 && S_ISSOCK(seen.st_mode);
}
// The class of a call on a descriptor; none for what a program prints.
Class of(int fd) {
  if (!ready || fd <= 2 || fd == plan.log) return kNone;
  return is_socket(fd) ? kSockets : kFiles;
}

template <typename F>
F* next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}
#define NEXT(name) static auto* const real = next<decltype(::name)>(#name)

// What of a transfer is to be done: its size, 0 for nothing, or an error.
struct Part {
  bool failed = false;
  bool ended = false;
  size_t size;
};
Part part(Class c, const char* name, size_t size) {
  const int with = met(c, name);
  if (with == kShort) return {false, false, size > 1 ? 1 : size};
  if (with == kEnd) return {false, true, 0};
  if (with > 0) errno = with;
  return {with > 0, false, size};
}

}  // namespace

// --- sockets -----------------------------------------------------------------------------------

FAULT int socket(int a, int b, int c) noexcept {
  NEXT(socket);
  return fails(kSockets, "socket") ? -1 : real(a, b, c);
}
FAULT int connect(int fd, const sockaddr* to, socklen_t n) {
  NEXT(connect);
  return fails(kSockets, "connect") ? -1 : real(fd, to, n);
}
FAULT int bind(int fd, const sockaddr* to, socklen_t n) noexcept {
  NEXT(bind);
  return fails(kSockets, "bind") ? -1 : real(fd, to, n);
}
FAULT int listen(int fd, int n) noexcept {
  NEXT(listen);
  return fails(kSockets, "listen") ? -1 : real(fd, n);
}
FAULT int accept(int fd, sockaddr* from, socklen_t* n) {
  NEXT(accept);
  return fails(kSockets, "accept") ? -1 : real(fd, from, n);
}
FAULT int accept4(int fd, sockaddr* from, socklen_t* n, int flags) {
  NEXT(accept4);
  return fails(kSockets, "accept") ? -1 : real(fd, from, n, flags);
}
FAULT int shutdown(int fd, int how) noexcept {
  NEXT(shutdown);
  return fails(kSockets, "shutdown") ? -1 : real(fd, how);
}
FAULT int getsockopt(int fd, int level, int name, void* value, socklen_t* n) noexcept {
  NEXT(getsockopt);
  return fails(kSockets, "getsockopt") ? -1 : real(fd, level, name, value, n);
}
FAULT int setsockopt(int fd, int level, int name, const void* value, socklen_t n) noexcept {
  NEXT(setsockopt);
  return fails(kSockets, "setsockopt") ? -1 : real(fd, level, name, value, n);
}
FAULT int getsockname(int fd, sockaddr* name, socklen_t* n) noexcept {
  NEXT(getsockname);
  return fails(kSockets, "getsockname") ? -1 : real(fd, name, n);
}
FAULT int getpeername(int fd, sockaddr* name, socklen_t* n) noexcept {
  NEXT(getpeername);
  return fails(kSockets, "getpeername") ? -1 : real(fd, name, n);
}
FAULT int socketpair(int a, int b, int c, int* fds) noexcept {
  NEXT(socketpair);
  return fails(kSockets, "socketpair") ? -1 : real(a, b, c, fds);
}
FAULT int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** found) {
  NEXT(getaddrinfo);
  const int with = met(kSockets, "getaddrinfo");
  return with != 0 ? (with == ENOMEM ? EAI_MEMORY : EAI_AGAIN) : real(name, service, hints, found);
}
FAULT int poll(pollfd* fds, nfds_t n, int wait) {
  NEXT(poll);
  return fails(kSockets, "poll") ? -1 : real(fds, n, wait);
}
FAULT int ppoll(pollfd* fds, nfds_t n, const timespec* wait, const sigset_t* mask) {
  NEXT(ppoll);
  return fails(kSockets, "poll") ? -1 : real(fds, n, wait, mask);
}
FAULT int select(int n, fd_set* a, fd_set* b, fd_set* c, timeval* wait) {
  NEXT(select);
  return fails(kSockets, "select") ? -1 : real(n, a, b, c, wait);
}
FAULT int epoll_create1(int flags) noexcept {
  NEXT(epoll_create1);
  return fails(kSockets, "epoll_create") ? -1 : real(flags);
}
FAULT int epoll_ctl(int fd, int what, int of_fd, epoll_event* event) noexcept {
  NEXT(epoll_ctl);
  return fails(kSockets, "epoll_ctl") ? -1 : real(fd, what, of_fd, event);
}
FAULT int epoll_wait(int fd, epoll_event* events, int n, int wait) {
  NEXT(epoll_wait);
  return fails(kSockets, "epoll_wait") ? -1 : real(fd, events, n, wait);
}
FAULT ssize_t send(int fd, const void* from, size_t n, int flags) {
  NEXT(send);
  const Part p = part(kSockets, "send", n);
  return p.failed ? -1 : real(fd, from, p.size, flags);
}
FAULT ssize_t sendto(int fd, const void* from, size_t n, int flags, const sockaddr* to, socklen_t m) {
  NEXT(sendto);
  const Part p = part(kSockets, "send", n);
  return p.failed ? -1 : real(fd, from, p.size, flags, to, m);
}
FAULT ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  NEXT(sendmsg);
  return fails(kSockets, "sendmsg") ? -1 : real(fd, message, flags);
}
FAULT ssize_t recv(int fd, void* into, size_t n, int flags) {
  NEXT(recv);
  const Part p = part(kSockets, "recv", n);
  return p.failed ? -1 : p.ended ? 0 : real(fd, into, p.size, flags);
}
FAULT ssize_t recvfrom(int fd, void* into, size_t n, int flags, sockaddr* from, socklen_t* m) {
  NEXT(recvfrom);
  const Part p = part(kSockets, "recv", n);
  return p.failed ? -1 : p.ended ? 0 : real(fd, into, p.size, flags, from, m);
}
FAULT ssize_t recvmsg(int fd, msghdr* message, int flags) {
  NEXT(recvmsg);
  return fails(kSockets, "recvmsg") ? -1 : real(fd, message, flags);
}

// --- both ---------------------------------------------------------------------------------------

FAULT ssize_t read(int fd, void* into, size_t n) {
  NEXT(read);
  const Part p = part(of(fd), "read", n);
  return p.failed ? -1 : p.ended ? 0 : real(fd, into, p.size);
}
FAULT ssize_t write(int fd, const void* from, size_t n) {
  NEXT(write);
  const Part p = part(of(fd), "write", n);
  return p.failed ? -1 : real(fd, from, p.size);
}
FAULT ssize_t readv(int fd, const iovec* into, int n) {
  NEXT(readv);
  return fails(of(fd), "read") ? -1 : real(fd, into, n);
}
FAULT ssize_t writev(int fd, const iovec* from, int n) {
  NEXT(writev);
  return fails(of(fd), "write") ? -1 : real(fd, from, n);
}
// Closes whatever it says, as Linux does.
FAULT int close(int fd) {
  NEXT(close);
  if (!fails(of(fd), "close")) return real(fd);
  const int with = errno;
  real(fd);
  errno = with;
  return -1;
}

// --- files --------------------------------------------------------------------------------------

FAULT int open(const char* path, int flags, ...) {
  NEXT(open);
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  return fails(kFiles, (flags & O_CREAT) != 0 ? "create" : "open") ? -1 : real(path, flags, mode);
}
FAULT int open64(const char* path, int flags, ...) {
  NEXT(open64);
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  return fails(kFiles, (flags & O_CREAT) != 0 ? "create" : "open") ? -1 : real(path, flags, mode);
}
FAULT int openat(int at, const char* path, int flags, ...) {
  NEXT(openat);
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  return fails(kFiles, (flags & O_CREAT) != 0 ? "create" : "open") ? -1 : real(at, path, flags, mode);
}
FAULT int openat64(int at, const char* path, int flags, ...) {
  NEXT(openat64);
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  return fails(kFiles, (flags & O_CREAT) != 0 ? "create" : "open") ? -1 : real(at, path, flags, mode);
}
FAULT FILE* fopen(const char* path, const char* how) {
  NEXT(fopen);
  return fails(kFiles, std::strchr(how, 'r') == nullptr ? "create" : "open") ? nullptr : real(path, how);
}
FAULT FILE* fopen64(const char* path, const char* how) {
  NEXT(fopen64);
  return fails(kFiles, std::strchr(how, 'r') == nullptr ? "create" : "open") ? nullptr : real(path, how);
}
FAULT ssize_t pread(int fd, void* into, size_t n, off_t at) {
  NEXT(pread);
  const Part p = part(kFiles, "pread", n);
  return p.failed ? -1 : p.ended ? 0 : real(fd, into, p.size, at);
}
FAULT ssize_t pread64(int fd, void* into, size_t n, off64_t at) {
  NEXT(pread64);
  const Part p = part(kFiles, "pread", n);
  return p.failed ? -1 : p.ended ? 0 : real(fd, into, p.size, at);
}
FAULT ssize_t pwrite(int fd, const void* from, size_t n, off_t at) {
  NEXT(pwrite);
  const Part p = part(kFiles, "pwrite", n);
  return p.failed ? -1 : real(fd, from, p.size, at);
}
FAULT ssize_t pwrite64(int fd, const void* from, size_t n, off64_t at) {
  NEXT(pwrite64);
  const Part p = part(kFiles, "pwrite", n);
  return p.failed ? -1 : real(fd, from, p.size, at);
}
FAULT int fsync(int fd) {
  NEXT(fsync);
  return fails(kFiles, "fsync") ? -1 : real(fd);
}
FAULT int fdatasync(int fd) {
  NEXT(fdatasync);
  return fails(kFiles, "fsync") ? -1 : real(fd);
}
FAULT int rename(const char* from, const char* to) noexcept {
  NEXT(rename);
  return fails(kFiles, "rename") ? -1 : real(from, to);
}
FAULT int unlink(const char* path) noexcept {
  NEXT(unlink);
  return fails(kFiles, "unlink") ? -1 : real(path);
}
FAULT int unlinkat(int at, const char* path, int flags) noexcept {
  NEXT(unlinkat);
  return fails(kFiles, "unlink") ? -1 : real(at, path, flags);
}
FAULT int mkdir(const char* path, mode_t mode) noexcept {
  NEXT(mkdir);
  return fails(kFiles, "mkdir") ? -1 : real(path, mode);
}
FAULT int ftruncate(int fd, off_t size) noexcept {
  NEXT(ftruncate);
  return fails(kFiles, "ftruncate") ? -1 : real(fd, size);
}
FAULT int ftruncate64(int fd, off64_t size) noexcept {
  NEXT(ftruncate64);
  return fails(kFiles, "ftruncate") ? -1 : real(fd, size);
}
FAULT int chmod(const char* path, mode_t mode) noexcept {
  NEXT(chmod);
  return fails(kFiles, "chmod") ? -1 : real(path, mode);
}
FAULT int fchmod(int fd, mode_t mode) noexcept {
  NEXT(fchmod);
  return fails(kFiles, "chmod") ? -1 : real(fd, mode);
}
FAULT int flock(int fd, int how) noexcept {
  NEXT(flock);
  return fails(kFiles, "lock") ? -1 : real(fd, how);
}
FAULT int fcntl(int fd, int what, ...) {
  NEXT(fcntl);
  va_list more;
  va_start(more, what);
  void* with = va_arg(more, void*);
  va_end(more);
  if ((what == F_SETLK || what == F_GETLK) && fails(kFiles, "lock")) return -1;
  return real(fd, what, with);
}
FAULT int fcntl64(int fd, int what, ...) {
  NEXT(fcntl64);
  va_list more;
  va_start(more, what);
  void* with = va_arg(more, void*);
  va_end(more);
  if ((what == F_SETLK || what == F_GETLK) && fails(kFiles, "lock")) return -1;
  return real(fd, what, with);
}
FAULT void* mmap(void* at, size_t n, int how, int flags, int fd, off_t offset) noexcept {
  NEXT(mmap);
  return fd >= 0 && fails(kFiles, "mmap") ? MAP_FAILED : real(at, n, how, flags, fd, offset);
}
FAULT void* mmap64(void* at, size_t n, int how, int flags, int fd, off64_t offset) noexcept {
  NEXT(mmap64);
  return fd >= 0 && fails(kFiles, "mmap") ? MAP_FAILED : real(at, n, how, flags, fd, offset);
}

// --- memory -------------------------------------------------------------------------------------
// (The library's own names: looking for the next one would ask for memory.)

extern "C" {
void* __libc_malloc(size_t);          // NOLINT
void* __libc_calloc(size_t, size_t);  // NOLINT
void* __libc_realloc(void*, size_t);  // NOLINT
}

FAULT void* malloc(size_t n) noexcept { return fails(kMemory, "malloc") ? nullptr : __libc_malloc(n); }
FAULT void* calloc(size_t n, size_t m) noexcept {
  return fails(kMemory, "calloc") ? nullptr : __libc_calloc(n, m);
}
FAULT void* realloc(void* old, size_t n) noexcept {
  return fails(kMemory, "realloc") ? nullptr : __libc_realloc(old, n);
}
