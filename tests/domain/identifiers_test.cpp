// UPN and ULN: the worked examples of the domain sheet, and what the check characters catch.
#include <rapidcheck.h>

#include <catch2/catch.hpp>
#include <string>

#include "domain/uln.hpp"
#include "domain/upn.hpp"

using namespace towpath;

namespace {

constexpr std::string_view kUpnLetters = "ABCDEFGHJKLMNPQRTUVWXYZ";

// Eleven digits and, at the end, a digit or a letter.
std::string twelve_characters() {
  std::string text;
  for (int i = 0; i < 11; ++i) text += static_cast<char>('0' + *rc::gen::inRange(0, 10));
  const std::size_t last = *rc::gen::inRange<std::size_t>(0, 10 + kUpnLetters.size());
  return text + (last < 10 ? static_cast<char>('0' + last) : kUpnLetters[last - 10]);
}

std::string some_upn() {
  const std::string rest = twelve_characters();
  return upn_check_letter(rest).value() + rest;
}

// Nine digits that have a check digit, and the digit.
std::string some_uln() {
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += static_cast<char>('0' + *rc::gen::inRange(0, 10));
  if (!uln_check_digit(nine)) nine[8] = nine[8] == '9' ? '8' : static_cast<char>(nine[8] + 1);
  return nine + uln_check_digit(nine).value();
}

char other_digit(char digit) {
  return static_cast<char>('0' + (digit - '0' + *rc::gen::inRange(1, 10)) % 10);
}

}  // namespace

TEST_CASE("each worked UPN is read, with its kind") {
  const std::string upn = GENERATE("R674123101121", "W202200125001", "Y202453819042", "Z999100119001",
                                   "H801200001001", "U823423012003", "V20220012512A", "F20245382307K");
  CAPTURE(upn);
  const auto parsed = Upn::parse(upn);
  REQUIRE(parsed.has_value());
  CHECK(parsed->text() == upn);
  CHECK(parsed->temporary() == (upn == "V20220012512A" || upn == "F20245382307K"));
  CHECK(upn_check_letter(upn.substr(1)) == upn[0]);
}

TEST_CASE("a wrong check letter and a wrong form are told apart") {
  CHECK(Upn::parse("A202200125001").error() == UpnFault::kCheckLetter);
  const std::string malformed =
      GENERATE("", "W20220012500", "W2022001250011", "I202200125001", "O202200125001", "S202200125001",
               "w202200125001", "W20220012500I", "W20220012500O", "W20220012500S", "W2022001250A1",
               "W202200125 01", " W202200125001", "1202200125001", "UN1");
  CAPTURE(malformed);
  REQUIRE_FALSE(Upn::parse(malformed).has_value());
  CHECK(Upn::parse(malformed).error() == UpnFault::kForm);
}

TEST_CASE("UN1 to UN5 mean that there is no UPN") {
  for (const char* text : {"UN1", "UN2", "UN3", "UN4", "UN5"}) CHECK(is_upn_absence(text));
  for (const char* text : {"", "UN", "UN0", "UN6", "un1", "UN11", "W202200125001"})
    CHECK_FALSE(is_upn_absence(text));
}

TEST_CASE("a single wrong digit in a UPN never passes") {
  CHECK(rc::check([] {
    std::string upn = some_upn();
    RC_ASSERT(Upn::parse(upn).has_value());
    const auto at = *rc::gen::inRange<std::size_t>(1, 12);
    upn[at] = other_digit(upn[at]);
    RC_ASSERT(!Upn::parse(upn).has_value());
    RC_ASSERT(Upn::parse(upn).error() == UpnFault::kCheckLetter);
  }));
}

TEST_CASE("two digits of a UPN that changed places never pass") {
  CHECK(rc::check([] {
    std::string upn = some_upn();
    const auto a = *rc::gen::inRange<std::size_t>(1, 12), b = *rc::gen::inRange<std::size_t>(1, 12);
    RC_PRE(upn[a] != upn[b]);
    std::swap(upn[a], upn[b]);
    RC_ASSERT(!Upn::parse(upn).has_value());
  }));
}

TEST_CASE("the check letter does not see a last digit become the letter of the same value") {
  // A law of the scheme, not a wish: 1 and B both count 1. Hence matching needs more than a UPN.
  const auto permanent = Upn::parse("W202200125001"), temporary = Upn::parse("W20220012500B");
  REQUIRE(permanent.has_value());
  REQUIRE(temporary.has_value());
  CHECK_FALSE(permanent->temporary());
  CHECK(temporary->temporary());
  CHECK(*permanent != *temporary);
}

TEST_CASE("each worked ULN is read") {
  const std::string uln = GENERATE("1000000043", "1234567899", "6132459072", "9999999998", "0000000042");
  CAPTURE(uln);
  const auto parsed = Uln::parse(uln);
  REQUIRE(parsed.has_value());
  CHECK(parsed->text() == uln);
  CHECK(uln_check_digit(uln.substr(0, 9)) == uln[9]);
}

TEST_CASE("nine digits with remainder nought have no check digit at all") {
  CHECK_FALSE(uln_check_digit("100000006").has_value());
  for (char last = '0'; last <= '9'; ++last) {
    const std::string uln = std::string("100000006") + last;
    REQUIRE_FALSE(Uln::parse(uln).has_value());
    CHECK(Uln::parse(uln).error() == UlnFault::kCheckDigit);
  }
}

TEST_CASE("a ULN that is none says why") {
  CHECK(Uln::parse("9999999999").error() == UlnFault::kPlaceholder);
  CHECK(Uln::parse("1000000044").error() == UlnFault::kCheckDigit);
  for (const char* text : {"", "100000004", "10000000430", "100000004X", "1000 00043"}) {
    CAPTURE(text);
    CHECK(Uln::parse(text).error() == UlnFault::kForm);
  }
}

TEST_CASE("a single wrong digit in a ULN never passes") {
  CHECK(rc::check([] {
    std::string uln = some_uln();
    RC_ASSERT(Uln::parse(uln).has_value());
    const auto at = *rc::gen::inRange<std::size_t>(0, 10);
    uln[at] = other_digit(uln[at]);
    RC_ASSERT(!Uln::parse(uln).has_value());
  }));
}

TEST_CASE("neighbouring digits of a ULN that changed places never pass") {
  CHECK(rc::check([] {
    std::string uln = some_uln();
    const auto at = *rc::gen::inRange<std::size_t>(0, 8);
    RC_PRE(uln[at] != uln[at + 1]);
    std::swap(uln[at], uln[at + 1]);
    RC_ASSERT(!Uln::parse(uln).has_value());
  }));
}

TEST_CASE("no text of any kind upsets the parsers") {
  CHECK(rc::check([](const std::string& text) {
    RC_ASSERT(!Upn::parse(text) || Upn::parse(text)->text() == text);
    RC_ASSERT(!Uln::parse(text) || Uln::parse(text)->text() == text);
  }));
}
