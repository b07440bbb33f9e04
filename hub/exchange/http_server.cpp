#include "hub/exchange/http_server.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPChunkedStream.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerSession.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/ServerSocket.h>
#include <openssl/err.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>

#include "bundle/bundle.hpp"
#include "core/ascii.hpp"
#include "hub/exchange/tls.hpp"
#include "hub/exchange/watch.hpp"

namespace towpath {
namespace {

namespace net = Poco::Net;
using std::chrono::milliseconds;

constexpr std::string_view kPath = "/v1/exchange";
// Offered where the highest port is taken.
constexpr std::uint16_t kOtherPort = 8441;
constexpr std::size_t kReadBytes = 16 * 1024;
// An agent's header has some 200 bytes, a proxy adds some; nobody needs more.
constexpr std::size_t kHeaderBytesMax = 8 * 1024;
constexpr int kHeaderFieldsMax = 50;
// Answers that a connection may be used for: a first load is some 5.
constexpr int kRequestsPerConnection = 1000;
// Read and thrown away after a refusal: four times what a bundle may have is no bundle.
constexpr std::size_t kDrainBytesMax = 4 * kBundleBytesMax;
// How often the accepting thread sees whether it should stop, and whether there is something to say.
const Poco::Timespan kAcceptEvery(0, 100'000);
constexpr std::chrono::minutes kSayRefusalsEvery{1};
// Where all places are taken. Exchanges take milliseconds, but slow lines hold threads for minutes.
constexpr std::uint32_t kFullSeconds = 30;

// For limits: what passes, not what the clock on the wall says.
class SteadyTime final : public Clock {
 public:
  Instant now() override {
    return Instant(
        std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()));
  }
};

// Whose connection it is, for limits: an address of IPv4, or a network of IPv6, where everyone has
// 2^64 addresses.
std::string key_of(const net::IPAddress& ip) {
  const auto* bytes = static_cast<const char*>(ip.addr());
  if (ip.family() == net::AddressFamily::IPv4) return {bytes, 4};
  if (ip.isIPv4Mapped()) return {bytes + 12, 4};
  return {bytes, 8};
}
bool is_loopback(const net::IPAddress& ip) {
  const auto* bytes = static_cast<const unsigned char*>(ip.addr());
  return ip.isLoopback() ||
         (ip.family() == net::AddressFamily::IPv6 && ip.isIPv4Mapped() && bytes[12] == 127);
}

bool is_bundle(const std::string& type) {
  std::string media = type.substr(0, type.find(';'));
  while (!media.empty() && media.back() == ' ') media.pop_back();
  return lower(media) == kBundleMediaType;
}

// The bytes of one connection, through TLS or not.
class Session final : public net::HTTPServerSession {
 public:
  using HTTPServerSession::HTTPServerSession;

