#include "agent/uplink/hub_peer.hpp"

namespace towpath {

Result<Bytes> HubPeer::seal(const Bundle& bundle) {
  return towpath::seal(bundle, identity_.own(), identity_.hub(), random_);
}

Result<Bundle> HubPeer::open(ByteView bytes) { return open_by(identity_.hub(), bytes); }

Result<Notice> HubPeer::notice(ByteView bytes) const { return read_notice(bytes, identity_.hub()); }

Result<Bundle> HubPeer::open_from_stick(ByteView bytes) const {
  auto opened = open_by(identity_.hub(), bytes);
  const auto& before = identity_.enrolment().hub_before;
  if (!opened && opened.error().code() == Code::kNotSigned && before)
    if (auto former = open_by(*before, bytes)) return former;
  return opened;
}

Result<Notice> HubPeer::notice_from_stick(ByteView bytes) const {
  auto read = notice(bytes);
  const auto& before = identity_.enrolment().hub_before;
  if (!read && read.error().code() == Code::kNotSigned && before)
    if (auto former = read_notice(bytes, *before)) return former;
  return read;
}

Result<Bundle> HubPeer::open_by(const PartyKey& hub, ByteView bytes) const {
  auto opened = towpath::open(bytes, identity_.own(), hub);
  if (!opened && opened.error().code() == Code::kOtherRecipient && identity_.next())
    if (auto next = towpath::open(bytes, *identity_.next(), hub)) return next;
  return opened;
}

}  // namespace towpath
