// The way that worked last, in a small file beside the school's data.
//
// In: a path. Out: Route::key() for a day after it first worked; then the ways are tried in their
// order again, so that a stopgap does not stay for ever once the first proxy is back. A file that
// is missing, damaged or cannot be written costs a try of a dead proxy and nothing else.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "agent/line/line_options.hpp"
#include "core/world.hpp"

namespace towpath {

// A dead proxy is tried once a day: 15 seconds.
inline constexpr std::chrono::hours kRouteKept{24};

class FileRouteMemory final : public RouteMemory {
 public:
  FileRouteMemory(std::string path, Clock& clock) : path_(std::move(path)), clock_(clock) {}
  [[nodiscard]] std::optional<std::string> recall() override;
  void worked(const std::string& key) override;

 private:
  std::string path_;
  Clock& clock_;
  std::optional<std::string> recalled_;
};

}  // namespace towpath
