# The libraries, each seen by one module (see docs/ARCHITECTURE.md, "One door each").
# All are Debian 12 packages; script/packages lists them.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)     # core: hashes; bundle: sealing
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)         # segment
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)      # sqlite
pkg_check_modules(minizip REQUIRED IMPORTED_TARGET minizip)      # adapters/text
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)     # core
find_package(CURL REQUIRED)                                      # agent/line
pkg_check_modules(duktape REQUIRED IMPORTED_TARGET duktape)      # agent/line/pac
find_package(OpenSSL REQUIRED)                                   # hub/exchange: TLS, through Poco
find_package(Poco REQUIRED COMPONENTS Foundation Net Crypto NetSSL)  # hub/exchange; core: SHA-1 for UUIDs
find_package(tl-expected REQUIRED)
find_package(tomlplusplus REQUIRED)                              # generator, agent/config, agreement
find_package(nlohmann_json REQUIRED)                             # CLIs, exports
find_package(CLI11 REQUIRED)                                     # CLIs

add_library(tp_sqlitecpp INTERFACE)                              # sqlite
target_link_libraries(tp_sqlitecpp INTERFACE SQLiteCpp PkgConfig::sqlite3)

if(TOWPATH_TESTS OR TOWPATH_BENCH)
  find_package(Catch2 2 REQUIRED)
  find_package(rapidcheck REQUIRED)
  add_library(tp_catch INTERFACE)
  target_link_libraries(tp_catch INTERFACE Catch2::Catch2WithMain rapidcheck)
  # Compiled once, reused by every test program.
  add_library(tp_catch_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/empty.cpp)
  target_link_libraries(tp_catch_pch PUBLIC tp_catch PRIVATE tp_warnings)
  target_precompile_headers(tp_catch_pch PRIVATE <catch2/catch.hpp> <string> <vector> <map> <memory>)
endif()
