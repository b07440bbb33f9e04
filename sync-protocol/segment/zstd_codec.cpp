#include "segment/zstd_codec.hpp"

#define ZSTD_STATIC_LINKING_ONLY  // the magicless format: the header has said what this is
#include <zstd.h>

#include <memory>
#include <string>

namespace towpath::codec {
namespace {

// The best there is, while it is quick and small: a day's content takes some 5 ms and 1 MB.
constexpr int kBestLevel = 19;
constexpr std::size_t kBestUpTo = 64 * 1024;         // of content, and
constexpr std::size_t kBestWithPrefix = 128 * 1024;  // with its prefix: 2.5 MB, twice that would take 8
// Beyond, and to try things out: level 19 would take a second for a first load, 9 loses 3 % of it.
constexpr int kQuickLevel = 9;
// Its tables: 1.5 MB in all instead of 13, for an agent that has 24.
constexpr int kQuickTableLog = 17;

constexpr std::size_t kFrameBytes = 5;  // frame and block header: there is one of them anyway

struct Free {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }
  void operator()(ZSTD_DCtx* d) const { ZSTD_freeDCtx(d); }
};

tl::unexpected<Error> broken(const char* what, std::size_t code) {
  return fail(Code::kInternal, std::string("zstd could not ") + what + ": " + ZSTD_getErrorName(code),
              "Report this with a support bundle");
}

Result<void> compress(ByteView data, ByteView prefix, int level, Bytes& out) {
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> context{ZSTD_createCCtx()};
  if (!context)
    return fail(Code::kInternal, "No memory to compress a segment", "Free some memory and try again");
  ZSTD_CCtx* const c = context.get();
  ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters);
  const int table_log = level == kQuickLevel ? kQuickTableLog : 0;  // 0 leaves it to the level
  for (const auto& [parameter, value] :
       {std::pair{ZSTD_c_compressionLevel, level}, std::pair{ZSTD_c_hashLog, table_log},
        std::pair{ZSTD_c_chainLog, table_log},
        std::pair{ZSTD_c_format, static_cast<int>(ZSTD_f_zstd1_magicless)},
        std::pair{ZSTD_c_contentSizeFlag, 0}, std::pair{ZSTD_c_checksumFlag, 0},
        std::pair{ZSTD_c_dictIDFlag, 0}})
    if (const std::size_t r = ZSTD_CCtx_setParameter(c, parameter, value); ZSTD_isError(r))
      return broken("be set up", r);
  if (const std::size_t r = ZSTD_CCtx_setPledgedSrcSize(c, data.size()); ZSTD_isError(r))
    return broken("be set up", r);
  if (const std::size_t r = ZSTD_CCtx_refPrefix(c, prefix.data(), prefix.size()); ZSTD_isError(r))
    return broken("take the reference", r);
  const std::size_t start = out.size();
  out.resize(start + ZSTD_compressBound(data.size()));
  const std::size_t n = ZSTD_compress2(c, out.data() + start, out.size() - start, data.data(), data.size());
  if (ZSTD_isError(n)) return broken("compress a segment", n);
  out.resize(start + n);
  return {};
}

}  // namespace

Result<void> zstd_compress(ByteView data, ByteView prefix, bool quick, Bytes& out) {
  const bool small = !quick && data.size() <= kBestUpTo && data.size() + prefix.size() <= kBestWithPrefix;
  return compress(data, prefix, small ? kBestLevel : kQuickLevel, out);
}

std::size_t zstd_estimate(ByteView data, ByteView prefix) {
  Bytes out;
  if (!compress(data, prefix, kQuickLevel, out)) return data.size();
  return out.size() > kFrameBytes ? out.size() - kFrameBytes : 0;
}

Result<void> zstd_expand(ByteView frame, ByteView prefix, std::size_t size, Bytes& out) {
  thread_local const std::unique_ptr<ZSTD_DCtx, Free> context{ZSTD_createDCtx()};
  if (!context)
    return fail(Code::kInternal, "No memory to unpack a segment", "Free some memory and try again");
  ZSTD_DCtx* const d = context.get();
  ZSTD_DCtx_reset(d, ZSTD_reset_session_and_parameters);
  if (const std::size_t r = ZSTD_DCtx_setParameter(d, ZSTD_d_format, ZSTD_f_zstd1_magicless); ZSTD_isError(r))
    return broken("be set up", r);
  if (const std::size_t r = ZSTD_DCtx_refPrefix(d, prefix.data(), prefix.size()); ZSTD_isError(r))
    return broken("take the reference", r);
  const std::size_t start = out.size();
  out.resize(start + size);
  // Writes nowhere but there: whatever the frame claims, memory is bounded by `size`.
  const std::size_t n = ZSTD_decompressDCtx(d, out.data() + start, size, frame.data(), frame.size());
  if (ZSTD_isError(n) || n != size)
    return fail(Code::kDamaged,
                "A segment's body does not unpack to the " + std::to_string(size) + " bytes that it declares",
                "It will be asked for again");
  return {};
}

}  // namespace towpath::codec
