#include "tests/simulation/trace.hpp"

#include <cstdio>

#include "core/hash.hpp"
#include "tests/simulation/telling.hpp"

namespace towpath::sim {

std::string_view says(Promise promise) {
  switch (promise) {
    case Promise::kEqual:
      return "the hub holds what the school may send, no more and no less (invariant 1)";
    case Promise::kKept:
      return "nothing acknowledged is lost, nothing is applied twice (invariant 2)";
    case Promise::kPrivate:
      return "nothing outside an agreement leaves a school (invariant 3)";
    case Promise::kMerged:
      return "merged pledge records are equal everywhere (invariant 4)";
    case Promise::kErased:
      return "what was erased is gone everywhere, with a receipt (invariant 5)";
    case Promise::kWhole:
      return "a store is as before a run or as after it, never between";
    case Promise::kReason:
      return "nothing fails, begins anew or asks for a person without a reason";
    case Promise::kLive:
      return "once nothing fails any more all becomes equal, in a bounded number of exchanges";
    case Promise::kSound:
      return "what nothing was done to works: files are sound, and none is forgotten";
  }
  return "";
}

std::string Event::place() const {
  return "day " + std::to_string(day) + (school ? " school " + std::to_string(*school) : "");
}

std::string Trace::line(std::size_t number, const Event& event) {
  return std::to_string(number) + " " + event.place() + (event.mishap ? ": ! " : ": ") + event.what;
}

void Trace::mishap(Mishap mishap, const std::string& detail) {
  const MishapKind& kind = kind_of(mishap);
  std::string what = std::string(kind.says) + " (" + std::string(kind.name) + ")";
  if (!detail.empty()) what += ": " + detail;
  add({day_, school_, mishap, std::move(what)});
}

void Trace::add(Event event) {
  check_telling(event.what, {}, "a line for people");  // every log, error and report comes by here
  events_.push_back(std::move(event));
  const std::string text = line(events_.size(), events_.back());
  hash_ = fingerprint(text, hash_);
  if (each) each(events_.back());
  if (!print_) return;
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);  // an assertion may be next
}

std::string Trace::text() const {
  std::string all;
  for (std::size_t i = 0; i < events_.size(); ++i) all += line(i + 1, events_[i]) + "\n";
  return all;
}

}  // namespace towpath::sim