  enum class Read { kWhole, kTooLong, kEnded };
  // A request's header, to the empty line that ends it.
  Read header(std::string& text) {
    text.clear();
    std::size_t line = 0;
    bool begun = false;
    for (;;) {
      const int byte = get();
      if (byte == std::char_traits<char>::eof()) return Read::kEnded;
      if (text.size() >= kHeaderBytesMax) return Read::kTooLong;
      text += static_cast<char>(byte);
      if (byte != '\n') {
        if (byte != '\r') ++line;
        continue;
      }
      // One empty line before a request is ignored, as HTTP asks.
      if (line == 0 && begun) return Read::kWhole;
      if (line == 0) text.clear();
      begun = true;
      line = 0;
    }
  }
  // At most so many bytes of a body; 0 at its end.
  std::size_t some(std::uint8_t* to, std::size_t most) {
    const int n = read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(most));
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  void say(std::string_view bytes) {
    while (!bytes.empty()) {
      const int n = write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      if (n <= 0) throw net::NetException("the client takes no more");
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
};

// What is said to a request.
struct Reply {
  int status = 200;
  std::string type = "text/plain";
  Bytes body;
  std::string more{};      // header lines
  bool close = true;       // and the connection ends
  bool body_left = false;  // part of the request is not read
};
Reply sentence(int status, const std::string& text) {
  const ByteView bytes = bytes_of(text);
  Reply reply{status, "text/plain", Bytes(bytes.begin(), bytes.end()), {}, true, true};
  reply.body.push_back('\n');
  return reply;
}
Reply come_back(int status, std::uint32_t seconds, const std::string& text) {
  Reply reply = sentence(status, text + " Come back in " + std::to_string(seconds) + " seconds.");
  reply.more = "Retry-After: " + std::to_string(seconds) + "\r\n";
  return reply;
}
std::string bytes_of_reply(const Reply& reply, bool head_only) {
  std::string out =
      "HTTP/1.1 " + std::to_string(reply.status) + " " +
      net::HTTPResponse::getReasonForStatus(static_cast<net::HTTPResponse::HTTPStatus>(reply.status)) +
      "\r\nContent-Type: " + reply.type + "\r\nContent-Length: " + std::to_string(reply.body.size()) +
      "\r\nCache-Control: no-store\r\n" + "Towpath: 1\r\n" +  // tells an answer of ours from a filter's page
      reply.more + (reply.close ? "Connection: close\r\n\r\n" : "\r\n");
  if (!head_only) out += text_of(reply.body);
  return out;
}

// "host:port". Loopback, or another address where that is safe.
Result<net::SocketAddress> address_of(const HttpOptions& options) {
  const std::string& listen = options.listen;
  const auto bad = [&](const std::string& why) {
    return fail(Code::kUsage, "cannot listen on \"" + listen + "\": " + why,
                "For example: --listen 127.0.0.1:8440");
  };
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos) return bad("it has no port");
  std::string host = listen.substr(0, colon);
  const std::string port_text = listen.substr(colon + 1);
  std::uint16_t port = 0;
  const auto done = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (port_text.empty() || done.ec != std::errc{} || done.ptr != port_text.data() + port_text.size())
    return bad("its port is not a number from 0 to 65535");
  if (host == "localhost") host = "127.0.0.1";
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  net::IPAddress ip;
  // Poco takes "::" for no address at all.
  if (host == "::")
    ip = net::IPAddress(net::AddressFamily::IPv6);
  else if (!net::IPAddress::tryParse(host, ip))
    return bad("its host is not an IP address");
  if (!ip.isLoopback() && options.tls_certificate.empty() && !options.behind_proxy)
    return fail(
        Code::kConfig,
        "cannot listen on \"" + listen +
            "\" without TLS: schools' networks would see who asks and "
            "change what they like; without TLS this hub listens on loopback only",
        "Give --tls-certificate and --tls-key; or, where a proxy that ends TLS stands before this hub, "
        "--behind-proxy");
  return net::SocketAddress(ip, port);
}

}  // namespace

struct HttpServer::State {
  // A connection that waits for a thread, or has one.
  struct Arrived {
    net::StreamSocket socket;
    std::string key;                       // empty: not limited
    std::optional<Limits::Ticket> ticket;  // of its address
  };

  State(Answer a, const HttpOptions& o, net::ServerSocket l, std::unique_ptr<TlsKeeper> t)
      : answer(std::move(a)),
        options(o),
        listener(std::move(l)),
        tls(std::move(t)),
        params(new net::HTTPServerParams),
        connections(time, o.address_connections),
        requests(time, o.address_requests),
        watch(o, [this] { return in_want(); }) {
    const Poco::Timespan header(options.header_time.count() * 1000);
    params->setTimeout(header);
    params->setKeepAlive(true);
    params->setKeepAliveTimeout(header);
    params->setMaxKeepAliveRequests(kRequestsPerConnection);
  }

