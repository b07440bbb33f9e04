// What a school's day and its first load cost as segments, column by column.
//
// An invented school after DOMAIN.md 7.2: mark mix, absence heavy-tailed and in spells,
// class-sized bursts of participations. Prints bytes and CPU; the real programs on real
// files are measured by bench/. Not a test: figures, no verdict.
// Use: segment_measure [seed]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <tuple>

#include "segment/digest.hpp"
#include "segment/segment.hpp"
#include "tests/segment/content_fixture.hpp"

using namespace towpath;
using namespace towpath::test;

namespace {

double cpu_ms(const std::function<void()>& work) {
  const std::clock_t start = std::clock();
  work();
  return 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

struct Pupil {
  std::int64_t number;
  double ill, late, off;  // chances a session
  int class_number;
  std::string spell;  // absence code that goes on
  bool here = true;
};

class School {
 public:
  School(int pupils, bool secondary, unsigned seed) : random_(seed), secondary_(secondary) {
    std::int64_t number = secondary ? 700 : 40;  // groups and staff came first
    for (int i = 0; i < pupils + pupils / 30; ++i) {
      Pupil p;
      number += chance(0.04) ? 2 : 1;
      p.number = number;
      const double tail = -std::log(1 - uniform());
      p.ill = (secondary ? 0.018 : 0.012) * tail;
      p.off = chance(secondary ? 0.04 : 0.01) ? 0.25 : (secondary ? 0.004 : 0.002) * tail;
      p.late = (secondary ? 0.04 : 0.02) * -std::log(1 - uniform());
      p.class_number = i * (secondary ? 60 : 14) / pupils;
      p.here = !chance(0.03);  // leavers keep their numbers
      pupils_.push_back(p);
    }
    next_number_ = number + 200;
  }

  using Content = std::map<std::tuple<std::uint16_t, Operation>, TestBlock>;

  void marks(std::int64_t day, TestBlock& b) {
    const int trip =
        chance(secondary_ ? 0.5 : 0.3) ? static_cast<int>(uniform() * (secondary_ ? 60 : 14)) : -1;
    std::vector<TestRow> pm;
    for (Pupil& p : pupils_) {
      if (!p.here) continue;
      const auto absent = [&]() -> std::string {
        if (!p.spell.empty()) {
          if (chance(0.5)) return p.spell;
          p.spell.clear();
        }
        if (chance(p.ill)) return p.spell = "I";
        if (chance(p.off)) {
          static const std::vector<std::string> codes{"O", "O", "O", "U", "G", "E", "C", "N", "N", "D"};
          return p.spell = codes[static_cast<std::size_t>(uniform() * static_cast<double>(codes.size()))];
        }
        return "";
      };
      std::string am = absent();
      std::string after = am.empty() ? (chance(p.ill * 0.3) ? "I" : "") : chance(0.9) ? am : "";
      Cell late{};
      if (am.empty() && chance(p.late)) {
        am = "L";
        late = integer(5 * (1 + static_cast<int>(uniform() * 6)));
      } else if (am.empty() && chance(0.006)) {
        am = "M";
      }
      if (am.empty()) am = p.class_number == trip ? "V" : "/";
      if (after.empty()) after = p.class_number == trip ? "V" : chance(0.005) ? "L" : "\\";
      b.rows.push_back({integer(day), integer(0), integer(p.number), words(am), late});
      pm.push_back({integer(day), integer(1), integer(p.number), words(after), {}});
    }
    b.rows.insert(b.rows.end(), pm.begin(), pm.end());
  }
  TestBlock mark_block(Operation o) {
    return {8, o, {{1, false}, {2, false}, {3, false}, {4, true}, {6, false}}, 3, {}};
  }

  std::vector<TestBlock> day(std::int64_t day) {
    std::vector<TestBlock> out;
    const int joiners = chance(secondary_ ? 0.6 : 0.2) ? 1 : 0;
    const int activities = chance(secondary_ ? 0.9 : 0.4) ? 1 : 0;
    TestBlock entity{1, Operation::kInsert, {{1, false}, {2, false}, {3, true}}, 1, {}};
    for (int i = 0; i < joiners; ++i) {
      Pupil p = pupils_[static_cast<std::size_t>(uniform() * static_cast<double>(pupils_.size()))];
      p.number = next_number_++;
      p.here = true;
      p.spell.clear();
      pupils_.push_back(p);
      entity.rows.push_back({integer(p.number), integer(3), words(noise(16))});
    }
    for (int i = 0; i < activities; ++i) {
      activities_.push_back(next_number_++);
      entity.rows.push_back({integer(activities_.back()), integer(17), words(noise(16))});
    }
    out.push_back(entity);
    const std::vector<WireField> pupil_fields{{1, false}, {2, true},  {3, true}, {4, true},  {5, true},
                                              {6, true},  {7, true},  {8, true}, {9, false}, {10, true},
                                              {11, true}, {12, true}, {13, true}};
    TestBlock pupil{3, Operation::kInsert, pupil_fields, 1, {}};
    for (int i = 0; i < joiners; ++i) {
      TestRow row(13);
      row[0] = integer(pupils_[pupils_.size() - 1 - static_cast<std::size_t>(i)].number);
      row[1] = words("X" + digits(12));
      row[3] = words(name());
      row[4] = words(name());
      row[8] = integer(14000 + static_cast<int>(uniform() * 2500));
      row[9] = words(chance(0.5) ? "F" : "M");
      row[11] = words(std::to_string(7 + static_cast<int>(uniform() * 7)));
      pupil.rows.push_back(row);
    }
    out.push_back(pupil);
    TestBlock edits{3, Operation::kUpdate, pupil_fields, 1, {}};
    for (const std::size_t at : some_pupils(secondary_ ? 15 : 4)) {
      TestRow row(13, unchanged());
      row[0] = integer(pupils_[at].number);
      for (int k = chance(0.3) ? 2 : 1; k > 0; --k) {
        const std::size_t f = 3 + static_cast<std::size_t>(uniform() * 5);
        row[f] = words(name());
      }
      edits.rows.push_back(row);
    }
    out.push_back(edits);
    TestBlock member{7,
                     Operation::kInsert,
                     {{1, false}, {2, false}, {3, false}, {4, false}, {5, false}, {6, false}, {7, false}},
                     3,
                     {}};
    TestBlock left = member;
    left.operation = Operation::kUpdate;
    for (const std::size_t at : some_pupils(secondary_ ? 13 : 1)) {
      member.rows.push_back({integer(1 + static_cast<int>(uniform() * 600)),
                             integer(pupils_[at].number),
                             integer(day),
                             integer(0),
                             {},
                             integer(0),
                             integer(0)});
      left.rows.push_back({integer(1 + static_cast<int>(uniform() * 600)), integer(pupils_[at].number),
                           integer(20700), unchanged(), integer(day - 1), unchanged(), unchanged()});
    }
    sort(member);
    sort(left);
    out.push_back(member);
    out.push_back(left);
    TestBlock mark = mark_block(Operation::kInsert);
    marks(day, mark);
    out.push_back(mark);
    TestBlock settled = mark_block(Operation::kUpdate);
    for (const std::size_t at : some_pupils(secondary_ ? 40 : 6)) {
      const std::int64_t when = day - (chance(0.6) ? 1 : 1 + static_cast<int>(-std::log(1 - uniform()) * 4));
      for (int s = 0; s < 2; ++s)
        if (chance(0.7)) {
          static const std::vector<std::string> codes{"I", "I", "I", "O", "M", "U"};
          settled.rows.push_back({integer(when), integer(s), integer(pupils_[at].number),
                                  words(codes[static_cast<std::size_t>(uniform() * 6)]), unchanged()});
        }
    }
    sort(settled);
    out.push_back(settled);
    TestBlock activity{17,
                       Operation::kInsert,
                       {{1, false},
                        {2, true},
                        {3, true},
                        {9, true},
                        {10, false},
                        {11, false},
                        {13, false},
                        {14, false},
                        {16, false}},
                       1,
                       {}};
    for (int i = 0; i < activities; ++i)
      activity.rows.push_back({integer(activities_[activities_.size() - 1 - static_cast<std::size_t>(i)]),
                               words("Visit to the " + name() + " Museum"), words("P05"),
                               words(name() + " Trust"), integer(0), integer(day), integer(120), integer(1),
                               integer(1)});
    out.push_back(activity);
    TestBlock part{
        18, Operation::kInsert, {{1, false}, {2, false}, {3, false}, {4, false}, {5, false}}, 3, {}};
    for (int burst = 0; burst < (secondary_ ? 3 : 1); ++burst) {
      const std::int64_t a =
          activities_.empty()
              ? 1
              : activities_[static_cast<std::size_t>(uniform() * static_cast<double>(activities_.size()))];
      const int c = static_cast<int>(uniform() * (secondary_ ? 60 : 14));
      for (const Pupil& p : pupils_)
        if (p.here && (secondary_ ? chance(p.class_number / 10 == c / 10 ? 0.11 : 0.0) : p.class_number == c))
          part.rows.push_back(
              {integer(a), integer(day), integer(p.number), integer(chance(0.9) ? 2 : 5), integer(0)});
    }
    sort(part);
    out.push_back(part);
    return out;
  }

  void start_activities(int n) {
    for (int i = 0; i < n; ++i) activities_.push_back(next_number_++);
  }

 private:
  static void sort(TestBlock& b) {
    const auto less = [&](const TestRow& x, const TestRow& y) {
      for (std::size_t i = 0; i < b.key_count; ++i)
        if (x[i].number != y[i].number) return x[i].number < y[i].number;
      return false;
    };
    std::sort(b.rows.begin(), b.rows.end(), less);
    b.rows.erase(std::unique(b.rows.begin(), b.rows.end(),
                             [&](const TestRow& x, const TestRow& y) { return !less(x, y); }),
                 b.rows.end());
  }
  double uniform() { return std::uniform_real_distribution<>(0, 1)(random_); }
  bool chance(double p) { return uniform() < p; }
  std::string noise(std::size_t n) {
    std::string s;
    while (s.size() < n) s += static_cast<char>(random_());
    return s;
  }
  std::string digits(std::size_t n) {
    std::string s;
    while (s.size() < n) s += static_cast<char>('0' + random_() % 10);
    return s;
  }
  std::string name() {
    static const std::vector<std::string> parts{"ma",  "ri",  "el",  "an",  "to",  "ber", "kha",
                                                "li",  "sen", "dro", "way", "far", "ah",  "nic",
                                                "ole", "smi", "th",  "gar", "cia", "od",  "uya"};
    std::string s;
    for (int i = 2 + static_cast<int>(uniform() * 2); i > 0; --i) s += parts[random_() % parts.size()];
    s[0] = static_cast<char>(s[0] - 32);
    return s;
  }
  std::vector<std::size_t> some_pupils(int n) {
    std::vector<std::size_t> at;
    while (static_cast<int>(at.size()) < n) at.push_back(random_() % pupils_.size());
    std::sort(at.begin(), at.end());
    at.erase(std::unique(at.begin(), at.end()), at.end());
    return at;
  }

  std::mt19937_64 random_;
  bool secondary_;
  std::vector<Pupil> pupils_;
  std::vector<std::int64_t> activities_;
  std::int64_t next_number_ = 0;
};

std::size_t body_of(ByteView content, ByteView prefix) {
  SegmentHeader h;
  h.seq = {2};
  if (!prefix.empty()) h.reference = StreamSeq{1};
  const auto sealed = seal_segment(h, content, prefix);
  if (!sealed) {
    std::printf("%s\n", sealed.error().sentence().c_str());
    std::exit(1);
  }
  return sealed->header.body_size;
}

ContentWriter writer_on(ByteView reference) {
  ContentWriter writer;
  writer.reference(reference);
  return writer;
}

void one_day(const char* title, int pupils, bool secondary, unsigned seed) {
  School school(pupils, secondary, seed);
  school.start_activities(20);
  std::vector<TestBlock> before;
  for (int d = 0; d < 3; ++d) before = school.day(20740 + d);
  Bytes reference = content_of(before);
  std::size_t sum = 0, sum_plain = 0;
  constexpr int kDays = 10;
  std::printf("%s\n", title);
  for (int d = 0; d < kDays; ++d) {
    const auto blocks = school.day(20743 + d);
    Bytes content;
    const double write = cpu_ms([&] { content = content_of(blocks, writer_on(reference)); });
    std::size_t body = 0;
    const double seal = cpu_ms([&] { body = body_of(content, reference); });
    sum += body;
    sum_plain += body_of(content, {});
    if (d == kDays - 1) {
      std::size_t rows = 0;
      for (const TestBlock& b : blocks) rows += b.rows.size();
      const std::size_t coded = coded_tail(content);
      std::printf(
          "  last day: %zu rows; content %zu B = %zu plain + %zu coded; body %zu B; write %.2f ms, seal %.2f "
          "ms\n",
          rows, content.size(), content.size() - coded, coded, body, write, seal);
      std::printf("  what a column adds (body without it):\n");
      for (std::size_t b = 0; b < blocks.size(); ++b) {
        auto fewer = blocks;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(b));
        std::printf(
            "    dataset %2d op %d, %4zu rows: %4td B:", blocks[b].dataset,
            static_cast<int>(blocks[b].operation), blocks[b].rows.size(),
            static_cast<std::ptrdiff_t>(body) -
                static_cast<std::ptrdiff_t>(body_of(content_of(fewer, writer_on(reference)), reference)));
        for (std::size_t f = blocks[b].key_count - 1; f < blocks[b].fields.size() && !blocks[b].rows.empty();
             ++f) {
          auto without = blocks;
          TestBlock& x = without[b];
          std::ptrdiff_t cost = 0;
          if (f < x.key_count) continue;
          x.fields.erase(x.fields.begin() + static_cast<std::ptrdiff_t>(f));
          for (TestRow& row : x.rows) row.erase(row.begin() + static_cast<std::ptrdiff_t>(f));
          cost = static_cast<std::ptrdiff_t>(body) -
                 static_cast<std::ptrdiff_t>(body_of(content_of(without, writer_on(reference)), reference));
          std::printf(" f%d %td", blocks[b].fields[f].id, cost);
        }
        std::printf("\n");
      }
    }
    reference = content;
  }
  std::printf("  mean body of %d days: %zu B with yesterday as reference, %zu B without\n", kDays,
              sum / kDays, sum_plain / kDays);
}

void first_load(const char* title, int pupils, bool secondary, unsigned seed) {
  School school(pupils, secondary, seed);
  std::vector<TestBlock> blocks;
  TestBlock open = school.mark_block(Operation::kInsert);
  std::size_t rows = 0;
  for (int d = 0; d < 190; ++d) {
    school.marks(20300 + d + d / 5 * 2, open);
    if (d % 8 == 7 || d == 189) {
      rows += open.rows.size();
      blocks.push_back(std::exchange(open, school.mark_block(Operation::kInsert)));
    }
  }
  // As rows come from the store: no copies of ours in the figure.
  std::vector<std::vector<std::vector<Value>>> values;
  for (const TestBlock& b : blocks) {
    auto& v = values.emplace_back();
    for (const TestRow& r : b.rows) {
      auto& cells = v.emplace_back();
      for (const Cell& c : r) cells.push_back(c.value());
    }
  }
  std::size_t bytes = 0, plain = 0;
  double gather = 0, finish = 0, seal = 0, read = 0, hash = 0;
  ContentWriter writer;
  RowHasher hasher(8, std::vector<std::uint8_t>{1, 2, 3, 4, 6});
  StateDigest digest;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    gather += cpu_ms([&] {
      writer.begin(8, Operation::kInsert, blocks[i].fields, 3);
      for (const auto& row : values[i]) writer.row(row);
    });
    Bytes content;
    finish += cpu_ms([&] {
      writer.end();
      content = writer.finish();
    });
    plain += content.size() - coded_tail(content);
    seal += cpu_ms([&] { bytes += body_of(content, {}); });
    read += cpu_ms([&] {
      if (read_all(content)) std::exit(1);
    });
    hash += cpu_ms([&] {
      for (const auto& row : values[i]) digest.add(hasher(row));
    });
  }
  std::printf(
      "%s\n  %zu marks in %zu segments: %zu B of bodies (%zu B plain contents), %.3f bit a mark\n"
      "  CPU ms: gather %.0f, code %.0f, zstd %.0f; read %.0f; row hashes %.0f; %.1f M cells/s written\n",
      title, rows, blocks.size(), bytes, plain, 8.0 * static_cast<double>(bytes) / static_cast<double>(rows),
      gather, finish, seal, read, hash, static_cast<double>(rows) * 5 / (gather + finish + seal) / 1000);
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned seed = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 1;
  std::printf("seed %u\n", seed);
  one_day("A secondary's day", 1500, true, seed);
  one_day("A primary's day", 420, false, seed);
  first_load("A secondary's first load, marks", 1500, true, seed);
  first_load("A primary's first load, marks", 420, false, seed);
}
