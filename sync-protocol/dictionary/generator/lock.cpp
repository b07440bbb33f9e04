#include <algorithm>
#include <fstream>
#include <map>

#include "dictionary/generator/model.hpp"

namespace towpath::generator {
namespace {

// A line is "<what> <id> = <meaning>"; what stands before " = " is never reused.
std::pair<std::string, std::string> split(const std::string& line) {
  const auto at = line.find(" = ");
  if (at == std::string::npos) return {line, {}};
  return {line.substr(0, at), line.substr(at + 3)};
}

std::string padded(int id, int width) {
  std::string text = std::to_string(id);
  return std::string(static_cast<std::size_t>(std::max(0, width - static_cast<int>(text.size()))), '0') +
         text;
}

std::vector<std::string> read_lines(const std::filesystem::path& lock) {
  std::vector<std::string> lines;
  std::ifstream in(lock);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty() && line[0] != '#') lines.push_back(line);
  }
  return lines;
}

}  // namespace

std::vector<std::string> lock_lines(const Model& model) {
  std::vector<std::string> lines;
  for (const DatasetModel& dataset : model.datasets) {
    const std::string id = padded(dataset.id, 5);
    std::string line = "dataset " + id + " = " + dataset.name + " key";
    for (const std::string& key : dataset.key) line += " " + key;
    lines.push_back(line + (dataset.entity ? " entity" : ""));
    for (const FieldModel& field : dataset.fields) {
      const std::string at = id + "." + padded(field.id, 3);
      lines.push_back("field " + at + " = " + dataset.name + "." + field.name + " " + field.type);
      for (std::size_t i = 0; i < field.values.size(); ++i)
        lines.push_back("value " + at + "." + padded(static_cast<int>(i), 3) + " = " + field.values[i]);
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::vector<std::string> check_lock(const Model& model, const std::filesystem::path& lock,
                                    std::vector<Fault>& faults) {
  std::map<std::string, std::string> meant;
  for (const std::string& line : read_lines(lock)) meant.insert(split(line));
  std::vector<std::string> missing;
  for (const std::string& line : lock_lines(model)) {
    const auto [id, meaning] = split(line);
    const auto found = meant.find(id);
    if (found == meant.end())
      missing.push_back(line);
    else if (found->second != meaning)
      faults.push_back({{lock.filename().string(), 0},
                        "'" + id + "' means '" + found->second +
                            "' to every program in use and cannot become '" + meaning +
                            "': give the new thing an id that was never used"});
  }
  if (!missing.empty() && meant["version"] == std::to_string(model.version))
    faults.push_back({{"dictionary.toml", 0},
                      "version " + std::to_string(model.version) +
                          " is the one that dictionary.lock has, without '" + missing.front() +
                          "': raise the version by one"});
  return missing;
}

std::string merged_lock(const Model& model, const std::filesystem::path& lock) {
  std::vector<std::string> lines = read_lines(lock);
  std::erase_if(lines, [](const std::string& line) { return split(line).first == "version"; });
  const std::vector<std::string> now = lock_lines(model);
  lines.insert(lines.end(), now.begin(), now.end());
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  std::string out =
      "# Every wire id ever used and what it means. Written by `ninja dictionary-update`; lines are only\n"
      "# ever added. A dataset, field or enum value that is gone keeps its line, so that no program in\n"
      "# use meets its number with another meaning.\n";
  out += "version = " + std::to_string(model.version) + "\n";
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

}  // namespace towpath::generator