  // --- accepting -----------------------------------------------------------------------------------
  void accept() {
    bool said = false;  // that it does not work; once
    auto told = std::chrono::steady_clock::now();
    while (!stopping()) {
      try {
        if (listener.poll(kAcceptEvery, net::Socket::SELECT_READ)) arrive(listener.acceptConnection());
        said = false;
      } catch (const std::exception& e) {
        // Out of files or memory; the connection waits, and so do we.
        if (!said) say("no connection can be accepted now: " + text_of_error(e));
        said = true;
        std::unique_lock lock(mutex);
        changed.wait_for(lock, milliseconds(200), [this] { return stopped; });
      }
      if (const auto now = std::chrono::steady_clock::now(); now - told >= kSayRefusalsEvery) {
        tell_refused();
        told = now;
      }
    }
  }
  static std::string text_of_error(const std::exception& e) {
    const auto* poco = dynamic_cast<const Poco::Exception*>(&e);
    return poco != nullptr ? poco->displayText() : e.what();
  }
  void arrive(net::StreamSocket socket) {
    net::IPAddress from;
    try {
      from = socket.peerAddress().host();
    } catch (const Poco::Exception&) {
      return;  // it has gone already
    }
    const bool local = options.spare_loopback && is_loopback(from);
    if (options.behind_proxy && !proxies.empty() && !local &&
        std::find(proxies.begin(), proxies.end(), key_of(from)) == proxies.end())
      return refused("not the proxy", from);
    Arrived arrived{std::move(socket), {}, {}};
    // Behind a proxy, all come from its address; who they are is seen at each request.
    if (!options.behind_proxy && !local) {
      arrived.key = key_of(from);
      auto ticket = connections.admit(arrived.key);
      if (!ticket) return refused("more than one address may open", from);
      arrived.ticket = std::move(*ticket);
    }
    const std::unique_lock lock(mutex);
    if (stopped) return;
    if (queue.size() >= static_cast<std::size_t>(options.queued)) {
      refused("all places taken", from);
      if (!tls) turn_away(arrived.socket);
      return;
    }
    queue.push_back(std::move(arrived));
    if (idle < queue.size() && workers.size() < static_cast<std::size_t>(options.threads)) {
      try {
        workers.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        if (workers.empty()) throw;  // otherwise one of those that there are will come to it
      }
    }
    changed.notify_one();
  }
  // A few bytes always fit where nothing has been sent yet; with TLS, silence is all there is.
  static void turn_away(net::StreamSocket& socket) {
    const std::string bytes = bytes_of_reply(come_back(503, kFullSeconds, "The hub is busy."), false);
    try {
      socket.sendBytes(bytes.data(), static_cast<int>(bytes.size()));
      socket.shutdownSend();
    } catch (const Poco::Exception&) {
      // It has gone already.
    }
  }

  // --- threads -------------------------------------------------------------------------------------
  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      auto next = queue.end();
      ++idle;
      changed.wait(lock, [&] {
        next = eligible();
        return stopped || next != queue.end();
      });
      --idle;
      if (stopped) return;
      {
        Arrived arrived = std::move(*next);
        queue.erase(next);
        if (!arrived.key.empty()) ++serving[arrived.key];
        lock.unlock();
        serve(arrived);
        lock.lock();
        if (!arrived.key.empty())
          if (const auto at = serving.find(arrived.key); --at->second == 0) serving.erase(at);
        // Its socket and ticket go here.
      }
    }
  }
  bool may_go(const Arrived& a) const {
    if (a.key.empty()) return true;
    const auto at = serving.find(a.key);
    return at == serving.end() || at->second < options.address_threads;
  }
  std::deque<Arrived>::iterator eligible() {
    return std::find_if(queue.begin(), queue.end(), [this](const Arrived& a) { return may_go(a); });
  }
  // Connections that only want a thread.
  std::size_t in_want() {
    const std::lock_guard lock(mutex);
    if (idle > 0 || workers.size() < static_cast<std::size_t>(options.threads)) return 0;
    return static_cast<std::size_t>(
        std::count_if(queue.begin(), queue.end(), [this](const Arrived& a) { return may_go(a); }));
  }

