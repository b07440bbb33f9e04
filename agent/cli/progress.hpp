// Long work shows on a terminal that it moves: one line, rewritten; silent anywhere else.
#pragma once

#include <string>

#include "agent/service/watch.hpp"

namespace towpath::cli {

class Progress final : public Watcher {
 public:
  Progress();  // asks whether standard error is a terminal
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() override { clear(); }
  void moves(const std::string& line) override;
  void clear();

 private:
  bool shown_;
  bool dirty_ = false;
};

}  // namespace towpath::cli
