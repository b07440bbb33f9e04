// What came back on the line, made sense of: a bundle that answers ours, or why not.
//
// In: a Reply, which may come from anything between the school and the hub. Out: the opened
// bundle, or an Error in words for people: kBlocked with the page's title where a web filter
// answered, kTransport where the answer is damaged, old or no bundle at all (ask again later).
#pragma once

#include <string_view>

#include "agent/uplink/page.hpp"
#include "agent/uplink/transport.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"

namespace towpath {

// `url`: where it was asked, to be named where no hub answered.
[[nodiscard]] Result<Bundle> read_answer(const Reply& reply, Sealer& sealer, const BundleId& ours,
                                         std::string_view url = {});

}  // namespace towpath