  // --- one connection --------------------------------------------------------------------------------
  void serve(Arrived& arrived) {
    ERR_clear_error();  // what the last connection of this thread left
    try {
      net::StreamSocket line = arrived.socket;
      // Not shaken hands yet: that comes with the first byte that is read.
      if (tls) line = net::SecureStreamSocket::attach(arrived.socket, tls->current());
      Session session(line, params);
      Watch::Stay stay(watch, arrived.socket);  // leaves before the session closes the socket
      while (session.hasMoreRequests() && exchange(session, stay, arrived)) stay.waiting();
    } catch (const std::exception&) {
      // It has gone, was ended, or does not speak TLS: nothing that anybody waits for.
    }
  }

  // One request and its answer; whether the connection stays.
  bool exchange(Session& session, Watch::Stay& stay, Arrived& arrived) {
    std::string header;
    bool head = false;
    Reply reply;
    net::HTTPRequest request;
    switch (session.header(header)) {
      case Session::Read::kEnded:
        return false;
      case Session::Read::kTooLong:
        reply =
            sentence(431, "A request's header has at most " + std::to_string(kHeaderBytesMax) + " bytes.");
        break;
      case Session::Read::kWhole:
        try {
          std::istringstream in(header);
          request.setFieldLimit(kHeaderFieldsMax);
          request.read(in);
          head = request.getMethod() == net::HTTPRequest::HTTP_HEAD;
          reply = reply_to(request, session, stay, arrived);
          if (request.getMethod() != net::HTTPRequest::HTTP_POST && !request.hasContentLength() &&
              !request.has(net::HTTPMessage::TRANSFER_ENCODING))
            reply.body_left = false;
        } catch (const net::NetException& e) {
          // Of the line: nobody is there to hear it. Of the message: it is no HTTP.
          if (session.networkException() != nullptr) throw;
          reply = sentence(400, "This is no request that the hub understands.");
        }
    }
    if (!session.canKeepAlive() || request.getVersion() != net::HTTPMessage::HTTP_1_1 ||
        !request.getKeepAlive() || watch.stopping())
      reply.close = true;
    const std::string bytes = bytes_of_reply(reply, head);
    stay.sending(bytes.size());
    session.say(bytes);
    if (reply.close && reply.body_left) drain(session, stay, arrived);
    return !reply.close;
  }

