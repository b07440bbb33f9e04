#include "adapters/oneroster_csv/oneroster_csv_adapter.hpp"

#include "adapters/oneroster_csv/run.hpp"
#include "adapters/text/file_set.hpp"

namespace towpath {
namespace {

class OneRosterCsvAdapter final : public Adapter {
 public:
  OneRosterCsvAdapter(SourceConfig config, const AdapterContext& context)
      : config_(std::move(config)), context_(context) {}

  std::vector<std::string_view> provides() const override {
    return {"school", "pupil", "staff", "group", "group_membership", "enrolment"};
  }

  Result<void> extract(RowSink& sink) override {
    auto files = FileSet::open(config_.path);
    if (!files) return fail(std::move(files).error());
    return oneroster::Run(config_, context_, *std::move(files), sink).extract();
  }

 private:
  SourceConfig config_;
  const AdapterContext& context_;
};

}  // namespace

Result<std::unique_ptr<Adapter>> make_oneroster_csv_adapter(const SourceConfig& config,
                                                            const AdapterContext& context) {
  if (config.path.empty())
    return fail(Code::kConfig, "it has no path", "Give the folder or zip that the OneRoster export writes");
  return std::unique_ptr<Adapter>(std::make_unique<OneRosterCsvAdapter>(config, context));
}

}  // namespace towpath
