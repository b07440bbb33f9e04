// What goes through the service's door: one request, a line of JSON; lines back, the last of which is
// the answer. Pure: bytes to values and back. Nothing of the other end is believed beyond its shape.
//
//   {"ask":"status"}
//   {"ask":"extract","sources":["mis"],"accept_deletions":false,"full":false,"program":"towpath"}
//   {"ask":"sync","program":"towpath"}
//   <- {"moves":"extract mis: pupils, 20,000 rows"}       any number, every few seconds
//   <- {"told":{"lines":[],"errors":[],"document":{},"exit_code":0}}
//   <- {"service":{...}}
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/school/told.hpp"
#include "agent/service/wish.hpp"
#include "core/result.hpp"

namespace towpath::control {

// The socket's name in the data folder.
inline constexpr const char* kSocketName = "control.sock";

enum class Verb : std::uint8_t { kStatus, kExtract, kSync };

struct Request {
  Verb verb = Verb::kStatus;
  ExtractWish wish;                 // kExtract
  std::string program = "towpath";  // what advised commands begin with
};
[[nodiscard]] std::string request_line(const Request& request);
[[nodiscard]] Result<Request> read_request(std::string_view line);

[[nodiscard]] std::string moves_line(std::string_view what, std::string_view moves);
[[nodiscard]] std::string told_line(const cli::Told& told);
[[nodiscard]] std::string status_line(const nlohmann::ordered_json& service);

struct Answer {
  std::string moves;  // of a line in between
  std::optional<cli::Told> told;
  std::optional<nlohmann::ordered_json> service;
};
// kDamaged if it is none of these.
[[nodiscard]] Result<Answer> read_answer(std::string_view line);

}  // namespace towpath::control
