#include "hub/exchange/http_server.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServerConnection.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/TCPServer.h>
#include <Poco/Net/TCPServerConnectionFactory.h>
#include <Poco/ThreadPool.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace towpath {
namespace {

namespace net = Poco::Net;
using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view kPath = "/v1/exchange";
// Offered where the highest port is taken.
constexpr std::uint16_t kOtherPort = 8441;
constexpr std::size_t kReadBytes = 16 * 1024;
// Answers that a connection may be used for: a first load is some 5.
constexpr int kRequestsPerConnection = 1000;
// How long a thread waits for the next connection before it goes; stop() may have to wait for it.
const Poco::Timespan kThreadIdle(1, 0);
// How often deadlines are looked at; a second more or less does not matter to anybody.
constexpr milliseconds kWatchEvery{500};

// Every open connection and when it has to have got on; ends those that have not. A client that
// sends a byte now and then would otherwise hold a thread for as long as it likes.
class Watch {
 public:
  enum class Phase { kWaiting, kReading, kAnswering };

  explicit Watch(const HttpOptions& options) : options_(options), thread_([this] { run(); }) {}
  ~Watch() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  std::uint64_t enter(const net::StreamSocket& socket) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t id = ++last_;
    open_.emplace(id, Connection{socket, Phase::kWaiting, SteadyClock::now() + options_.header_time});
    if (stopping_) end(open_.at(id));
    return id;
  }
  void leave(std::uint64_t id) {
    {
      const std::lock_guard lock(mutex_);
      open_.erase(id);
    }
    changed_.notify_all();
  }
  void waiting(std::uint64_t id) { phase(id, Phase::kWaiting, options_.header_time); }
  void reading(std::uint64_t id, std::size_t bytes) {
    phase(id, Phase::kReading,
          options_.body_time +
              milliseconds(1000 * bytes / std::max<std::size_t>(1, options_.body_bytes_a_second)));
  }
  void answering(std::uint64_t id) { phase(id, Phase::kAnswering, std::nullopt); }

  // Ends what waits or is still being read, gives answers their time, then ends those too.
  void stop() {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    for (auto& [id, c] : open_)
      if (c.phase != Phase::kAnswering) end(c);
    const auto gone = [this] { return open_.empty(); };
    if (!changed_.wait_for(lock, options_.stop_time, gone))
      for (auto& [id, c] : open_) end(c);
    changed_.wait_for(lock, milliseconds(500), gone);
  }

 private:
  struct Connection {
    net::StreamSocket socket;
    Phase phase;
    std::optional<SteadyClock::time_point> deadline;
  };

  static void end(Connection& c) {
    c.deadline.reset();
    try {
      c.socket.shutdown();
    } catch (const Poco::Exception&) {
      // It has ended already.
    }
  }
  void phase(std::uint64_t id, Phase phase, std::optional<milliseconds> time) {
    const std::lock_guard lock(mutex_);
    const auto at = open_.find(id);
    if (at == open_.end()) return;
    at->second.phase = phase;
    at->second.deadline = time ? std::optional(SteadyClock::now() + *time) : std::nullopt;
    if (stopping_ && phase == Phase::kWaiting) end(at->second);
  }
  void run() {
    std::unique_lock lock(mutex_);
    while (!over_) {
      changed_.wait_for(lock, kWatchEvery, [this] { return over_; });
      const auto now = SteadyClock::now();
      for (auto& [id, c] : open_)
        if (c.deadline && *c.deadline <= now) end(c);
    }
  }

  const HttpOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Connection> open_;
  std::uint64_t last_ = 0;
  bool stopping_ = false, over_ = false;
  std::thread thread_;  // last: it uses what is above
};

