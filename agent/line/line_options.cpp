#include "agent/line/line_options.hpp"

#include <cstdlib>

namespace towpath {
namespace {

// The first of them that is set and not empty, as curl and wget read them.
std::string variable(const char* first, const char* second = nullptr) {
  for (const char* name : {first, second}) {
    if (name == nullptr) continue;
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return {};
}

}  // namespace

ProxyEnvironment ProxyEnvironment::of_process() {
  return {variable("https_proxy", "HTTPS_PROXY"), variable("http_proxy"), variable("all_proxy", "ALL_PROXY"),
          variable("no_proxy", "NO_PROXY")};
}

}  // namespace towpath
