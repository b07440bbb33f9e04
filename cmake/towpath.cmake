# How our targets are made. A target per module, linked only to what is upstream of it.

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(tp_warnings INTERFACE)
target_compile_options(tp_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor
  -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees these in the standard library's own strings and vectors once it inlines much (-O3).
  target_compile_options(tp_warnings INTERFACE
    -Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds)
endif()

if(TOWPATH_SANITIZE)
  add_compile_options(-fsanitize=${TOWPATH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TOWPATH_SANITIZE})
endif()

# Include roots. A folder's headers are seen only through a target of that folder: the root
# holds nothing but a link to it, so that "hub/..." cannot be included from the agent.
function(tp_include_root folder)
  set(root ${CMAKE_BINARY_DIR}/include/${folder})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${root}/${folder} SYMBOLIC)
endfunction()
tp_include_root(adapters)
tp_include_root(agent)
tp_include_root(hub)
tp_include_root(tests)
tp_include_root(bench)

# tp_library(name ROOT sync-protocol|adapters|agent|hub SOURCES ... [PUBLIC ...] [PRIVATE ...])
function(tp_library name)
  cmake_parse_arguments(A "" "ROOT" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  if(A_ROOT STREQUAL "sync-protocol")
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/sync-protocol)
  else()
    target_include_directories(${name} PUBLIC ${CMAKE_BINARY_DIR}/include/${A_ROOT})
  endif()
  target_link_libraries(${name} PUBLIC ${A_PUBLIC} PRIVATE ${A_PRIVATE} tp_warnings)
endfunction()

# tp_test(name SOURCES ... LIBS ...): a Catch2 program, one CTest entry for the whole of it.
function(tp_test name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_BINARY_DIR}/include/tests)
  target_link_libraries(${name} PRIVATE ${A_LIBS} tp_catch tp_warnings)
  target_precompile_headers(${name} REUSE_FROM tp_catch_pch)
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)  # tests name their helpers as they like
  add_test(NAME ${name} COMMAND ${name} --use-colour no)
  set_tests_properties(${name} PROPERTIES ENVIRONMENT
    "TOWPATH_SOURCE=${CMAKE_SOURCE_DIR};TOWPATH_BIN=${CMAKE_BINARY_DIR}/bin")
endfunction()
