// Long work shows that it moves: one line on a terminal, rewritten; silent anywhere else.
//
// Counts only: what is done by how many, never what a row holds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/api/adapter.hpp"

namespace towpath::cli {

class Progress {
 public:
  Progress();  // asks whether standard error is a terminal
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }
  [[nodiscard]] bool shown() const { return shown_; }
  void show(const std::string& line);
  void clear();

 private:
  bool shown_;
  bool dirty_ = false;
};

// An adapter that tells how far it is; hands everything on unchanged.
class WatchedAdapter final : public Adapter {
 public:
  WatchedAdapter(Adapter& inner, Progress& progress, std::string source)
      : inner_(inner), progress_(progress), source_(std::move(source)) {}
  [[nodiscard]] std::vector<std::string_view> provides() const override { return inner_.provides(); }
  [[nodiscard]] Result<void> extract(RowSink& sink) override;

 private:
  Adapter& inner_;
  Progress& progress_;
  std::string source_;
};

}  // namespace towpath::cli
