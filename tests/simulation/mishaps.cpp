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

void Mishaps::take(std::string_view name, const Mishaps& other) {
  for (std::size_t i = 0; i < kMishapCount; ++i)
    if (kMishaps[i].name == name || kMishaps[i].group() == name) rates_[i] = other.rates_[i];
}

std::string Mishaps::text(const Mishaps& usual) const {
  std::string only, without, faults;
  const auto list = [](std::string& names, std::string_view name) {
    names += (names.empty() ? "" : ",") + std::string(name);
  };
  for (const std::string_view group : groups()) {
    bool any_left = false, all_left = true, any_usual = false;
    for (std::size_t i = 0; i < kMishapCount; ++i) {
      if (kMishaps[i].group() != group) continue;
      any_usual = any_usual || usual.rates_[i] > 0;
      any_left = any_left || rates_[i] > 0;
      all_left = all_left && (rates_[i] > 0 || usual.rates_[i] == 0);
    }
    if (!any_left && any_usual) list(without, group);
    if (any_left && all_left) list(only, group);
    for (std::size_t i = 0; i < kMishapCount; ++i) {
      if (kMishaps[i].group() != group) continue;
      if (any_left && rates_[i] == 0 && usual.rates_[i] > 0) list(without, kMishaps[i].name);
      if (any_left && !all_left && rates_[i] > 0) list(only, kMishaps[i].name);
      if (rates_[i] > 0 && rates_[i] != usual.rates_[i])
        faults += " --fault " + std::string(kMishaps[i].name) + "=" + std::to_string(rates_[i]);
    }
  }
  // Whichever a person reads faster.
  if (without.empty()) return faults;
  if (only.empty()) only = "none";
  return (only.size() < without.size() ? " --only-faults " + only : " --without " + without) + faults;
}

std::vector<std::string_view> Mishaps::groups() {
  std::vector<std::string_view> all;
  for (const MishapKind& kind : kMishaps)
    if (std::find(all.begin(), all.end(), kind.group()) == all.end()) all.push_back(kind.group());
  return all;
}

}  // namespace towpath::sim
