#include "agent/line/route_memory.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

namespace towpath {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;

class FakeClock final : public Clock {
 public:
  Instant time{std::chrono::milliseconds(1795429815000)};
  [[nodiscard]] Instant now() override { return time; }
};

struct Place {
  std::string folder;
  FakeClock clock;
  Place() {
    std::string pattern = (fs::temp_directory_path() / "towpath-route-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
  }
  ~Place() { fs::remove_all(folder); }
  [[nodiscard]] std::string path() const { return folder + "/line-route"; }
  [[nodiscard]] FileRouteMemory run() { return {path(), clock}; }  // as a new run of the program has it
};

TEST_CASE("what worked is remembered by the next run, for a day from when it first worked") {
  Place place;
  CHECK_FALSE(place.run().recall());
  place.run().worked("proxy http://proxy:8080 (configured)");
  for (int hour = 1; hour <= 24; ++hour) {
    place.clock.time += hours(1);
    FileRouteMemory memory = place.run();
    CHECK(memory.recall() == "proxy http://proxy:8080 (configured)");
    memory.worked("proxy http://proxy:8080 (configured)");  // each run's exchange
  }
  place.clock.time += hours(1);
  FileRouteMemory memory = place.run();
  CHECK_FALSE(memory.recall());
  memory.worked("direct");
  CHECK(place.run().recall() == "direct");
}

TEST_CASE("a remembered way of the future, a damaged file or none is no memory and no error") {
  Place place;
  place.run().worked("direct");
  place.clock.time -= hours(1);
  CHECK_FALSE(place.run().recall());
  for (const char* text : {"", "x", "1795429815000", "1795429815000\n", "1795429815000 \n",
                           "1795429815000 direct", "99999999999999999999 direct\n"}) {
    std::ofstream(place.path()) << text;
    CHECK_FALSE(place.run().recall());
  }
  FileRouteMemory nowhere("/nonexistent/folder/line-route", place.clock);
  nowhere.worked("direct");
  CHECK_FALSE(nowhere.recall());
}

}  // namespace
}  // namespace towpath
