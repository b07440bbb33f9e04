// Hostile invitation codes, and files of secret keys. What is read is written the same again.
#include <cstdlib>

#include "trust/invitation.hpp"

using namespace towpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = text_of(ByteView(data, size));
  if (const auto code = Invitation::parse(text)) {
    const auto again = Invitation::parse(code->text());
    if (!again || again->secret() != code->secret() || again->url() != code->url()) std::abort();
    if (again->text() != code->text()) std::abort();
  }
  if (const auto secret = PartySecret::from_file_text(text))
    if (secret->file_text() != text) std::abort();
  return 0;
}
