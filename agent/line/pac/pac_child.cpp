#include "agent/line/pac/pac_child.hpp"

#include <array>
#include <cstdio>

#include "agent/line/pac/pac_script.hpp"
#include "agent/uplink/page.hpp"
#include "platform/child.hpp"
#include "platform/names.hpp"

namespace towpath {
namespace {

constexpr std::string_view kGreeting = "towpath-pac 1\n";
// What the program itself, its libraries and a full script heap take, several times over.
constexpr std::uint64_t kAddressSpaceMax = 1024ULL * 1024 * 1024;
// What a person is shown of a script's own words.
constexpr std::size_t kFaultCharactersMax = 120;

class RealPacWorld final : public PacWorld {
 public:
  explicit RealPacWorld(Clock& clock) : clock_(clock) {}
  [[nodiscard]] std::string ipv4_of(const std::string& name) override { return platform::ipv4_of(name); }
  [[nodiscard]] std::string own_ipv4() override { return platform::own_ipv4(); }
  [[nodiscard]] Instant now() override { return clock_.now(); }

 private:
  Clock& clock_;
};

std::string_view line_of(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

tl::unexpected<Error> script_fault(const std::string& what) {
  return fail(Code::kTransport, "the proxy script " + what,
              "Ask whoever keeps the script; or name the proxy itself in [hub] proxy");
}

}  // namespace

Result<std::string> evaluate_in_child(const std::vector<std::string>& program, std::string_view script,
                                      std::string_view url, std::string_view host,
                                      const std::atomic<bool>* stop) {
  std::string input(kGreeting);
  input.append(url).append("\n").append(host).append("\n").append(script);
  const platform::ChildLimits limits{kPacWallMax, kPacCpuMax, kAddressSpaceMax, kPacAnswerBytesMax + 1024};
  const auto child = platform::run_child(program, input, limits, stop);
  if (!child) return fail(Error(child.error()).during("evaluating the proxy script"));
  switch (child->ended) {
    case platform::ChildEnded::kStopped:
      return fail(Code::kStopped, "asked to stop while the proxy script was being evaluated");
    case platform::ChildEnded::kOutOfCpu:
      return script_fault("did not come to an end within " + std::to_string(kPacCpuMax.count()) +
                          " s of processor time");
    case platform::ChildEnded::kOutOfTime:
      return script_fault("did not come to an end within " + std::to_string(kPacWallMax.count()) + " s");
    case platform::ChildEnded::kKilled:
    case platform::ChildEnded::kTooMuch:
      return script_fault("broke the program that evaluates it");
    case platform::ChildEnded::kExited:
      break;
  }
  if (child->output.starts_with('=')) return child->output.substr(1);
  if (child->output.starts_with('!'))
    return script_fault("is of no use: " +
                        safe_line(std::string_view(child->output).substr(1), kFaultCharactersMax));
  return script_fault("could not be evaluated: " + program.front() + " ended with exit code " +
                      std::to_string(child->exit_code));
}

int pac_child_main(Clock& clock) {
  std::string input;
  std::array<char, 64 * 1024> piece;
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), stdin)) {
    input.append(piece.data(), n);
    if (input.size() > kPacScriptBytesMax + piece.size()) break;  // the evaluation refuses it
  }
  std::string_view rest = input;
  if (!rest.starts_with(kGreeting)) return 2;
  rest.remove_prefix(kGreeting.size());
  const std::string_view url = line_of(rest);
  const std::string_view host = line_of(rest);
  RealPacWorld world(clock);
  const auto answer = evaluate_pac(rest, url, host, world);
  const std::string out = answer ? "=" + *answer : "!" + answer.error().what();
  const bool wrote = std::fwrite(out.data(), 1, out.size(), stdout) == out.size() && std::fflush(stdout) == 0;
  return wrote ? 0 : 1;
}

}  // namespace towpath
