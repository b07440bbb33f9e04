// Compares the school's data with what the hub holds, dataset by dataset.
//
// In: what the publisher would have at the hub, recomputed from the tables. Out: which datasets
// are equal, and the keys of rows that are not. One exchange, and one more for each dataset that
// differs; changes nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/publish/publisher.hpp"
#include "agent/uplink/exchange.hpp"
#include "agent/uplink/transport.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"
#include "core/world.hpp"

namespace towpath {

// Keys named for a dataset that differs: enough to see what kind of rows they are.
inline constexpr std::size_t kKeysNamedMax = 20;

struct DatasetComparison {
  std::string dataset;  // name, or "dataset 99" where we do not know it
  std::uint64_t rows_here = 0, rows_hub = 0;
  bool equal = false;
};
struct VerifyReport {
  bool equal = false;          // every dataset is
  bool up_to_date = false;     // nothing waits here; if something does, differences are expected
  bool hub_has_state = false;  // the hub has said what it holds
  std::vector<DatasetComparison> datasets;
  std::vector<std::string> keys;  // as the hub names them: "session_mark 20761/0/17"
  std::vector<std::string> problems;
  std::vector<std::string> events;  // about keys and clocks
  std::uint64_t bytes_sent = 0, bytes_received = 0;
};

// `grants` as the publisher's audience has them.
[[nodiscard]] Result<VerifyReport> verify_with_hub(Publisher& publisher, const Dictionary& dictionary,
                                                   const std::vector<std::string>& grants, LineState& line,
                                                   HubPeer& peer, Transport& transport, Clock& clock,
                                                   Random& random, const ExchangeOptions& options);

}  // namespace towpath