void send(net::HTTPServerResponse& response, int status, const std::string& type, ByteView body, bool close) {
  response.setStatusAndReason(static_cast<net::HTTPResponse::HTTPStatus>(status));
  response.erase("Date");  // no answer is ever kept
  // HTTP/1.1 stays open unless one side says otherwise.
  if (close || !response.getKeepAlive())
    response.setKeepAlive(false);
  else if (response.getVersion() == net::HTTPMessage::HTTP_1_1)
    response.erase(net::HTTPMessage::CONNECTION);
  response.setContentType(type);
  response.set("Cache-Control", "no-store");
  response.set("Towpath", "1");  // tells an answer of ours from a filter's page
  response.sendBuffer(body.data(), body.size());
}
void say(net::HTTPServerResponse& response, int status, const std::string& sentence, bool close = true) {
  send(response, status, "text/plain", bytes_of(sentence + "\n"), close);
}

bool is_bundle(const std::string& type) {
  std::string media = type.substr(0, type.find(';'));
  while (!media.empty() && media.back() == ' ') media.pop_back();
  std::transform(media.begin(), media.end(), media.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return media == kBundleMediaType;
}

class Handler final : public net::HTTPRequestHandler {
 public:
  Handler(HubService& service, Watch& watch, std::uint64_t id) : service_(service), watch_(watch), id_(id) {}

  void handleRequest(net::HTTPServerRequest& request, net::HTTPServerResponse& response) override {
    answer(request, response);
    watch_.waiting(id_);
  }

 private:
  void answer(net::HTTPServerRequest& request, net::HTTPServerResponse& response) {
    const std::string& path = request.getURI();
    const std::string& method = request.getMethod();
    if (path == "/" && (method == "GET" || method == "HEAD"))
      return say(response, 200, "This is a towpath hub. Schools' agents exchange bundles at /v1/exchange.");
    if (path != kPath) return say(response, 404, "There is nothing here; bundles go to /v1/exchange.");
    if (method != "POST") {
      response.set("Allow", "POST");
      return say(response, 405, "Bundles are exchanged by POST.");
    }
    if (!is_bundle(request.getContentType()))
      return say(response, 415,
                 "The body has to be a bundle: Content-Type: " + std::string(kBundleMediaType) + ".");
    const bool chunked = request.getChunkedTransferEncoding();
    if (!chunked && !request.hasContentLength())
      return say(response, 411, "A bundle's length has to be given.");
    const std::string too_large = "A bundle has at most " + std::to_string(kBundleBytesMax) + " bytes.";
    const auto declared = chunked ? 0 : static_cast<std::uint64_t>(request.getContentLength64());
    if (declared > kBundleBytesMax) return say(response, 413, too_large);

    watch_.reading(id_, chunked ? kBundleBytesMax : static_cast<std::size_t>(declared));
    Bytes body;
    std::istream& in = request.stream();
    while (in.good() && body.size() <= kBundleBytesMax) {
      const std::size_t had = body.size();
      body.resize(had + kReadBytes);
      in.read(reinterpret_cast<char*>(body.data() + had), static_cast<std::streamsize>(kReadBytes));
      body.resize(had + static_cast<std::size_t>(in.gcount()));
    }
    if (body.size() > kBundleBytesMax) return say(response, 413, too_large);
    if (in.bad() || (!chunked && body.size() != declared))
      return say(response, 400, "The body ended too early.");

    watch_.answering(id_);
    Result<Bytes> reply = [&]() -> Result<Bytes> {
      try {
        return service_.answer(body);
      } catch (const std::exception&) {  // out of memory, at worst; what it says is not for the line
        return fail(Code::kInternal, "The hub could not answer");
      }
    }();
    if (!reply)
      return say(response, reply.error().code() == Code::kInternal ? 500 : 400,
                 reply.error().sentence() + ".");
    send(response, 200, std::string(kBundleMediaType), *reply, false);
  }

  HubService& service_;
  Watch& watch_;
  std::uint64_t id_;
};

class HandlerFactory final : public net::HTTPRequestHandlerFactory {
 public:
  HandlerFactory(HubService& service, Watch& watch, std::uint64_t id)
      : service_(service), watch_(watch), id_(id) {}
  net::HTTPRequestHandler* createRequestHandler(const net::HTTPServerRequest& /*request*/) override {
    return new Handler(service_, watch_, id_);
  }

 private:
  HubService& service_;
  Watch& watch_;
  std::uint64_t id_;
};

class Connection final : public net::HTTPServerConnection {
 public:
  Connection(const net::StreamSocket& socket, net::HTTPServerParams::Ptr params, HubService& service,
             Watch& watch, std::uint64_t id)
      : HTTPServerConnection(socket, std::move(params), new HandlerFactory(service, watch, id)),
        watch_(watch),
        id_(id) {}
  ~Connection() override { watch_.leave(id_); }

 private:
  Watch& watch_;
  std::uint64_t id_;
};

class ConnectionFactory final : public net::TCPServerConnectionFactory {
 public:
  ConnectionFactory(net::HTTPServerParams::Ptr params, HubService& service, Watch& watch)
      : params_(std::move(params)), service_(service), watch_(watch) {}
  net::TCPServerConnection* createConnection(const net::StreamSocket& socket) override {
    return new Connection(socket, params_, service_, watch_, watch_.enter(socket));
  }

 private:
  net::HTTPServerParams::Ptr params_;
  HubService& service_;
  Watch& watch_;
};

// "host:port" as a loopback address.
Result<net::SocketAddress> address_of(const std::string& listen) {
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
  if (host != "::" && !net::IPAddress::tryParse(host, ip)) return bad("its host is not an IP address");
  if (!ip.isLoopback())
    return fail(Code::kConfig,
                "cannot listen on \"" + listen +
                    "\": bundles are not signed and encrypted yet, so whoever reaches the "
                    "port could speak for any school; this hub listens on loopback only",
                "For example: --listen 127.0.0.1:8440");
  return net::SocketAddress(ip, port);
}

}  // namespace

