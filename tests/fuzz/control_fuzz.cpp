// Hostile lines through the service's door, from either end: requests by whoever may open the socket,
// answers by whatever listens there. What is taken can be written, and is then read the same.
#include "agent/service/control.hpp"
#include "check.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line = text_of(ByteView(data, size));
  if (const auto request = control::read_request(line)) {
    fuzz::harmless(request->program);
    for (const std::string& source : request->wish.sources) fuzz::harmless(source);
    const std::string written = control::request_line(*request);
    fuzz::harmless(written);  // one line
    const auto again = control::read_request(written);
    FUZZ_CHECK(again && again->verb == request->verb);
    if (request->verb == control::Verb::kExtract) {
      FUZZ_CHECK(again->wish.accept_deletions == request->wish.accept_deletions);
      FUZZ_CHECK(again->wish.full == request->wish.full);
      FUZZ_CHECK(again->wish.sources == request->wish.sources);
    }
  } else {
    fuzz::harmless(request.error());
  }
  if (const auto answer = control::read_answer(line)) {
    fuzz::harmless(answer->moves);
    FUZZ_CHECK(answer->told.has_value() + answer->service.has_value() <= 1);
    if (answer->told) {
      for (const auto* list : {&answer->told->lines, &answer->told->errors})
        for (const std::string& text : *list) fuzz::harmless(text);
      const auto again = control::read_answer(control::told_line(*answer->told));
      FUZZ_CHECK(again && again->told && again->told->exit_code == answer->told->exit_code);
      FUZZ_CHECK(again->told->lines == answer->told->lines &&
                 again->told->document == answer->told->document);
    }
    if (answer->service) {
      const auto again = control::read_answer(control::status_line(*answer->service));
      FUZZ_CHECK(again && again->service);
    }
  } else {
    fuzz::harmless(answer.error());
  }
  return 0;
}
