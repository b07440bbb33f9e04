#include "tests/simulation/sim_sticks.hpp"

#include <utility>

namespace towpath::sim {

void SimSticks::written(std::vector<Bytes> bundles) {
  trace_.event("a stick with " + std::to_string(bundles.size()) + " bundles");
  sticks_.push_back(std::move(bundles));
}

void SimSticks::carry() {
  if (sticks_.empty() || hub_.down()) return;
  const auto strikes = [&](Mishap mishap) {
    const bool struck = mishaps_.strikes(mishap, random_);
    if (struck) trace_.mishap(mishap);
    return struck;
  };
  const std::size_t which = random_.below(sticks_.size());
  std::vector<Bytes> bundles = sticks_[which];
  const bool lost = strikes(Mishap::kStickLost);
  if (lost || !strikes(Mishap::kStickTwice))
    sticks_.erase(sticks_.begin() + static_cast<std::ptrdiff_t>(which));
  if (lost) return;
  if (strikes(Mishap::kStickSwapped))
    for (std::size_t i = bundles.size(); i > 1; --i) std::swap(bundles[i - 1], bundles[random_.below(i)]);
  trace_.event("a stick with " + std::to_string(bundles.size()) + " bundles is at the hub");
  for (const Bytes& bundle : bundles) {
    auto answer = hub_.receive(urn_, bundle, Way::kStick);
    if (answer && *answer && !strikes(Mishap::kStickAnswer)) answers_.push_back(std::move(**answer));
  }
}

std::vector<ByteView> SimSticks::answers() {
  std::vector<ByteView> messages(answers_.begin(), answers_.end());
  for (std::size_t i = messages.size(); i > 1; --i) std::swap(messages[i - 1], messages[random_.below(i)]);
  return messages;
}

void SimSticks::read() {
  if (random_.chance(50)) answers_.clear();
}

}  // namespace towpath::sim
