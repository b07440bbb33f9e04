// Root works as whom a folder belongs to.
//
// A technician types `sudo towpath enrol` while the service runs as a user of its own. Done as
// root, that would leave keys and a store that the service cannot open. So a program that root
// has started becomes, before it opens anything, the user whom its data folder belongs to, and
// cannot become root again.
//
// Called by a program's main thread as soon as the data folder is known, before other threads,
// files and sockets. Does nothing where the process is not root's.
#pragma once

#include <string>

#include "core/result.hpp"

namespace towpath::platform {

// Takes the user, group and further groups of whoever owns `folder`, or the nearest folder above
// it that exists (that is who will own it once it is made). Returns the user's name; empty if
// nothing changed, because the process is not root's or the folder is.
[[nodiscard]] Result<std::string> become_owner_of(const std::string& folder);
// May this process open the file to read?
[[nodiscard]] bool may_read(const std::string& path);

}  // namespace towpath::platform
