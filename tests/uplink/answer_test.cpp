// What came back on the line: a bundle, a filter's page, or something else.
#include "agent/uplink/answer.hpp"

#include <rapidcheck/catch.h>

#include <catch2/catch.hpp>

#include "tests/uplink/scripted_hub.hpp"

namespace towpath {
namespace {

using Catch::Contains;
using test::page;

BundleId id(std::uint8_t n) {
  BundleId made;
  made.uuid.bytes.fill(n);
  return made;
}

const Bytes kSent{1, 2, 3};

test::Keys& keys() {
  static test::Keys made;
  return made;
}

Reply answering(const BundleId& to, const PartySecret& by = keys().hub) {
  Bundle bundle;
  bundle.id = id(9);
  bundle.answers = to;
  bundle.frames.emplace_back(LaterFrame{5});
  return {200, std::string(kBundleMediaType),
          seal(bundle, by, keys().identity.own().key(), keys().random).value()};
}

Reply refusing(const BundleId& to, ByteView about, const PartySecret& by = keys().hub) {
  Notice n;
  n.code = Code::kRevoked;
  n.answers = to;
  n.text = "ended";
  return {200, std::string(kBundleMediaType), notice(n, by, about)};
}

Result<HubWord> read(const Reply& reply, std::string_view url = {}) {
  return read_answer(reply, keys().peer, id(1), kSent, url);
}
Error refused(const Reply& reply) {
  const auto word = read(reply);
  REQUIRE_FALSE(word);
  return word.error();
}

TEST_CASE("an answer to our bundle is read, even if something on the way has rewritten its type") {
  Reply reply = answering(id(1));
  CHECK(read(reply));
  reply.content_type = "application/octet-stream";
  CHECK(read(reply));
}

TEST_CASE("an answer or a notice that is not signed by the pinned hub is none, and says so") {
  SeededRandom random{99};
  const PartySecret other = PartySecret::make(random);
  for (const Reply& reply : {answering(id(1), other), refusing(id(1), kSent, other)}) {
    const Error error = refused(reply);
    CHECK(error.code() == Code::kTransport);
    CHECK_THAT(error.what(), Contains("not signed by the hub that this school is enrolled with"));
  }
}

TEST_CASE("a notice is believed only about the very bytes that were sent") {
  const auto word = read(refusing(id(1), kSent));
  REQUIRE(word);
  CHECK(std::get<Notice>(*word).code == Code::kRevoked);
  const Error other = refused(refusing(id(1), Bytes{1, 2, 4}));
  CHECK(other.code() == Code::kTransport);
}

TEST_CASE("an answer to another bundle is an old one, and is refused") {
  const Error error = refused(answering(id(2)));
  CHECK(error.code() == Code::kTransport);
  CHECK_THAT(error.what(), Contains("another bundle"));
  Reply none = answering(id(1));
  Bundle unasked;
  unasked.id = id(3);
  none.body = seal(unasked, keys().hub, keys().identity.own().key(), keys().random).value();
  CHECK(refused(none).code() == Code::kTransport);
}

TEST_CASE("an HTML page is a web filter's, and its title is shown") {
  const Error error =
      refused(page(403, "<!DOCTYPE html><html><head><title>\n Access  denied - SchoolGuard \n</title>"));
  CHECK(error.code() == Code::kBlocked);
  CHECK_THAT(error.what(),
             Contains("blocked by a web filter: 'Access denied - SchoolGuard'") && Contains("403"));
  CHECK(refused(page(200, "<html><body>hello", "text/plain")).code() == Code::kBlocked);
  CHECK_THAT(refused(page(200, "<p>hi")).what(), Contains("a page without a title"));
  CHECK_THAT(refused(page(200, "")).what(), Contains("a page without a title"));
}

TEST_CASE("another web server's page is said to be no hub, with the address that was asked") {
  for (const int status : {400, 404, 405, 501}) {
    const auto word = read(page(status, "<html><title>Error response</title>"), "http://127.0.0.1:8000");
    REQUIRE_FALSE(word);
    CHECK_THAT(word.error().what(),
               Contains("http://127.0.0.1:8000 answered, but not as a towpath hub (HTTP " +
                        std::to_string(status) + ", page 'Error response')") &&
                   Contains("wrong address or port"));
  }
}

TEST_CASE("a page's title cannot disturb the terminal or fill the screen") {
  CHECK(html_title("<TITLE class=x>a\x1b[31mb\x07</TITLE>") == "a?[31mb?");
  CHECK(html_title("<title>\xe2\x80\xae"
                   "evil</title>") == "???evil");
  CHECK(html_title("<title>\xc3\xa9t\xc3\xa9</title>") == "\xc3\xa9t\xc3\xa9");
  CHECK(html_title("<title>\xff\xfe</title>") == "??");
  CHECK(html_title("<title>" + std::string(5000, 'x') + "</title>") == std::string(80, 'x') + "...");
  CHECK(html_title("<title>never closed") == "never closed");
  CHECK(html_title("<title") == "");
}

TEST_CASE("whatever a page holds, what is shown of it is one short line of printable text") {
  rc::prop("safe_line", [](const std::string& text) {
    const std::string line = safe_line(text, 80);
    RC_ASSERT(line.size() <= 80 * 4 + 3);
    for (const char c : line) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  });
}

TEST_CASE("a damaged answer asks for a repetition, at each byte where it can be cut") {
  const Reply whole = answering(id(1));
  for (std::size_t cut = 0; cut < whole.body.size(); ++cut) {
    Reply reply = whole;
    reply.body.resize(cut);
    CHECK(refused(reply).code() == Code::kTransport);
  }
  Reply flipped = whole;
  flipped.body.back() ^= 1;
  CHECK_THAT(refused(flipped).what(), Contains("changed on the way"));
}

TEST_CASE("what is neither a bundle nor a page is told by its status") {
  const auto with = [](int status) { return refused(page(status, "no", "text/plain")).sentence(); };
  CHECK_THAT(with(404), Contains("no hub at this address") && Contains("[hub] url"));
  CHECK_THAT(with(407), Contains("proxy"));
  CHECK_THAT(with(413), Contains("too large"));
  CHECK_THAT(with(503), Contains("cannot answer now: \"no\"") || Contains("Try later"));
  CHECK_THAT(with(429), Contains("too many requests"));
  Reply busy = page(503, "Come back.\x1b[2J", "text/plain");
  busy.retry_after = 30;
  CHECK_THAT(refused(busy).sentence(), Contains("\"Come back.?[2J\"") && Contains("Try again in 30 seconds"));
  CHECK_THAT(with(400), Contains("\"no\"") && Contains("the hub is older than this program"));
  CHECK_THAT(refused(page(400, "", "text/plain")).sentence(), Contains("not from a hub"));
  CHECK_THAT(with(200), Contains("not from a hub"));
  CHECK_THAT(with(0), Contains("not from a hub"));
}

}  // namespace
}  // namespace towpath
