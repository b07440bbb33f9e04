#include "adapters/text/file_set.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <system_error>

#include "adapters/text/stat_mark.hpp"
#include "adapters/text/zip_archive.hpp"

namespace towpath {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kBusyWriting =
    "Let the export finish before the run, or have it written under another name and renamed";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

// How many letters apart `name` is from what `pattern` matches: letters that are missing,
// too many or others, where "*" and "?" cost nothing.
std::size_t letters_apart(std::string_view pattern, std::string_view name) {
  std::vector<std::size_t> above(name.size() + 1), row(name.size() + 1);
  for (std::size_t n = 0; n <= name.size(); ++n) above[n] = n;
  for (const char p : pattern) {
    row[0] = above[0] + (p == '*' ? 0 : 1);
    for (std::size_t n = 1; n <= name.size(); ++n) {
      const bool same = p == '?' || lower(p) == lower(name[n - 1]);
      row[n] = p == '*' ? std::min(above[n], row[n - 1])
                        : std::min({above[n] + 1, row[n - 1] + 1, above[n - 1] + (same ? 0 : 1)});
    }
    std::swap(above, row);
  }
  return above[name.size()];
}

class PlainFile final : public ByteSource {
 public:
  PlainFile(fs::path path, std::string name, StatMark mark, std::ifstream in)
      : path_(std::move(path)), name_(std::move(name)), mark_(mark), in_(std::move(in)) {}

  Result<std::size_t> read(std::span<char> into) override {
    if (ended_) return 0;
    in_.read(into.data(), static_cast<std::streamsize>(into.size()));
    if (in_.bad())
      return fail(Code::kIo, name_ + " could not be read to its end",
                  "Check the disk or the share it lies on");
    const auto got = static_cast<std::size_t>(in_.gcount());
    total_ += got;
    if (got == 0) {
      ended_ = true;
      if (auto same = check_same(path_, name_, mark_); !same) return fail(std::move(same).error());
      if (total_ != mark_.bytes)
        return fail(Code::kSourceChanged,
                    name_ + " gave " + std::to_string(total_) + " bytes, but is " +
                        std::to_string(mark_.bytes) + " bytes long: it changes while it is read",
                    std::string(kBusyWriting));
    }
    return got;
  }

 private:
  fs::path path_;
  std::string name_;
  StatMark mark_;
  std::ifstream in_;
  std::uint64_t total_ = 0;
  bool ended_ = false;
};

bool looks_like_zip(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  char magic[4] = {};
  in.read(magic, 4);
  // A zip begins with a member, an empty one with its directory.
  return in.gcount() == 4 && magic[0] == 'P' && magic[1] == 'K' && (magic[2] == 3 || magic[2] == 5);
}

}  // namespace

struct FileSet::State {
  enum class Kind { kFolder, kZip, kFile } kind = Kind::kFolder;
  fs::path path;
  std::string name;  // of the folder or zip, for messages
  std::vector<std::string> names;
  std::vector<ZipMember> members;  // kZip: as `names`
  StatMark zip_mark;
  mutable std::map<std::string, StatMark, std::less<>> marks;  // files seen in this run
};

FileSet::FileSet(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileSet::FileSet(FileSet&&) noexcept = default;
FileSet& FileSet::operator=(FileSet&&) noexcept = default;
FileSet::~FileSet() = default;

Result<FileSet> FileSet::open(const fs::path& path, const ZipLimits& limits) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->name = path.filename().empty() ? path.parent_path().filename().string() : path.filename().string();
  std::error_code why;
  const fs::file_status status = fs::status(path, why);
  if (!fs::exists(status))
    return fail(
        io_error(why ? why : std::make_error_code(std::errc::no_such_file_or_directory), path.string()));
  if (fs::is_directory(status)) {
    fs::directory_iterator at(path, why);
    if (why) return fail(io_error(why, path.string()));
    for (; at != fs::directory_iterator(); at.increment(why)) {
      if (why) return fail(io_error(why, path.string()));
      std::error_code ignored;  // a file that goes away between the two calls is simply not listed
      if (at->is_regular_file(ignored)) state->names.push_back(at->path().filename().string());
    }
    if (why) return fail(io_error(why, path.string()));
  } else if (fs::is_regular_file(status) && looks_like_zip(path)) {  // opening a pipe would wait for ever
    state->kind = State::Kind::kZip;
    auto mark = mark_of(path, state->name);
    if (!mark) return fail(std::move(mark).error());
    state->zip_mark = *mark;
    auto members = list_zip(path, state->name, limits);
    if (!members) return fail(std::move(members).error());
    state->members = std::move(*members);
    std::sort(state->members.begin(), state->members.end(),
              [](const ZipMember& a, const ZipMember& b) { return a.name < b.name; });
    for (const ZipMember& member : state->members) state->names.push_back(member.name);
  } else {
    auto mark = mark_of(path, state->name);
    if (!mark) return fail(std::move(mark).error());
    if (path.extension() == ".zip")
      return fail(Code::kDamaged, state->name + " is not a zip (it does not begin like one)",
                  "Export it again; if it is still being written, wait until it is done");
    state->kind = State::Kind::kFile;
    state->names.push_back(state->name);
  }
  std::sort(state->names.begin(), state->names.end());
  return FileSet(std::move(state));
}

