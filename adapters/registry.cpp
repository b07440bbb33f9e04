#include <algorithm>
#include <array>

#include "adapters/api/source_config.hpp"
#include "adapters/csv/csv_adapter.hpp"
#include "adapters/demo/demo_adapter.hpp"
#include "adapters/oneroster_csv/oneroster_csv_adapter.hpp"

namespace towpath {
namespace {

struct Entry {
  std::string_view kind;
  Result<std::unique_ptr<Adapter>> (*make)(const SourceConfig&, const AdapterContext&);
};
// A new adapter is a folder and a line here.
constexpr Entry kAdapters[] = {
    {"oneroster-csv", make_oneroster_csv_adapter}, {"csv", make_csv_adapter}, {"demo", make_demo_adapter}};

constexpr auto kKinds = [] {
  std::array<std::string_view, std::size(kAdapters)> kinds;
  std::transform(std::begin(kAdapters), std::end(kAdapters), kinds.begin(),
                 [](const Entry& e) { return e.kind; });
  return kinds;
}();

}  // namespace

Result<std::unique_ptr<Adapter>> make_adapter(const SourceConfig& config, const AdapterContext& context) {
  for (const Entry& entry : kAdapters)
    if (entry.kind == config.kind) return entry.make(config, context);
  std::string kinds;
  for (const std::string_view kind : kKinds) kinds += (kinds.empty() ? "" : ", ") + std::string(kind);
  return fail(Code::kConfig, "its kind '" + config.kind + "' is not known", "Kinds are " + kinds);
}

std::span<const std::string_view> adapter_kinds() { return kKinds; }

}  // namespace towpath
