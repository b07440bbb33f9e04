// Random row sets of every field type, as segments into a replica, against a plain map.
//
// The input is a program: rows put, changed and removed by ones and by hundreds, in every dataset of the
// dictionary and in one that it does not know; what changed sealed with or without reference, as updates or
// whole rows, in one part or several; transactions committed, taken back, files closed and opened. After each
// segment the replica's rows, counts and digests are the map's; one with a wrong digest, or one that was
// repeated, changes nothing.
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "check.hpp"
#include "dictionary/dictionary.hpp"
#include "plain_state.hpp"
#include "program.hpp"
#include "replica/replica.hpp"
#include "segment/segment.hpp"
#include "tests/simulation/sim_disk.hpp"
#include "tests/simulation/sim_vfs.hpp"

namespace towpath::fuzz {
namespace {

constexpr std::uint8_t kCodes = 10;
constexpr std::uint16_t kUnknown = 900;  // a dataset of a newer program
// Fits a segment's cells with room for all datasets.
constexpr std::size_t kRowsMax = 3000;

struct Shape {
  std::uint16_t id;
  std::size_t key_count;
  std::vector<WireField> fields;
  std::vector<Type> types;
};

// As the dictionary says, with a field more than it knows in some; and what it does not know at all.
const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = [] {
    std::vector<Shape> out;
    for (const Dataset& d : built_in_dictionary().datasets) {
      Shape s{d.id, d.key_count, {}, {}};
      for (const Field& f : d.fields) {
        s.fields.push_back({f.id, is_text(f.type)});
        s.types.push_back(f.type);
      }
      if (d.id % 2 == 0) {
        s.fields.push_back({200, d.id % 4 == 0});
        s.types.push_back(d.id % 4 == 0 ? Type::kText : Type::kInt);
      }
      out.push_back(std::move(s));
    }
    out.push_back({kUnknown,
                   2,
                   {{7, true}, {3, false}, {4, true}, {250, false}},
                   {Type::kText, Type::kInt, Type::kText, Type::kInt}});
    return out;
  }();
  return all;
}

class World {
 public:
  World() {
    open();
    replica.reset();
    base = disk.image();
  }
  void open() {
    Database::Options options;
    options.path = "replica.db";
    options.vfs = disk.vfs();
    replica.emplace(
        good(Replica::open(options, built_in_dictionary(), stream_id("100001", kBorough), Epoch{1}),
             "the replica"));
  }
  sim::SimDisk disk{sim::SimRandom(3, "disk")};
  sim::SimDisk::Image base;
  std::optional<Replica> replica;
};

class Run {
 public:
  explicit Run(World& world) : w_(world) {
    w_.replica.reset();
    w_.disk.restore(w_.base);
    w_.open();
    good(w_.replica->begin(), "begin");
  }
  void play(const Step& step) {
    Draw d = step.draw();
    switch (step.code % kCodes) {
      case 0:
        put(d);
        break;
      case 1:
        many(d);
        break;
      case 2:
        alter(d);
        break;
      case 3:
        remove(d);
        break;
      case 4:
      case 5:
        seal(d);
        break;
      case 6:
        good(w_.replica->commit(), "commit");
        kept_ = sent_;
        if (d.flag()) {
          w_.replica.reset();
          w_.open();
        }
        good(w_.replica->begin(), "begin");
        break;
      case 7:
        w_.replica->rollback();
        sent_ = kept_;
        if (d.flag()) now_ = sent_.state;
        compare(sent_);
        good(w_.replica->begin(), "begin");
        break;
      case 8:
        repeat(d);
        break;
      default:
        move_key(d);
    }
  }
  void finish() {
    Draw none{{}};
    seal(none);
    good(w_.replica->commit(), "commit");
    w_.replica.reset();
    w_.open();
    compare(sent_);
    w_.replica.reset();
  }

 private:
  // What the replica holds.
  struct Sent {
    PlainState state;
    Head head{{1}, {}, {}, {}, false};
    std::map<std::uint64_t, Bytes> contents;
    std::vector<Bytes> segments;
  };

