#include "hub/registry/registry.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "hub/registry/sharing_tables.hpp"
#include "platform/platform.hpp"

namespace towpath {
namespace {

// 2: keys, turns and invitations; the hub's address. 3: federations, agreements, deeds, orders; the audit
// log.
constexpr std::int64_t kFormat = 3;
// A school's name is for people; this is longer than any in the national register.
constexpr std::size_t kNameBytesMax = 200;
// A hub serves thousands of schools one after another; each holds its file open only briefly.
// A daily delta touches some 50 pages, a first load runs through.
constexpr int kReplicaCacheKib = 1024;

// Segments are written and read once, one after another.
constexpr int kRelayCacheKib = 256;

bool is_urn(const std::string& urn) {
  return urn.size() == 6 &&
         std::all_of(urn.begin(), urn.end(), [](char c) { return c >= '0' && c <= '9'; }) && urn[0] != '0';
}

Result<void> check_urn(const std::string& urn) {
  if (is_urn(urn)) return {};
  // What was given is repeated only where it cannot be something else than a wrong number.
  return fail(Code::kUsage,
              "a school's URN has six digits and does not begin with 0" +
                  (urn.size() <= 12 &&
                           std::all_of(urn.begin(), urn.end(), [](char c) { return c >= '0' && c <= '9'; })
                       ? "; \"" + urn + "\" has " + std::to_string(urn.size())
                       : std::string{}),
              "Look it up at get-information-schools.service.gov.uk");
}

bool is_plain_text(const std::string& text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

class SqliteRegistry final : public Registry {
 public:
  SqliteRegistry(Database&& database, RegistryOptions options, const Dictionary& dictionary, Clock& clock)
      : database_(std::move(database)),
        options_(std::move(options)),
        dictionary_(dictionary),
        clock_(clock) {}

  Result<void> add_school(const std::string& urn, const std::string& name) override {
    TP_TRY(check_urn(urn));
    if (name.empty() || name.size() > kNameBytesMax || !is_plain_text(name))
      return fail(Code::kUsage,
                  "a school's name is one line of 1 to " + std::to_string(kNameBytesMax) + " bytes",
                  "Give it with --name \"...\"");
    const std::lock_guard lock(mutex_);
    TP_TRY(make_folder(urn));
    auto put = database_.prepare("INSERT INTO school(urn,name,added) VALUES(?1,?2,?3)");
    if (!put) return fail(std::move(put).error());
    auto use = put->use();
    use.bind(1, urn);
    use.bind(2, name);
    use.bind(3, std::int64_t{clock_.now().time_since_epoch().count()});
    auto done = use.run();
    if (!done && done.error().code() == Code::kRepeated)
      return fail(Code::kRepeated, "school " + urn + " is registered already",
                  "towpath-hub school list shows it");
    return done;
  }

  Result<std::vector<School>> schools() override {
    const std::lock_guard lock(mutex_);
    auto read = database_.prepare("SELECT urn,name,added FROM school ORDER BY urn");
    if (!read) return fail(std::move(read).error());
    std::vector<School> all;
    auto use = read->use();
    for (;;) {
      auto row = use.step();
      if (!row) return fail(std::move(row).error());
      if (!*row) return all;
      all.push_back(school_of(use));
    }
  }

  Result<std::optional<School>> school(const std::string& urn) override {
    if (!is_urn(urn)) return std::optional<School>{};
    const std::lock_guard lock(mutex_);
    auto statement = ready(find_school_, "SELECT urn,name,added FROM school WHERE urn=?1");
    if (!statement) return fail(std::move(statement).error());
    auto use = (*statement)->use();
    use.bind(1, urn);
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return std::optional<School>{};
    return std::optional(school_of(use));
  }

  Result<std::optional<Replica>> current(const std::string& urn) override {
    auto numbers = epoch_numbers(urn);
    if (!numbers) return fail(std::move(numbers).error());
    for (auto epoch = numbers->rbegin(); epoch != numbers->rend(); ++epoch) {
      auto replica = open_to_read(urn, *epoch);
      if (!replica) return fail(std::move(replica).error());
      if (*replica && (*replica)->head().complete) return replica;
    }
    return std::optional<Replica>{};
  }

  Result<Replica> open_epoch(const std::string& urn, Epoch epoch) override {
    {
      const std::lock_guard lock(mutex_);
      auto held = ready(find_epoch_, "SELECT 1 FROM epoch WHERE urn=?1 AND epoch=?2");
      if (!held) return fail(std::move(held).error());
      bool listed = false;
      {
        auto use = (*held)->use();
        use.bind(1, urn);
        use.bind(2, std::int64_t{epoch.number});
        auto row = use.step();
        if (!row) return fail(std::move(row).error());
        listed = *row;
      }
      if (!listed) {
        TP_TRY(check_urn(urn));
        TP_TRY(make_folder(urn));
        auto put = database_.prepare("INSERT INTO epoch(urn,epoch) VALUES(?1,?2)");
        if (!put) return fail(std::move(put).error());
        auto use = put->use();
        use.bind(1, urn);
        use.bind(2, std::int64_t{epoch.number});
        TP_TRY(use.run());
      }
    }
    return Replica::open(file(urn, epoch), dictionary_, stream_id(urn, kBorough), epoch);
  }

  Result<std::vector<Head>> epochs(const std::string& urn) override {
    auto numbers = epoch_numbers(urn);
    if (!numbers) return fail(std::move(numbers).error());
    std::vector<Head> heads;
    for (const Epoch epoch : *numbers) {
      auto replica = open_to_read(urn, epoch);
      if (!replica) return fail(std::move(replica).error());
      heads.push_back(*replica ? (*replica)->head() : Head{epoch, {}, {}, {}, false});
    }
    return heads;
  }

  Result<std::vector<Epoch>> epoch_numbers(const std::string& urn) override {
    const std::lock_guard lock(mutex_);
    auto statement = ready(list_epochs_, "SELECT epoch FROM epoch WHERE urn=?1 ORDER BY epoch");
    if (!statement) return fail(std::move(statement).error());
    std::vector<Epoch> all;
    auto use = (*statement)->use();
    use.bind(1, urn);
    for (;;) {
      auto row = use.step();
      if (!row) return fail(std::move(row).error());
      if (!*row) return all;
      all.push_back(Epoch{static_cast<std::uint32_t>(use.integer(0))});
    }
  }

  Result<void> drop_epochs_before(const std::string& urn, Epoch keep) override {
    auto numbers = epoch_numbers(urn);
    if (!numbers) return fail(std::move(numbers).error());
    for (const Epoch epoch : *numbers)
      if (epoch < keep) TP_TRY(drop_epoch(urn, epoch));
    return {};
  }

  Result<void> drop_epoch(const std::string& urn, Epoch epoch) override {
    TP_TRY(Database::remove(file(urn, epoch)));
    const std::lock_guard lock(mutex_);
    auto put = database_.prepare("DELETE FROM epoch WHERE urn=?1 AND epoch=?2");
    if (!put) return fail(std::move(put).error());
    auto use = put->use();
    use.bind(1, urn);
    use.bind(2, std::int64_t{epoch.number});
    return use.run();
  }

  // None where there is no file yet, or one that was being made when the process was killed.
  Result<std::optional<Replica>> open_to_read(const std::string& urn, Epoch epoch) override {
    Database::Options o = file(urn, epoch);
    o.create = false;
    o.read_only = true;
    auto replica = Replica::open(o, dictionary_, stream_id(urn, kBorough), epoch);
    // An older dictionary's tables; or a log beside the file that only a writer may take in.
    if (!replica && options_.may_write && replica.error().code() != Code::kNotFound) {
      o.read_only = false;
      replica = Replica::open(o, dictionary_, stream_id(urn, kBorough), epoch);
    }
    if (!replica && replica.error().code() == Code::kNotFound) {
      // No file, and one that was being made when the hub died, are an epoch that holds nothing. A file
      // that cannot be opened (too many are open, say) is not: what is believed empty is dropped.
      auto there = Database::exists(o);
      if (there && *there) {
        if (auto opens = Database::open(o); !opens) there = fail(std::move(opens).error());
      }
      if (!there) return fail(std::move(there).error().during("school " + urn));
      return std::optional<Replica>{};
    }
    if (!replica) return fail(std::move(replica).error().during("school " + urn));
    return std::optional<Replica>(std::move(*replica));
  }

  Result<std::vector<std::string>> bring_up() override {
    auto all = schools();
    if (!all) return fail(std::move(all).error());
    std::vector<std::string> left;
    for (const School& school : *all) {
      auto numbers = epoch_numbers(school.urn);
      if (!numbers) return fail(std::move(numbers).error());
      for (const Epoch epoch : *numbers)
        if (auto replica = open_to_read(school.urn, epoch); !replica)
          left.push_back(replica.error().sentence());
    }
    return left;
  }

  Result<void> check() override {
    const std::lock_guard lock(mutex_);
    return database_.integrity_check();
  }

  Result<std::optional<Instant>> last_heard(const std::string& urn) override {
    const std::lock_guard lock(mutex_);
    auto read = database_.prepare("SELECT heard FROM school WHERE urn=?1 AND heard IS NOT NULL");
    if (!read) return fail(std::move(read).error());
    auto use = read->use();
    use.bind(1, urn);
    auto row = use.step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return std::optional<Instant>{};
    return std::optional(Instant{std::chrono::milliseconds{use.integer(0)}});
  }

  Agents& agents() override { return agents_; }
  Books books() override { return {database_, mutex_}; }
  Database::Options relay_file(const std::string& urn, const std::string& federation) const override {
    Database::Options o;
    o.path = folder(urn) + "/relay-" + federation + ".db";
    o.vfs = options_.vfs;
    o.cache_kib = kRelayCacheKib;
    return o;
  }
  Result<void> clear_epoch(const std::string& urn, Epoch epoch) override {
    return Database::remove(file(urn, epoch));
  }

  Result<std::string> url() override {
    const std::lock_guard lock(mutex_);
    return database_.text("SELECT url FROM hub");
  }
  Result<void> set_url(const std::string& url) override {
    const std::lock_guard lock(mutex_);
    auto put = database_.prepare("UPDATE hub SET url=?1");
    if (!put) return fail(std::move(put).error());
    auto use = put->use();
    use.bind(1, url);
    return use.run();
  }

 private:
  static School school_of(const Statement::Use& use) {
    return {std::string(use.text(0)), std::string(use.text(1)),
            Instant{std::chrono::milliseconds{use.integer(2)}}};
  }

  Result<Statement*> ready(std::optional<Statement>& statement, const char* sql) {
    if (!statement) {
      auto made = database_.prepare(sql);
      if (!made) return fail(std::move(made).error());
      statement.emplace(std::move(*made));
    }
    return &*statement;
  }

  Result<void> make_folder(const std::string& urn) const {
    return options_.vfs.empty() ? platform::make_private_folder(folder(urn)) : Result<void>{};
  }
  std::string folder(const std::string& urn) const { return options_.data + "/schools/" + urn; }
  Database::Options file(const std::string& urn, Epoch epoch) const {
    Database::Options o;
    o.path = folder(urn) + "/borough-" + std::to_string(epoch.number) + ".db";
    o.vfs = options_.vfs;
    o.cache_kib = kReplicaCacheKib;
    return o;
  }

  std::mutex mutex_;  // the registry's own connection
  Database database_;
  const RegistryOptions options_;
  const Dictionary& dictionary_;
  Clock& clock_;
  std::optional<Statement> find_school_, find_epoch_, list_epochs_;
  Agents agents_{database_, mutex_};
};

}  // namespace

namespace {

// There, but not for us; or in a folder that is not for us.
bool not_permitted(const std::string& file) {
  std::error_code why;
  if (!std::filesystem::exists(file, why)) return why == std::errc::permission_denied;
  return !std::ifstream(file).is_open();
}

}  // namespace

Result<std::unique_ptr<Registry>> Registry::open(const RegistryOptions& options, const Dictionary& dictionary,
                                                 Clock& clock) {
  if (options.create && options.vfs.empty()) TP_TRY(platform::make_private_folder(options.data));
  Database::Options file;
  file.path = options.data + "/registry.db";
  file.vfs = options.vfs;
  file.create = options.create;
  file.cache_kib = 512;
  auto database = Database::open(file);
  if (!database) {
    if (!options.create && options.vfs.empty() && not_permitted(file.path))
      return fail(Code::kNotPermitted, "this user may not look into " + options.data,
                  "Run it as the user whom the folder belongs to, or with sudo");
    // There, and it cannot be opened (too many files are open, say): then "init" would be wrong advice.
    const auto there = Database::exists(file);
    if (!options.create && database.error().code() == Code::kNotFound && there && !*there)
      return fail(Code::kConfig, "there is no hub in " + options.data,
                  "towpath-hub --data " + options.data + " init makes one");
    return fail(std::move(database).error());
  }
  auto tx = database->begin();
  if (!tx) return fail(std::move(tx).error());
  auto formed = database->integer("SELECT count(*) FROM sqlite_schema WHERE name='hub'");
  if (!formed) return fail(std::move(formed).error());
  if (*formed == 0) {
    if (!options.create)
      return fail(Code::kConfig, "there is no hub in " + options.data,
                  "towpath-hub --data " + options.data + " init makes one");
    TP_TRY(database->exec(
        "CREATE TABLE hub(id INTEGER PRIMARY KEY CHECK(id=1), format INTEGER NOT NULL, url TEXT NOT NULL "
        "DEFAULT '') STRICT;"
        "CREATE TABLE school(urn TEXT PRIMARY KEY, name TEXT NOT NULL, added INTEGER NOT NULL, heard INTEGER)"
        " STRICT, WITHOUT ROWID;"
        "CREATE TABLE epoch(urn TEXT NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY(urn,epoch)) STRICT, "
        "WITHOUT ROWID;"
        "INSERT INTO hub(id,format) VALUES(1," +
        std::to_string(kFormat) + ")"));
    TP_TRY(Agents::make_tables(*database));
    TP_TRY(make_sharing_tables(*database));
  }
  auto format = database->integer("SELECT format FROM hub");
  if (!format) return fail(std::move(format).error());
  if (*format > 0 && *format < kFormat) {
    if (!options.may_write)
      return fail(
          Code::kUnknownVersion,
          file.path +
              " was written by an earlier version, and is brought up to this one's by the "
              "program that holds the folder",
          "Start the hub again with the installed version: towpath-hub --data " + options.data + " serve");
    if (*format == 1) {
      TP_TRY(database->exec("ALTER TABLE hub ADD COLUMN url TEXT NOT NULL DEFAULT ''"));
      TP_TRY(Agents::make_tables(*database));
    }
    TP_TRY(make_sharing_tables(*database));
    TP_TRY(database->exec("UPDATE hub SET format=" + std::to_string(kFormat)));
    format = kFormat;
  }
  if (*format != kFormat)
    return fail(Code::kUnknownVersion,
                file.path + " has format " + std::to_string(*format) + "; this program knows " +
                    std::to_string(kFormat),
                "Install the version of towpath-hub that wrote it, or a newer one");
  TP_TRY(tx->commit());
  return std::unique_ptr<Registry>(
      std::make_unique<SqliteRegistry>(std::move(*database), options, dictionary, clock));
}

}  // namespace towpath
