#include "trust/invitation.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "trust_world.hpp"

using namespace towpath;

TEST_CASE("an invitation read out in any spelling is the one that was made") {
  SeededRandom random{7};
  const PartySecret hub = PartySecret::make(random), other = PartySecret::make(random);
  for (int n = 0; n < 50; ++n) {
    Invitation made = Invitation::make(hub.key(), random);
    made.host = "hub.example:8443";
    const std::string text = made.text();
    std::string spoken = text.substr(0, text.find('@'));
    std::replace(spoken.begin(), spoken.end(), '-', ' ');
    std::replace(spoken.begin(), spoken.end(), '0', 'o');
    std::replace(spoken.begin(), spoken.end(), '1', 'l');
    const auto read = Invitation::parse(spoken);
    REQUIRE(read);
    CHECK(read->secret() == made.secret());
    CHECK(read->is_of(hub.key()));
    CHECK_FALSE(read->is_of(other.key()));
    CHECK(Invitation::parse(text)->url() == "https://hub.example:8443");
  }
}

TEST_CASE("a single mistyped letter is found, and two are noticed") {
  SeededRandom random{8};
  const PartySecret hub = PartySecret::make(random);
  const std::string good = Invitation::make(hub.key(), random).text();
  constexpr std::string_view kAll = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  for (std::size_t at = 0; at < good.size(); ++at) {
    if (good[at] == '-') continue;
    for (const char c : kAll) {
      if (c == good[at]) continue;
      std::string one = good;
      one[at] = c;
      const auto read = Invitation::parse(one);
      REQUIRE_FALSE(read);
      CHECK(read.error().what().find("letter " + std::to_string(at % 6 + 1) + " of group " +
                                     std::to_string(at / 6 + 1)) != std::string::npos);
      for (std::size_t second = at + 1; second < good.size(); ++second) {
        if (good[second] == '-') continue;
        std::string two = one;
        two[second] = two[second] == 'Z' ? 'A' : 'Z';
        CHECK_FALSE(Invitation::parse(two));
      }
    }
  }
  for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(Invitation::parse(good.substr(0, n)));
}
