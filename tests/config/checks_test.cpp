// Single values and nearest names.
#include "agent/config/checks.hpp"

#include <rapidcheck/catch.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>

namespace towpath::config {
namespace {

constexpr std::array<std::string_view, 4> kKnown{"url", "grants", "body_kib", "session_mark"};

TEST_CASE("the nearest known name is found over slips of the finger, and not over other words") {
  CHECK(nearest("grnats", kKnown) == "grants");
  CHECK(nearest("Grants", kKnown) == "grants");
  CHECK(nearest("body-kib", kKnown) == "body_kib");
  CHECK(nearest("uri", kKnown) == "url");
  CHECK(nearest("session", kKnown) == "session_mark");
  CHECK_FALSE(nearest("timetable", kKnown));
  CHECK_FALSE(nearest("", kKnown));
  CHECK_FALSE(nearest(std::string(100'000, 'u'), kKnown));
}

TEST_CASE("a name that is near nothing gets the list of what is known") {
  CHECK(suggestion("grnats", kKnown) == "Did you mean 'grants'?");
  CHECK(suggestion("timetable", kKnown) == "Known here: url, grants, body_kib, session_mark");
}

TEST_CASE("the edit distance is a distance") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("ab", "ba") == 1);
  rc::prop("it is zero for equal words, symmetric, and at most the longer word's length",
           [](const std::string& a, const std::string& b) {
             RC_ASSERT(edit_distance(a, a) == 0U);
             RC_ASSERT(edit_distance(a, b) == edit_distance(b, a));
             RC_ASSERT(edit_distance(a, b) <= std::max(a.size(), b.size()));
           });
}

TEST_CASE("hub addresses are checked to the part that is wrong") {
  for (const char* fine :
       {"http://127.0.0.1:8440", "http://localhost", "http://[::1]:8440/", "HTTP://LOCALHOST:1",
        "https://hub.example.org", "https://hub.example.org:443/towpath", "https://[2001:db8::1]/"})
    CHECK(url_fault(fine) == "");
  const auto fault = [](const char* url) { return url_fault(url); };
  CHECK_THAT(fault("hub.example.org"), Catch::Contains("http:// or https://"));
  CHECK_THAT(fault("ftp://127.0.0.1"), Catch::Contains("http:// or https://"));
  CHECK_THAT(fault("http://"), Catch::Contains("no host"));
  CHECK_THAT(fault("http://:80"), Catch::Contains("no host"));
  CHECK_THAT(fault("http://127.0.0.1:"), Catch::Contains("port"));
  CHECK_THAT(fault("http://127.0.0.1:0"), Catch::Contains("port"));
  CHECK_THAT(fault("http://127.0.0.1:65536"), Catch::Contains("port"));
  CHECK_THAT(fault("http://127.0.0.1:80x"), Catch::Contains("port"));
  CHECK_THAT(fault("https://joe:secret@hub.example.org"), Catch::Contains("password"));
  CHECK_THAT(fault("https://hub.example.org/?a=b"), Catch::Contains("query"));
  CHECK_THAT(fault("https://hub.example.org/ x"), Catch::Contains("space"));
  CHECK_THAT(fault("https://[::1"), Catch::Contains("bracket"));
  CHECK_THAT(fault("https://[::1]x"), Catch::Contains("odd"));
  CHECK_THAT(url_fault("https://" + std::string(3000, 'a')), Catch::Contains("longer"));
}

TEST_CASE("plain http is for this machine only, whatever a name pretends") {
  for (const char* other : {"http://hub.example.org", "http://10.0.0.1:8440", "http://127.0.0.1.example.org",
                            "http://localhost.example.org", "http://[2001:db8::1]:80"})
    CHECK_THAT(url_fault(other), Catch::Contains("without encryption"));
}

TEST_CASE("a proxy is auto, none or an address with a port") {
  for (const char* fine : {"auto", "none", "http://proxy:8080", "http://10.1.2.3:3128/",
                           "http://[fd00::1]:8080", "https://proxy.example:443"})
    CHECK(proxy_fault(fine) == "");
  CHECK_THAT(proxy_fault("proxy:8080"), Catch::Contains("http://proxy:8080"));
  CHECK_THAT(proxy_fault(""), Catch::Contains("auto"));
  CHECK_THAT(proxy_fault("http://proxy"), Catch::Contains("no port"));
  CHECK_THAT(proxy_fault("http://[fd00::1]"), Catch::Contains("no port"));
  CHECK_THAT(proxy_fault("http://proxy:8080/path"), Catch::Contains("end after the port"));
  CHECK_THAT(proxy_fault("socks5://proxy:1080"), Catch::Contains("http://"));
  CHECK_THAT(proxy_fault("joe:secret@proxy:8080"), Catch::Contains("password"));
}

TEST_CASE("a proxy script may come from another machine in clear, and may be asked with a query") {
  CHECK(pac_url_fault("http://wpad.school.internal/wpad.dat") == "");
  CHECK(pac_url_fault("http://filter:8080/proxy.pac?group=staff") == "");
  CHECK_THAT(pac_url_fault("http://"), Catch::Contains("no host"));
  CHECK_THAT(pac_url_fault("http://?x=1"), Catch::Contains("no host"));
}

TEST_CASE("keys that look like secrets are known as such") {
  for (const char* secret : {"password", "hub_password", "token", "API_KEY", "ClientSecret", "pwd"})
    CHECK(looks_secret(secret));
  for (const char* fine : {"key", "name", "grants", "path"}) CHECK_FALSE(looks_secret(fine));
}

TEST_CASE("source names are plain words") {
  for (const char* fine : {"mis", "sims-2", "A.b_c", "9"}) CHECK(source_name_fault(fine) == "");
  for (const char* bad : {"", "-mis", "my mis", "mis/2", "m\xc3\xa9", "."})
    CHECK(source_name_fault(bad) != "");
  CHECK(source_name_fault(std::string(65, 'a')) != "");
}

}  // namespace
}  // namespace towpath::config
