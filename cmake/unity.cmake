# Presets whose builds are made once and thrown away (sanitizers, fuzzers) compile several files as one:
# about half the time. These stand by themselves there: their own small names (`damaged`, `kNow`) are
# those of a neighbour, too, which is nobody's business elsewhere.
if(NOT CMAKE_UNITY_BUILD)
  return()
endif()

# What a pimpl holds may be of an anonymous namespace: its file is included once all the same.
target_compile_options(tp_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)

function(tp_alone target)
  if(NOT TARGET ${target})
    return()
  endif()
  get_target_property(folder ${target} SOURCE_DIR)
  foreach(file ${ARGN})
    set_source_files_properties(${folder}/${file} TARGET_DIRECTORY ${target}
      PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endforeach()
endfunction()

tp_alone(tp_segment segment.cpp)
tp_alone(tp_domain attendance.cpp)
tp_alone(tp_platform doorway.cpp)
tp_alone(tp_text stat_mark.cpp cells.cpp)
tp_alone(tp_csv table.cpp)
tp_alone(tp_line route_memory.cpp)
tp_alone(towpath quarantine_verb.cpp support_verb.cpp)
tp_alone(towpath-hub serve_verb.cpp)
