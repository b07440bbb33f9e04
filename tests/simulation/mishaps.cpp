#include "tests/simulation/mishaps.hpp"

#include <algorithm>

namespace towpath::sim {

Mishaps::Mishaps() {
  for (std::size_t i = 0; i < kMishapCount; ++i) rates_[i] = kMishaps[i].usual;
}

Mishaps Mishaps::none() {
  Mishaps mishaps;
  mishaps.rates_.fill(0);
  return mishaps;
}

Mishaps Mishaps::swarm(std::uint64_t seed) {
  SimRandom random(seed, "swarm");
  Mishaps mishaps;
  for (std::size_t i = 0; i < kMishapCount; ++i) {
    // Half of them are left out, some are usual, some up to six times as frequent.
    const std::size_t mood = random.below(8);
    const auto usual = kMishaps[i].usual;
    const auto often = static_cast<unsigned>(random.between(usual, 6 * usual));
    mishaps.rates_[i] = mood < 4 ? 0 : mood < 6 ? usual : std::min(often, 600U);
  }
  return mishaps;
}

Result<void> Mishaps::set(std::string_view name, unsigned thousandths) {
  bool any = false;
  std::string names;
  for (std::size_t i = 0; i < kMishapCount; ++i) {
    if (kMishaps[i].name == name || kMishaps[i].group() == name) {
      rates_[i] = thousandths;
      any = true;
    }
    names += " " + std::string(kMishaps[i].name);
  }
  if (!any)
    return fail(Code::kUsage, "there is no fault named " + std::string(name), "Choose one of:" + names);
  return {};
}

std::string Mishaps::text() const {
  const auto off = [&](std::string_view group) {
    for (std::size_t i = 0; i < kMishapCount; ++i)
      if (kMishaps[i].group() == group && rates_[i] > 0) return false;
    return true;
  };
  std::string text;
  for (const std::string_view group : groups())
    if (off(group)) text += (text.empty() ? " --without " : ",") + std::string(group);
  for (std::size_t i = 0; i < kMishapCount; ++i)
    if (rates_[i] != kMishaps[i].usual && !off(kMishaps[i].group()))
      text += " --fault " + std::string(kMishaps[i].name) + "=" + std::to_string(rates_[i]);
  return text;
}

std::vector<std::string_view> Mishaps::groups() {
  std::vector<std::string_view> all;
  for (const MishapKind& kind : kMishaps)
    if (std::find(all.begin(), all.end(), kind.group()) == all.end()) all.push_back(kind.group());
  return all;
}

}  // namespace towpath::sim
