#include "tests/simulation/service/years.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/service/control.hpp"
#include "agent/store/store.hpp"
#include "dictionary/dictionary.hpp"

namespace towpath::sim {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Memory = std::map<std::string, AgendaItem>;

const LondonTime kWall;

Window window(const char* text) {
  Window out;
  if (const std::string fault = config::read_window(text, out); !fault.empty())
    throw Amiss(std::string(text) + " " + fault);
  return out;
}
// What people write; the first of each is what they get without writing anything.
const std::vector<std::vector<const char*>> kExtractPlans{
    {"mon-fri 05:30-07:00", "mon-fri 14:00-15:30"},
    {"05:30-07:00"},
    {"01:10-01:50"},  // an hour that spring leaves out and autumn has twice
    {"sat,sun 22:00-02:00", "wed 12:00-13:00"},
    {"mon-fri 07:00-18:00 every 1 h"},
    {"00:00-24:00 every 5 min"},
    {"05:00-05:01"},
    {"sun 03:00-04:00"},
    {"mon-fri 05:00-20:00", "mon-fri 12:00-13:00"},
    {},
};
const std::vector<std::vector<const char*>> kExchangePlans{
    {"mon-fri 06:00-18:00 every 30 min"},
    {"00:00-24:00 every 5 min"},
    {"20:00-04:00 every 2 h"},
    {"00:30-02:30 every 15 min"},
    {"05:30-07:00"},
    {"mon 06:00-07:00"},
    {"mon-fri 08:00-17:00 every 45 min", "sat 10:00-10:30"},
};
std::vector<Window> windows(const std::vector<const char*>& texts) {
  std::vector<Window> out;
  for (const char* text : texts) out.push_back(window(text));
  return out;
}
CalendarConfig holidays() {
  CalendarConfig out;
  for (int year = 2026; year <= 2031; ++year) {
    const std::string y = std::to_string(year);
    for (const std::string& text :
         {y + "-02-15 to " + y + "-02-21", y + "-04-01 to " + y + "-04-14", y + "-05-25 to " + y + "-05-31",
          y + "-07-22 to " + y + "-09-02", y + "-10-24 to " + y + "-11-01",
          y + "-12-19 to " + std::to_string(year + 1) + "-01-03"}) {
      Holiday one;
      if (!config::read_holiday(text, one).empty()) throw Amiss("no holiday: " + text);
      out.holidays.push_back(one);
    }
  }
  return out;
}

class Years final : Worker, Visitors {
 public:
  explicit Years(const YearsOptions& options)
      : options_(options),
        random_(options.seed, "machine"),
        chance_(options.seed, "service"),
        journal_text_([this](const std::string& line) {
          story_.event("line " + std::to_string(line.size()));
          model_.wrote(t_, 2 + 5 * places_.size());
        }) {
    if (options.print) story_.print_all();
    nights_ = strikes(Trouble::kNights);
    drifts_ = strikes(Trouble::kDrifts);
    drift_ = milliseconds{static_cast<std::int64_t>(random_.below(240'000)) - 120'000};
    for (unsigned i = 0; i < options.schools; ++i) {
      auto place = std::make_unique<Place>(options.seed, std::to_string(100'001 + i));
      place->sources = static_cast<unsigned>(place->random.between(1, 2));
      // The first is as most are.
      place->plan(i > 0 && place->random.chance(70), calendar_);
      if (options.store) place->open();
      places_.push_back(std::move(place));
    }
  }

  void run() {
    const Instant end = t_ + std::chrono::days{options_.days};
    for (unsigned day = 0; day < options_.days; ++day)
      when(t_ + std::chrono::days{day}, [this, day] { begin_day(day); });
    boot();
    while (t_ < end) {
      Instant next = end;
      if (!events_.empty()) next = std::min(next, events_.top().when);
      const bool awake = loop_ != nullptr && !asleep_;
      if (awake) next = std::min(next, step_at_);
      if (awake && task_ && end_at_) next = std::min(next, *end_at_);
      t_ = std::max(t_, next);
      if (!events_.empty() && events_.top().when <= t_) {
        const auto todo = events_.top().todo;
        events_.pop();
        todo();
      } else if (awake && task_ && end_at_ && *end_at_ <= t_) {
        finish();
      } else if (awake && step_at_ <= t_) {
        step();
      }
    }
    stop();
  }
  void outcome(YearsOutcome& out) const {
    out.before = story_.last();
    out.trace_hash = story_.hash();
    out.events = story_.events();
    out.tally = model_.tally();
  }
  [[nodiscard]] std::string place() const { return story_.about(); }

 private:
  // A school, as it truly is.
  struct Place {
    Place(std::uint64_t seed, std::string name)
        : urn(std::move(name)),
          file("/etc/towpath/" + urn + ".toml"),
          random(seed, urn),
          disk(SimRandom(seed, urn + " disk")) {}
    std::string urn, file;
    SimRandom random;
    SimDisk disk;
    std::optional<Store> store;
    std::shared_ptr<const AgentConfig> config;
    bool configured = true, enrolled = true;
    unsigned sources = 1;
    Memory kept;                    // what would be read at a start
    Memory known;                   // what the service that ran last had in mind
    bool changes = true;            // something waits to be sent
    std::optional<Instant> called;  // the hub, on the clock
    // Until when, in true time.
    Instant blocked{}, later{}, source_away{}, moods{}, busy{}, slow{};
    std::uint32_t later_seconds = 0;
    bool hangs = false;

    void open() {
      auto opened = Store::open({"school.db", disk.vfs(), urn, false}, built_in_dictionary());
      if (!opened) throw Amiss("the store does not open: " + opened.error().sentence());
      store.emplace(std::move(*opened));
    }
    void plan(bool own, const CalendarConfig& calendar) {
      auto made = std::make_shared<AgentConfig>();
      made->file = file;
      made->school_urn = urn;
      made->data = "/var/lib/towpath/" + urn;
      made->hub_url = "https://hub.example";
      made->calendar = calendar;
      for (unsigned i = 0; i < sources; ++i) {
        made->sources.emplace_back();
        made->sources.back().name = i == 0 ? "mis" : "clubs";
      }
      const auto pick = [&](const auto& plans) {
        return windows(plans[own ? random.below(plans.size()) : 0]);
      };
      made->schedule.extract = pick(kExtractPlans);
      made->schedule.exchange = pick(kExchangePlans);
      if (sources > 1 && own) made->source_windows["clubs"] = pick(kExtractPlans);
      config = std::move(made);
    }
    [[nodiscard]] std::map<std::string, std::vector<Window>> items() const {
      std::map<std::string, std::vector<Window>> out;
      for (const SourceConfig& source : config->sources) {
        const auto own = config->source_windows.find(source.name);
        out["source " + source.name] =
            own == config->source_windows.end() ? config->schedule.extract : own->second;
      }
      if (enrolled) out["exchange"] = config->schedule.exchange;
      return out;
    }
  };
  struct Happening {
    Instant when;
    std::uint64_t number;
    std::function<void()> todo;
    bool operator<(const Happening& other) const {
      return std::pair(other.when, other.number) < std::pair(when, number);
    }
  };

  // --- time ------------------------------------------------------------------------------------
  [[nodiscard]] Instant clock() const { return stands_ ? *stands_ : t_ + offset_; }
  void when(Instant at, std::function<void()> todo) { events_.push({at, ++numbers_, std::move(todo)}); }
  void set_clock(milliseconds offset, const char* why) {
    offset_ = offset;
    story_.event(std::string(why) + ": the clock shows " + iso(clock()));
    model_.clock_set(clock());
    if (loop_ == nullptr) return;
    // It is looked at within the minute.
    look_within(1min);
  }
  void look_within(milliseconds most) {
    step_at_ =
        std::min(step_at_, t_ + milliseconds{1 + random_.below(static_cast<std::size_t>(most.count()))});
  }
  [[nodiscard]] bool strikes(Trouble trouble) { return options_.troubles.strikes(trouble, random_); }
  // Some, of all magnitudes.
  [[nodiscard]] static milliseconds some(SimRandom& random, milliseconds least, milliseconds most) {
    milliseconds top = least;
    while (top < most && random.chance(70)) top *= 3;
    top = std::min(top, most);
    return least + milliseconds{random.below(static_cast<std::size_t>((top - least).count()) + 1)};
  }
  [[nodiscard]] Instant some_time_today() { return t_ + milliseconds{random_.below(24UL * 3600 * 1000)}; }

  // --- the machine --------------------------------------------------------------------------------
  void boot() {
    if (loop_) return;
    story_.about("day " + std::to_string((t_ - kBegin) / std::chrono::days{1}));
    story_.event("the service begins, the clock shows " + iso(clock()));
    ++life_;
    asleep_ = false;
    task_.reset();
    model_.service_begins(t_);
    journal_.emplace(journal_text_);
    loop_ = std::make_unique<Loop>(
        Loop::Parts{kWall, chance_, *this, *this, *journal_, "towpath", {}, {}, options_.look}, clock());
    for (const auto& place : places_) {
      if (options_.store) reopen(*place);
      remember(*place);
      if (place->configured) put(*place);
    }
    step_at_ = t_;
  }
  // From here on the service knows what was written down, no more.
  void remember(Place& place) {
    for (const auto& [name, item] : place.known)
      if (const auto kept = place.kept.find(name); kept == place.kept.end() || kept->second != item)
        model_.forgets({place.urn, name});
    place.known = place.kept;
  }
  void put(Place& place) {
    model_.put(place.urn, place.items(), place.config->calendar, clock());
    loop_->put(place.config, place.enrolled, place.kept, clock());
  }
  // Power goes, or somebody kills it: nobody says a word any more.
  void die(Fault fault) {
    if (!loop_) return;
    story_.event(fault == Fault::kKill ? "the service dies" : "the machine goes off");
    loop_.reset();
    task_.reset();
    model_.service_ends();
    model_.nobody_is_there();
    visiting_.clear();
    asked_waiting_ = 0;
    if (options_.store)
      for (const auto& place : places_)
        if (!place->disk.down()) place->disk.stop(fault);
  }
  // Asked to end, in good order.
  void stop() {
    if (!loop_) return;
    story_.event("the service is asked to end");
    loop_->stop(clock());
    if (loop_->step(clock()) <= clock()) throw Amiss("a service that stops wants to go on");
    if (task_) {
      Task task = *std::exchange(task_, std::nullopt);
      Place& whose = place_of(task);
      TaskEnd end;
      end.id = task.id;
      end.ending = Ending::kStopped;
      end.sentence = "stopped";
      for (const auto& [name, before] : task.before) {
        end.after.emplace(name,
                          settle(before, Ending::kStopped, began_, clock(), kExtractManners, 0s, chance_));
        model_.ended({whose.urn, name}, Ending::kStopped, 0s, clock());
      }
      if (task.by_hand) end.told = cli::told(Error{Code::kStopped, "stopped"});
      loop_->ended(std::move(end), clock());
    }
    model_.nobody_left_waiting();
    asked_waiting_ = 0;
    loop_.reset();
    model_.service_ends();
  }
  void reboot_after(milliseconds off) {
    die(random_.chance(50) ? Fault::kPowerCut : Fault::kKill);
    if (strikes(Trouble::kBattery) && !stands_) {
      // A flat battery: the maker's date, until network time comes.
      const milliseconds right = offset_;
      offset_ = Instant{std::chrono::sys_days{std::chrono::year{2009} / 1 / 1}} - t_;
      model_.clock_set(clock());
      when(t_ + off + some(random_, 5s, 3h), [this, right] { set_clock(right, "network time"); });
    }
    when(t_ + off, [this] { boot(); });
  }

  // --- what is remembered ------------------------------------------------------------------------
  void reopen(Place& place) {
    place.store.reset();
    if (place.disk.down()) place.disk.reboot();
    place.disk.disarm();
    place.open();
    auto agenda = read_agenda(*place.store);
    if (!agenda) throw Amiss("the agenda cannot be read: " + agenda.error().sentence());
    // What was last written down, or what was being written when the power went.
    for (const auto& [name, item] : place.kept) {
      const auto read = agenda->find(name);
      const auto known = place.known.find(name);
      if ((read == agenda->end() || read->second != item) &&
          (read == agenda->end() || known == place.known.end() || read->second != known->second))
        throw Amiss(place.urn + " " + name + ": the store remembers something else than was written down");
    }
    place.kept = std::move(*agenda);
  }
  void keep(Place& place, const Memory& after) {
    for (const auto& [name, item] : after) place.known[name] = item;
    if (t_ < forgets_) return;
    if (options_.store) {
      if (place.disk.down()) return;
      if (random_.chance(3))
        place.disk.arm(random_.chance(50) ? Fault::kFlaky : Fault::kPowerCut, random_.between(1, 12));
      const bool written = write(place, after);
      place.disk.disarm();
      if (place.disk.down()) {
        when(t_, [this] { reboot_after(some(random_, 30s, 10min)); });
        return;
      }
      if (!written) return;
    }
    for (const auto& [name, item] : after) place.kept[name] = item;
  }
  static bool write(Place& place, const Memory& after) {
    auto transaction = place.store->db().begin();
    if (!transaction) return false;
    for (const auto& [name, item] : after)
      if (!write_agenda(*place.store, name, item)) return false;
    return transaction->commit().has_value();
  }

  // --- the service's work ---------------------------------------------------------------------------
  [[nodiscard]] Place& place_of(const Task& task) {
    for (const auto& place : places_)
      if (place->file == task.config->file) return *place;
    throw Amiss("work for nobody");
  }
  [[nodiscard]] bool free() const override { return !task_; }
  [[nodiscard]] std::string moves() const override { return "rows"; }
  void start(Task task) override {
    if (task_) throw Amiss("two pieces of work at once");
    Place& place = place_of(task);
    story_.about("day " + std::to_string((t_ - kBegin) / std::chrono::days{1}) + " " + iso(clock()) + " " +
                 place.urn);
    story_.event((task.by_hand ? "asked: " : "begins ") + task.what());
    model_.started(task, place.urn, asked_waiting_, t_, clock());
    if (task.by_hand) --asked_waiting_;
    began_ = clock();
    SimRandom& random = place.random;
    milliseconds takes = random.chance(20) ? 0ms : some(random, 200ms, 90s);
    if (t_ < place.busy)
      takes = random.chance(50) ? 0ms : 1s;
    else if (t_ < place.slow)
      takes = some(random, 5min, 1h);
    else if (t_ < hub_down_ && task.work == Work::kExchange)
      takes = some(random, 10ms, 10min);
    end_at_ = t_ + takes;
    if (std::exchange(place.hangs, false)) {
      // The watchdog looks for a quarter of an hour.
      end_at_.reset();
      story_.event("and hangs");
      when(t_ + 16min, [this, life = life_, id = task.id] {
        if (life != life_ || !task_ || task_->id != id || asleep_) return;
        reboot_after(5s);
      });
    }
    task_ = std::move(task);
  }
  struct Came {
    Ending ending = Ending::kDone;
    std::string sentence = "fine";
    seconds later{0};
  };
  [[nodiscard]] Came came_of(Place& place, const Task& task) {
    if (t_ < place.busy)
      return {Ending::kBusy, "process " + std::to_string(place.random.below(3)) + " has it"};
    if (task.work == Work::kExtract) {
      if (t_ < place.source_away)
        return {Ending::kFailed,
                t_ < place.moods ? "away " + std::to_string(place.random.below(1000)) : "away"};
      if (place.random.chance(60)) place.changes = true;
      return {Ending::kDone, std::to_string(place.random.below(1000)) + " rows"};
    }
    const Date today = kWall.date(clock());
    if (!task.by_hand && !place.changes && place.called && *place.called <= clock() &&
        kWall.date(*place.called) == today)
      return {Ending::kNotNeeded, {}};
    if (t_ < hub_down_) return {Ending::kFailed, "no answer"};
    if (t_ < place.blocked)
      return {Ending::kFailed, "a page instead, " + std::to_string(place.random.below(50)) + " bytes"};
    if (t_ < place.later)
      return {Ending::kLater, "come back in " + std::to_string(place.random.below(100)),
              seconds{place.later_seconds}};
    place.changes = false;
    place.called = clock();
    return {Ending::kDone, std::to_string(place.random.below(1000)) + " sent"};
  }
  void finish() {
    const Task task = *std::exchange(task_, std::nullopt);
    Place& place = place_of(task);
    TaskEnd end;
    end.id = task.id;
    for (const auto& [name, before] : task.before) {
      const Came came = came_of(place, task);
      end.ending = came.ending;
      end.sentence = came.sentence;
      const Manners& manners = task.work == Work::kExtract ? kExtractManners : kExchangeManners;
      end.after.emplace(name, settle(before, came.ending, began_, clock(), manners, came.later, chance_));
      story_.event(name + " ends: " + std::string(towpath::name(came.ending)));
      model_.ended({place.urn, name}, came.ending, came.later, clock());
    }
    if (task.by_hand) {
      end.told.emplace();
      end.told->document = {{"schema_version", 1}};
    }
    if (end.ending != Ending::kBusy)
      keep(place, end.after);
    else
      for (const auto& [name, item] : end.after) place.known[name] = item;
    loop_->ended(std::move(end), clock());
    step_at_ = t_;
  }
  void step() {
    const Instant c = clock();
    const Instant wanted = loop_->step(c);
    model_.stepped(t_, c, wanted, !visiting_.empty());
    if (!task_) model_.rests(c);
    step_at_ = t_ + (wanted - c) + 1ms;
  }

  // --- people -----------------------------------------------------------------------------------------
  void say(std::uint64_t visitor, const std::string& line, bool last) override {
    const auto answer = control::read_answer(line);
    if (!answer) throw Amiss("an answer that is none: " + line);
    if (last != (answer->told || answer->service)) throw Amiss("the last line is none, or one before it is");
    if (!last) return;
    model_.answered(visitor);
    visiting_.erase(visitor);
    if (asking_) answered_at_once_ = true;
  }
  void ask(Place& place, bool flood) {
    if (!loop_ || asleep_) return;
    const std::uint64_t visitor = ++numbers_;
    static const std::vector<std::string> kLines{"sync", "{}", "{\"ask\":\"dance\"}", ""};
    control::Request request;
    const std::size_t draw = place.random.below(10);
    request.verb = flood || draw < 4 ? control::Verb::kSync
                   : draw < 8        ? control::Verb::kExtract
                                     : control::Verb::kStatus;
    const std::string line =
        !flood && draw == 9 ? kLines[place.random.below(kLines.size())] : control::request_line(request);
    model_.asked(visitor);
    visiting_.insert(visitor);
    asking_ = true;
    answered_at_once_ = false;
    loop_->ask(visitor, place.file, line, clock());
    asking_ = false;
    if (!answered_at_once_) ++asked_waiting_;
    model_.asked_of();
    step_at_ = t_;
  }
  void drop(Place& place) {
    place.configured = false;
    story_.event(place.urn + " is taken out of service");
    if (!loop_) return;
    const std::size_t before = visiting_.size();
    loop_->drop(place.file);
    asked_waiting_ -= before - visiting_.size();
    model_.drop(place.urn);
  }

  // --- what happens ------------------------------------------------------------------------------------
  void begin_day(unsigned day) {
    story_.about("day " + std::to_string(day));
    if (nights_) {
      // From the afternoon on, until somebody comes.
      const Instant evening = kWall.at(utc_date(t_), 17 * 60 + static_cast<int>(random_.below(90)));
      when(std::max(t_, evening), [this] { die(Fault::kPowerCut); });
      when(t_ + 24h + 6h + milliseconds{random_.below(2UL * 3600 * 1000)}, [this] { boot(); });
    }
    if (drifts_) {
      const milliseconds drifted = offset_ + drift_;
      const bool right = random_.chance(30);
      const Instant at = some_time_today();
      when(at, [this, drifted, right] {
        if (!stands_ && std::chrono::abs(offset_) < 1h)
          set_clock(right || std::chrono::abs(drifted) > 30min ? 0ms : drifted,
                    right ? "time told" : "drift");
      });
    }
    const auto at_some_time = [this](Trouble trouble, std::function<void()> todo) {
      const bool is = strikes(trouble);
      const Instant at = some_time_today();
      if (is) when(at, std::move(todo));
    };
    at_some_time(Trouble::kReboot, [this] {
      if (random_.chance(50)) stop();
      reboot_after(some(random_, 10s, 20min));
    });
    at_some_time(Trouble::kOff, [this] { reboot_after(some(random_, 1h, std::chrono::days{30})); });
    at_some_time(Trouble::kSleep, [this] { sleep(some(random_, 2min, std::chrono::days{4})); });
    at_some_time(Trouble::kRestarts, [this] {
      const Instant until = t_ + some(random_, 1h, 12h);
      for (Instant at = t_; at < until; at += some(random_, 1min, 9min))
        when(at, [this] { reboot_after(1s); });
    });
    at_some_time(Trouble::kForgets, [this] { forgets_ = t_ + some(random_, 10min, std::chrono::days{5}); });
    at_some_time(Trouble::kStep, [this] {
      if (!stands_) set_clock(offset_ + signed_some(1s, 15min), "step");
    });
    at_some_time(Trouble::kJump, [this] { jump(signed_some(1h, std::chrono::days{20})); });
    at_some_time(Trouble::kFar,
                 [this] { jump(signed_some(std::chrono::days{200}, std::chrono::days{4000})); });
    at_some_time(Trouble::kFlap, [this] {
      const Instant until = t_ + some(random_, 30min, 10h);
      bool away = false;
      for (Instant at = t_; at < until; at += some(random_, 30s, 20min))
        when(at, [this, away = (away = !away)] {
          if (!stands_) set_clock(away ? offset_ + 1h : offset_ - 1h, "flap");
        });
      if (away)
        when(until, [this] {
          if (!stands_) set_clock(offset_ - 1h, "flap");
        });
    });
    at_some_time(Trouble::kStands, [this] {
      if (stands_) return;
      story_.event("the clock stands");
      const Instant since = clock();
      stands_ = since;
      when(t_ + some(random_, 1min, 20h), [this] {
        offset_ = *stands_ - t_;  // it goes on where it stood, and is told the time later
        stands_.reset();
        set_clock(offset_, "it goes again");
        when(t_ + some(random_, 1min, 5h), [this] {
          if (!stands_) set_clock(0ms, "time told");
        });
      });
    });
    at_some_time(Trouble::kHubDown, [this] { hub_down_ = t_ + some(random_, 1min, std::chrono::days{40}); });
    at_some_time(Trouble::kReloads, [this] {
      const Instant until = t_ + some(random_, 2h, std::chrono::days{3});
      for (Instant at = t_; at < until; at += some(random_, 30s, 5min))
        when(at, [this] {
          if (!loop_ || asleep_) return;
          for (const auto& place : places_)
            if (place->configured) put(*place);
          step_at_ = t_;
        });
    });
    for (const auto& one : places_) begin_day(*one);
  }
  void begin_day(Place& place) {
    const auto draw = [&](Trouble trouble, std::function<void()> todo) {
      const bool is = options_.troubles.strikes(trouble, place.random);
      const Instant at = t_ + milliseconds{place.random.below(24UL * 3600 * 1000)};
      if (is)
        when(at, [this, trouble, &place, todo = std::move(todo)] {
          story_.event(place.urn + ": " + std::string(kTroubles[static_cast<std::size_t>(trouble)].name));
          todo();
        });
    };
    const auto until = [&](Instant& what, milliseconds least, milliseconds most) {
      return [this, &what, &place, least, most] { what = t_ + some(place.random, least, most); };
    };
    using std::chrono::days;
    draw(Trouble::kBlocked, until(place.blocked, 1h, days{20}));
    draw(Trouble::kLater, [this, &place] {
      static const std::uint32_t kWaits[] = {1, 2, 30, 600, 7200, 86'400, 2'000'000'000, 4'294'967'295};
      place.later_seconds = kWaits[place.random.below(std::size(kWaits))];
      place.later = t_ + some(place.random, 10min, days{3});
    });
    draw(Trouble::kSource, until(place.source_away, 1min, days{30}));
    draw(Trouble::kMood, [this, &place] {
      place.moods = t_ + some(place.random, 1h, days{10});
      place.source_away = std::max(place.source_away, place.moods);
    });
    draw(Trouble::kBusy, until(place.busy, 5s, 30h));
    draw(Trouble::kSlow, until(place.slow, 1h, days{5}));
    draw(Trouble::kHangs, [&place] { place.hangs = true; });
    draw(Trouble::kAsk, [this, &place] { ask(place, false); });
    draw(Trouble::kFlood, [this, &place] {
      const Instant end = t_ + some(place.random, 10min, 8h);
      for (Instant at = t_; at < end; at += some(place.random, 1s, 1min))
        when(at, [this, &place] { ask(place, true); });
    });
    draw(Trouble::kWindows, [this, &place] {
      place.plan(true, calendar_);
      if (loop_ && !asleep_ && place.configured) {
        put(place);
        step_at_ = t_;
      }
    });
    draw(Trouble::kBroken, [this, &place] {
      if (loop_ && place.configured) loop_->problem(place.file, "line 7 is no TOML", clock());
    });
    draw(Trouble::kDrop, [this, &place] {
      if (!place.configured || asleep_) return;
      drop(place);
      when(t_ + some(place.random, 1min, days{20}), [this, &place] {
        place.configured = true;
        if (!loop_) return;
        remember(place);
        put(place);
      });
    });
  }
  [[nodiscard]] milliseconds signed_some(milliseconds least, milliseconds most) {
    const milliseconds by = some(random_, least, most);
    return random_.chance(50) ? by : -by;
  }
  void jump(milliseconds by) {
    if (stands_) return;
    set_clock(offset_ + by, "jump");
    when(t_ + some(random_, 1min, std::chrono::days{3}), [this] {
      if (!stands_) set_clock(0ms, "time told");
    });
  }
  void sleep(milliseconds for_so_long) {
    if (!loop_ || asleep_) return;
    asleep_ = true;
    story_.event("the machine sleeps");
    when(t_ + for_so_long, [this, for_so_long, life = life_] {
      if (life != life_ || !loop_) return;
      asleep_ = false;
      story_.event("and goes on");
      // What was waited for goes on where it was, but for the clock; that is looked at within the minute.
      step_at_ = t_ + milliseconds{1 + random_.below(60'000)};
      if (end_at_) *end_at_ += for_so_long;
      if (task_ && !end_at_) reboot_after(5s);
    });
  }

  static constexpr Instant kBegin{std::chrono::sys_days{std::chrono::year{2026} / 9 / 1}};
  const YearsOptions options_;
  SimRandom random_, chance_;
  Story story_;
  ServiceModel model_;
  CalendarConfig calendar_ = holidays();
  std::vector<std::unique_ptr<Place>> places_;
  Instant t_ = kBegin;
  milliseconds offset_{0}, drift_{0};
  std::optional<Instant> stands_;
  bool nights_ = false, drifts_ = false, asleep_ = false;
  std::uint64_t numbers_ = 0, life_ = 0;
  std::priority_queue<Happening> events_;
  // Episodes of the whole machine, until when in true time.
  Instant hub_down_{}, forgets_{};
  std::function<void(const std::string&)> journal_text_;
  std::optional<Journal> journal_;
  std::optional<Task> task_;
  std::optional<Instant> end_at_;
  Instant began_{}, step_at_{};
  std::set<std::uint64_t> visiting_;
  std::size_t asked_waiting_ = 0;
  bool asking_ = false, answered_at_once_ = false;
  std::unique_ptr<Loop> loop_;
};

// What broke without when, where and how much.
std::string kind_of(const std::string& broke) {
  std::string out;
  for (std::size_t i = broke.find(": ") + 2; i < broke.size(); ++i)
    if (broke[i] < '0' || broke[i] > '9') out += broke[i];
  return out;
}

}  // namespace

YearsOutcome live_years(const YearsOptions& options) {
  YearsOutcome out;
  Years world(options);
  try {
    world.run();
  } catch (const Amiss& broken) {
    out.broke = world.place() + ": " + broken.what();
  }
  world.outcome(out);
  return out;
}

std::optional<std::string> run_years(const YearsOptions& options, YearsOutcome* out) {
  YearsOutcome first = live_years(options);
  if (out != nullptr) *out = first;
  if (!first.broke) return std::nullopt;
  if (!options.shrink)
    return "seed " + std::to_string(options.seed) + ": " + *first.broke + "\nbefore it:\n" + first.before;
  // The same with fewer troubles, as long as it breaks in the same way.
  YearsOptions smaller = options;
  YearsOutcome last = first;
  std::string without;
  const auto try_it = [&](const YearsOptions& candidate) {
    const YearsOutcome outcome = live_years(candidate);
    if (!outcome.broke || kind_of(*outcome.broke) != kind_of(*first.broke)) return false;
    smaller = candidate;
    last = outcome;
    return true;
  };
  for (const TroubleKind& kind : kTroubles) {
    YearsOptions candidate = smaller;
    (void)candidate.troubles.set(kind.name, 0);
    if (try_it(candidate)) without += (without.empty() ? "" : ",") + std::string(kind.name);
  }
  for (unsigned schools = 1; schools < smaller.schools; ++schools) {
    YearsOptions candidate = smaller;
    candidate.schools = schools;
    if (try_it(candidate)) break;
  }
  std::string text = "seed " + std::to_string(options.seed) + ": " + *first.broke + "\nbefore it:\n" +
                     first.before + "\nalone it is: " + *last.broke + "\nbefore it:\n" + last.before +
                     "\nagain: TOWPATH_YEARS=\"seed=" + std::to_string(smaller.seed) +
                     " schools=" + std::to_string(smaller.schools) + " days=" + std::to_string(smaller.days) +
                     " without=" + without + "\" test_service_years";
  return text;
}

}  // namespace towpath::sim
