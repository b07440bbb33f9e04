#include "agent/uplink/hub_peer.hpp"

namespace towpath {

Result<Bytes> HubPeer::seal(const Bundle& bundle) {
  return towpath::seal(bundle, identity_.own(), identity_.hub(), random_);
}

Result<Bundle> HubPeer::open(ByteView bytes) {
  const auto with = [&](const PartyKey& hub) {
    auto opened = towpath::open(bytes, identity_.own(), hub);
    if (!opened && opened.error().code() == Code::kOtherRecipient && identity_.next())
      if (auto next = towpath::open(bytes, *identity_.next(), hub)) return next;
    return opened;
  };
  auto opened = with(identity_.hub());
  const auto& before = identity_.enrolment().hub_before;
  if (!opened && opened.error().code() == Code::kNotSigned && before)
    if (auto former = with(*before)) return former;
  return opened;
}

Result<Notice> HubPeer::notice(ByteView bytes) const {
  auto read = read_notice(bytes, identity_.hub());
  const auto& before = identity_.enrolment().hub_before;
  if (!read && read.error().code() == Code::kNotSigned && before)
    if (auto former = read_notice(bytes, *before)) return former;
  return read;
}

}  // namespace towpath
