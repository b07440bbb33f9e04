// The hidden verb by itself, for tests.
#include "agent/line/pac/pac_child.hpp"

#include "platform/platform.hpp"

int main() {
  towpath::platform::SystemClock clock;
  return towpath::pac_child_main(clock);
}
