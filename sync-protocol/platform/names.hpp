// Names and addresses as the operating system resolves them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace towpath::platform {

// Addresses in the order in which they would be tried, as text; empty: the name is not known here.
// Blocks as long as the system's resolver does.
[[nodiscard]] std::vector<std::string> addresses_of(const std::string& name, std::size_t at_most);
// The first IPv4 address of a name; empty if it has none.
[[nodiscard]] std::string ipv4_of(const std::string& name);
// This machine's IPv4 address on the way to the internet; 127.0.0.1 where there is no such way.
// Sends nothing.
[[nodiscard]] std::string own_ipv4();
// What this machine calls itself; empty where it has no name.
[[nodiscard]] std::string machine_name();

}  // namespace towpath::platform
