// Hostile questions and answers of verify, from an enrolled school or a hub: taken whole or not at
// all, and what is taken can be written the same again.
#include <array>
#include <cstdlib>
#include <string>

#include "replica/compare.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  UnknownFrame frame;
  frame.payload.assign(data, data + size);
  frame.kind = kBucketsQuestionFrame;
  const EachHash rows = [](const HashVisitor& visit) -> Result<void> {
    for (std::int64_t n = 0; n < 50; ++n) {
      const std::array<Value, 1> key{Value(n)};
      TP_TRY(visit(key, hash256("fuzz", bytes_of(std::to_string(n)))));
    }
    return {};
  };
  if (const auto question = BucketsQuestion::from(frame)) {
    if (question->frame() != frame) std::abort();
    const auto answer = BucketsAnswer::to(*question, rows);
    if (!answer || answer->rows.size() > kRowsListedMax) std::abort();
  }
  frame.kind = kBucketsAnswerFrame;
  if (const auto answer = BucketsAnswer::from(frame)) {
    if (answer->rows.size() > kRowsListedMax || answer->buckets.size() > kBucketsListedMax) std::abort();
    const UnknownFrame again = answer->frame();
    const auto twice = BucketsAnswer::from(again);
    if (!twice || twice->frame() != again) std::abort();
    const auto named = name_differences(*answer, "pupil", rows, 20);
    if (named && named->size() > 20) std::abort();
  }
  return 0;
}
