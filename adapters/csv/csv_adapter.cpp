#include "adapters/csv/csv_adapter.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "adapters/csv/table.hpp"
#include "adapters/text/csv_reader.hpp"
#include "adapters/text/file_set.hpp"

namespace towpath {
namespace {

class CsvAdapter final : public Adapter {
 public:
  CsvAdapter(SourceConfig config, std::vector<Table> tables)
      : config_(std::move(config)), tables_(std::move(tables)) {}

  std::vector<std::string_view> provides() const override {
    std::vector<std::string_view> out;
    for (const Table& table : tables_)
      if (std::find(out.begin(), out.end(), table.dataset().name) == out.end())
        out.push_back(table.dataset().name);
    return out;
  }

  Result<void> extract(RowSink& sink) override {
    auto files = FileSet::open(config_.path);
    if (!files) return fail(std::move(files).error());
    for (const std::string_view dataset : provides()) TP_TRY(read_dataset(*files, dataset, sink));
    return {};
  }

 private:
  struct Input {
    const Table* table;
    std::string file;
  };

  // What is wrong with a dataset's files, if anything; a failed Result ends the run.
  using Outcome = Result<std::optional<Error>>;

  Result<void> read_dataset(const FileSet& files, std::string_view name, RowSink& sink) {
    std::vector<Input> inputs;
    const Dataset* dataset = nullptr;
    bool append = false;
    std::optional<Error> missing;
    for (const Table& table : tables_) {
      if (table.dataset().name != name) continue;
      dataset = &table.dataset();
      append = table.append();
      if (auto found = matching(files, table, inputs)) {
        if (!missing) missing = std::move(found);
      }
    }
    TP_ASSERT(dataset != nullptr);
    if (missing) {
      sink.abandon(*dataset, *std::move(missing));
      return {};
    }
    // Headers first: a file that cannot be read at all is found before anything is begun.
    for (const Input& input : inputs) {
      auto reader = open(files, input);
      if (reader) continue;
      sink.abandon(*dataset, std::move(reader).error());
      return {};
    }
    TP_TRY(sink.begin(*dataset, append ? Completeness::kDelta : Completeness::kFull));
    for (const Input& input : inputs) {
      auto done = read_file(files, input, sink);
      if (!done) return fail(std::move(done).error());
      if (!*done) continue;
      sink.abandon(*dataset, **std::move(done));
      return {};
    }
    return sink.end(*dataset);
  }

  // Adds the table's files to `inputs`; an error where there are none.
  // Also for append: the adapter has no memory to tell a quiet day from a mistyped pattern, and a
  // dataset that is left as it was, with a reason that people see, is right for both.
  std::optional<Error> matching(const FileSet& files, const Table& table, std::vector<Input>& inputs) const {
    const bool pattern = table.file().find_first_of("*?") != std::string::npos;
    if (!pattern) {
      const auto name = table.file().empty() && files.kind() == "file" ? std::optional(files.names().front())
                                                                       : files.find(table.file());
      if (!name && table.file().empty())
        return Error{Code::kConfig,
                     config_.path + " is a " + std::string(files.kind()) + ", and the table of " +
                         std::string(table.dataset().name) + " names no file",
                     "Add file = \"...\" to the table"};
      if (!name) {
        std::string next = advice_on_missing(table.file(), files.names());
        if (next.empty()) next = "Check that the export has run and writes this file";
        return Error{Code::kNotFound, table.file() + " is not in " + config_.path, std::move(next)};
      }
      inputs.push_back({&table, *name});
      return std::nullopt;
    }
    std::size_t found = 0;
    for (const std::string& name : files.names())
      if (glob_matches(table.file(), name)) {
        inputs.push_back({&table, name});
        ++found;
      }
    if (found > 0) return std::nullopt;
    std::string next = advice_on_missing(table.file(), files.names());
    if (next.empty()) next = "Check that the export has run, and the pattern";
    return Error{Code::kNotFound, "no file in " + config_.path + " matches " + table.file(), std::move(next)};
  }

  Result<CsvReader> open(const FileSet& files, const Input& input) const {
    auto source = files.open_file(input.file);
    if (!source) return fail(std::move(source).error());
    CsvReader reader(std::move(*source), input.table->csv(input.file));
    TP_TRY(reader.read_header());
    return reader;
  }

