#include "agent/uplink/verify.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "agent/uplink/answer.hpp"

namespace towpath {

Result<VerifyReport> verify_with_hub(Publisher& publisher, const Dictionary& dictionary, Sealer& sealer,
                                     Transport& transport, Clock& clock, Random& random,
                                     const ExchangeOptions& options) {
  VerifyReport report;
  const auto waiting = publisher.waiting_count();
  if (!waiting) return fail(waiting.error());
  const auto pending = publisher.pending();
  if (!pending) return fail(pending.error());
  report.up_to_date = *waiting == 0 && !*pending;
  const auto states = publisher.states();
  if (!states) return fail(states.error());
  const auto believed = publisher.acknowledged();
  if (!believed) return fail(believed.error());

  DigestsFrame digests{publisher.stream(), {}};
  std::map<std::uint16_t, DigestsFrame::Entry> here;
  for (const Publisher::State& state : *states) {
    const DigestsFrame::Entry entry{state.dataset, state.rows, state.digest};
    if (state.rows == 0) continue;  // an empty dataset and an unknown one are the same
    digests.entries.push_back(entry);
    here.emplace(state.dataset, entry);
  }
  Bundle bundle;
  random.fill(bundle.id.uuid.bytes);
  bundle.frames.emplace_back(
      HelloFrame{"school:" + options.school_urn, options.software, options.dictionary_version, clock.now()});
  bundle.frames.emplace_back(HeadFrame{publisher.stream(), *believed});
  bundle.frames.emplace_back(std::move(digests));
  const auto body = sealer.seal(bundle);
  if (!body) return fail(body.error());
  const std::uint64_t sent = transport.bytes_sent();
  const std::uint64_t received = transport.bytes_received();
  auto reply = transport.exchange(*body);
  if (!reply) return fail(std::move(reply).error());
  report.bytes_sent = transport.bytes_sent() - sent;
  report.bytes_received = transport.bytes_received() - received;
  auto answer = read_answer(*reply, sealer, bundle.id);
  if (!answer) return fail(std::move(answer).error());

  std::map<std::uint16_t, DigestsFrame::Entry> hub;
  for (const Frame& frame : answer->frames) {
    if (const auto* held = std::get_if<DigestsFrame>(&frame)) {
      if (held->stream != publisher.stream()) continue;
      report.hub_has_state = true;
      for (const DigestsFrame::Entry& entry : held->entries)
        if (entry.rows > 0) hub.insert_or_assign(entry.dataset, entry);
    } else if (const auto* problem = std::get_if<ProblemFrame>(&frame)) {
      constexpr std::size_t kTextMax = 300;  // one line on a terminal, wrapped
      for (const std::string& key : problem->keys) report.keys.push_back(safe_line(key, kTextMax));
      if (problem->code != Code::kDigestDiffers)
        report.problems.push_back(safe_line(problem->text, kTextMax));
    }
  }
  if (!report.hub_has_state && report.problems.empty())
    return fail(Code::kTransport, "the hub's answer does not say what it holds",
                "The hub may be older than this agent; ask its operator to update it");

  const auto compare = [&](std::uint16_t id, const DigestsFrame::Entry* ours,
                           const DigestsFrame::Entry* theirs) {
    const Dataset* dataset = dictionary.find(id);
    DatasetComparison entry;
    entry.dataset = dataset != nullptr ? std::string(dataset->name) : "dataset " + std::to_string(id);
    entry.rows_here = ours != nullptr ? ours->rows : 0;
    entry.rows_hub = theirs != nullptr ? theirs->rows : 0;
    entry.equal =
        ours != nullptr && theirs != nullptr && ours->rows == theirs->rows && ours->digest == theirs->digest;
    report.datasets.push_back(std::move(entry));
  };
  for (const auto& [id, entry] : here) {
    const auto theirs = hub.find(id);
    compare(id, &entry, theirs == hub.end() ? nullptr : &theirs->second);
  }
  for (const auto& [id, entry] : hub)
    if (!here.contains(id)) compare(id, nullptr, &entry);
  report.equal = report.hub_has_state && std::all_of(report.datasets.begin(), report.datasets.end(),
                                                     [](const DatasetComparison& d) { return d.equal; });
  return report;
}

}  // namespace towpath