struct HttpServer::State {
  explicit State(const HttpOptions& options) : watch(options), pool("exchange", 2, options.threads) {}
  Watch watch;
  Poco::ThreadPool pool;
  std::unique_ptr<net::TCPServer> server;
  std::string address;
  bool stopped = false;
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() { stop(); }
std::string HttpServer::address() const { return state_->address; }

Result<std::unique_ptr<HttpServer>> HttpServer::start(HubService& service, const HttpOptions& options) {
  auto address = address_of(options.listen);
  if (!address) return fail(std::move(address).error());
  try {
    net::ServerSocket socket;
    // Reuse a port that is only waiting out its last connections, never one in use.
    if (address->family() == net::AddressFamily::IPv6)
      socket.bind6(*address, true, false, true);
    else
      socket.bind(*address, true, false);
    socket.listen(options.queued);
    auto state = std::make_unique<State>(options);
    state->address = socket.address().toString();
    const auto timeout = Poco::Timespan(options.header_time.count() * 1000);
    net::HTTPServerParams::Ptr params = new net::HTTPServerParams;
    params->setMaxThreads(options.threads);
    params->setMaxQueued(options.queued);
    params->setThreadIdleTime(kThreadIdle);
    params->setTimeout(timeout);
    params->setKeepAlive(true);
    params->setKeepAliveTimeout(timeout);
    params->setMaxKeepAliveRequests(kRequestsPerConnection);
    state->server = std::make_unique<net::TCPServer>(new ConnectionFactory(params, service, state->watch),
                                                     state->pool, socket, params);
    state->server->start();
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
    return fail(Code::kIo, "cannot listen on " + options.listen + ": " + e.displayText());
  }
}

void HttpServer::stop() {
  if (state_->stopped) return;
  state_->stopped = true;
  state_->server->stop();
  state_->watch.stop();
  state_->server.reset();
  state_->pool.joinAll();
}

}  // namespace towpath
