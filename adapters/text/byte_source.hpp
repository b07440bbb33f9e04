// The bytes of one file of a source, in order, whatever it lies in.
//
// In: a plain file, or a member of a zip. Out: its bytes, a block at a time, never
// the whole. Reads only. A source that is damaged, or that somebody writes to while
// it is read, ends in an error, never in a shorter file.
// Used by CsvReader; made by FileSet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/result.hpp"

namespace towpath {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills `into` as far as it can; 0 is the end. At the end the source is checked: an error
  // where its size or time of change is not what it was when it was first seen.
  [[nodiscard]] virtual Result<std::size_t> read(std::span<char> into) = 0;
};

}  // namespace towpath
