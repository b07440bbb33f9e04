// tp_dictionary_generator CONFIG --cpp FILE | --markdown FILE | --lock FILE
//
// Makes the C++ tables, the page, or the lock from the folder CONFIG. Writes a file only when
// its text has changed, so that nothing is compiled for nothing. Exit 1 with every fault found,
// as file:line: what.
#include <fstream>
#include <iostream>
#include <iterator>

#include "dictionary/generator/model.hpp"

namespace {

bool write_if_changed(const std::string& path, const std::string& text) {
  {
    std::ifstream in(path, std::ios::binary);
    if (in && std::string(std::istreambuf_iterator<char>(in), {}) == text) return true;
  }
  std::ofstream out(path, std::ios::binary);
  out << text << std::flush;
  if (!out) std::cerr << path << ": cannot be written\n";
  return static_cast<bool>(out);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace towpath::generator;
  if (argc != 4) {
    std::cerr << "use: tp_dictionary_generator CONFIG --cpp|--markdown|--lock FILE\n";
    return 64;
  }
  const std::filesystem::path config = argv[1];
  const std::string what = argv[2], path = argv[3];
  std::vector<Fault> faults;
  const Model model = load(config, faults);
  if (faults.empty()) check(model, faults);
  if (faults.empty()) (void)check_lock(model, config / "dictionary.lock", faults);
  for (const Fault& fault : faults) std::cerr << (config / to_string(fault)).string() << "\n";
  if (!faults.empty()) return 1;
  if (what == "--cpp") return write_if_changed(path, cpp_source(model)) ? 0 : 1;
  if (what == "--markdown") return write_if_changed(path, markdown(model)) ? 0 : 1;
  if (what == "--lock") return write_if_changed(path, merged_lock(model, config / "dictionary.lock")) ? 0 : 1;
  std::cerr << what << ": not known; use --cpp, --markdown or --lock\n";
  return 64;
}
