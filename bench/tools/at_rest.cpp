// What an agent holds while it waits for its next window: the store open, the hub's address and
// libcurl ready, one exchange behind it, nothing to do.
//
//   at_rest STORE URN URL     prints resident bytes; the keys lie beside the store
//
// The agent has no resident process yet; this is the same code in the state it would rest in.
#include <malloc.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "agent/line/curl_transport.hpp"
#include "agent/publish/publisher.hpp"
#include "agent/store/store.hpp"
#include "agent/uplink/exchange.hpp"
#include "platform/platform.hpp"

using namespace towpath;

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: at_rest STORE URN URL\n");
    return 2;
  }
  auto store = Store::open({argv[1], "", argv[2], false}, built_in_dictionary());
  if (!store) {
    std::fprintf(stderr, "at_rest: %s\n", store.error().sentence().c_str());
    return 1;
  }
  Publisher publisher(*store, {std::string(kBorough), {}});
  platform::SystemClock clock;
  platform::SystemRandom random;
  KeyFolder files(identity_folder(std::filesystem::path(argv[1]).parent_path().string()));
  auto identity = Identity::load(files);
  if (!identity) {
    std::fprintf(stderr, "at_rest: %s\n", identity.error().sentence().c_str());
    return 1;
  }
  HubPeer peer(*identity, random);
  LineState state(*store);
  LineOptions to_hub;
  to_hub.url = argv[3];
  CurlTransport line(to_hub);
  ExchangeOptions options;
  options.school_urn = argv[2];
  options.software = "at_rest";
  Exchange exchange(publisher, state, peer, line, clock, random, options);
  if (auto report = exchange.run(); !report || !report->equal) {
    std::fprintf(stderr, "at_rest: %s\n",
                 report ? "the ends are not equal" : report.error().sentence().c_str());
    return 1;
  }
  store->db().release_memory();
  malloc_trim(0);
  std::ifstream status("/proc/self/status");
  for (std::string text; std::getline(status, text);)
    if (text.starts_with("VmRSS:")) std::printf("%lld\n", std::stoll(text.substr(6)) * 1024);
  return 0;
}