  // --- rows ------------------------------------------------------------------------------------
  static Cell cell(Draw& d, Type type, bool text) {
    if (type == Type::kUuid) {
      Bytes raw = d.bytes(16);
      raw.resize(16);
      return std::string(raw.begin(), raw.end());
    }
    if (text) return d.text();
    return d.integer();
  }
  static const Shape& shape(Draw& d) { return shapes()[d.below(shapes().size())]; }
  static const Shape& shape_of(std::uint16_t id) {
    for (const Shape& s : shapes())
      if (s.id == id) return s;
    std::abort();
  }
  [[nodiscard]] std::size_t rows() const {
    std::size_t n = 0;
    for (const auto& [id, all] : now_.datasets) n += all.size();
    return n;
  }
  static Rest rest(const Shape& s, Draw& d) {
    Rest out;
    const std::uint8_t nulls = d.u8();
    for (std::size_t i = s.key_count; i < s.fields.size(); ++i)
      if (nulls < 64 || d.u8() > nulls) out[s.fields[i].id] = cell(d, s.types[i], s.fields[i].text);
    return out;
  }
  void put(Draw& d) {
    const Shape& s = shape(d);
    Key key;
    for (std::size_t k = 0; k < s.key_count; ++k)
      key.push_back({s.fields[k].id, cell(d, s.types[k], s.fields[k].text)});
    if (rows() < kRowsMax) now_.put(s.id, key, rest(s, d));
  }
  // A register: keys that count up, cells of few values and some that are rare.
  void many(Draw& d) {
    const Shape& s = shape(d);
    const std::size_t n = 1 + d.u16() % 400;
    const std::int64_t begin = d.integer(), step = 1 + d.u8();
    std::vector<Cell> some;
    for (int i = 0; i < 4; ++i) some.emplace_back(d.integer());
    std::vector<Cell> texts;
    for (int i = 0; i < 4; ++i) texts.emplace_back(d.text());
    std::uint64_t chance = d.u64() | 1;
    const auto next = [&] {
      return (chance = chance * 6364136223846793005ULL + 1442695040888963407ULL) >> 33;
    };
    for (std::size_t r = 0; r < n && rows() < kRowsMax; ++r) {
      const auto number =
          static_cast<std::int64_t>(static_cast<std::uint64_t>(begin) + r * static_cast<std::uint64_t>(step));
      Key key;
      for (std::size_t k = 0; k < s.key_count; ++k) {
        const bool last = k + 1 == s.key_count;
        Cell c;
        if (s.fields[k].text)
          c = last ? "r" + std::to_string(r) : std::string("k");
        else
          c = last ? number : static_cast<std::int64_t>(r / 50);
        key.push_back({s.fields[k].id, std::move(c)});
      }
      Rest cells;
      for (std::size_t i = s.key_count; i < s.fields.size(); ++i) {
        const std::uint64_t v = next();
        if (v % 8 == 7) continue;
        if (s.types[i] == Type::kUuid)
          cells[s.fields[i].id] = std::string(16, static_cast<char>(v));
        else if (s.fields[i].text)
          cells[s.fields[i].id] = v % 16 == 0 ? Cell("t" + std::to_string(v % 100'000)) : texts[v / 16 % 4];
        else
          cells[s.fields[i].id] = v % 16 == 0 ? Cell(static_cast<std::int64_t>(v)) : some[v / 16 % 4];
      }
      now_.put(s.id, std::move(key), std::move(cells));
    }
  }
  // A row that there is.
  struct Found {
    std::uint16_t dataset;
    Key key;
  };
  std::optional<Found> some_row(Draw& d) {
    if (now_.datasets.empty()) return std::nullopt;
    auto set = now_.datasets.begin();
    std::advance(set, static_cast<std::ptrdiff_t>(d.below(now_.datasets.size())));
    auto row = set->second.begin();
    std::advance(row, static_cast<std::ptrdiff_t>(d.u16() % set->second.size()));
    return Found{set->first, row->first};
  }
  void alter(Draw& d) {
    const auto found = some_row(d);
    if (!found) return;
    const Shape& s = shape_of(found->dataset);
    if (s.fields.size() == s.key_count) return;
    Rows& rows = now_.datasets[found->dataset];
    auto row = rows.find(found->key);
    for (std::size_t n = 1 + d.below(60); n > 0 && row != rows.end(); --n, ++row) {
      const std::size_t i = s.key_count + d.below(s.fields.size() - s.key_count);
      if (d.below(4) == 3)
        row->second.erase(s.fields[i].id);
      else
        row->second[s.fields[i].id] = cell(d, s.types[i], s.fields[i].text);
    }
  }
  void remove(Draw& d) {
    if (d.below(16) == 15) {
      now_.datasets.clear();
      return;
    }
    for (std::size_t n = 1 + d.below(40); n > 0; --n)
      if (const auto found = some_row(d)) now_.erase(found->dataset, found->key);
  }
  void move_key(Draw& d) {
    const auto found = some_row(d);
    if (!found) return;
    const Shape& s = shape_of(found->dataset);
    const Rest cells = now_.datasets[found->dataset][found->key];
    now_.erase(found->dataset, found->key);
    Key key = found->key;
    const std::size_t k = d.below(s.key_count);
    key[k].value = cell(d, s.types[k], s.fields[k].text);
    now_.put(s.id, std::move(key), cells);
  }

  // --- segments ----------------------------------------------------------------------------------
  static Bytes content_of(const PlainState& before, const PlainState& after, bool whole, ByteView reference) {
    static const Rows kNone;
    ContentWriter writer;
    if (!reference.empty()) writer.reference(reference);
    for (const Shape& s : shapes()) {
      const auto rows = [&](const PlainState& state) -> const Rows& {
        const auto found = state.datasets.find(s.id);
        return found == state.datasets.end() ? kNone : found->second;
      };
      const Rows &old = rows(before), &now = rows(after);
      std::vector<Value> cells;
      const auto fill = [&](const Key& key, const Rest* rest) {
        cells.clear();
        for (const KeyCell& k : key) cells.push_back(value_of(k.value));
        for (std::size_t i = s.key_count; rest != nullptr && i < s.fields.size(); ++i) {
          const auto cell = rest->find(s.fields[i].id);
          cells.push_back(cell == rest->end() ? Value{} : value_of(cell->second));
        }
      };
      std::vector<const Rows::value_type*> inserted, updated;
      for (const auto& row : now) {
        const auto held = old.find(row.first);
        if (held != old.end() && held->second == row.second) continue;
        (held == old.end() || whole ? inserted : updated).push_back(&row);
      }
      if (!inserted.empty()) {
        writer.begin(s.id, Operation::kInsert, s.fields, s.key_count);
        for (const auto* row : inserted) {
          fill(row->first, &row->second);
          writer.row(cells);
        }
        writer.end();
      }
      if (!updated.empty()) {
        writer.begin(s.id, Operation::kUpdate, s.fields, s.key_count);
        const auto changed = std::make_unique<bool[]>(s.fields.size());
        for (const auto* row : updated) {
          fill(row->first, &row->second);
          const Rest& was = old.at(row->first);
          for (std::size_t i = 0; i < s.fields.size(); ++i) {
            const auto a = was.find(s.fields[i].id);
            const auto b = row->second.find(s.fields[i].id);
            changed[i] =
                i >= s.key_count &&
                (a == was.end() ? b != row->second.end() : b == row->second.end() || a->second != b->second);
          }
          writer.row(cells, {changed.get(), s.fields.size()});
        }
        writer.end();
      }
      bool begun = false;
      for (const auto& [key, rest] : old) {
        if (now.contains(key)) continue;
        if (!std::exchange(begun, true))
          writer.begin(s.id, Operation::kDelete, std::span(s.fields).first(s.key_count), s.key_count);
        fill(key, nullptr);
        writer.row(cells);
      }
      if (begun) writer.end();
    }
    return writer.finish();
  }
  void seal(Draw& d) {
    const std::uint8_t how = d.u8();
    const bool lie = how % 16 == 15, whole = (how & 16) != 0;
    SegmentHeader h;
    h.stream = stream_id("100001", kBorough);
    h.epoch = {1};
    h.seq = {sent_.head.seq.number + 1};
    h.previous = sent_.head.segment;
    h.snapshot = !sent_.head.complete;
    h.snapshot_end = h.snapshot && (how & 32) == 0;
    ByteView prefix;
    const std::uint64_t back = d.below(6);
    if (back > 0 && back < h.seq.number) {
      h.reference = StreamSeq{h.seq.number - back};
      prefix = sent_.contents.at(h.reference->number);
    }
    const Bytes content = content_of(sent_.state, now_, whole, (how & 64) != 0 ? prefix : ByteView{});
    h.digest = now_.digest();
    if (lie) h.digest.bytes[d.below(32)] ^= 1;
    const auto sealed = seal_segment(h, content, prefix);
    if (!sealed) {  // random rows do not shrink
      FUZZ_CHECK(sealed.error().code() == Code::kTooLarge);
      now_ = sent_.state;
      return;
    }
    const auto opened = good(open_segment(sealed->bytes), "opening what was sealed");
    FUZZ_CHECK(opened.header == sealed->header && opened.hash == sealed->hash);
    FUZZ_CHECK(good(unpack_segment(opened, prefix), "unpacking what was sealed") == content);
    PlainState second = sent_.state;
    FUZZ_CHECK(second.apply(content) && second == now_);  // the reader's rows are the writer's

    const auto applied = w_.replica->apply(opened);
    const bool held = back <= 4;  // as many contents as a replica keeps
    if (lie || (h.reference && !held)) {
      FUZZ_CHECK(!applied);
      FUZZ_CHECK(applied.error().code() ==
                 (h.reference && !held ? Code::kMissingReference : Code::kDigestDiffers));
      return compare(sent_);
    }
    if (!applied) std::fprintf(stderr, "%s\n", applied.error().sentence().c_str());
    FUZZ_CHECK(applied);
    sent_.state = now_;
    sent_.head = {{1}, h.seq, sealed->hash, h.digest, sent_.head.complete || h.snapshot_end};
    sent_.contents[h.seq.number] = content;
    sent_.segments.push_back(sealed->bytes);
    compare(sent_);
  }
  void repeat(Draw& d) {
    if (sent_.segments.empty()) return;
    const auto opened = good(open_segment(sent_.segments[d.below(sent_.segments.size())]), "a segment");
    const auto again = w_.replica->apply(opened);
    FUZZ_CHECK(!again && again.error().code() == Code::kRepeated);
    compare(sent_);
  }

  // --- what must hold ----------------------------------------------------------------------------
  void compare(const Sent& sent) {
    Replica& replica = *w_.replica;
    FUZZ_CHECK(replica.head() == sent.head);
    const auto states = good(replica.states(), "states");
    FUZZ_CHECK(states == replica.running_states());
    FUZZ_CHECK(states.size() == sent.state.datasets.size());
    std::uint64_t unknown = 0;
    for (const DatasetState& s : states) {
      const auto rows = sent.state.datasets.find(s.dataset);
      FUZZ_CHECK(rows != sent.state.datasets.end());
      FUZZ_CHECK(s.rows == rows->second.size());
      FUZZ_CHECK(s.digest == PlainState::digest_of(s.dataset, rows->second));
      const Dataset* dataset = built_in_dictionary().find(s.dataset);
      if (dataset == nullptr) {
        unknown += s.rows;
        continue;
      }
      // Row by row, in key order, cells as the dictionary lays them out.
      auto row = rows->second.begin();
      good(replica.each_row(*dataset,
                            [&](RowView cells) -> Result<void> {
                              FUZZ_CHECK(row != rows->second.end());
                              FUZZ_CHECK(cells.size() == dataset->fields.size());
                              for (std::size_t i = 0; i < cells.size(); ++i) {
                                Cell expected;
                                if (i < dataset->key_count)
                                  expected = row->first[i].value;
                                else if (const auto at = row->second.find(dataset->fields[i].id);
                                         at != row->second.end())
                                  expected = at->second;
                                FUZZ_CHECK(cell_of(cells[i]) == expected);
                              }
                              ++row;
                              return {};
                            }),
           "each row");
      FUZZ_CHECK(row == rows->second.end());
    }
    FUZZ_CHECK(good(replica.rows_aside(), "rows aside") == unknown);
  }

  World& w_;
  PlainState now_;    // the school's
  Sent sent_, kept_;  // the replica's; as committed
};

}  // namespace
}  // namespace towpath::fuzz

FUZZ_PROGRAMS(towpath::fuzz::kCodes)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace towpath::fuzz;
  static World world;
  Run run(world);
  for (const Step& step : program_of({data, size})) run.play(step);
  run.finish();
  return 0;
}
