#include "agent/doctor/findings.hpp"

#include <algorithm>

#include "agent/school/exit_code.hpp"

namespace towpath::doctor {
namespace {

constexpr std::size_t kColumns = 80;  // of a terminal that nobody has made wider
constexpr std::size_t kText = 22;     // where sentences begin: after the light and the check's name

// Code points, as columns: what is not ASCII here is a title or a path.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// At spaces only: a path or a command that is too long for a line stands on one of its own.
void wrap(std::string first, std::string_view text, std::vector<std::string>& out) {
  std::string line = std::move(first);
  std::size_t columns = width(line);
  bool empty = true;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    if (!empty && columns + 1 + width(word) > kColumns) {
      out.push_back(std::move(line));
      line = std::string(kText, ' ');
      columns = kText;
      empty = true;
    }
    if (!empty) {
      line += ' ';
      ++columns;
    }
    line += word;
    columns += width(word);
    empty = false;
  }
  out.push_back(std::move(line));
}

std::string padded(std::string text, std::size_t columns) {
  text.resize(std::max(text.size() + 1, columns), ' ');
  return text;
}

}  // namespace

std::vector<Finding> judge(const Facts& facts) {
  std::vector<Finding> out;
  judge_here(facts, out);
  judge_line(facts, out);
  return out;
}

int exit_code(const std::vector<Finding>& findings) {
  Light worst = Light::kGreen;
  for (const Finding& finding : findings) {
    if (finding.check == "configuration" && finding.light == Light::kRed) return cli::kConfigInvalid;
    worst = std::max(worst, finding.light);
  }
  return worst == Light::kRed ? cli::kFailed : worst == Light::kAmber ? cli::kDegraded : cli::kFine;
}

std::vector<std::string> lines(const std::vector<Finding>& findings) {
  std::vector<std::string> out;
  for (const Finding& finding : findings) {
    const std::string head =
        padded(padded(std::string(cli::name(finding.light)), 7) + std::string(finding.check.text()), kText);
    wrap(head, finding.what + (finding.value.empty() ? std::string() : " (" + finding.value + ")"), out);
    if (!finding.next.empty()) wrap(std::string(kText, ' '), "next: " + finding.next, out);
  }
  return out;
}

}  // namespace towpath::doctor
