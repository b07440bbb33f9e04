#include "agent/uplink/verify.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "agent/publish/projection.hpp"
#include "agent/uplink/conversation.hpp"
#include "agent/uplink/page.hpp"
#include "agent/uplink/refusal.hpp"
#include "replica/compare.hpp"

namespace towpath {
namespace {

class Verifier {
 public:
  Verifier(Publisher& publisher, const Dictionary& dictionary, const std::vector<std::string>& grants,
           LineState& line, HubPeer& peer, Transport& transport, Clock& clock, Random& random,
           const ExchangeOptions& options)
      : publisher_(publisher),
        dictionary_(dictionary),
        projected_(project_dictionary(dictionary, grants)),
        conversation_(line, peer, transport, clock, random, speaker(options)) {}

  Result<VerifyReport> run() {
    const auto waiting = publisher_.waiting_count();
    if (!waiting) return fail(waiting.error());
    const auto pending = publisher_.pending();
    if (!pending) return fail(pending.error());
    report_.up_to_date = *waiting == 0 && !*pending;
    TP_TRY(compare_digests());
    // What waits to be sent differs anyway; its keys would say nothing.
    if (report_.up_to_date && report_.hub_has_state)
      for (const std::uint16_t dataset : differing_) TP_TRY(name_keys(dataset));
    report_.bytes_sent = conversation_.bytes_sent();
    report_.bytes_received = conversation_.bytes_received();
    report_.events = std::move(conversation_.events);
    return std::move(report_);
  }

 private:
  using Entries = std::map<std::uint16_t, DigestsFrame::Entry>;

  Result<Bundle> ask(Frame question) {
    const auto believed = publisher_.acknowledged();
    if (!believed) return fail(believed.error());
    return conversation_.ask_until_answered({HeadFrame{publisher_.stream(), *believed}, std::move(question)});
  }

  Result<void> compare_digests() {
    const auto states = publisher_.states();
    if (!states) return fail(states.error());
    DigestsFrame digests{publisher_.stream(), {}};
    Entries here;
    for (const Publisher::State& state : *states) {
      if (state.rows == 0) continue;  // an empty dataset and an unknown one are the same
      digests.entries.push_back({state.dataset, state.rows, state.digest});
      here.emplace(state.dataset, digests.entries.back());
    }
    const auto answer = ask(std::move(digests));
    if (!answer) return fail(answer.error());
    Entries hub;
    for (const Frame& frame : answer->frames) {
      if (const auto* held = std::get_if<DigestsFrame>(&frame)) {
        if (held->stream != publisher_.stream()) continue;
        report_.hub_has_state = true;
        for (const DigestsFrame::Entry& entry : held->entries)
          if (entry.rows > 0) hub.insert_or_assign(entry.dataset, entry);
      } else if (const auto* problem = std::get_if<ProblemFrame>(&frame)) {
        if (problem->code != Code::kDigestDiffers)
          report_.problems.push_back(safe_line(problem->text, kHubTextMax));
      }
    }
    if (!report_.hub_has_state && report_.problems.empty())
      return fail(Code::kTransport, "the hub's answer does not say what it holds",
                  "The hub may be older than this agent; ask its operator to update it");
    for (const auto& [id, entry] : here) {
      const auto theirs = hub.find(id);
      compare(id, &entry, theirs == hub.end() ? nullptr : &theirs->second);
    }
    for (const auto& [id, entry] : hub)
      if (!here.contains(id)) compare(id, nullptr, &entry);
    report_.equal = report_.hub_has_state && differing_.empty();
    return {};
  }

  void compare(std::uint16_t id, const DigestsFrame::Entry* ours, const DigestsFrame::Entry* theirs) {
    const Dataset* dataset = dictionary_.find(id);
    DatasetComparison entry;
    entry.dataset = dataset != nullptr ? std::string(dataset->name) : "dataset " + std::to_string(id);
    entry.rows_here = ours != nullptr ? ours->rows : 0;
    entry.rows_hub = theirs != nullptr ? theirs->rows : 0;
    entry.equal =
        ours != nullptr && theirs != nullptr && ours->rows == theirs->rows && ours->digest == theirs->digest;
    if (!entry.equal) differing_.push_back(id);
    report_.datasets.push_back(std::move(entry));
  }

  Result<void> name_keys(std::uint16_t id) {
    const Dataset* dataset = dictionary_.find(id);
    const auto at = std::find_if(projected_.begin(), projected_.end(),
                                 [&](const ProjectedDataset& p) { return p.dataset().id == id; });
    if (dataset == nullptr || at == projected_.end()) return {};
    const EachHash rows = [&](const HashVisitor& visit) { return publisher_.each_hash(*dataset, visit); };
    const auto question = BucketsQuestion::about(publisher_.stream(), id, rows);
    if (!question) return fail(question.error());
    const auto answer = ask(question->frame());
    if (!answer) return fail(answer.error());
    for (const Frame& frame : answer->frames) {
      const auto* other = std::get_if<UnknownFrame>(&frame);
      if (other == nullptr) continue;
      const auto listed = BucketsAnswer::from(*other);
      if (!listed || listed->stream != publisher_.stream() || listed->dataset != id) continue;
      const auto named = name_differences(*listed, dataset->name, rows, kKeysNamedMax);
      if (!named) return fail(named.error());
      report_.keys.insert(report_.keys.end(), named->begin(), named->end());
    }
    return {};
  }

  Publisher& publisher_;
  const Dictionary& dictionary_;
  std::vector<ProjectedDataset> projected_;
  Conversation conversation_;
  std::vector<std::uint16_t> differing_;
  VerifyReport report_;
};

}  // namespace

Result<VerifyReport> verify_with_hub(Publisher& publisher, const Dictionary& dictionary,
                                     const std::vector<std::string>& grants, LineState& line, HubPeer& peer,
                                     Transport& transport, Clock& clock, Random& random,
                                     const ExchangeOptions& options) {
  return Verifier(publisher, dictionary, grants, line, peer, transport, clock, random, options).run();
}

}  // namespace towpath
