// The line, as the agent sees it: one POST, one answer. Comes in by constructor.
#pragma once

#include <cstdint>
#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace towpath {

struct Reply {
  int status = 0;
  std::string content_type;
  Bytes body;
  std::uint32_t retry_after = 0;  // seconds, as the header of that name asks; 0: it does not
};

class Transport {
 public:
  virtual ~Transport() = default;
  // POSTs `body` to the hub's /v1/exchange. kTransport with a sentence for people
  // (name not resolved, refused, timed out); any HTTP status is a Reply.
  [[nodiscard]] virtual Result<Reply> exchange(ByteView body) = 0;
  // Everything on the wire so far, headers included.
  [[nodiscard]] virtual std::uint64_t bytes_sent() const = 0;
  [[nodiscard]] virtual std::uint64_t bytes_received() const = 0;
};

}  // namespace towpath
