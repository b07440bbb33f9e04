#include "agent/cli/progress.hpp"

#include <cstdio>

#include "agent/cli/words.hpp"
#include "platform/platform.hpp"

namespace towpath::cli {
namespace {

// Some twenty lines a second at the usual pace: smooth, and no cost that shows.
constexpr std::uint64_t kRowsPerLine = 20'000;

class WatchingSink final : public RowSink {
 public:
  WatchingSink(RowSink& inner, Progress& progress, const std::string& source)
      : inner_(inner), progress_(progress), source_(source) {}

  Result<FileId> open_file(std::string_view name, std::span<const std::string_view> columns,
                           std::span<const std::string_view> needed) override {
    return inner_.open_file(name, columns, needed);
  }
  void ignore(FileId file, std::string_view reason, std::uint64_t records) override {
    inner_.ignore(file, reason, records);
  }
  void used(FileId file, std::uint64_t records) override { inner_.used(file, records); }
  void close_file(FileId file, std::uint64_t records) override { inner_.close_file(file, records); }
  Result<void> begin(const Dataset& dataset, Completeness completeness) override {
    title_ = dataset.title;
    rows_ = 0;
    show();
    return inner_.begin(dataset, completeness);
  }
  bool unchanged(const Origin& origin, Fingerprint print) override {
    const bool same = inner_.unchanged(origin, print);
    if (same) count();
    return same;
  }
  Result<void> row(const Origin& origin, Fingerprint print, std::span<const InCell> cells) override {
    count();
    return inner_.row(origin, print, cells);
  }
  Result<void> reject(const Dataset& dataset, const Origin& origin, Problem problem) override {
    return inner_.reject(dataset, origin, std::move(problem));
  }
  Result<void> remove(const Origin& origin, std::span<const InCell> key) override {
    count();
    return inner_.remove(origin, key);
  }
  Result<void> end(const Dataset& dataset) override {
    progress_.show(source_ + ": " + std::string(dataset.title) + ", comparing");
    return inner_.end(dataset);
  }
  void abandon(const Dataset& dataset, Error why) override { inner_.abandon(dataset, std::move(why)); }
  void notice(std::string text) override { inner_.notice(std::move(text)); }

 private:
  void count() {
    if (++rows_ % kRowsPerLine == 0) show();
  }
  void show() { progress_.show(source_ + ": " + title_ + ", " + number(rows_) + " rows"); }

  RowSink& inner_;
  Progress& progress_;
  const std::string& source_;
  std::string title_;
  std::uint64_t rows_ = 0;
};

}  // namespace

Progress::Progress() : shown_(platform::is_terminal(2)) {}

void Progress::show(const std::string& line) {
  if (!shown_) return;
  std::fprintf(stderr, "\r\x1b[K%.120s", line.c_str());
  std::fflush(stderr);
  dirty_ = true;
}

void Progress::clear() {
  if (!dirty_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  dirty_ = false;
}

Result<void> WatchedAdapter::extract(RowSink& sink) {
  WatchingSink watching(sink, progress_, source_);
  return inner_.extract(watching);
}

}  // namespace towpath::cli
