#include "agent/store/prints.hpp"

#include <algorithm>
#include <cstring>

namespace towpath {
namespace {

std::int64_t base_of(std::int64_t source, std::uint16_t dataset) {
  return source << 48 | static_cast<std::int64_t>(dataset) << 32;
}
std::string range(std::int64_t base) {
  return "id>=" + std::to_string(base) + " AND id<" + std::to_string(base + (std::int64_t{1} << 32));
}

}  // namespace

Result<bool> PrintList::exists(Store& store, std::int64_t source, std::uint16_t dataset) {
  auto any =
      store.db().integer("SELECT EXISTS(SELECT 1 FROM print WHERE " + range(base_of(source, dataset)) + ")");
  if (!any) return fail(std::move(any).error());
  return *any != 0;
}

Result<void> PrintList::drop(Store& store, std::int64_t source, std::uint16_t dataset) {
  return store.db().exec("DELETE FROM print WHERE " + range(base_of(source, dataset)));
}

Result<PrintList> PrintList::open(Store& store, std::int64_t source, std::uint16_t dataset, bool use_old) {
  if (!use_old) TP_TRY(drop(store, source, dataset));
  auto read = store.db().prepare("SELECT id,prints FROM print WHERE id>?1 AND id<?2 ORDER BY id LIMIT 1");
  if (!read) return fail(std::move(read).error());
  auto write = store.db().prepare("INSERT OR REPLACE INTO print(id,prints) VALUES(?1,?2)");
  if (!write) return fail(std::move(write).error());
  auto remove = store.db().prepare("DELETE FROM print WHERE id=?1");
  if (!remove) return fail(std::move(remove).error());
  PrintList list(store, base_of(source, dataset), std::move(*read), std::move(*write), std::move(*remove));
  list.read_all_ = !use_old;
  TP_TRY(list.fill());
  return list;
}

Result<void> PrintList::fill() {
  while (!read_all_ && window_.size() - head_ < kPrintWindow) {
    if (head_ > 2 * kPrintWindow) {
      window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    auto use = read_.use();
    use.bind(1, base_ + last_read_);
    use.bind(2, base_ + (std::int64_t{1} << 32));
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) {
      read_all_ = true;
      break;
    }
    last_read_ = use.integer(0) - base_;
    const ByteView blob = use.blob(1);
    if (blob.empty() || blob.size() % sizeof(Fingerprint) != 0)
      return fail(Code::kDamaged, store_->db().path() + ": the list of fingerprints is damaged",
                  "Run: towpath extract --full");
    const std::size_t n = blob.size() / sizeof(Fingerprint);
    const std::size_t at = window_.size();
    window_.resize(at + n);
    std::memcpy(window_.data() + at, blob.data(), blob.size());
    ahead_.push_back({last_read_, n});
    if (ahead_.size() == 1) {
      number_ = last_read_;
      exists_ = true;
    }
  }
  return {};
}

Result<void> PrintList::close_chunk() {
  if (dirty_) {
    if (!fresh_.empty()) {
      auto use = write_.use();
      use.bind(1, base_ + number_);
      use.bind_blob(2, ByteView(reinterpret_cast<const std::uint8_t*>(fresh_.data()),
                                fresh_.size() * sizeof(Fingerprint)));
      TP_TRY(use.run());
    } else if (exists_) {
      auto use = remove_.use();
      use.bind(1, base_ + number_);
      TP_TRY(use.run());
    }
  }
  fresh_.clear();
  dirty_ = false;
  exists_ = false;
  return {};
}

Result<void> PrintList::pass_one() {
  ++head_;
  TP_ASSERT(ahead_head_ < ahead_.size() && ahead_[ahead_head_].left > 0);
  if (--ahead_[ahead_head_].left > 0) return {};
  TP_TRY(fill());
  // The last chunk stays in hand: it is where a growing register grows.
  if (ahead_head_ + 1 == ahead_.size()) return {};
  TP_TRY(close_chunk());
  ++ahead_head_;
  number_ = ahead_[ahead_head_].number;
  exists_ = true;
  if (ahead_head_ > 1024) {
    ahead_.erase(ahead_.begin(), ahead_.begin() + static_cast<std::ptrdiff_t>(ahead_head_));
    ahead_head_ = 0;
  }
  return {};
}

void PrintList::vanish(Fingerprint print) {
  dirty_ = true;
  if (gap_unreadable_) {
    ++kept_[print];
    ++kept_count_;
    fresh_.push_back(print);
    return;
  }
  ++vanished_[print];
  ++vanished_count_;
}

bool PrintList::take_vanished(Fingerprint print) {
  const auto take = [print](auto& from) {
    const auto found = from.find(print);
    if (found == from.end()) return false;
    if (--found->second == 0) from.erase(found);
    return true;
  };
  if (take(vanished_)) {
    --vanished_count_;
    return true;
  }
  if (!take(kept_)) return false;
  --kept_count_;
  wrong_ = true;  // it was kept for an unreadable row, but another stands for it
  return true;
}

bool PrintList::may_vanish(Fingerprint print) const {
  if (vanished_.contains(print) || kept_.contains(print)) return true;
  return std::find(window_.begin() + static_cast<std::ptrdiff_t>(head_), window_.end(), print) !=
         window_.end();
}

Result<bool> PrintList::match(Fingerprint print) {
  if (head_ < window_.size() && window_[head_] == print) {
    gap_unreadable_ = false;
    fresh_.push_back(print);
    TP_TRY(pass_one());
    return true;
  }
  TP_TRY(fill());
  const auto begin = window_.begin() + static_cast<std::ptrdiff_t>(head_);
  const auto end = window_.size() - head_ > kPrintWindow ? begin + kPrintWindow : window_.end();
  const auto found = std::find(begin, end, print);
  if (found != end) {
    for (std::ptrdiff_t skipped = found - begin; skipped > 0; --skipped) {
      vanish(window_[head_]);
      TP_TRY(pass_one());
    }
    gap_unreadable_ = false;
    fresh_.push_back(print);
    TP_TRY(pass_one());
    return true;
  }
  // A row that stood earlier last time: moved, not new.
  if (take_vanished(print)) {
    TP_TRY(append(print));
    return true;
  }
  return false;
}

Result<void> PrintList::append(Fingerprint print) {
  const bool at_end = head_ == window_.size() && read_all_;
  fresh_.push_back(print);
  dirty_ = true;
  const std::size_t most = at_end ? kPrintsPerChunk : kPrintsPerChunkMax;
  if (fresh_.size() < most) return {};
  // Cut here, if there is a number free before the next old chunk.
  const std::int64_t next = at_end ? number_ + kChunkStride : number_ + 1;
  // (What comes next has to be known: a new number may not be one that is still to be read.)
  const bool free =
      at_end || (ahead_head_ + 1 < ahead_.size() ? ahead_[ahead_head_ + 1].number > next : read_all_);
  if (!free) return {};
  TP_TRY(close_chunk());
  number_ = next;
  dirty_ = true;
  return {};
}

Result<void> PrintList::finish() {
  while (head_ < window_.size()) {
    vanish(window_[head_]);
    TP_TRY(pass_one());
  }
  TP_ASSERT(read_all_);
  return {};
}

Result<void> PrintList::keep_vanished() {
  for (const auto& [print, times] : vanished_)
    for (std::uint32_t i = 0; i < times; ++i) TP_TRY(append(print));
  return {};
}

Result<void> PrintList::save() { return close_chunk(); }

}  // namespace towpath