  // What the file is called in the accounts: with its dataset where several tables read it.
  std::string account_name(const Input& input) const {
    std::size_t readers = 0;
    for (const Table& table : tables_)
      if (same_word(table.file(), input.file) || table.file().empty() ||
          glob_matches(table.file(), input.file))
        ++readers;
    if (readers <= 1) return input.file;
    std::size_t same = 0, mine = 0;
    for (const Table& table : tables_) {
      if (table.dataset().name != input.table->dataset().name || !glob_matches(table.file(), input.file))
        continue;
      ++same;
      if (&table == input.table) mine = same;
    }
    std::string name = input.file + " (" + std::string(input.table->dataset().name);
    if (same > 1) name.append(1, ' ').append(std::to_string(mine));
    return name + ")";
  }

  Outcome read_file(const FileSet& files, const Input& input, RowSink& sink) {
    const Table& table = *input.table;
    auto opened = open(files, input);
    if (!opened) return std::optional(std::move(opened).error());
    CsvReader& reader = *opened;
    std::vector<std::string_view> columns(reader.header().begin(), reader.header().end());
    auto file = sink.open_file(account_name(input), columns, table.needed());
    if (!file) {
      if (file.error().code() == Code::kSourceChanged) return std::optional(std::move(file).error());
      return fail(std::move(file).error());
    }
    auto binding = table.bind(reader);
    if (!binding) {
      // The records are counted all the same: none of them may disappear.
      std::optional<Error> why = std::move(binding).error();
      for (;;) {
        auto more = reader.next_record();
        if (!more || !*more) break;
      }
      if (reader.records() > 0)
        sink.ignore(*file, "a column that is needed is missing from the file", reader.records());
      sink.close_file(*file, reader.records());
      return why;
    }
    for (std::string& notice : binding->notices) sink.notice(std::move(notice));

    const Fingerprint seed = table.seed(*binding, sink);
    std::vector<InCell> row(table.dataset().fields.size());
    std::optional<Error> why;
    for (;;) {
      auto more = reader.next_record();
      if (!more) {
        why = std::move(more).error();
        break;
      }
      if (!*more) break;
      Origin origin{*file, reader.line(), true, reader.raw()};
      const Fingerprint print = fingerprint(reader.raw(), seed);
      if (sink.unchanged(origin, print)) continue;
      auto fields = reader.fields();
      origin.raw = reader.raw_to_keep();
      if (!fields) {
        TP_TRY(
            sink.reject(table.dataset(), origin, {fields.error().rule, "", std::move(fields.error().text)}));
        continue;
      }
      auto converted = table.convert(*binding, *fields, row);
      if (const auto* ignored = std::get_if<Table::Ignored>(&converted)) {
        sink.ignore(*file, ignored->reason);
      } else if (auto* problem = std::get_if<Problem>(&converted)) {
        TP_TRY(sink.reject(table.dataset(), origin, std::move(*problem)));
      } else {
        TP_TRY(sink.row(origin, print, row));
      }
    }
    sink.close_file(*file, reader.records());
    return why;
  }

  SourceConfig config_;
  std::vector<Table> tables_;
};

}  // namespace

Result<std::unique_ptr<Adapter>> make_csv_adapter(const SourceConfig& config, const AdapterContext& context) {
  if (config.tables.empty())
    return fail(Code::kConfig, "there is no [[source.table]]",
                "Add one for each file, with its dataset and the columns to read");
  std::vector<Table> tables;
  for (const TableMapping& mapping : config.tables) {
    auto table = Table::compile(mapping, config, context);
    if (!table) return fail(std::move(table).error());
    for (const Table& other : tables)
      if (other.dataset().name == table->dataset().name && other.append() != table->append())
        return fail(Code::kConfig, "the tables of " + mapping.dataset + " are partly full and partly append",
                    "Give all tables of a dataset the same mode");
    if (table->file().find_first_of("/\\") != std::string::npos)
      return fail(Code::kConfig, "'" + table->file() + "' names a folder",
                  "Give that folder as the source's path, and here the file's name");
    tables.push_back(std::move(*table));
  }
  return std::unique_ptr<Adapter>(std::make_unique<CsvAdapter>(config, std::move(tables)));
}

}  // namespace towpath
