// Root works as whom a folder belongs to.
//
// A technician types `sudo towpath enrol` while the service runs as a user of its own. Done as
// root, that would leave keys and a store that the service cannot open. So a program that root
// has started becomes, before it opens anything, the user whom its data folder belongs to, and
// cannot become root again.
//
// Called by a program's main thread as soon as the data folder is known, before other threads,
// files and sockets. Does nothing where the process is not root's.
#pragma once

#include <string>
#include <utility>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace towpath::platform {

// Takes the user, group and further groups of whoever owns `folder`, or the nearest folder above
// it that exists (that is who will own it once it is made). Returns the user's name; empty if
// nothing changed, because the process is not root's or the folder is.
[[nodiscard]] Result<std::string> become_owner_of(const std::string& folder);
// May this process open the file to read?
[[nodiscard]] bool may_read(const std::string& path);

// A file that a person names on the command line to be written: a stick's, or one in root's home.
// Whoever root has become may not write there, so it is opened while we are still who was asked.
// (One to be read is simply read before.) A file that was there keeps its content until write(), and
// is its owner's only from then on. A symbolic link is refused: what it points to was not named.
class GivenFile {
 public:
  [[nodiscard]] static Result<GivenFile> open(const std::string& path);
  GivenFile(GivenFile&& other) noexcept;
  GivenFile& operator=(GivenFile&&) = delete;
  // Removes a file that it has made and that nothing was written to, where it still may.
  ~GivenFile();
  // The whole content, once; on disk when it returns. Cut short if it fails: there is no other
  // name that could be renamed.
  [[nodiscard]] Result<void> write(ByteView content);

 private:
  GivenFile(std::string path, int handle, bool made) : path_(std::move(path)), handle_(handle), made_(made) {}
  std::string path_;
  int handle_;
  bool made_;  // and nothing written yet
};

}  // namespace towpath::platform