const std::vector<std::string>& FileSet::names() const { return state_->names; }

std::string_view FileSet::kind() const {
  switch (state_->kind) {
    case State::Kind::kFolder:
      return "folder";
    case State::Kind::kZip:
      return "zip";
    case State::Kind::kFile:
      break;
  }
  return "file";
}

std::optional<std::string> FileSet::find(std::string_view name) const {
  std::optional<std::string> other_case;
  for (const std::string& here : state_->names) {
    if (here == name) return here;
    if (!other_case && same_name(here, name)) other_case = here;
  }
  return other_case;
}

Result<std::unique_ptr<ByteSource>> FileSet::open_file(std::string_view name) const {
  const auto here = std::find(state_->names.begin(), state_->names.end(), name);
  if (here == state_->names.end())
    return fail(Code::kNotFound, std::string(name) + " is not in " + state_->path.string(),
                "Check that the export writes this file");
  if (state_->kind == State::Kind::kZip) {
    const auto index = static_cast<std::size_t>(here - state_->names.begin());
    return open_zip_member(state_->path, state_->name, state_->members[index], state_->zip_mark);
  }
  const fs::path path = state_->kind == State::Kind::kFile ? state_->path : state_->path / *here;
  auto mark = mark_of(path, *here);
  if (!mark) return fail(std::move(mark).error());
  const auto [seen, first] = state_->marks.emplace(*here, *mark);
  if (!first && !(seen->second == *mark)) return fail(check_same(path, *here, seen->second).error());
  std::ifstream in;
  // Blocks come from the reader; a second buffer would only copy.
  in.rdbuf()->pubsetbuf(nullptr, 0);
  in.open(path, std::ios::binary);
  if (!in)
    return fail(
        Code::kNotPermitted, *here + " cannot be opened",
        "Give the account that towpath runs as the right to read it, and close programs that lock it");
  return std::unique_ptr<ByteSource>(std::make_unique<PlainFile>(path, *here, *mark, std::move(in)));
}

bool glob_matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0;
  std::size_t star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() &&
        (pattern[p] == '?' || (pattern[p] != '*' && lower(pattern[p]) == lower(name[n])))) {
      ++p;
      ++n;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string advice_on_missing(std::string_view pattern, std::span<const std::string> names) {
  // Every name is compared letter by letter: a folder of more is not looked through.
  constexpr std::size_t kNamesCompared = 1'000;
  constexpr std::size_t kNameBytes = 240;  // as ZipLimits
  static constexpr std::string_view kPacked[] = {".gz", ".zip", ".bz2", ".xz", ".zst", ".7z", ".rar"};
  if (pattern.empty() || pattern.size() > kNameBytes) return {};
  for (const std::string& name : names)
    for (const std::string_view ending : kPacked) {
      if (name.size() <= ending.size()) continue;
      const std::size_t stem = name.size() - ending.size();
      if (!same_name(std::string_view(name).substr(stem), ending)) continue;
      if (glob_matches(pattern, std::string_view(name).substr(0, stem)) ||
          glob_matches(pattern.substr(0, pattern.rfind('.')), std::string_view(name).substr(0, stem)))
        return "Unpack " + name;
    }
  const std::string_view stem = pattern.substr(0, pattern.rfind('.'));
  const auto letters = static_cast<std::size_t>(
      std::count_if(stem.begin(), stem.end(), [](char c) { return c != '*' && c != '?'; }));
  // A third of the letters wrong is still a slip of the finger; more is another name.
  std::size_t least = std::max<std::size_t>(1, letters / 3) + 1;
  const std::string* best = nullptr;
  for (const std::string& name : names.first(std::min(names.size(), kNamesCompared))) {
    if (name.size() > kNameBytes) continue;
    // Windows hides the last ending: "marks.csv" is then "marks.csv.csv" or "marks.csv.txt".
    const bool hidden = glob_matches(std::string(pattern) + ".???", name);
    const std::size_t apart = hidden ? 0 : letters_apart(pattern, name);
    if (apart >= least) continue;
    least = apart;
    best = &name;
  }
  return best == nullptr ? std::string() : "Did you mean " + *best + "?";
}

}  // namespace towpath
