// A proxy script (PAC), evaluated: JavaScript of somebody else's, asked one question.
//
// In: the script, and the address that is wanted. Out: the script's answer as it gave it
// ("PROXY proxy:8080; DIRECT"), or what was wrong with it. The only place that sees duktape.
// A script is hostile input: it gets no world but names, this machine's address and the time, and
// a heap with an end. It may still run for ever; so only `pac_child_main` calls this, in a process
// that is killed on time (pac_child.hpp).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/date.hpp"
#include "core/result.hpp"

namespace towpath {

// Real ones are some kilobytes; a few large authorities' reach some hundred.
inline constexpr std::size_t kPacScriptBytesMax = 1024 * 1024;
// A script of the largest size, parsed, takes some 20 MB.
inline constexpr std::size_t kPacHeapBytesMax = 64 * 1024 * 1024;
// A rule may look up the wanted name a few times; a thousand lookups are an attack on somebody's DNS.
inline constexpr int kPacLookupsMax = 32;
// Eight proxies with long names; what is longer is no answer.
inline constexpr std::size_t kPacAnswerBytesMax = 4096;

// What a script may ask of the world.
class PacWorld {
 public:
  virtual ~PacWorld() = default;
  [[nodiscard]] virtual std::string ipv4_of(const std::string& name) = 0;  // empty: not known
  [[nodiscard]] virtual std::string own_ipv4() = 0;
  [[nodiscard]] virtual Instant now() = 0;
};

// FindProxyForURL(url, host). kBadInput with what the script did wrong, kTooLarge where it wants
// more memory than it may have.
[[nodiscard]] Result<std::string> evaluate_pac(std::string_view script, std::string_view url,
                                               std::string_view host, PacWorld& world);

}  // namespace towpath
