#include "agent/doctor/safe.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <type_traits>

namespace towpath::doctor {
namespace {

// The heart of the support bundle: none of these compiles into it (nor does a char pointer that is no
// literal, but a trait cannot see that).
static_assert(!std::is_constructible_v<Safe, std::string>);
static_assert(!std::is_constructible_v<Safe, std::string_view>);
static_assert(!std::is_constructible_v<Safe, Error>);
static_assert(!std::is_constructible_v<Safe, double>);

constexpr std::array<std::string_view, 2> kWords{"pupil", "staff"};

TEST_CASE("text that is not one of the program's own words becomes 'other'") {
  CHECK(Safe::known("pupil", kWords).text() == "\"pupil\"\n");
  CHECK(Safe::known("Zzyzxelwood", kWords).text() == "\"other\"\n");
  CHECK(Safe::known("pupil Zzyzxelwood", kWords).text() == "\"other\"\n");
  Safe object = Safe::object();
  object.set_known("Zzyzxelwood", kWords, 1).set_known("staff", kWords, 2);
  CHECK(nlohmann::json::parse(object.text()) == nlohmann::json{{"other", 1}, {"staff", 2}});
}

TEST_CASE("what is safe is written as JSON that others read") {
  Safe out = Safe::object();
  Safe list = Safe::list();
  list.add(1).add(true).add(Safe()).add(Literal("a \"quoted\" \\ word"));
  out.set("text", "word")
      .set("yes", true)
      .set("list", std::move(list))
      .set("empty", Safe::list())
      .set("none", Safe(std::optional<Instant>()))
      .set("when", Instant{})
      .set("code", Safe::code(Code::kDiskFull))
      .set("nothing", Safe::object());
  const auto read = nlohmann::json::parse(out.text());
  CHECK(read["text"] == "word");
  CHECK(read["yes"] == true);
  CHECK(read["list"] == nlohmann::json::array({1, true, nullptr, "a \"quoted\" \\ word"}));
  CHECK(read["empty"].empty());
  CHECK(read["none"].is_null());
  CHECK(read["when"] == "1970-01-01T00:00:00.000Z");
  CHECK(read["code"] == "disk-full");
}

TEST_CASE("a path is told by its length and what is there, never by its name") {
  const std::string text = path_class("/tmp").text() + path_class("/home/Zzyzxelwood/exports").text();
  CHECK_THAT(text, !Catch::Contains("tmp\"") && !Catch::Contains("Zzyzxelwood"));
  CHECK(nlohmann::json::parse(path_class("/tmp").text())["is"] == "folder");
  CHECK(nlohmann::json::parse(path_class("/home/Zzyzxelwood/exports").text())["characters"] == 25);
  CHECK(path_class("").text() == "null\n");
}

TEST_CASE("what the machine says of itself is letters, digits and a few marks") {
  const auto machine = nlohmann::json::parse(Safe::machine(platform::look_at_machine(Instant{})).text());
  for (const char* key : {"kernel", "architecture", "system", "time_zone"}) {
    INFO(key);
    for (const char c : machine[key].get<std::string>())
      CHECK((std::isalnum(static_cast<unsigned char>(c)) != 0 ||
             std::string_view(" ._-/+?").find(c) != std::string_view::npos));
  }
  CHECK(machine["processors"].get<int>() > 0);
  CHECK(machine["memory_mb"].get<int>() > 0);
}

}  // namespace
}  // namespace towpath::doctor