  Reply reply_to(const net::HTTPRequest& request, Session& session, Watch::Stay& stay,
                 const Arrived& arrived) {
    const std::string& path = request.getURI();
    const std::string& method = request.getMethod();
    if (auto later = too_many(request, arrived)) return std::move(*later);
    if (path == "/" && (method == "GET" || method == "HEAD"))
      return sentence(200, "This is a towpath hub. Schools' agents exchange bundles at /v1/exchange.");
    if (path != kPath) return sentence(404, "There is nothing here; bundles go to /v1/exchange.");
    if (method != "POST") {
      Reply reply = sentence(405, "Bundles are exchanged by POST.");
      reply.more = "Allow: POST\r\n";
      return reply;
    }
    if (!is_bundle(request.getContentType()))
      return sentence(415,
                      "The body has to be a bundle: Content-Type: " + std::string(kBundleMediaType) + ".");
    // Two statements about a length are one too many: proxies would not agree which one holds.
    const bool chunked = request.getChunkedTransferEncoding();
    const auto lengths = std::count_if(request.begin(), request.end(), [](const auto& field) {
      return Poco::icompare(field.first, net::HTTPMessage::CONTENT_LENGTH) == 0;
    });
    if (!chunked && request.has(net::HTTPMessage::TRANSFER_ENCODING))
      return sentence(501, "The hub knows no transfer encoding but chunked.");
    if (lengths > 1 || (chunked && lengths > 0)) return sentence(400, "The body's length is given twice.");
    if (!chunked && lengths == 0) return sentence(411, "A bundle's length has to be given.");
    const std::string too_large = "A bundle has at most " + std::to_string(kBundleBytesMax) + " bytes.";
    std::uint64_t declared = 0;
    if (!chunked) {
      const std::string& text = request.get(net::HTTPMessage::CONTENT_LENGTH);
      const auto done = std::from_chars(text.data(), text.data() + text.size(), declared);
      if (done.ec == std::errc::result_out_of_range) return sentence(413, too_large);
      if (done.ec != std::errc{} || done.ptr != text.data() + text.size())
        return sentence(400, "The body's length is no number.");
      if (declared > kBundleBytesMax) return sentence(413, too_large);
    }

    stay.reading(chunked ? kBundleBytesMax : static_cast<std::size_t>(declared));
    if (request.getExpectContinue()) session.say("HTTP/1.1 100 Continue\r\n\r\n");
    Bytes body;
    if (chunked) {
      net::HTTPChunkedInputStream in(session);
      while (in.good() && body.size() <= kBundleBytesMax) {
        const std::size_t had = body.size();
        body.resize(had + kReadBytes);
        in.read(reinterpret_cast<char*>(body.data() + had), static_cast<std::streamsize>(kReadBytes));
        body.resize(had + static_cast<std::size_t>(in.gcount()));
      }
      if (in.bad()) return sentence(400, "The body ended too early.");
      if (body.size() > kBundleBytesMax) return sentence(413, too_large);
    } else {
      body.resize(static_cast<std::size_t>(declared));
      for (std::size_t had = 0; had < body.size();) {
        const std::size_t n = session.some(body.data() + had, std::min(kReadBytes, body.size() - had));
        if (n == 0) return sentence(400, "The body ended too early.");
        had += n;
      }
    }

    stay.answering();
    Result<Bytes> reply = [&]() -> Result<Bytes> {
      try {
        return answer(body);
      } catch (const std::exception&) {  // out of memory, at worst; what it says is not for the line
        return fail(Code::kInternal, "The hub could not answer");
      }
    }();
    if (reply) return {200, std::string(kBundleMediaType), std::move(*reply), {}, false, false};
    Reply refusal =
        sentence(reply.error().code() == Code::kInternal ? 500 : 400, reply.error().sentence() + ".");
    refusal.body_left = false;
    return refusal;
  }

  // Where this address has asked too often.
  std::optional<Reply> too_many(const net::HTTPRequest& request, const Arrived& arrived) {
    std::string key = arrived.key;
    if (options.behind_proxy) {
      // The last address is the one that our proxy saw itself; what stands before it anybody can say.
      const std::string& all = request.get("X-Forwarded-For", net::HTTPMessage::EMPTY);
      std::string last = all.substr(all.rfind(',') == std::string::npos ? 0 : all.rfind(',') + 1);
      last.erase(std::remove(last.begin(), last.end(), ' '), last.end());
      net::IPAddress ip;
      if (!net::IPAddress::tryParse(last, ip)) return std::nullopt;
      key = key_of(ip);
    }
    if (key.empty()) return std::nullopt;
    const auto ticket = requests.admit(key);
    if (ticket) return std::nullopt;
    return come_back(429, ticket.error().seconds, "Too many requests from this address.");
  }

  // A client that still sends when its connection is closed may lose the answer with it.
  void drain(Session& session, Watch::Stay& stay, Arrived& arrived) {
    stay.draining();
    if (!tls) arrived.socket.shutdownSend();
    Bytes rubbish(kReadBytes);
    for (std::size_t total = 0; total < kDrainBytesMax;) {
      const std::size_t n = session.some(rubbish.data(), rubbish.size());
      if (n == 0) return;
      total += n;
    }
  }

  // --- words -------------------------------------------------------------------------------------------
  void say(const std::string& line) const {
    if (options.log) options.log(line);
  }
  void refused(const std::string& why, const net::IPAddress& from) {
    auto& [count, last] = refusals[why];
    ++count;
    last = from.toString();
  }
  // Called by the accepting thread only, as is refused(): a flood is a line a minute.
  void tell_refused() {
    for (const auto& [why, what] : refusals)
      say("connections closed at once, " + why + ": " + std::to_string(what.first) +
          " in a minute, the last from " + what.second);
    refusals.clear();
  }
  bool stopping() {
    const std::lock_guard lock(mutex);
    return stopped;
  }

