#include "agent/line/pac/pac_script.hpp"

#include <duktape.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>

#include "pac_helpers.hpp"  // made of helpers.js by CMake

namespace towpath {
namespace {

// One evaluation: what the engine's callbacks reach.
struct Run {
  PacWorld& world;
  std::string_view script, url, host;
  std::size_t heap = 0;
  bool heap_was_full = false;
  int lookups = 0;
  std::string answer, fault;
};

// A heap with an end. Each piece carries its size in front, in a place of the strictest alignment.
constexpr std::size_t kFront = alignof(std::max_align_t) < 16 ? 16 : alignof(std::max_align_t);

void* take(void* self, duk_size_t size) {
  auto& run = *static_cast<Run*>(self);
  if (size == 0) return nullptr;
  if (size > kPacHeapBytesMax - run.heap) {
    run.heap_was_full = true;
    return nullptr;
  }
  auto* piece = static_cast<unsigned char*>(std::malloc(size + kFront));
  if (piece == nullptr) return nullptr;
  *reinterpret_cast<std::size_t*>(piece) = size;
  run.heap += size;
  return piece + kFront;
}
void give_back(void* self, void* at) {
  if (at == nullptr) return;
  auto* piece = static_cast<unsigned char*>(at) - kFront;
  static_cast<Run*>(self)->heap -= *reinterpret_cast<std::size_t*>(piece);
  std::free(piece);
}
void* resize(void* self, void* at, duk_size_t size) {
  if (at == nullptr) return take(self, size);
  if (size == 0) {
    give_back(self, at);
    return nullptr;
  }
  auto& run = *static_cast<Run*>(self);
  auto* piece = static_cast<unsigned char*>(at) - kFront;
  const std::size_t was = *reinterpret_cast<std::size_t*>(piece);
  if (size > was && size - was > kPacHeapBytesMax - run.heap) {
    run.heap_was_full = true;
    return nullptr;
  }
  auto* moved = static_cast<unsigned char*>(std::realloc(piece, size + kFront));
  if (moved == nullptr) return nullptr;
  *reinterpret_cast<std::size_t*>(moved) = size;
  run.heap = run.heap - was + size;
  return moved + kFront;
}

// The engine gave up on itself: nothing it holds can be trusted, and this process does nothing else.
[[noreturn]] void broken(void* /*self*/, const char* /*message*/) { std::abort(); }

Run& run_of(duk_context* duk) {
  duk_memory_functions functions;
  duk_get_memory_functions(duk, &functions);
  return *static_cast<Run*>(functions.udata);
}

// The engine's errors jump over our frames, so nothing that owns memory may live where it can fail.
struct Address {
  std::array<char, 48> text{};  // the longest address has 45 characters
  std::size_t size = 0;
  static Address of(const std::string& from) {
    Address made;
    made.size = std::min(from.size(), made.text.size());
    std::copy_n(from.begin(), made.size, made.text.begin());
    return made;
  }
};

duk_ret_t resolve(duk_context* duk) {
  duk_size_t size = 0;
  const char* name = duk_require_lstring(duk, 0, &size);
  Run& run = run_of(duk);
  // 255: the longest name that DNS has.
  if (size == 0 || size > 255 || ++run.lookups > kPacLookupsMax) return 0;
  const Address found = Address::of(run.world.ipv4_of(std::string(name, size)));
  if (found.size == 0) return 0;
  duk_push_lstring(duk, found.text.data(), found.size);
  return 1;
}
duk_ret_t own(duk_context* duk) {
  const Address found = Address::of(run_of(duk).world.own_ipv4());
  duk_push_lstring(duk, found.text.data(), found.size);
  return 1;
}
duk_ret_t now(duk_context* duk) {
  duk_push_number(duk, static_cast<double>(run_of(duk).world.now().time_since_epoch().count()));
  return 1;
}

void define(duk_context* duk, const char* name, duk_c_function function, duk_idx_t arguments) {
  duk_push_c_function(duk, function, arguments);
  duk_put_global_string(duk, name);
}

void run_source(duk_context* duk, std::string_view source, const char* name) {
  duk_push_string(duk, name);
  duk_compile_lstring_filename(duk, 0, source.data(), source.size());
  duk_call(duk, 0);
  duk_pop(duk);
}

// Under duk_safe_call: every error of the script ends here.
duk_ret_t work(duk_context* duk, void* self) {
  Run& run = *static_cast<Run*>(self);
  define(duk, "__resolve", resolve, 1);
  define(duk, "__own", own, 0);
  define(duk, "__now", now, 0);
  run_source(duk, kPacHelpers, "helpers");
  run_source(duk, run.script, "script");
  if (!duk_get_global_string(duk, "FindProxyForURL") || !duk_is_callable(duk, -1)) {
    run.fault = "it has no function FindProxyForURL";
    return 0;
  }
  duk_push_lstring(duk, run.url.data(), run.url.size());
  duk_push_lstring(duk, run.host.data(), run.host.size());
  duk_call(duk, 2);
  if (duk_is_null_or_undefined(duk, -1)) {
    run.answer = "DIRECT";  // as browsers take it
  } else if (!duk_is_string(duk, -1)) {
    run.fault = "its answer is no text";
  } else {
    duk_size_t size = 0;
    const char* text = duk_get_lstring(duk, -1, &size);
    if (size > kPacAnswerBytesMax)
      run.fault = "its answer is longer than " + std::to_string(kPacAnswerBytesMax) + " characters";
    else
      run.answer.assign(text, size);
  }
  return 0;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t length = first < 0x80    ? 1
                               : first >= 0xf0 ? 4
                               : first >= 0xe0 ? 3
                               : first >= 0xc2 ? 2
                                               : 0;
    if (length == 0 || first > 0xf4 || at + length > text.size()) return false;
    for (std::size_t i = 1; i < length; ++i)
      if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) return false;
    at += length;
  }
  return true;
}

// Scripts are old: a comment in Latin-1 must not make one unreadable.
std::string as_utf8(std::string_view script) {
  if (script.starts_with("\xef\xbb\xbf")) script.remove_prefix(3);
  if (is_utf8(script)) return std::string(script);
  std::string out;
  for (const char c : script) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return out;
}

}  // namespace

Result<std::string> evaluate_pac(std::string_view script, std::string_view url, std::string_view host,
                                 PacWorld& world) {
  if (script.size() > kPacScriptBytesMax)
    return fail(Code::kTooLarge, "it is larger than " + std::to_string(kPacScriptBytesMax) + " bytes");
  const std::string source = as_utf8(script);
  Run run{world, source, url, host, 0, false, 0, {}, {}};
  duk_context* duk = duk_create_heap(take, resize, give_back, &run, broken);
  if (duk == nullptr) return fail(Code::kInternal, "the script engine did not start");
  if (duk_safe_call(duk, work, &run, 0, 1) != DUK_EXEC_SUCCESS) run.fault = duk_safe_to_string(duk, -1);
  duk_destroy_heap(duk);
  if (run.heap_was_full && !run.fault.empty())
    return fail(Code::kTooLarge,
                "it wants more than " + std::to_string(kPacHeapBytesMax / (1024 * 1024)) + " MB of memory");
  if (!run.fault.empty()) return fail(Code::kBadInput, run.fault);
  return run.answer;
}

}  // namespace towpath
