#include "agent/service/watch.hpp"

#include <cstdint>
#include <utility>

#include "agent/school/words.hpp"

namespace towpath {
namespace {

// Some twenty lines a second at the usual pace: smooth, and no cost that shows.
constexpr std::uint64_t kRowsPerLine = 20'000;
// A tenth of that between looks at the flag: some milliseconds.
constexpr std::uint64_t kRowsPerLook = 2'000;

Error stopped() {
  return {Code::kStopped, "stopped before it was read to its end; the last good state is kept",
          "It is read again at its next time"};
}

class WatchingSink final : public RowSink {
 public:
  WatchingSink(RowSink& inner, Watcher* watcher, const StopFlag* stop, const std::string& source)
      : inner_(inner), watcher_(watcher), stop_(stop), source_(source) {}

  Result<FileId> open_file(std::string_view name, std::span<const std::string_view> columns,
                           std::span<const std::string_view> needed) override {
    if (asked()) return fail(stopped());
    return inner_.open_file(name, columns, needed);
  }
  void ignore(FileId file, std::string_view reason, std::uint64_t records) override {
    inner_.ignore(file, reason, records);
  }
  void used(FileId file, std::uint64_t records) override { inner_.used(file, records); }
  void close_file(FileId file, std::uint64_t records) override {
    // What was refused after the end was asked for is in nobody's account.
    if (!ended_) inner_.close_file(file, records);
  }
  Result<void> begin(const Dataset& dataset, Completeness completeness) override {
    if (asked()) return fail(stopped());
    title_ = dataset.title;
    rows_ = 0;
    show();
    return inner_.begin(dataset, completeness);
  }
  Fingerprint matched(const Field& reference, std::string_view by, std::string_view dataset) override {
    return inner_.matched(reference, by, dataset);
  }
  bool unchanged(const Origin& origin, Fingerprint print) override {
    // Not known any more: the adapter goes on to row(), which can say so.
    if (count()) return false;
    const bool same = inner_.unchanged(origin, print);
    fresh_ = !same;
    return same;
  }
  Result<void> row(const Origin& origin, Fingerprint print, std::span<const InCell> cells) override {
    // Asked about by unchanged() and counted there, or handed over at once.
    if (!std::exchange(fresh_, false)) (void)count();
    if (ended_) return fail(stopped());
    return inner_.row(origin, print, cells);
  }
  Result<void> reject(const Dataset& dataset, const Origin& origin, Problem problem) override {
    fresh_ = false;
    if (ended_) return fail(stopped());
    return inner_.reject(dataset, origin, std::move(problem));
  }
  Result<void> remove(const Origin& origin, std::span<const InCell> key) override {
    if (count()) return fail(stopped());
    return inner_.remove(origin, key);
  }
  Result<void> end(const Dataset& dataset) override {
    if (asked()) return fail(stopped());
    if (watcher_ != nullptr) watcher_->moves(source_ + ": " + std::string(dataset.title) + ", comparing");
    return inner_.end(dataset);
  }
  void abandon(const Dataset& dataset, Error why) override { inner_.abandon(dataset, std::move(why)); }
  void notice(std::string text) override { inner_.notice(std::move(text)); }

  [[nodiscard]] bool ended() const { return ended_; }

 private:
  bool asked() {
    if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) ended_ = true;
    return ended_;
  }
  // True: it is to end.
  bool count() {
    ++rows_;
    if (rows_ % kRowsPerLine == 0) show();
    return rows_ % kRowsPerLook == 0 ? asked() : ended_;
  }
  void show() {
    if (watcher_ != nullptr) watcher_->moves(source_ + ": " + title_ + ", " + cli::number(rows_) + " rows");
  }

  RowSink& inner_;
  Watcher* watcher_;
  const StopFlag* stop_;
  const std::string& source_;
  std::string title_;
  std::uint64_t rows_ = 0;
  bool fresh_ = false;  // unchanged() has counted the row that follows
  bool ended_ = false;
};

}  // namespace

Result<void> WatchedAdapter::extract(RowSink& sink) {
  WatchingSink watching(sink, watcher_, stop_, source_);
  auto done = inner_.extract(watching);
  // An adapter may take the sink's refusal for a dataset that is broken, and go on to its end.
  if (watching.ended()) return fail(stopped());
  return done;
}

}  // namespace towpath