  const Answer answer;
  const HttpOptions options;
  net::ServerSocket listener;
  const std::unique_ptr<TlsKeeper> tls;
  net::HTTPServerParams::Ptr params;
  std::vector<std::string> proxies;  // keys
  SteadyTime time;
  Limits connections, requests;
  std::string address;
  std::map<std::string, std::pair<std::uint64_t, std::string>> refusals;  // the accepting thread's

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Arrived> queue;
  std::map<std::string, int> serving;  // threads by address
  std::size_t idle = 0;
  bool stopped = false;
  std::vector<std::thread> workers;
  Watch watch;  // after what it asks
  std::thread acceptor;
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() { stop(); }
std::string HttpServer::address() const { return state_->address; }
bool HttpServer::tls() const { return state_->tls != nullptr; }

Result<std::unique_ptr<HttpServer>> HttpServer::start(Answer answer, const HttpOptions& options) {
  if (options.tls_certificate.empty() != options.tls_key.empty())
    return fail(Code::kUsage, "TLS needs a certificate and its key",
                "Give both: --tls-certificate FILE --tls-key FILE");
  auto address = address_of(options);
  if (!address) return fail(std::move(address).error());
  std::vector<std::string> proxies;
  for (const std::string& text : options.proxies) {
    net::IPAddress ip;
    if (!net::IPAddress::tryParse(text, ip))
      return fail(Code::kUsage, "the proxy \"" + text + "\" is not an IP address",
                  "For example: --proxy-address 10.0.0.5");
    proxies.push_back(key_of(ip));
  }
  std::unique_ptr<TlsKeeper> tls;
  if (!options.tls_certificate.empty()) {
    auto opened =
        TlsKeeper::open(options.tls_certificate, options.tls_key, options.tls_look_every, options.log);
    if (!opened) return fail(std::move(opened).error());
    tls = std::move(*opened);
  }
  try {
    net::ServerSocket socket;
    // Reuse a port that is only waiting out its last connections, never one in use. "::" is IPv4 too.
    if (address->family() == net::AddressFamily::IPv6)
      socket.bind6(*address, true, false, !address->host().isWildcard());
    else
      socket.bind(*address, true, false);
    socket.listen(options.queued);
    auto state = std::make_unique<State>(std::move(answer), options, socket, std::move(tls));
    state->proxies = std::move(proxies);
    state->address = socket.address().toString();
    state->acceptor = std::thread([s = state.get()] { s->accept(); });
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
  } catch (const net::NetException& e) {
    if (e.code() == POCO_EADDRINUSE) {
      const std::uint16_t port = address->port();
      const std::uint16_t other = port < UINT16_MAX ? static_cast<std::uint16_t>(port + 1) : kOtherPort;
      return fail(
          Code::kBusy, "port " + std::to_string(port) + " is taken by another program",
          "Stop it, or choose another: --listen " + net::SocketAddress(address->host(), other).toString());
    }
    return fail(Code::kIo, "cannot listen on " + options.listen + ": " + e.message(),
                "Choose another address or port: --listen 127.0.0.1:8440");
  } catch (const Poco::Exception& e) {
    const std::string why =
        e.code() != 0 ? std::generic_category().message(e.code()) : std::string(e.displayText());
    return fail(Code::kIo, "cannot listen on " + options.listen + ": " + why,
                "Check that this account may listen there, and that memory and open files are not used up");
  } catch (const std::system_error& e) {
    return fail(Code::kIo, std::string("cannot start a thread: ") + e.what(),
                "Check how many threads this account may have, and free memory");
  }
}

void HttpServer::stop() {
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    if (s.stopped) return;
    s.stopped = true;
    s.queue.clear();
  }
  s.changed.notify_all();
  s.acceptor.join();
  s.listener.close();
  s.watch.stop();
  for (std::thread& worker : s.workers) worker.join();
  s.tell_refused();
}

}  // namespace towpath
