// A proxy script's helpers with hostile arguments: the script comes from whoever answers at the school's
// address for it. Loops are left to the child process that is killed; here are calls, by tens.
#include <array>

#include "agent/line/pac/pac_script.hpp"
#include "agent/line/route.hpp"
#include "check.hpp"
#include "program.hpp"

namespace towpath::fuzz {
namespace {

constexpr std::array<const char*, 13> kHelpers{
    "isPlainHostName", "dnsDomainIs",     "localHostOrDomainIs", "isResolvable", "isInNet",   "dnsResolve",
    "myIpAddress",     "dnsDomainLevels", "shExpMatch",          "weekdayRange", "dateRange", "timeRange",
    "String"};

class World final : public PacWorld {
 public:
  int lookups = 0;
  std::string ipv4_of(const std::string& name) override {
    ++lookups;
    return name.size() % 3 == 0 ? "" : name.size() % 3 == 1 ? "10.1.2.3" : "300.1";
  }
  std::string own_ipv4() override { return "192.168.1.9"; }
  Instant now() override { return *parse_instant("2026-11-23T08:15:00Z"); }
};

std::string quoted(const std::string& text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    out += "\\x";
    out += kHex[b >> 4];
    out += kHex[b & 15];
  }
  return out + "\"";
}
std::string argument(Draw& d) {
  static constexpr std::array<const char*, 20> kSome{"url",
                                                     "host",
                                                     "\"MON\"",
                                                     "\"FRI\"",
                                                     "\"GMT\"",
                                                     "\"JAN\"",
                                                     "\"DEC\"",
                                                     "1",
                                                     "31",
                                                     "2026",
                                                     "23",
                                                     "59",
                                                     "null",
                                                     "undefined",
                                                     "-1",
                                                     "[]",
                                                     "{}",
                                                     "\"*.x?\"",
                                                     "\"255.255.0.0\"",
                                                     "\"10.0.0.0\""};
  if (d.below(3) > 0) return kSome[d.below(kSome.size())];
  return quoted(d.text());
}

}  // namespace
}  // namespace towpath::fuzz

FUZZ_PROGRAMS(32)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towpath;
  using namespace towpath::fuzz;
  std::string script = "function FindProxyForURL(url, host) { var s = \"\";\n";
  for (const Step& step : program_of({data, size})) {
    Draw d = step.draw();
    if (step.code >= 30) {  // the input itself, where it cannot loop
      const Bytes raw = d.rest();
      const std::string text(raw.begin(), raw.end());
      if (text.find("for") == std::string::npos && text.find("while") == std::string::npos &&
          text.find("function") == std::string::npos && text.find('=') == std::string::npos)
        script += text + "\n";
      continue;
    }
    script += "try { s += " + std::string(kHelpers[step.code % kHelpers.size()]) + "(";
    const std::size_t n = d.below(8);
    for (std::size_t i = 0; i < n; ++i) script += (i > 0 ? "," : "") + argument(d);
    script += "); } catch (e) { s += e; }\n";
  }
  script += "return \"PROXY \" + s + \":80; DIRECT\"; }\n";
  World world;
  const auto answer = evaluate_pac(script, "https://hub.example/", "hub.example", world);
  FUZZ_CHECK(world.lookups <= kPacLookupsMax);
  if (!answer) {
    harmless(answer.error());
    return 0;
  }
  FUZZ_CHECK(answer->size() <= kPacAnswerBytesMax);
  static_cast<void>(parse_script_answer(*answer));
  return 0;
}
