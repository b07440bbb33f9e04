#include "agent/sharing/sharing.hpp"

#include <utility>

namespace towpath {

Sharing::Sharing(Store& store, Clock& clock, SharingOptions options, PartnerHoldings* holdings)
    : store_(store), clock_(clock), options_(std::move(options)), holdings_(holdings) {}

}  // namespace towpath
