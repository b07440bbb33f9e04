// What goes through the door: read back as it was written, and refused where it is something else.
#include "agent/service/control.hpp"

#include <rapidcheck/catch.h>

#include <catch2/catch.hpp>
#include <string>

namespace towpath::control {
namespace {

TEST_CASE("a request is read as it was written") {
  Request request{Verb::kExtract, {{"mis", "meals"}, true, false}, "towpath --config '/etc/a b.toml'"};
  const auto again = read_request(request_line(request));
  REQUIRE(again);
  CHECK(again->verb == Verb::kExtract);
  CHECK(again->wish.sources == request.wish.sources);
  CHECK(again->wish.accept_deletions);
  CHECK_FALSE(again->wish.full);
  CHECK(again->program == request.program);
  CHECK(read_request(request_line({}))->verb == Verb::kStatus);
  CHECK(read_request(request_line({Verb::kSync, {}, "towpath"}))->verb == Verb::kSync);
}

TEST_CASE("a request that is none is refused, and never half taken") {
  for (const char* bad : {"", "{", "[]", "null", "{}", R"({"ask":1})", R"({"ask":"shutdown"})",
                          R"({"ask":"extract","sources":"mis"})", R"({"ask":"extract","sources":[1]})",
                          R"({"ask":"extract","full":"yes"})", R"({"ask":"sync","program":7})"}) {
    CAPTURE(bad);
    const auto request = read_request(bad);
    REQUIRE_FALSE(request);
    CHECK(request.error().code() == Code::kUsage);
  }
  std::string many = R"({"ask":"extract","sources":["a")";
  for (int i = 0; i < 100; ++i) many += R"(,"a")";
  CHECK_FALSE(read_request(many + "]}"));
  CHECK_FALSE(read_request(R"({"ask":"sync","program":")" + std::string(10'000, 'x') + R"("})"));
  CHECK_FALSE(read_request(std::string(60'000, '[')));
}

TEST_CASE("what was said comes out as it went in, without what would move a terminal's cursor") {
  cli::Told told;
  told.line("both ends equal");
  told.line(std::string("a\x1b[2Jb"));
  told.error("source mis: away");
  told.document = {{"schema_version", 1}, {"equal", true}};
  told.exit_code = 4;
  const auto answer = read_answer(told_line(told));
  REQUIRE(answer);
  REQUIRE(answer->told);
  CHECK(answer->told->lines == std::vector<std::string>{"both ends equal", "a [2Jb"});
  CHECK(answer->told->errors == told.errors);
  CHECK(answer->told->document == told.document);
  CHECK(answer->told->exit_code == 4);
  CHECK(read_answer(moves_line("extract mis", "pupils"))->moves == "extract mis: pupils");
  CHECK(read_answer(status_line({{"pid", 7}}))->service->at("pid") == 7);
}

TEST_CASE("an answer that is none is refused") {
  for (const char* bad : {"", "{}", R"({"told":{}})", R"({"moves":1})", R"({"service":[]})",
                          R"({"told":{"lines":[],"errors":[],"document":{},"exit_code":999}})",
                          R"({"told":{"lines":[1],"errors":[],"document":{},"exit_code":0}})"}) {
    CAPTURE(bad);
    CHECK_FALSE(read_answer(bad));
  }
}

TEST_CASE("whatever comes through the door, it is read or refused") {
  rc::prop("nothing else happens", [](const std::string& text) {
    (void)read_request(text);
    (void)read_answer(text);
    (void)read_request("{\"ask\":\"extract\",\"sources\":" + text);
  });
}

}  // namespace
}  // namespace towpath::control
