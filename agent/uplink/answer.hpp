// What came back on the line, made sense of: the hub's answer to our bundle, its signed word that
// it gives none, or why what came is neither.
//
// In: a Reply, which may come from anything between the school and the hub. Out: what the hub said,
// or an Error in words for people: kBlocked with the page's title where a web filter answered,
// kTransport where the answer is damaged, old or not the hub's at all (ask again later).
// Nothing that the hub has not signed for this very question is ever taken for its answer.
#pragma once

#include <string_view>
#include <variant>

#include "agent/uplink/hub_peer.hpp"
#include "agent/uplink/page.hpp"
#include "agent/uplink/transport.hpp"
#include "bundle/bundle.hpp"
#include "core/result.hpp"

namespace towpath {

// The answer, or the hub's notice about `sent`, the very bytes. `url`: where it was asked, to be named
// where no hub answered.
using HubWord = std::variant<Bundle, Notice>;
[[nodiscard]] Result<HubWord> read_answer(const Reply& reply, HubPeer& peer, const BundleId& ours,
                                          ByteView sent, std::string_view url = {});

// Why `reply` is not what was asked for, where reading it ended with `why`: a page, another server, a
// status, damage on the way.
[[nodiscard]] Error no_answer(const Reply& reply, const Error& why, std::string_view url);

}  // namespace towpath
